//! Background tasks.

use std::sync::Arc;

use jiff::SignedDuration;
use payops_core::port::PortResult;
use payops_core::usecase::{Reconciler, Report};
use tokio_util::sync::CancellationToken;

use crate::effect::Job;
use crate::environments::Opened;
use crate::fault::Fault;
use crate::msg::TaskUpdate;
use crate::widgets::words::count;

/// A payment that changed less than this ago may still be on its way to the other stores.
const SETTLE: SignedDuration = SignedDuration::from_secs(10);
/// Breaks that are told one by one.
const BREAKS_TOLD: usize = 3;

/// Runs a task to its end, or until `stop`. `progress` hears what is done, of how many.
pub(super) async fn run(
    opened: &Opened,
    job: Job,
    stop: &CancellationToken,
    progress: impl Fn(u64, Option<u64>) + Send + Sync,
) -> TaskUpdate {
    let Job::Reconcile = job;
    tokio::select! {
        biased;
        () = stop.cancelled() => TaskUpdate::Canceled("nothing was changed".to_owned()),
        report = reconcile(opened, progress) => match report {
            Ok(report) => TaskUpdate::Done(told(&report)),
            Err(error) => TaskUpdate::Failed(Fault::from(error)),
        },
    }
}

async fn reconcile(opened: &Opened, progress: impl Fn(u64, Option<u64>) + Send + Sync) -> PortResult<Report> {
    let ports = &opened.ports;
    // The index knows about how many payments there are: good enough for a bar.
    let total = ports.index.freshness().await.ok().map(|freshness| freshness.documents);
    progress(0, total);
    let reconciler = Reconciler {
        store: Arc::clone(&ports.store),
        ledger: Arc::clone(&ports.ledger),
        index: Arc::clone(&ports.index),
        archive: Arc::clone(&ports.archive),
        provider: ports.provider.clone(),
        clock: Arc::clone(&ports.clock),
        settle: SETTLE,
    };
    reconciler.run(&|checked| progress(checked, total.map(|total| total.max(checked)))).await
}

fn told(report: &Report) -> String {
    let breaks = match report.breaks.len() {
        0 => "no breaks".to_owned(),
        many => count(many, "break"),
    };
    let first: Vec<String> = report
        .breaks
        .iter()
        .take(BREAKS_TOLD)
        .map(|found| format!("{} in {:?}: {}", found.payment_id, found.store, found.detail))
        .collect();
    let first = if first.is_empty() { String::new() } else { format!(": {}", first.join("; ")) };
    let motion = if report.in_motion.is_empty() { String::new() } else { format!(", {} in motion", report.in_motion.len()) };
    format!("checked {}{motion}, {breaks}{first}", count(usize::try_from(report.checked).unwrap_or(usize::MAX), "payment"))
}
