//! Deleting dead letters on purpose. Copies of them are written to a file first.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use payops_core::domain::access::Action;
use payops_core::domain::audit::AuditOutcome;
use payops_core::domain::replay::{Disposition, ReplayPlan};
use payops_core::usecase::{DeadLetter, PlanRequest, ReplaySummary};
use serde::Serialize;

use super::claim::claim_free_queue;
use super::control::{Pace, ReplayControl, RunOptions};
use super::journal::Journals;
use super::plan::{new_request, replayer};
use crate::act::{Act, Done, Permit};
use crate::equivalent;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// What a discard came to, as scripts read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiscardReport {
    pub queue: String,
    pub planned: usize,
    pub discarded: usize,
    pub failed: usize,
    pub remaining: usize,
    /// The file with copies of the messages, whole; readable by its owner alone.
    pub kept: Option<String>,
    pub failures: BTreeMap<String, String>,
    /// Ids of messages that were deleted.
    #[serde(skip)]
    pub gone: Vec<String>,
}

impl DiscardReport {
    /// The report of a plan of which nothing was done.
    #[must_use]
    pub fn of_plan(plan: &ReplayPlan) -> Self {
        let summary = ReplaySummary {
            planned: plan.messages.len(),
            remaining: plan.messages.len(),
            ..ReplaySummary::default()
        };
        Self::new(plan, summary)
    }

    fn new(plan: &ReplayPlan, summary: ReplaySummary) -> Self {
        Self {
            queue: plan.queue.clone(),
            planned: summary.planned,
            discarded: summary.sent,
            failed: summary.failed.len(),
            remaining: summary.remaining,
            kept: None,
            failures: summary.failed,
            gone: Vec::new(),
        }
    }
}

/// The plan to delete `letters`, all of `dlq`. Nothing is changed.
pub async fn plan_discard(
    session: &Session,
    dlq: &str,
    letters: &[DeadLetter],
    filter: Option<String>,
) -> OpsResult<ReplayPlan> {
    let request = PlanRequest {
        filter,
        ..new_request(session, dlq, session.operator.reason.as_deref())
    };
    let ports = session.ports().await?;
    let mut plan = replayer(ports, 1).plan(request, letters).await?;
    for message in &mut plan.messages {
        message.disposition = Disposition::Send;
    }
    Ok(plan)
}

/// Deletes the dead letters of a plan, each only if it is still as it was seen. `letters` are those
/// that the plan was made of.
pub async fn discard(
    session: &Arc<Session>,
    mut plan: ReplayPlan,
    letters: &[DeadLetter],
    reason: &str,
    run: RunOptions,
) -> OpsResult<DiscardReport> {
    reason.clone_into(&mut plan.reason);
    let _claim = claim_free_queue(session, &plan.queue).await?;
    let dir = session.records_dir().join("discards").join(session.name());
    let journals = Journals::open(dir.clone())?;
    let _lock = journals.lock(&plan.queue)?;
    let copies = dir.join(format!("{}.letters.jsonl.kept", plan.id));
    let act = Act::new(Action::DlqDiscard)
        .subject(&plan.queue)
        .reason(Some(reason))
        .count(plan.messages.len())
        .detail("plan", &plan.id)
        .detail("messages", plan.messages.len().to_string())
        .detail("kept", copies.display().to_string())
        .equivalent(equivalent::discard(&plan.queue));
    let work = async |permit: Permit| {
        write_copies(&copies, letters)?;
        let ports = permit.ports().await?;
        let journal = journals.create(&plan)?;
        let control = ReplayControl {
            stop: permit.stop.clone(),
            pace: Pace::new(None),
            on_progress: run.on_progress,
            watch: None,
        };
        let summary = replayer(&ports, run.lanes)
            .discard(&plan, &plan.reason, &journal, &control)
            .await
            .map_err(|error| {
                OpsError::from(error).hint(format!(
                    "copies of the selected messages are in {}; list the dead letters again, then \
                        discard the rest",
                    copies.display()
                ))
            })?;
        Ok(end(DiscardReport {
            kept: Some(copies.display().to_string()),
            gone: journal.progress()?.discarded.into_keys().collect(),
            ..DiscardReport::new(&plan, summary)
        }))
    };
    session.act_until(act, run.stop, work).await
}

fn end(report: DiscardReport) -> Done<DiscardReport> {
    let is_done = report.failed == 0 && report.remaining == 0;
    let words = format!(
        "discarded {}, failed {}, remaining {}",
        report.discarded, report.failed, report.remaining
    );
    let is_unfinished = report.remaining > 0;
    let words = match &report.kept {
        Some(kept) if is_unfinished => {
            format!("{words}; copies of the deleted messages are in {kept}")
        }
        _ => words,
    };
    Done::new(report)
        .summary(words)
        .outcome(if is_done {
            AuditOutcome::Done
        } else {
            AuditOutcome::Failed
        })
        .unfinished(is_unfinished)
}

/// Writes dead letters whole, so that one discarded by mistake can be brought back.
fn write_copies(path: &Path, letters: &[DeadLetter]) -> OpsResult<()> {
    let write = || {
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(path)?;
        for letter in letters {
            let mut line = serde_json::to_vec(letter)?;
            line.push(b'\n');
            file.write_all(&line)?;
        }
        file.sync_data()
    };
    write().map_err(|error: std::io::Error| {
        OpsError::failed(format!(
            "cannot write copies of the dead letters to {}; nothing was deleted",
            path.display()
        ))
        .because(error)
    })
}
