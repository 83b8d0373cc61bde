//! Turns a query of the search box into OpenSearch's query language. No scripts, no wildcards.

use payops_core::domain::search::{SearchQuery, Term};
use serde_json::{Value, json};

use crate::text::{ceil_ms, fold_case};

/// The query that finds exactly the documents that `query` holds for; scores are not asked for.
pub(super) fn to_native(query: &SearchQuery) -> Value {
    let part = |negated| -> Vec<Value> {
        query
            .clauses
            .iter()
            .filter(|clause| clause.negated == negated)
            .map(|clause| term(&clause.term))
            .collect()
    };
    json!({"bool": {"filter": part(false), "must_not": part(true)}})
}

fn term(term: &Term) -> Value {
    match term {
        Term::Id(start) => prefix("id", start),
        Term::Email(start) => prefix("email_folded", &fold_case(start)),
        Term::Last4(last4) => exact("last4", last4),
        Term::Reference(start) => prefix("reference_folded", &fold_case(start)),
        Term::Status(status) => exact("status", status.as_str()),
        Term::Amount { min, max } => json!({"range": {"amount_minor": {"gte": min, "lte": max}}}),
        Term::Currency(currency) => exact("currency", currency.code()),
        Term::Merchant(merchant) => exact("merchant", merchant),
        Term::Created { from, to } => {
            json!({"range": {"created_ms": {"gte": ceil_ms(*from), "lt": ceil_ms(*to)}}})
        }
        Term::Failure(code) => exact("failure", code),
        Term::Dead(dead) => json!({"term": {"dead": {"value": dead}}}),
        Term::Live(live) => json!({"term": {"live": {"value": live}}}),
        Term::Any(terms) if terms.is_empty() => json!({"match_none": {}}),
        Term::Any(terms) => {
            let terms: Vec<Value> = terms.iter().map(self::term).collect();
            json!({"bool": {"should": terms, "minimum_should_match": 1}})
        }
    }
}

fn exact(field: &str, value: &str) -> Value {
    json!({"term": {field: {"value": value}}})
}

fn prefix(field: &str, start: &str) -> Value {
    // Every text starts with nothing; what has no such field has no text.
    if start.is_empty() {
        json!({"exists": {"field": field}})
    } else {
        json!({"prefix": {field: {"value": start}}})
    }
}
