//! Looking: one payment, its timeline, a search.

use std::path::Path;

use jiff::Timestamp;
use payops_core::domain::event::Event;
use payops_core::domain::id::PaymentId;
use payops_core::domain::payment::Payment;
use payops_core::domain::search::{QueryError, SearchQuery};
use payops_core::port::Ports;
use payops_core::usecase::{PaymentSearch, SearchError, SearchResult};

use crate::backend::local;
use crate::caller::Access;
use crate::environment::{Backend, EMBEDDED};
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// Reads a payment ID that somebody typed.
pub fn parse_payment_id(text: &str) -> OpsResult<PaymentId> {
    text.trim().parse().map_err(|error| {
        OpsError::usage(format!("`{text}` is not a payment ID"))
            .because(error)
            .hint("to find a payment by anything else, use: payops payment search")
    })
}

/// The payment as the primary store has it now.
pub async fn get(session: &Session, id: &PaymentId) -> OpsResult<Payment> {
    let payment = session
        .ports()
        .await?
        .store
        .get(id)
        .await
        .map_err(|error| OpsError::port("cannot read the payment", error))?;
    match payment {
        Some(payment) => Ok(payment),
        None => Err(no_payment(session, id).await),
    }
}

/// What happened to a payment, in order. A payment without events is broken, but it is there.
pub async fn timeline(session: &Session, id: &PaymentId) -> OpsResult<Vec<Event>> {
    let store = &session.ports().await?.store;
    let events = store
        .events(id)
        .await
        .map_err(|error| OpsError::port("cannot read the timeline", error))?;
    if events.is_empty() && store.get(id).await?.is_none() {
        return Err(no_payment(session, id).await);
    }
    Ok(events)
}

/// Refuses a text that is no query, so that a mistake is said once and not once an environment.
pub fn check_query(text: &str) -> OpsResult<()> {
    SearchQuery::parse(text, Timestamp::now())
        .map(drop)
        .map_err(invalid_query)
}

pub async fn search(session: &Session, text: &str, limit: usize) -> OpsResult<SearchResult> {
    PaymentSearch::from(session.ports().await?)
        .run(text, Timestamp::now(), limit)
        .await
        .map_err(|error| match error {
            SearchError::Query(error) => invalid_query(error),
            SearchError::Port(error) => OpsError::port("cannot reach the search index", error),
        })
}

fn invalid_query(error: QueryError) -> OpsError {
    OpsError::usage("invalid query")
        .because(error)
        .hint("list the fields with: payops payment search --fields")
}

/// That the environment has no such payment, and which other embedded environment has it.
pub async fn no_payment(session: &Session, id: &PaymentId) -> OpsError {
    let env = session.name();
    for (other, ports) in session.other_embedded().await {
        if matches!(ports.store.get(id).await, Ok(Some(_))) {
            return OpsError::not_found(format!("{id} not found in {env}; it is in {other}"))
                .hint(format!("add --env {other}"));
        }
    }
    OpsError::not_found(format!("{id} not found in {env}")).hint(format!(
        "check --env; find payments with: {}",
        session.command("payment search")
    ))
}

impl Session {
    /// The other embedded environments of this one's data directory, each with its ports to read;
    /// those that cannot be opened are left out.
    pub(crate) async fn other_embedded(&self) -> Vec<(String, Ports)> {
        let Backend::Embedded { data_dir, name } = &self.env.target else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for other in EMBEDDED.into_iter().filter(|other| other != name) {
            if let Ok(ports) = Box::pin(local::open(data_dir, other, Access::Read)).await {
                let name = alias(self, data_dir, other).unwrap_or_else(|| other.to_owned());
                out.push((name, ports));
            }
        }
        out
    }
}

/// What the configuration calls an environment of a data directory, if it names it.
fn alias(session: &Session, data_dir: &Path, inner: &str) -> Option<String> {
    let settings = &session.operator.settings;
    let same = Backend::Embedded {
        data_dir: data_dir.to_owned(),
        name: inner.to_owned(),
    };
    settings.declared().into_iter().find(|name| {
        settings
            .target(name)
            .is_ok_and(|declared| declared.target == same)
    })
}
