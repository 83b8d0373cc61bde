//! Background tasks. None of them changes anything.

use futures::StreamExt as _;
use jiff::SignedDuration;
use payops_core::domain::privacy::Privacy;
use payops_core::domain::rollout::{Phase, Rollout, RolloutKey};
use payops_core::port::{ErrorKind, PortError, PortResult, RolloutWatch, Watched};
use payops_core::usecase::Report;
use tokio_util::sync::CancellationToken;

use crate::effect::Job;
use crate::environments::Opened;
use crate::fault::Fault;
use crate::msg::TaskUpdate;
use crate::widgets::words::{count, thousands};

/// A payment that changed less than this ago may still be on its way to the other stores.
const SETTLE: SignedDuration = SignedDuration::from_secs(10);
const BREAKS_LISTED: usize = 100;

/// Runs a task to its end, or until `stop`. `progress` hears what is done, of how many.
pub(super) async fn run(
    opened: &Opened,
    job: Job,
    stop: &CancellationToken,
    progress: impl Fn(u64, Option<u64>) + Send + Sync,
) -> TaskUpdate {
    let work = async {
        match job {
            Job::Reconcile => reconcile(opened, progress)
                .await
                .map(|report| told(&report)),
            Job::Replay { .. } | Job::Discard { .. } | Job::Redrive { .. } | Job::Export { .. } => {
                Err(PortError::new(
                    ErrorKind::Permanent,
                    "this task changes something",
                ))
            }
            Job::Await { cluster, key } => healthy(watch(opened, &cluster)?, &key, progress).await,
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => TaskUpdate::Canceled("nothing was changed".to_owned()),
        end = work => match end {
            Ok(words) => TaskUpdate::Done(words),
            Err(error) => TaskUpdate::Failed(Fault::from(error)),
        },
    }
}

async fn reconcile(
    opened: &Opened,
    progress: impl Fn(u64, Option<u64>) + Send + Sync,
) -> PortResult<Report> {
    let ports = &opened.ports;
    // The index knows about how many payments there are: good enough for a bar.
    let total = ports
        .index
        .freshness()
        .await
        .ok()
        .map(|freshness| freshness.documents);
    progress(0, total);
    let reconciler = ports.reconciler(SETTLE);
    let mut report = reconciler
        .run(&|checked| progress(checked, total.map(|total| total.max(checked))))
        .await?;
    reconciler.confirm(&mut report).await?;
    Ok(report)
}

/// The result in its first line, breaks in those after it; masked.
fn told(report: &Report) -> String {
    let breaks = count(report.breaks.len(), "break");
    let motion = match report.in_motion.len() {
        0 => String::new(),
        moving => format!(", {moving} still in motion"),
    };
    let mut lines = vec![format!(
        "checked {}, {breaks}{motion}",
        thousands(report.checked)
    )];
    lines.extend(report.breaks.iter().take(BREAKS_LISTED).map(|found| {
        let text = format!(
            "{} {} in {}: {}",
            found.payment_id,
            name(&found.kind),
            name(&found.store),
            found.detail
        );
        Privacy::default().text(&text).replace('\n', " ")
    }));
    let left = report.breaks.len().saturating_sub(BREAKS_LISTED);
    if left > 0 {
        lines.push(format!(
            "and {left} more: payops payment reconcile lists all"
        ));
    }
    lines.join("\n")
}

/// The name of a store or kind, as in JSON: what the command line says too.
fn name(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}

fn watch(opened: &Opened, cluster: &str) -> PortResult<RolloutWatch> {
    let found = opened
        .clusters
        .iter()
        .find(|rollouts| rollouts.cluster() == cluster);
    let rollouts = found.ok_or_else(|| {
        PortError::new(
            ErrorKind::NotFound,
            format!("there is no cluster {cluster}"),
        )
    })?;
    Ok(rollouts.watch())
}

/// Waits until the rollout is healthy; fails when it cannot become so by itself.
async fn healthy(
    mut watch: RolloutWatch,
    key: &RolloutKey,
    progress: impl Fn(u64, Option<u64>) + Send + Sync,
) -> PortResult<String> {
    let gone = || {
        PortError::new(
            ErrorKind::NotFound,
            format!("there is no rollout {key} any more"),
        )
    };
    while let Some(told) = watch.next().await {
        let rollout = match told {
            Watched::All(all) => all
                .into_iter()
                .find(|rollout| rollout.key == *key)
                .ok_or_else(gone)?,
            Watched::Changed(rollout) if rollout.key == *key => *rollout,
            Watched::Gone(lost) if lost == *key => return Err(gone()),
            // Nothing is known while the watch is cut; it is taken up again by itself.
            Watched::Changed(_) | Watched::Gone(_) | Watched::Cut { .. } => continue,
        };
        if let Some(words) = verdict(&rollout)? {
            return Ok(words);
        }
        let step = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        progress(
            step(rollout.step_index.unwrap_or(0)),
            Some(step(rollout.steps().len())).filter(|steps| *steps > 0),
        );
    }
    Err(PortError::new(
        ErrorKind::Unavailable,
        format!("nothing more is told of {key}"),
    ))
}

/// What to say when it is over; `None` while it is not.
fn verdict(rollout: &Rollout) -> PortResult<Option<String>> {
    let (phase, message) = rollout.phase();
    match phase {
        Phase::Healthy => {
            let revision = rollout
                .revision
                .map(|revision| format!(" at revision {revision}"))
                .unwrap_or_default();
            Ok(Some(format!("healthy{revision}")))
        }
        Phase::Degraded => Err(PortError::new(
            ErrorKind::Permanent,
            format!("it is degraded: {message}"),
        )),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{degraded, healthy, paused};
    use payops_core::domain::reconcile::{Break, BreakKind, Store};

    #[test]
    fn breaks_follow_the_result_line_by_line() {
        let found = Break::new(
            "pay_1",
            Store::Ledger,
            BreakKind::Missing,
            "no charge; mail to anna@example.com",
        );
        let report = Report {
            checked: 4479,
            breaks: vec![found],
            in_motion: Vec::new(),
        };
        assert_eq!(
            told(&report),
            "checked 4,479, 1 break\npay_1 missing in ledger: no charge; mail to a•••@e•••.com"
        );
        assert_eq!(
            told(&Report {
                checked: 4479,
                ..Report::default()
            }),
            "checked 4,479, 0 breaks"
        );
    }

    /// What comes of waiting for `payments/api` when the cluster tells that; and the last progress.
    async fn wait(
        told: Vec<Watched<Rollout, RolloutKey>>,
    ) -> (PortResult<String>, Option<(u64, Option<u64>)>) {
        let key = healthy("payments", "api").key;
        let last = std::sync::Mutex::new(None);
        let progress = |done, total| *last.lock().expect("a lock") = Some((done, total));
        let end = super::healthy(futures::stream::iter(told).boxed(), &key, progress).await;
        let last = last.lock().expect("a lock").take();
        (end, last)
    }

    #[tokio::test]
    async fn a_rollout_is_waited_for_through_changes_and_cuts() {
        let cut = Watched::Cut {
            why: "connection lost".to_owned(),
            retry_in: std::time::Duration::from_secs(1),
        };
        let other = Watched::Changed(Box::new(healthy("payments", "other")));
        let told = vec![
            Watched::All(vec![paused("payments", "api")]),
            cut,
            other,
            Watched::Changed(Box::new(healthy("payments", "api"))),
            Watched::Gone(healthy("payments", "api").key),
        ];
        let (end, progress) = wait(told).await;
        assert_eq!(end.expect("healthy"), "healthy at revision 42");
        assert_eq!(progress, Some((1, Some(7))));
    }

    #[tokio::test]
    async fn one_that_cannot_become_healthy_is_not_waited_for() {
        let failed = Rollout {
            key: healthy("payments", "api").key,
            ..degraded()
        };
        let (end, _) = wait(vec![Watched::All(vec![failed])]).await;
        assert!(end.expect_err("degraded").message.contains("latency-p95"));
        let (end, _) = wait(vec![Watched::All(Vec::new())]).await;
        assert_eq!(end.expect_err("gone").kind, ErrorKind::NotFound);
        let (end, _) = wait(Vec::new()).await;
        assert_eq!(
            end.expect_err("the watch ended").kind,
            ErrorKind::Unavailable
        );
    }
}
