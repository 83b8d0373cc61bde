//! Turns a query of the search box into one of tantivy's.

use std::ops::Bound;

use payops_core::domain::search::{SearchQuery, Term};
use tantivy::Term as Key;
use tantivy::query::{
    AllQuery, BooleanQuery, EmptyQuery, Occur, Query as Native, RangeQuery, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use super::fields::Fields;
use crate::text::{after_prefix, ceil_ms, fold_case};

/// The query that finds exactly the documents that `query` holds for.
pub(super) fn to_native(fields: &Fields, query: &SearchQuery) -> Box<dyn Native> {
    let clause = |negated| if negated { Occur::MustNot } else { Occur::Must };
    let mut clauses: Vec<(Occur, Box<dyn Native>)> = query
        .clauses
        .iter()
        .map(|part| (clause(part.negated), term(fields, &part.term)))
        .collect();
    // What must not hold only takes away: there has to be something to take it from.
    if clauses.iter().all(|(occur, _)| *occur == Occur::MustNot) {
        clauses.push((Occur::Must, Box::new(AllQuery)));
    }
    Box::new(BooleanQuery::new(clauses))
}

fn term(fields: &Fields, term: &Term) -> Box<dyn Native> {
    match term {
        Term::Id(start) => prefix(fields.id, start),
        Term::Email(start) => prefix(fields.email, &fold_case(start)),
        Term::Last4(last4) => exact(Key::from_field_text(fields.last4, last4)),
        Term::Reference(start) => prefix(fields.reference, &fold_case(start)),
        Term::Status(status) => exact(Key::from_field_text(fields.status, status.as_str())),
        Term::Amount { min, max } => range(fields.amount, *min, *max),
        Term::Currency(currency) => exact(Key::from_field_text(fields.currency, currency.code())),
        Term::Merchant(merchant) => exact(Key::from_field_text(fields.merchant, merchant)),
        // Stored times are whole milliseconds, so "before `to`" is "at most the one before its
        // ceiling".
        Term::Created { from, to } => range(
            fields.created,
            ceil_ms(*from),
            ceil_ms(*to).saturating_sub(1),
        ),
        Term::Failure(code) => exact(Key::from_field_text(fields.failure, code)),
        Term::Dead(dead) => exact(Key::from_field_bool(fields.dead, *dead)),
        Term::Live(live) => exact(Key::from_field_bool(fields.live, *live)),
        Term::Any(terms) if terms.is_empty() => Box::new(EmptyQuery),
        Term::Any(terms) => Box::new(BooleanQuery::new(
            terms
                .iter()
                .map(|term| (Occur::Should, self::term(fields, term)))
                .collect(),
        )),
    }
}

fn exact(key: Key) -> Box<dyn Native> {
    Box::new(TermQuery::new(key, IndexRecordOption::Basic))
}

fn range(field: Field, min: i64, max: i64) -> Box<dyn Native> {
    if min > max {
        return Box::new(EmptyQuery);
    }
    let key = |value| Bound::Included(Key::from_field_i64(field, value));
    Box::new(RangeQuery::new(key(min), key(max)))
}

/// All texts that start so: a range of the term dictionary, which needs no automaton and no
/// escaping.
fn prefix(field: Field, start: &str) -> Box<dyn Native> {
    let key = |text: &str| Key::from_field_text(field, text);
    let upper = after_prefix(start).map_or(Bound::Unbounded, |after| Bound::Excluded(key(&after)));
    Box::new(RangeQuery::new(Bound::Included(key(start)), upper))
}
