//! Waiting until payments have come to their end: final, dead, or in need of a human.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use payops_core::domain::id::PaymentId;
use payops_core::domain::payment::{Payment, Status};
use payops_core::port::Ports;
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backend::payments_api::Api;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

const POLL_EVERY: Duration = Duration::from_millis(250);

/// How many payments came to which end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PaymentEnds {
    pub completed: usize,
    pub failed: usize,
    pub canceled: usize,
    pub review: usize,
    pub dead: usize,
    pub processing: usize,
}

/// Where to look how payments come to their end.
pub struct PaymentWatcher<'a> {
    source: Source<'a>,
    stop: &'a CancellationToken,
}

enum Source<'a> {
    Stores(&'a Ports),
    /// The API, which does not know of dead letters.
    Api(&'a Api),
}

impl<'a> PaymentWatcher<'a> {
    /// The stores where this machine has them, else the API.
    pub(super) async fn new(
        session: &'a Session,
        api: &'a Api,
        api_is_elsewhere: bool,
    ) -> OpsResult<Self> {
        let source = if session.is_embedded() && !api_is_elsewhere {
            Source::Stores(session.ports().await?)
        } else {
            Source::Api(api)
        };
        Ok(Self {
            source,
            stop: &session.operator.stop,
        })
    }

    /// Waits for all of `ids`, at most `timeout` or until the operator interrupts. `on_end` hears
    /// how many have ended.
    pub async fn wait(
        &self,
        ids: BTreeSet<PaymentId>,
        timeout: Duration,
        on_end: impl Fn(usize),
    ) -> OpsResult<PaymentEnds> {
        let deadline = Instant::now() + timeout;
        let total = ids.len();
        let mut open = ids;
        let mut ends: BTreeMap<PaymentId, &'static str> = BTreeMap::new();
        loop {
            for (id, end) in self.find_ended(&open).await? {
                open.remove(&id);
                ends.insert(id, end);
            }
            on_end(total.saturating_sub(open.len()));
            if open.is_empty() || Instant::now() >= deadline || self.stop.is_cancelled() {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(POLL_EVERY.min(deadline.saturating_duration_since(Instant::now()))) => {}
                () = self.stop.cancelled() => {}
            }
        }
        let count = |name: &str| ends.values().filter(|end| **end == name).count();
        Ok(PaymentEnds {
            completed: count("completed"),
            failed: count("failed"),
            canceled: count("canceled"),
            review: count("review"),
            dead: count("dead"),
            processing: open.len(),
        })
    }

    /// The payment's version as it is now, if it can be read.
    pub async fn version_of(&self, id: &PaymentId) -> Option<u64> {
        match self.source {
            Source::Stores(ports) => ports
                .store
                .get(id)
                .await
                .ok()
                .flatten()
                .map(|payment| payment.version),
            Source::Api(api) => api
                .payment(id)
                .await
                .ok()
                .flatten()?
                .get("version")?
                .as_u64(),
        }
    }

    async fn find_ended(
        &self,
        open: &BTreeSet<PaymentId>,
    ) -> OpsResult<Vec<(PaymentId, &'static str)>> {
        let ids: Vec<PaymentId> = open.iter().cloned().collect();
        let mut out = Vec::new();
        match self.source {
            Source::Stores(ports) => {
                for ids in ids.chunks(100) {
                    let payments = ports
                        .store
                        .get_many(ids)
                        .await
                        .map_err(|error| OpsError::port("cannot read the payments", error))?;
                    out.extend(
                        payments
                            .iter()
                            .filter_map(|payment| Some((payment.id.clone(), end_of(payment)?))),
                    );
                }
            }
            Source::Api(api) => {
                for ids in ids.chunks(16) {
                    let answers =
                        futures::future::join_all(ids.iter().map(|id| api.status_of(id))).await;
                    for (id, answer) in ids.iter().zip(answers) {
                        // One that could not be asked for now is asked for again.
                        let status = answer
                            .ok()
                            .flatten()
                            .and_then(|name| Status::from_name(&name));
                        out.extend(status.and_then(end_of_status).map(|end| (id.clone(), end)));
                    }
                }
            }
        }
        Ok(out)
    }
}

fn end_of(payment: &Payment) -> Option<&'static str> {
    end_of_status(payment.status).or_else(|| payment.dead.is_some().then_some("dead"))
}

fn end_of_status(status: Status) -> Option<&'static str> {
    match status {
        Status::Processing => None,
        Status::Completed | Status::PartiallyRefunded | Status::Refunded => Some("completed"),
        Status::Failed => Some("failed"),
        Status::Canceled => Some("canceled"),
        Status::Review => Some("review"),
    }
}
