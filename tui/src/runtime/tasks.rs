//! Runs background tasks to their ends.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use jiff::SignedDuration;
use payops_core::domain::display::{count, thousands};
use payops_core::domain::privacy::Privacy;
use payops_core::domain::rollout::{Phase, Rollout, RolloutKey};
use payops_core::operations::{OpenEnvironment, Operations, TaskControl};
use payops_core::port::{ErrorKind, PortError, PortResult, RolloutWatch, Watched};
use payops_core::usecase::{ReplaySummary, Report};
use tokio_util::sync::CancellationToken;

use super::environments::find_cluster;
use super::task_results::{self, TaskEnd};
use crate::effect::TaskKind;
use crate::fault::Fault;
use crate::model::TaskUpdate;

/// A payment that changed less than this ago may still be on its way to the other stores.
const SETTLE: SignedDuration = SignedDuration::from_secs(10);
const BREAKS_LISTED: usize = 100;

pub(super) type OnProgress = Arc<dyn Fn(TaskUpdate) + Send + Sync>;

struct ScreenControl {
    stop: CancellationToken,
    on_progress: OnProgress,
}

#[async_trait]
impl TaskControl for ScreenControl {
    fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    fn on_progress(&self, summary: &ReplaySummary) {
        (self.on_progress)(task_results::progress(summary));
    }
}

/// Runs a task to its end. One that writes ends after the current batch when it is stopped; the
/// others end at once.
pub(super) async fn run(
    operations: Arc<dyn Operations>,
    opened: PortResult<OpenEnvironment>,
    env: &str,
    kind: TaskKind,
    stop: CancellationToken,
    on_progress: OnProgress,
) -> TaskEnd {
    let control = Arc::new(ScreenControl {
        stop: stop.clone(),
        on_progress: Arc::clone(&on_progress),
    });
    let result = match kind {
        TaskKind::Replay { plan, reason } => operations
            .replay(env, *plan, reason, control)
            .await
            .map(task_results::end_replay),
        TaskKind::Discard {
            queue,
            letters,
            reason,
        } => operations
            .discard(env, queue, letters.to_vec(), reason, control)
            .await
            .map(task_results::end_discard),
        TaskKind::Redrive { queue, reason } => operations
            .redrive(env, queue, reason, control)
            .await
            .map(|end| task_results::end_redrive(&end)),
        TaskKind::Export { letters, listed } => {
            let words = if letters.len() < listed {
                format!("exported {} of {listed}", letters.len())
            } else {
                format!("exported {}", count(letters.len(), "dead letter"))
            };
            operations
                .export_dead_letters(env, letters.to_vec())
                .await
                .map(|path| TaskEnd::from(TaskUpdate::Done(format!("{words} to {path}"))))
        }
        TaskKind::Reconcile => {
            let work = async { reconcile(&opened?, &on_progress).await };
            return run_read(&stop, async { Ok(describe_report(&work.await?)) }).await;
        }
        TaskKind::AwaitRollout { cluster, key } => {
            let work = async {
                let watch = find_cluster(&opened?, &cluster)?.watch();
                await_healthy(watch, &key, &on_progress).await
            };
            return run_read(&stop, work).await;
        }
    };
    result.unwrap_or_else(TaskEnd::from)
}

/// Runs what changes nothing, until it ends or is stopped.
async fn run_read(
    stop: &CancellationToken,
    work: impl Future<Output = PortResult<String>>,
) -> TaskEnd {
    TaskEnd::from(match stop.run_until_cancelled(work).await {
        None => TaskUpdate::Canceled("nothing was changed".to_owned()),
        Some(Ok(words)) => TaskUpdate::Done(words),
        Some(Err(error)) => TaskUpdate::Failed(Fault::from(error)),
    })
}

fn report_progress(on_progress: &OnProgress, done: u64, total: Option<u64>) {
    on_progress(TaskUpdate::Progress {
        done,
        total,
        note: String::new(),
    });
}

async fn reconcile(env: &OpenEnvironment, on_progress: &OnProgress) -> PortResult<Report> {
    let ports = &env.ports;
    // The index knows about how many payments there are: good enough for a bar.
    let total = ports
        .index
        .freshness()
        .await
        .ok()
        .map(|freshness| freshness.documents);
    report_progress(on_progress, 0, total);
    let reconciler = ports.reconciler(SETTLE);
    let mut report = reconciler
        .run(&|checked| {
            report_progress(on_progress, checked, total.map(|total| total.max(checked)));
        })
        .await?;
    reconciler.confirm(&mut report).await?;
    Ok(report)
}

/// The result in its first line, breaks in those after it; masked.
fn describe_report(report: &Report) -> String {
    let breaks = count(report.breaks.len(), "break");
    let motion = match report.in_motion.len() {
        0 => String::new(),
        moving => format!(", {moving} not settled yet"),
    };
    let mut lines = vec![format!(
        "checked {}, {breaks}{motion}",
        thousands(report.checked)
    )];
    lines.extend(report.breaks.iter().take(BREAKS_LISTED).map(|found| {
        let text = format!(
            "{} {} in {}: {}",
            found.payment_id,
            lowercase_name(&found.kind),
            lowercase_name(&found.store),
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
fn lowercase_name(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}

/// Waits until the rollout is healthy; fails when it is degraded or gone.
async fn await_healthy(
    mut watch: RolloutWatch,
    key: &RolloutKey,
    on_progress: &OnProgress,
) -> PortResult<String> {
    let gone = || {
        PortError::new(
            ErrorKind::NotFound,
            format!("rollout {key} does not exist any more"),
        )
    };
    while let Some(event) = watch.next().await {
        let rollout = match event {
            Watched::All(all) => all
                .into_iter()
                .find(|rollout| rollout.key == *key)
                .ok_or_else(gone)?,
            Watched::Changed(rollout) if rollout.key == *key => *rollout,
            Watched::Gone(gone_key) if gone_key == *key => return Err(gone()),
            // Nothing is known while the watch is cut; it resumes by itself.
            Watched::Changed(_) | Watched::Gone(_) | Watched::Cut { .. } => continue,
        };
        if let Some(words) = describe_end(&rollout)? {
            return Ok(words);
        }
        let step = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        report_progress(
            on_progress,
            step(rollout.step_index.unwrap_or(0)),
            Some(step(rollout.steps().len())).filter(|steps| *steps > 0),
        );
    }
    Err(PortError::new(
        ErrorKind::Unavailable,
        format!("the watch of {key} ended"),
    ))
}

/// The result, once the rollout is healthy; `None` while it is not.
fn describe_end(rollout: &Rollout) -> PortResult<Option<String>> {
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
            format!("the rollout is degraded: {message}"),
        )),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

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
            describe_report(&report),
            "checked 4,479, 1 break\npay_1 missing in ledger: no charge; mail to a•••@e•••.com"
        );
        assert_eq!(
            describe_report(&Report {
                checked: 4479,
                ..Report::default()
            }),
            "checked 4,479, 0 breaks"
        );
    }

    /// The result of waiting for `payments/api` through these events, and the last progress.
    async fn wait(
        events: Vec<Watched<Rollout, RolloutKey>>,
    ) -> (PortResult<String>, Option<(u64, Option<u64>)>) {
        let key = healthy("payments", "api").key;
        let last = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&last);
        let on_progress: OnProgress = Arc::new(move |update| {
            if let TaskUpdate::Progress { done, total, .. } = update {
                *seen.lock().expect("a lock") = Some((done, total));
            }
        });
        let events = futures::stream::iter(events).boxed();
        let end = await_healthy(events, &key, &on_progress).await;
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
        let events = vec![
            Watched::All(vec![paused("payments", "api")]),
            cut,
            other,
            Watched::Changed(Box::new(healthy("payments", "api"))),
            Watched::Gone(healthy("payments", "api").key),
        ];
        let (end, progress) = wait(events).await;
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
