//! How tasks report their progress and their ends.

use payops_core::domain::display::thousands;
use payops_core::operations::{DiscardEnd, RedriveEnd, ReplayEnd};
use payops_core::port::{ErrorKind, PortError};
use payops_core::usecase::ReplaySummary;

use crate::fault::Fault;
use crate::model::TaskUpdate;

const FAILURES_LISTED: usize = 200;

/// How a task ended, and which dead letters are not in their queue any more.
pub(super) struct TaskEnd {
    pub(super) update: TaskUpdate,
    pub(super) gone_ids: Vec<String>,
}

impl From<TaskUpdate> for TaskEnd {
    fn from(update: TaskUpdate) -> Self {
        Self {
            update,
            gone_ids: Vec::new(),
        }
    }
}

impl From<PortError> for TaskEnd {
    fn from(error: PortError) -> Self {
        Self::from(TaskUpdate::Failed(error.into()))
    }
}

pub(super) fn end_redrive(end: &RedriveEnd) -> TaskEnd {
    let of = end
        .planned
        .map(|planned| format!(" of about {}", thousands(planned)))
        .unwrap_or_default();
    let words = format!(
        "moved {}{of}; Ctrl-R shows what remains",
        thousands(end.moved)
    );
    TaskEnd::from(if end.canceled {
        TaskUpdate::Canceled(words)
    } else {
        TaskUpdate::Done(words)
    })
}

fn format_count(number: usize) -> String {
    thousands(u64::try_from(number).unwrap_or(u64::MAX))
}

pub(super) fn progress(summary: &ReplaySummary) -> TaskUpdate {
    let done = summary
        .sent
        .saturating_add(summary.failed.len())
        .saturating_add(summary.parked)
        .saturating_add(summary.skipped);
    let some = |name: &str, some: usize| {
        if some > 0 {
            format!(", {name} {}", format_count(some))
        } else {
            String::new()
        }
    };
    let note = format!(
        "sent {}{}{}, failed {}, remaining {}",
        format_count(summary.sent),
        some("parked", summary.parked),
        some("skipped", summary.skipped),
        format_count(summary.failed.len()),
        format_count(summary.remaining)
    );
    TaskUpdate::Progress {
        done: u64::try_from(done).unwrap_or(0),
        total: u64::try_from(summary.planned).ok(),
        note,
    }
}

/// What was not done, one line for each message.
fn list_failures<'a>(
    failed: impl ExactSizeIterator<Item = (&'a String, &'a String)>,
) -> Vec<String> {
    let more = failed.len().saturating_sub(FAILURES_LISTED);
    let mut lines: Vec<String> = failed
        .take(FAILURES_LISTED)
        .map(|(id, why)| format!("{id}: {why}").replace('\n', " "))
        .collect();
    if more > 0 {
        lines.push(format!("and {more} more, all listed in the journal"));
    }
    lines
}

/// A failure, with what else is known in the lines below.
fn to_failure(words: &str, lines: Vec<String>) -> TaskUpdate {
    let fault = Fault::from(PortError::new(ErrorKind::Permanent, words));
    TaskUpdate::Failed(Fault {
        text: std::iter::once(fault.text)
            .chain(lines)
            .collect::<Vec<_>>()
            .join("\n"),
        ..fault
    })
}

pub(super) fn end_replay(end: ReplayEnd) -> TaskEnd {
    let ReplayEnd { summary, gone } = end;
    let words = format!(
        "sent {} of {}, parked {}, skipped {}, failed {}, remaining {}",
        format_count(summary.sent),
        format_count(summary.planned),
        format_count(summary.parked),
        format_count(summary.skipped),
        format_count(summary.failed.len()),
        format_count(summary.remaining)
    );
    let below = list_failures(summary.failed.iter());
    let lines = |first: String| {
        std::iter::once(first)
            .chain(below.clone())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let update = match &summary.stopped {
        Some(why) => to_failure(
            &format!("stopped itself: {why}; {words}; the remaining messages were not touched"),
            below,
        ),
        None if summary.remaining > 0 => {
            TaskUpdate::Canceled(lines(format!("{words}; R on this queue resumes it")))
        }
        None => TaskUpdate::Done(lines(words)),
    };
    TaskEnd {
        update,
        gone_ids: gone,
    }
}

pub(super) fn end_discard(end: DiscardEnd) -> TaskEnd {
    let DiscardEnd {
        planned,
        gone,
        remaining,
        failed,
        kept,
    } = end;
    let kept = kept
        .map(|kept| format!("; saved to {kept}"))
        .unwrap_or_default();
    let words = format!(
        "discarded {} of {}, failed {}, remaining {}{kept}",
        format_count(gone.len()),
        format_count(planned),
        format_count(failed.len()),
        format_count(remaining)
    );
    let words = std::iter::once(words)
        .chain(list_failures(failed.iter()))
        .collect::<Vec<_>>()
        .join("\n");
    let update = if remaining > 0 {
        TaskUpdate::Canceled(words)
    } else {
        TaskUpdate::Done(words)
    };
    TaskEnd {
        update,
        gone_ids: gone,
    }
}
