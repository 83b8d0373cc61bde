//! Comparing the stores of an environment.

use std::time::Duration;

use jiff::SignedDuration;
use payops_core::port::PortResult;
use payops_core::usecase::{Reconciler, Report};
use tokio::time::Instant;

use crate::error::{OpsError, OpsResult};
use crate::session::Session;

const RECHECK_EVERY: Duration = Duration::from_millis(500);
/// Added to the time given: a payment that changed as the run began must come to its rest.
const MARGIN: Duration = Duration::from_secs(2);

/// How far a comparison has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileStep {
    /// How many payments were compared.
    Compared(u64),
    /// How many payments are still changing, and are compared again.
    Waiting(usize),
}

/// Compares the stores, and waits up to `settle_seconds` for payments that are still changing.
/// Breaks are sorted, each once.
pub async fn reconcile(
    session: &Session,
    settle_seconds: u32,
    on_step: &(dyn Fn(ReconcileStep) + Send + Sync),
) -> OpsResult<Report> {
    let settle = SignedDuration::from_secs(i64::from(settle_seconds));
    let reconciler = session.ports().await?.reconciler(settle);
    let deadline = Instant::now() + Duration::from_secs(u64::from(settle_seconds)) + MARGIN;
    compare(&reconciler, deadline, on_step)
        .await
        .map_err(|error| {
            OpsError::port(
                format!("cannot compare the stores of {}", session.name()),
                error,
            )
        })
}

async fn compare(
    reconciler: &Reconciler,
    deadline: Instant,
    on_step: &(dyn Fn(ReconcileStep) + Send + Sync),
) -> PortResult<Report> {
    let mut report = reconciler
        .run(&|checked| on_step(ReconcileStep::Compared(checked)))
        .await?;
    reconciler.confirm(&mut report).await?;
    while !report.in_motion.is_empty() && Instant::now() < deadline {
        on_step(ReconcileStep::Waiting(report.in_motion.len()));
        tokio::time::sleep(RECHECK_EVERY).await;
        let again = reconciler
            .recheck(&std::mem::take(&mut report.in_motion))
            .await?;
        report.breaks.extend(again.breaks);
        report.in_motion = again.in_motion;
    }
    report.breaks.sort();
    report.breaks.dedup();
    Ok(report)
}
