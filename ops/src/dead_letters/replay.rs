//! Carrying a replay out: a new plan, or the rest of one that was interrupted.

use std::sync::Arc;

use payops_core::domain::access::Approval;
use payops_core::domain::audit::AuditOutcome;
use payops_core::domain::replay::{PlanApproval, Progress, ReplayPlan, plan_sha256};
use payops_core::usecase::ReplaySummary;

use super::claim::QueueClaim;
use super::consumer::ConsumerWatch;
use super::control::{Pace, ReplayControl, RunOptions};
use super::journal::{FileJournal, Unfinished};
use super::plan::{action_of, replayer};
use super::queue::refuse_while_redriving;
use crate::access::plan_file::REPLAY_PLANS;
use crate::act::{Act, ApprovedPlan, Done};
use crate::equivalent;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// A replay that is about to be carried out. Its queue stays claimed until it is dropped.
#[derive(Debug)]
pub struct PreparedReplay {
    pub plan: ReplayPlan,
    approvals: Vec<Approval>,
    /// Whether others may have approved the plan, so that it stays as it is.
    is_fixed: bool,
    interrupted: Option<(Progress, FileJournal)>,
    claim: QueueClaim,
}

/// What became of a replay.
#[derive(Debug)]
pub struct ReplayOutcome {
    pub plan: ReplayPlan,
    pub summary: ReplaySummary,
    pub journal: FileJournal,
    pub resumed: bool,
}

impl ReplayOutcome {
    /// Message ids of dead letters that are not in their queue any more.
    pub fn list_moved(&self) -> OpsResult<Vec<String>> {
        let progress = self.journal.progress()?;
        Ok(progress.sent.into_iter().chain(progress.parked).collect())
    }
}

impl PreparedReplay {
    /// Prepares a new plan; refused when it was carried out before, or while the queue service
    /// redrives its queue. `approvals` are those of its file, when it comes from one.
    pub async fn new(
        session: &Session,
        claim: QueueClaim,
        plan: ReplayPlan,
        approvals: Option<&[PlanApproval]>,
    ) -> OpsResult<Self> {
        refuse_while_redriving(session, &plan.queue).await?;
        claim.journals.refuse_executed(&plan)?;
        Ok(Self {
            plan,
            is_fixed: approvals.is_some(),
            approvals: REPLAY_PLANS
                .prove(session, approvals.unwrap_or_default())
                .await?,
            interrupted: None,
            claim,
        })
    }

    /// Prepares to resume the replay of the queue that was interrupted.
    pub async fn resume(
        session: &Session,
        mut claim: QueueClaim,
        approvals: &[PlanApproval],
    ) -> OpsResult<Self> {
        let Unfinished {
            plan,
            progress,
            journal,
        } = claim
            .interrupted
            .take()
            .ok_or_else(|| OpsError::not_found("no interrupted replay"))?;
        Ok(Self {
            plan,
            is_fixed: true,
            approvals: REPLAY_PLANS.prove(session, approvals).await?,
            interrupted: Some((progress, journal)),
            claim,
        })
    }

    /// What the rules are asked.
    pub(super) fn act(&self, reason: Option<&str>) -> Act {
        let count = match &self.interrupted {
            None => self.plan.messages.len(),
            // Their number was let through when it began.
            Some(_) => 0,
        };
        let act = new_act(&self.plan, &self.approvals, reason).count(count);
        if self.interrupted.is_some() {
            act.detail("resumed", "true")
        } else {
            act
        }
    }
}

fn new_act(plan: &ReplayPlan, approvals: &[Approval], reason: Option<&str>) -> Act {
    let (queue, env) = (&plan.queue, &plan.env);
    let act = Act::new(action_of(plan));
    let act = match plan.edits.len() {
        0 => act,
        edits => act.detail("edits", edits.to_string()),
    };
    act.subject(queue)
        .reason(reason)
        .detail("plan", &plan.id)
        .detail("messages", plan.messages.len().to_string())
        .equivalent(equivalent::replay(plan))
        .plan(ApprovedPlan {
            sha256: plan_sha256(plan),
            approvals: approvals.to_vec(),
            approve_with: Some(format!(
                "payops dlq plan {queue} --out FILE --env {env}, payops dlq approve FILE, then payops \
                    dlq replay --plan FILE --env {env}"
            )),
        })
}

/// What the policy would be asked of a plan that is carried out with these approvals.
pub async fn plan_act(
    session: &Session,
    plan: &ReplayPlan,
    approvals: &[PlanApproval],
) -> OpsResult<Act> {
    let proven = REPLAY_PLANS.prove(session, approvals).await?;
    Ok(new_act(plan, &proven, None).count(plan.messages.len()))
}

/// What the rules would be asked of a plan that is not claimed yet.
pub(super) fn act_of_plan(plan: &ReplayPlan, is_resumed: bool, reason: &str) -> Act {
    let count = if is_resumed { 0 } else { plan.messages.len() };
    new_act(plan, &[], Some(reason)).count(count)
}

/// Carries a replay out. With a canary, the consumer's rollout is watched too.
pub async fn replay(
    session: &Arc<Session>,
    mut prepared: PreparedReplay,
    reason: Option<&str>,
    run: RunOptions,
) -> OpsResult<ReplayOutcome> {
    if let Some(reason) = reason.filter(|_| !prepared.is_fixed) {
        reason.clone_into(&mut prepared.plan.reason);
    }
    let act = prepared.act(reason);
    let RunOptions {
        lanes,
        stop,
        on_progress,
    } = run;
    let work = async |permit: crate::act::Permit| {
        let PreparedReplay {
            plan,
            interrupted,
            claim,
            ..
        } = prepared;
        let is_watched = interrupted
            .as_ref()
            .is_none_or(|(progress, _)| progress.canary.is_none());
        let watch = if is_watched {
            ConsumerWatch::start(session, &plan).await?
        } else {
            None
        };
        let ports = permit.ports().await?;
        let resumed = interrupted.is_some();
        let (progress, journal) = match interrupted {
            Some(interrupted) => interrupted,
            None => (Progress::default(), claim.journals.create(&plan)?),
        };
        let control = ReplayControl {
            stop: permit.stop.clone(),
            pace: Pace::new(plan.rate_per_second),
            on_progress,
            watch,
        };
        let summary = replayer(&ports, lanes)
            .execute(&plan, &progress, &journal, &control)
            .await
            .map_err(|error| {
                OpsError::from(error).hint("nothing is lost; run the same command again to resume")
            })?;
        Ok(end(ReplayOutcome {
            plan,
            summary,
            journal,
            resumed,
        }))
    };
    session.act_until(act, stop, work).await
}

fn end(outcome: ReplayOutcome) -> Done<ReplayOutcome> {
    let summary = &outcome.summary;
    let failed = summary.failed.len();
    let is_done = summary.remaining == 0 && failed == 0 && summary.stopped.is_none();
    let words = format!(
        "sent {}, parked {}, skipped {}, failed {failed}, remaining {}",
        summary.sent, summary.parked, summary.skipped, summary.remaining
    );
    let is_unfinished = summary.remaining > 0 && summary.stopped.is_none();
    let words = match &summary.stopped {
        Some(why) => format!("{words}; stopped: {why}"),
        None => words,
    };
    Done::new(outcome)
        .summary(words)
        .outcome(if is_done {
            AuditOutcome::Done
        } else {
            AuditOutcome::Failed
        })
        .unfinished(is_unfinished)
}
