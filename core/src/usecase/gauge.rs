//! What is measured by looking rather than by counting: how long the oldest payment waits, and how
//! many payments the stores disagree about.

use std::sync::Arc;

use jiff::SignedDuration;

use super::reconcile::Reconciler;
use crate::Timestamp;
use crate::domain::id::{PaymentId, SHARDS};
use crate::domain::payment::Status;
use crate::port::{Clock, PaymentStore, PortResult};

/// How many pending payments of each shard are looked at, those due first.
const PENDING_MAX: usize = 1000;
const CHUNK: usize = 100;

/// The age of the oldest payment that is neither completed nor failed. Payments in a dead-letter
/// queue or under review wait for people and have signals of their own.
#[derive(Clone)]
pub struct OldestProcessing {
    pub store: Arc<dyn PaymentStore>,
    pub clock: Arc<dyn Clock>,
}

impl OldestProcessing {
    /// Zero when nothing is being processed.
    pub async fn age(&self) -> PortResult<SignedDuration> {
        let mut pending: Vec<PaymentId> = Vec::new();
        for shard in 0..SHARDS {
            pending.extend(self.store.due(shard, Timestamp::MAX, PENDING_MAX).await?);
        }
        // An id begins with the time at which it was made.
        pending.sort_unstable();
        for ids in pending.chunks(CHUNK) {
            let oldest = self
                .store
                .get_many(ids)
                .await?
                .into_iter()
                .filter(|payment| payment.status == Status::Processing && payment.dead.is_none())
                .map(|payment| payment.created_at)
                .min();
            if let Some(oldest) = oldest {
                let age = self.clock.now().duration_since(oldest);
                return Ok(age.max(SignedDuration::ZERO));
            }
        }
        Ok(SignedDuration::ZERO)
    }
}

/// Compares the stores a part at a time, round after round, so that the cost of a pass does not
/// grow with the table.
pub struct RollingReconciler {
    reconciler: Reconciler,
    payments_max: usize,
    from: Option<String>,
    this_round: usize,
    last_round: usize,
}

impl RollingReconciler {
    #[must_use]
    pub fn new(reconciler: Reconciler, payments_max: usize) -> Self {
        Self {
            reconciler,
            payments_max,
            from: None,
            this_round: 0,
            last_round: 0,
        }
    }

    /// Compares the next payments. Returns how many breaks the last whole round found, or this one
    /// if that is more.
    pub async fn advance(&mut self) -> PortResult<usize> {
        let from = self.from.as_deref();
        let (report, next) = self.reconciler.run_part(from, self.payments_max).await?;
        self.this_round = self.this_round.saturating_add(report.breaks.len());
        self.from = next;
        if self.from.is_none() {
            self.last_round = std::mem::take(&mut self.this_round);
        }
        Ok(self.last_round.max(self.this_round))
    }
}
