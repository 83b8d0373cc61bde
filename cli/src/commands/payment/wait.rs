//! Waiting until payments have come to their end: final, dead, or in need of a human.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use payops_core::domain::id::PaymentId;
use payops_core::domain::payment::{Payment, Status};
use payops_core::port::Ports;
use serde::Serialize;
use tokio::time::Instant;

use crate::api::Api;
use crate::context::{Access, Context};
use crate::error::{CliError, CliResult};
use crate::settings::{EnvTarget, Target};

const EVERY: Duration = Duration::from_millis(250);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Ended {
    pub(super) completed: usize,
    pub(super) failed: usize,
    pub(super) canceled: usize,
    pub(super) review: usize,
    pub(super) dead: usize,
    pub(super) processing: usize,
}

pub(super) enum Watcher {
    Stores(Box<Ports>),
    /// The API, which does not know of dead letters.
    Api(Api),
}

impl Watcher {
    /// The stores where this machine has them, else the API.
    pub(super) async fn new(
        context: &Context,
        target: &EnvTarget,
        api: &Api,
        api_is_elsewhere: bool,
    ) -> CliResult<Self> {
        match &target.target {
            Target::Embedded { .. } if !api_is_elsewhere => Ok(Self::Stores(Box::new(
                context.open(target, Access::Read).await?,
            ))),
            _ => Ok(Self::Api(api.clone())),
        }
    }

    /// Waits for all of `ids`, at most `timeout` or until somebody interrupts. `told` hears how
    /// many have ended.
    pub(super) async fn wait(
        &self,
        context: &Context,
        ids: BTreeSet<PaymentId>,
        timeout: Duration,
        told: impl Fn(usize),
    ) -> CliResult<Ended> {
        let deadline = Instant::now() + timeout;
        let total = ids.len();
        let mut open = ids;
        let mut ends: BTreeMap<PaymentId, &'static str> = BTreeMap::new();
        loop {
            for (id, end) in self.ended(&open).await? {
                open.remove(&id);
                ends.insert(id, end);
            }
            told(total.saturating_sub(open.len()));
            if open.is_empty() || Instant::now() >= deadline || context.stop.is_cancelled() {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY.min(deadline.saturating_duration_since(Instant::now()))) => {}
                () = context.stop.cancelled() => {}
            }
        }
        let count = |name: &str| ends.values().filter(|end| **end == name).count();
        Ok(Ended {
            completed: count("completed"),
            failed: count("failed"),
            canceled: count("canceled"),
            review: count("review"),
            dead: count("dead"),
            processing: open.len(),
        })
    }

    /// The payment's version as it is now, where it can be read.
    pub(super) async fn version_of(&self, id: &PaymentId) -> Option<u64> {
        match self {
            Self::Stores(ports) => ports
                .store
                .get(id)
                .await
                .ok()
                .flatten()
                .map(|payment| payment.version),
            Self::Api(api) => api
                .payment(id)
                .await
                .ok()
                .flatten()?
                .get("version")?
                .as_u64(),
        }
    }

    async fn ended(&self, open: &BTreeSet<PaymentId>) -> CliResult<Vec<(PaymentId, &'static str)>> {
        let ids: Vec<PaymentId> = open.iter().cloned().collect();
        let mut out = Vec::new();
        match self {
            Self::Stores(ports) => {
                for ids in ids.chunks(100) {
                    let payments =
                        ports.store.get_many(ids).await.map_err(|error| {
                            CliError::port("the payments could not be read", error)
                        })?;
                    out.extend(
                        payments
                            .iter()
                            .filter_map(|payment| Some((payment.id.clone(), end_of(payment)?))),
                    );
                }
            }
            Self::Api(api) => {
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
