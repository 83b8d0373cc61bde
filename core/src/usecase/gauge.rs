//! What is measured by looking rather than by counting: how long the oldest payment waits, and how
//! many payments the stores disagree about.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;

use super::reconcile::Reconciler;
use crate::Timestamp;
use crate::domain::id::{PaymentId, SHARDS};
use crate::domain::payment::Status;
use crate::port::{Clock, PaymentStore, PortResult};

/// How many pending payments of each shard are looked at, those due first.
const PENDING_MAX: usize = 10_000;
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
/// grow with the table. Payments with a break are compared again in every pass, until they have
/// none. What belongs to no payment, and the provider, are left to `payops payment reconcile`.
pub struct RollingReconciler {
    reconciler: Reconciler,
    payments_max: usize,
    from: Option<String>,
    broken: BTreeSet<PaymentId>,
}

impl RollingReconciler {
    #[must_use]
    pub fn new(reconciler: Reconciler, payments_max: usize) -> Self {
        Self {
            reconciler,
            payments_max,
            from: None,
            broken: BTreeSet::new(),
        }
    }

    /// Compares the next payments, and again those with a break. Returns how many have one.
    pub async fn advance(&mut self) -> PortResult<usize> {
        let known: Vec<PaymentId> = self.broken.iter().cloned().collect();
        let again = self.reconciler.recheck(&known).await?;
        let (report, next) = self
            .reconciler
            .run_part(self.from.as_deref(), self.payments_max)
            .await?;
        self.broken = again
            .breaks
            .iter()
            .chain(&report.breaks)
            .filter_map(|found| found.payment_id.parse().ok())
            .collect();
        self.from = next;
        Ok(self.broken.len())
    }
}
