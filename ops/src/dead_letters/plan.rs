//! Plans of replays: made of chosen dead letters, or read from a file that others approved.

use std::path::Path;
use std::sync::Arc;

use payops_core::domain::access::{Action, PolicyRefusal};
use payops_core::domain::replay::{ReplayPlan, ReplayPlanFile};
use payops_core::port::Ports;
use payops_core::usecase::{DeadLetter, PlanRequest, Replayer};

use crate::access::plan_file::{REPLAY_PLANS, check_place, refuse_own_plan, warn_of_own_approval};
use crate::act::Act;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

/// How a replay goes.
#[derive(Clone, Debug, Default)]
pub struct ReplayOptions {
    /// How many are sent first and watched.
    pub canary: Option<u32>,
    /// How many are sent in a second at most.
    pub rate_per_second: Option<u32>,
    /// Whether only messages are sent whose payments wait for them.
    pub only_safe: bool,
    /// How often a message may be replayed before it is parked.
    pub replays_max: Option<u32>,
    /// How the dead letters were chosen, kept in the plan.
    pub filter: Option<String>,
}

pub(super) fn replayer(ports: &Ports, lanes: usize) -> Replayer {
    Replayer {
        store: Arc::clone(&ports.store),
        queues: Arc::clone(&ports.queues),
        queue_admin: Arc::clone(&ports.queue_admin),
        dispatcher: ports.own_dispatcher(),
        clock: Arc::clone(&ports.clock),
        random: Arc::clone(&ports.random),
        limits: ports.limits.clone(),
        lanes,
    }
}

/// What every plan says: for which environment and account it is, and who made it.
pub(super) fn new_request(session: &Session, dlq: &str, reason: Option<&str>) -> PlanRequest {
    PlanRequest {
        env: session.name().to_owned(),
        account: session.env.account().cloned(),
        queue: dlq.to_owned(),
        by: session.who().to_owned(),
        reason: reason.unwrap_or("no reason given").to_owned(),
        ..PlanRequest::default()
    }
}

/// The plan to replay `letters`, all of `dlq`. Nothing is changed.
pub async fn plan_replay(
    session: &Session,
    dlq: &str,
    letters: &[DeadLetter],
    options: &ReplayOptions,
) -> OpsResult<ReplayPlan> {
    let request = PlanRequest {
        rate_per_second: options.rate_per_second,
        canary: options.canary,
        only_safe: options.only_safe,
        replays_max: options.replays_max,
        filter: options.filter.clone(),
        ..new_request(session, dlq, session.operator.reason.as_deref())
    };
    let ports = session.ports().await?;
    Ok(replayer(ports, 1).plan(request, letters).await?)
}

/// What carrying a plan out is called.
pub(super) fn action_of(plan: &ReplayPlan) -> Action {
    if plan.edits.is_empty() {
        Action::DlqReplay
    } else {
        Action::DlqEdit
    }
}

/// Reads a plan file that is to be carried out in this environment.
pub fn read_plan(session: &Session, path: &Path) -> OpsResult<ReplayPlanFile> {
    let file: ReplayPlanFile = REPLAY_PLANS.read(path)?;
    REPLAY_PLANS.check(&file)?;
    check_place(session, &file.plan.env, file.plan.account.as_ref())?;
    warn_of_own_approval(session, &file);
    Ok(file)
}

/// Refuses whoever may not approve a plan, before they are asked anything: who may not do what is
/// planned may not approve it either. The refusal is recorded, unless this is a dry run.
pub async fn check_may_approve(
    session: &Arc<Session>,
    file: &ReplayPlanFile,
    reason: Option<&str>,
    is_dry_run: bool,
) -> OpsResult<()> {
    REPLAY_PLANS.check(file)?;
    check_place(session, &file.plan.env, file.plan.account.as_ref())?;
    refuse_own_plan(session, file)?;
    // An approval is judged by the rules of a replay; those of an edit may differ.
    for action in [Action::DlqApprove, action_of(&file.plan)] {
        let act = Act::new(action)
            .subject(&file.plan.queue)
            .count(0)
            .reason(reason)
            .detail("plan", &file.plan.id)
            .detail("plan_sha256", &file.sha256);
        let refusal = session.would_refuse(&act).await?;
        let Some(refusal) = refusal.filter(PolicyRefusal::is_final) else {
            continue;
        };
        if !is_dry_run {
            let asked = Act {
                action: Action::DlqApprove,
                ..act
            };
            session.record_refusal(&asked, &refusal)?;
        }
        let refused = format!("you cannot approve what you are not allowed to do: {refusal}");
        return Err(OpsError::refused(refused).hint(refusal.hint()));
    }
    Ok(())
}

/// Adds the operator's approval to a plan file.
pub async fn approve_plan(
    session: &Arc<Session>,
    path: &Path,
    file: &mut ReplayPlanFile,
    reason: Option<&str>,
) -> OpsResult<()> {
    check_may_approve(session, file, reason, false).await?;
    let act = Act::new(Action::DlqApprove)
        .subject(&file.plan.queue)
        .reason(reason)
        .count(file.plan.messages.len())
        .detail("plan", &file.plan.id)
        .detail("messages", file.plan.messages.len().to_string());
    REPLAY_PLANS.approve(session, path, file, act).await
}
