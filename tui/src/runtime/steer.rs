//! Questions and tasks of dead letters and of elevation, answered by whoever keeps rules and
//! journals.

use std::sync::Arc;

use payops_core::port::{ErrorKind, PortError, PortResult};
use payops_core::usecase::ReplaySummary;
use tokio_util::sync::CancellationToken;

use crate::effect::{Ask, Job};
use crate::environments::{DiscardEnd, Handle, Opened, RedriveEnd, ReplayEnd, Steering};
use crate::fault::Fault;
use crate::msg::{Answer, TaskUpdate};
use crate::widgets::words::{count, thousands};

const FAILURES_LISTED: usize = 200;

/// How a task ended, and which letters are not in their queue any more.
pub(super) struct Ended {
    pub(super) update: TaskUpdate,
    pub(super) gone: Vec<String>,
}

pub(super) fn steering(opened: PortResult<Opened>) -> PortResult<Arc<dyn Steering>> {
    opened?
        .steering
        .ok_or_else(|| PortError::new(ErrorKind::Denied, "dead letters can only be looked at here"))
}

/// Answers a question; `None` when it is none of these.
pub(super) async fn answer(opened: PortResult<Opened>, ask: Ask) -> Answer {
    let there = steering(opened);
    match ask {
        Ask::Standing => {
            Answer::Standing(async { there?.standing().await }.await.map_err(Fault::from))
        }
        Ask::Elevate(wanted) => Answer::Standing(
            async { there?.elevate(wanted).await }
                .await
                .map_err(Fault::from),
        ),
        Ask::Lower => Answer::Lowered(async { there?.lower().await }.await.map_err(Fault::from)),
        Ask::PlanReplay { wanted, letters } => {
            let planned = async { there?.plan(wanted, letters.to_vec()).await };
            Answer::ReplayPlanned(planned.await.map(Box::new).map_err(Fault::from))
        }
        Ask::SavePlan(plan) => Answer::PlanSaved(
            async { there?.save(*plan).await }
                .await
                .map_err(Fault::from),
        ),
        _ => Answer::Standing(Err(Fault::new(
            ErrorKind::Permanent,
            "this question is not for the steering",
        ))),
    }
}

/// Runs a task to its end. One that changes something ends between two batches when it is told to
/// stop.
pub(super) async fn run(
    there: PortResult<Arc<dyn Steering>>,
    job: Job,
    stop: &CancellationToken,
    progress: Arc<dyn Fn(TaskUpdate) + Send + Sync>,
) -> Ended {
    let told = Arc::new(move |summary: &ReplaySummary| progress(so_far(summary)));
    let handle = Handle {
        stop: stop.clone(),
        told,
    };
    let failed = |error: PortError| Ended {
        update: TaskUpdate::Failed(error.into()),
        gone: Vec::new(),
    };
    let there = match there {
        Ok(there) => there,
        Err(error) => return failed(error),
    };
    match job {
        Job::Replay { plan, reason } => match there.replay(*plan, reason, handle).await {
            Ok(end) => replayed(end),
            Err(error) => failed(error),
        },
        Job::Discard {
            queue,
            letters,
            reason,
        } => match there.discard(queue, letters.to_vec(), reason, handle).await {
            Ok(end) => discarded(end),
            Err(error) => failed(error),
        },
        Job::Redrive { queue, reason } => match there.redrive(queue, reason, handle).await {
            Ok(end) => Ended {
                update: redriven(&end),
                gone: Vec::new(),
            },
            Err(error) => failed(error),
        },
        Job::Export { letters } => match there.export(letters.to_vec()).await {
            Ok(path) => {
                let update =
                    TaskUpdate::Done(format!("{} to {path}", count(letters.len(), "letter")));
                Ended {
                    update,
                    gone: Vec::new(),
                }
            }
            Err(error) => failed(error),
        },
        Job::Reconcile | Job::Await { .. } => failed(PortError::new(
            ErrorKind::Permanent,
            "this task is not for the steering",
        )),
    }
}

fn redriven(end: &RedriveEnd) -> TaskUpdate {
    let of = end
        .planned
        .map(|planned| format!(" of about {}", thousands(planned)))
        .unwrap_or_default();
    let words = format!(
        "moved {}{of}; look again (Ctrl-R) for what is left",
        thousands(end.moved)
    );
    if end.canceled {
        TaskUpdate::Canceled(words)
    } else {
        TaskUpdate::Done(words)
    }
}

fn number(number: usize) -> String {
    thousands(u64::try_from(number).unwrap_or(u64::MAX))
}

fn so_far(summary: &ReplaySummary) -> TaskUpdate {
    let done = summary
        .sent
        .saturating_add(summary.failed.len())
        .saturating_add(summary.parked)
        .saturating_add(summary.skipped);
    let some = |name: &str, some: usize| {
        if some > 0 {
            format!(", {name} {}", number(some))
        } else {
            String::new()
        }
    };
    let note = format!(
        "sent {}{}{}, failed {}, left {}",
        number(summary.sent),
        some("parked", summary.parked),
        some("skipped", summary.skipped),
        number(summary.failed.len()),
        number(summary.remaining)
    );
    TaskUpdate::Progress {
        done: u64::try_from(done).unwrap_or(0),
        total: u64::try_from(summary.planned).ok(),
        note,
    }
}

/// What was not done, one line for each message.
fn failures<'a>(failed: impl ExactSizeIterator<Item = (&'a String, &'a String)>) -> Vec<String> {
    let more = failed.len().saturating_sub(FAILURES_LISTED);
    let mut lines: Vec<String> = failed
        .take(FAILURES_LISTED)
        .map(|(id, why)| format!("{id}: {why}").replace('\n', " "))
        .collect();
    if more > 0 {
        lines.push(format!("and {more} more: the journal has all"));
    }
    lines
}

/// A failure as others are shown, with what else is known of it below.
fn at_fault(words: &str, lines: Vec<String>) -> TaskUpdate {
    let fault = Fault::from(PortError::new(ErrorKind::Permanent, words));
    TaskUpdate::Failed(Fault {
        text: std::iter::once(fault.text)
            .chain(lines)
            .collect::<Vec<_>>()
            .join("\n"),
        ..fault
    })
}

fn replayed(end: ReplayEnd) -> Ended {
    let ReplayEnd { summary, gone } = end;
    let words = format!(
        "sent {} of {}, parked {}, skipped {}, failed {}, left {}",
        number(summary.sent),
        number(summary.planned),
        number(summary.parked),
        number(summary.skipped),
        number(summary.failed.len()),
        number(summary.remaining)
    );
    let below = failures(summary.failed.iter());
    let lines = |first: String| {
        std::iter::once(first)
            .chain(below.clone())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let update = match &summary.stopped {
        Some(why) => at_fault(
            &format!("it stopped itself: {why}; {words}; the rest is where it was"),
            below,
        ),
        None if summary.remaining > 0 => TaskUpdate::Canceled(lines(format!(
            "{words}; R on this queue goes on from there"
        ))),
        None => TaskUpdate::Done(lines(words)),
    };
    Ended { update, gone }
}

fn discarded(end: DiscardEnd) -> Ended {
    let DiscardEnd {
        planned,
        gone,
        remaining,
        failed,
        kept,
    } = end;
    let kept = kept
        .map(|kept| format!("; kept in {kept}"))
        .unwrap_or_default();
    let words = format!(
        "discarded {} of {}, failed {}, left {}{kept}",
        number(gone.len()),
        number(planned),
        number(failed.len()),
        number(remaining)
    );
    let words = std::iter::once(words)
        .chain(failures(failed.iter()))
        .collect::<Vec<_>>()
        .join("\n");
    let update = if remaining > 0 {
        TaskUpdate::Canceled(words)
    } else {
        TaskUpdate::Done(words)
    };
    Ended { update, gone }
}
