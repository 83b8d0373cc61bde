//! Dead letters as the screen and Admin Web handle them: by the same plans, claims and acts as the
//! commands. This is the dead-letter half of [`Operations`](payops_core::operations::Operations).

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use jiff::Timestamp;
use payops_core::domain::privacy::Privacy;
use payops_core::domain::replay::{Edit, ReplayPlan, ReplayPlanFile, Set};
use payops_core::operations::{
    DiscardEnd, RedriveEnd, ReplayEnd, ReplayRequest, ReplayReview, TaskControl,
};
use payops_core::usecase::{DeadLetter, ReplaySummary};
use payops_system::private_file;
use tokio_util::sync::CancellationToken;

use super::claim::claim_queue;
use super::consumer::consumer_warnings;
use super::control::{OnProgress, RunOptions};
use super::edit::plan_edit;
use super::export::export_to;
use super::plan::{ReplayOptions, plan_replay as plan_new_replay};
use super::redrive::{RedriveReport, RedriveWait, plan_redrive};
use super::replay::{PreparedReplay, act_of_plan};
use crate::access::plan_file::write_plan;
use crate::equivalent;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// Batches that are moved at the same time.
const LANES: usize = 16;
/// Stands for the reason that is asked for once the plan was reviewed.
const LATER: &str = "reviewed on the screen";

pub async fn plan_replay(
    session: &Arc<Session>,
    request: ReplayRequest,
    letters: Vec<DeadLetter>,
) -> OpsResult<ReplayReview> {
    // Given back at once: it is reviewed for as long as somebody likes.
    let interrupted = claim_queue(session, &request.queue)?.interrupted;
    let (plan, settled, diff) = match interrupted {
        Some(_) if request.set.is_some() => {
            return Err(OpsError::refused(format!(
                "an interrupted replay of {} exists",
                request.queue
            ))
            .hint("finish it first: press R"));
        }
        Some(interrupted) => {
            let settled = interrupted.settled();
            (interrupted.plan, Some(settled), Vec::new())
        }
        None => {
            let (plan, diff) = plan_afresh(session, &request, &letters).await?;
            (plan, None, diff)
        }
    };
    let act = act_of_plan(&plan, settled.is_some(), LATER);
    let refusal = session.would_refuse(&act).await?;
    Ok(ReplayReview {
        warnings: consumer_warnings(session, &plan.target)
            .await
            .into_iter()
            .chain(session.env.kept_here())
            .collect(),
        equivalent: equivalent::replay(&plan),
        refusal: refusal.map(|refusal| format!("{refusal}: {}", refusal.hint())),
        plan,
        settled,
        diff,
    })
}

async fn plan_afresh(
    session: &Session,
    request: &ReplayRequest,
    letters: &[DeadLetter],
) -> OpsResult<(ReplayPlan, Vec<String>)> {
    let options = ReplayOptions {
        canary: request.canary,
        rate_per_second: request.rate_per_second,
        only_safe: request.only_safe,
        ..ReplayOptions::default()
    };
    match (&request.set, letters) {
        (None, _) => {
            let plan = plan_new_replay(session, &request.queue, letters, &options).await?;
            Ok((plan, Vec::new()))
        }
        (Some(set), [letter]) => {
            let set = Set::parse(set).map_err(|error| {
                OpsError::usage("the edit cannot be applied to the body").because(error)
            })?;
            let edit = Edit::Set(vec![set]);
            let edit = plan_edit(session, letter, edit, &options, Privacy::default()).await?;
            Ok((edit.plan, edit.diff))
        }
        (Some(_), _) => Err(OpsError::usage(
            "only one dead letter can be edited at a time",
        )),
    }
}

/// Writes a plan to a file in the working folder; its path.
pub fn save_replay_plan(plan: ReplayPlan) -> OpsResult<String> {
    let dir = std::env::current_dir()
        .map_err(|error| OpsError::failed("there is no directory to write to").because(error))?;
    let file = ReplayPlanFile::new(plan);
    let path = dir.join(format!("plan-{}.json", file.plan.id));
    write_plan(&path, &file)?;
    Ok(path.display().to_string())
}

pub async fn replay(
    session: &Arc<Session>,
    plan: ReplayPlan,
    reason: &str,
    control: Arc<dyn TaskControl>,
) -> OpsResult<ReplayEnd> {
    let claim = claim_queue(session, &plan.queue)?;
    let prepared = match &claim.interrupted {
        None => PreparedReplay::new(session, claim, plan, None).await?,
        Some(interrupted) if interrupted.plan.id == plan.id => {
            PreparedReplay::resume(session, claim, &[]).await?
        }
        Some(_) => {
            return Err(OpsError::refused(format!(
                "another replay of {} was interrupted meanwhile",
                plan.queue
            ))
            .hint("plan again; that one must be finished first"));
        }
    };
    let reason = Some(reason.trim()).filter(|reason| !reason.is_empty());
    let stop = session.operator.stop.child_token();
    let run = run_options(&stop, &control);
    let work = super::replay::replay(session, prepared, reason, run);
    let outcome = stop_on_request(&*control, &stop, work).await?;
    Ok(ReplayEnd {
        gone: outcome.list_moved()?,
        summary: outcome.summary,
    })
}

pub async fn discard(
    session: &Arc<Session>,
    queue: &str,
    letters: &[DeadLetter],
    reason: &str,
    control: Arc<dyn TaskControl>,
) -> OpsResult<DiscardEnd> {
    let plan = super::discard::plan_discard(session, queue, letters, None).await?;
    let stop = session.operator.stop.child_token();
    let run = run_options(&stop, &control);
    let work = super::discard::discard(session, plan, letters, reason, run);
    let report = stop_on_request(&*control, &stop, work).await?;
    Ok(DiscardEnd {
        planned: report.planned,
        gone: report.gone,
        remaining: report.remaining,
        failed: report.failures,
        kept: report.kept,
    })
}

pub async fn redrive(
    session: &Arc<Session>,
    queue: &str,
    reason: &str,
    control: Arc<dyn TaskControl>,
) -> OpsResult<RedriveEnd> {
    let plan = plan_redrive(session, queue, None).await?;
    let reason = Some(reason.trim()).filter(|reason| !reason.is_empty());
    let stop = session.operator.stop.child_token();
    let on_progress = |report: &RedriveReport| control.on_progress(&summarize(report));
    let wait = RedriveWait::UntilEnd(&on_progress);
    let work = super::redrive::redrive(session, &plan, reason, stop.clone(), wait);
    let report = stop_on_request(&*control, &stop, work).await?;
    Ok(RedriveEnd {
        moved: report.moved,
        planned: report.planned,
        canceled: !report.is_completed(),
    })
}

fn summarize(report: &RedriveReport) -> ReplaySummary {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let (sent, planned) = (
        count(report.moved),
        count(report.planned.unwrap_or(report.moved)),
    );
    ReplaySummary {
        planned,
        sent,
        remaining: planned.saturating_sub(sent),
        ..ReplaySummary::default()
    }
}

/// Writes dead letters, masked, to a file that only the operator may read; its path.
pub async fn export_dead_letters(
    session: &Arc<Session>,
    letters: &[DeadLetter],
) -> OpsResult<String> {
    let dir = session.records_dir().join("exports");
    let now = Timestamp::now().strftime("%Y%m%dT%H%M%S%.3f").to_string();
    let path = dir.join(format!("{}-{now}.jsonl", session.name()));
    let file = path.display().to_string();
    let write_lines = |lines: &mut dyn Iterator<Item = String>| {
        let mut write = || {
            std::fs::create_dir_all(&dir)?;
            private_file::write(&path, lines.collect::<String>().as_bytes())
        };
        write().map_err(|error: std::io::Error| {
            OpsError::failed(format!("cannot write {}", path.display())).because(error)
        })
    };
    export_to(
        session,
        letters,
        Privacy::default(),
        Some(&file),
        write_lines,
    )
    .await?;
    Ok(file)
}

fn run_options(stop: &CancellationToken, control: &Arc<dyn TaskControl>) -> RunOptions {
    let control = Arc::clone(control);
    let on_progress: OnProgress = Box::new(move |summary| control.on_progress(summary));
    RunOptions {
        lanes: LANES,
        stop: stop.clone(),
        on_progress,
    }
}

/// Does `work`, and cancels `stop` once it is asked to stop.
async fn stop_on_request<T>(
    control: &dyn TaskControl,
    stop: &CancellationToken,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    tokio::select! {
        done = &mut work => done,
        () = control.stopped() => {
            stop.cancel();
            work.await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The trait that the screen is handed needs futures that may move between threads.
    #[expect(dead_code, reason = "it only has to compile")]
    fn check_send(session: &Arc<Session>, plan: ReplayPlan, control: &Arc<dyn TaskControl>) {
        fn assert_send(_: impl Send) {}
        assert_send(plan_replay(session, ReplayRequest::default(), Vec::new()));
        assert_send(replay(session, plan, "", Arc::clone(control)));
        assert_send(discard(session, "", &[], "", Arc::clone(control)));
        assert_send(redrive(session, "", "", Arc::clone(control)));
        assert_send(export_dead_letters(session, &[]));
    }
}
