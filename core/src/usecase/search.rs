//! Searching payments: the index answers, and the primary store where the index may be behind.

use std::sync::Arc;

use crate::Timestamp;
use crate::domain::doc::PaymentDoc;
use crate::domain::id::PaymentId;
use crate::domain::search::{QueryError, SearchQuery, Term};
use crate::port::{Freshness, Index, PaymentStore, PortError, Ports};

#[derive(Clone)]
pub struct PaymentSearch {
    pub index: Arc<dyn Index>,
    pub store: Arc<dyn PaymentStore>,
}

impl From<&Ports> for PaymentSearch {
    fn from(ports: &Ports) -> Self {
        Self {
            index: Arc::clone(&ports.index),
            store: Arc::clone(&ports.store),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchResult {
    pub docs: Vec<PaymentDoc>,
    pub total: u64,
    /// Which store answered, and how far behind it may be.
    pub freshness: Freshness,
    /// The index has not heard of them yet: the primary store answered.
    pub from_store: bool,
    /// When nothing was found and the query has several parts: each in words, and how many
    /// payments it has by itself.
    pub parts: Vec<(String, u64)>,
}

#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("invalid query")]
    Query(#[from] QueryError),
    #[error("the search failed")]
    Port(#[from] PortError),
}

impl PaymentSearch {
    /// Searches for `text`, at most `limit` payments; `now` gives "today" its meaning.
    pub async fn run(
        &self,
        text: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<SearchResult, SearchError> {
        let query = SearchQuery::parse(text, now)?;
        let hits = self.index.search(&query, 0, limit).await?;
        let freshness = self.index.freshness().await?;
        let mut found = SearchResult {
            docs: hits.docs,
            total: hits.total,
            freshness,
            from_store: false,
            parts: Vec::new(),
        };
        if found.total == 0 {
            found.docs = self.find_in_store(&query, text).await?;
            found.total = u64::try_from(found.docs.len()).unwrap_or(u64::MAX);
            found.from_store = found.total > 0;
        }
        if found.total == 0 && query.clauses.len() > 1 && found.freshness.documents > 0 {
            found.parts = self.parts(&query).await?;
        }
        Ok(found)
    }

    /// Payments whose whole id stands in the query: the primary store knows them before the index
    /// does.
    async fn find_in_store(
        &self,
        query: &SearchQuery,
        text: &str,
    ) -> Result<Vec<PaymentDoc>, PortError> {
        let ids: Vec<PaymentId> = text
            .split_whitespace()
            .filter_map(|word| word.strip_prefix("id:").unwrap_or(word).parse().ok())
            .collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let payments = self.store.get_many(&ids).await?;
        Ok(payments
            .iter()
            .map(PaymentDoc::from)
            .filter(|doc| query.matches(doc))
            .collect())
    }

    async fn parts(&self, query: &SearchQuery) -> Result<Vec<(String, u64)>, PortError> {
        let mut parts = Vec::new();
        for clause in &query.clauses {
            let alone = SearchQuery {
                clauses: vec![clause.clone()],
            };
            let total = self.index.search(&alone, 0, 1).await?.total;
            let not = if clause.negated { "not: " } else { "" };
            parts.push((format!("{not}{}", describe(&clause.term)), total));
        }
        Ok(parts)
    }
}

fn describe(term: &Term) -> String {
    match term {
        Term::Id(start) => format!("id starts with {start}"),
        Term::Email(start) => format!("email starts with {start}"),
        Term::Last4(last4) => format!("card ends with {last4}"),
        Term::Reference(start) => format!("reference starts with {start}"),
        Term::Status(status) => format!("status is {status}"),
        Term::Amount { min, max } if min == max => format!("amount is {min} minor units"),
        Term::Amount { min, max: i64::MAX } => format!("amount is at least {min} minor units"),
        Term::Amount { min, max } => format!("amount is {min} to {max} minor units"),
        Term::Currency(currency) => format!("currency is {currency}"),
        Term::Merchant(merchant) => format!("merchant is {merchant}"),
        Term::Created { from, to } if *to == Timestamp::MAX => {
            format!("created at {from} or later")
        }
        Term::Created { from, to } if *from == Timestamp::MIN => format!("created before {to}"),
        Term::Created { from, to } => format!("created from {from} to {to}"),
        Term::Failure(code) => format!("failure is {code}"),
        Term::Dead(dead) => format!("dead is {dead}"),
        Term::Live(live) => format!("live is {live}"),
        Term::Any(terms) => terms.iter().map(describe).collect::<Vec<_>>().join(", or "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_query_are_said_in_words() {
        let query = SearchQuery::parse(
            "amount:>10 created:yesterday 4242",
            "2026-11-22T12:00:00Z".parse().expect("a time"),
        )
        .expect("a query");
        let words: Vec<String> = query
            .clauses
            .iter()
            .map(|clause| describe(&clause.term))
            .collect();
        let expected = [
            "amount is at least 11 minor units",
            "created from 2026-11-21T00:00:00Z to 2026-11-22T00:00:00Z",
            "email starts with 4242, or reference starts with 4242, or card ends with 4242, or \
                amount is 4242 minor units",
        ];
        assert_eq!(words, expected);
    }
}
