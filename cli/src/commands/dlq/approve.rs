//! `payops dlq plan` and `payops dlq approve`: a plan as a file that somebody else looks at and
//! approves.

use std::path::{Path, PathBuf};

use clap::Args;
use payops_core::domain::access::{AccessLevel, Action, Approval};
use payops_core::domain::replay::{PlanApproval, ReplayPlanFile, estimate};
use payops_core::usecase::DeadLetters;
use serde::Serialize;

use super::not_read;
use super::planned::show;
use super::replay::{HowArgs, made};
use super::select::SelectArgs;
use crate::context::{Access, Context};
use crate::error::CliResult;
use crate::exit::Exit;
use crate::output::{Cell, Document, Look, count, details};
use crate::plans::{self, Kind, Place};
use crate::safety::{self, Act};
use crate::settings::EnvTarget;

const PLANS: Kind = Kind {
    action: "dlq.approve",
    made_by: "payops dlq plan QUEUE",
};

pub(crate) struct Approved<'a> {
    pub(crate) sha256: &'a str,
    pub(crate) approvals: &'a [Approval],
}

/// `payops dlq plan`
#[derive(Clone, Debug, Args)]
pub(crate) struct PlanArgs {
    /// The queue or its dead-letter queue
    queue: String,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    how: HowArgs,
    /// Where the plan is written
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `payops dlq approve`
#[derive(Clone, Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The plan file
    file: PathBuf,
    /// Do not ask; where writes are protected this needs --reason
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the name that scripts read")]
struct Planned {
    file: String,
    sha256: String,
    id: String,
    env: String,
    queue: String,
    target: String,
    by: String,
    planned: usize,
    to_send: usize,
    estimate_seconds: u64,
    approved_by: Vec<String>,
}

impl Planned {
    fn new(file: &ReplayPlanFile, path: &Path) -> Self {
        let plan = &file.plan;
        Self {
            file: path.display().to_string(),
            sha256: file.sha256.clone(),
            id: plan.id.clone(),
            env: plan.env.clone(),
            queue: plan.queue.clone(),
            target: plan.target.clone(),
            by: plan.by.clone(),
            planned: plan.messages.len(),
            to_send: plan.to_send(),
            estimate_seconds: estimate(plan.to_send(), plan.rate_per_second).as_secs(),
            approved_by: file.approvers().into_iter().map(str::to_owned).collect(),
        }
    }
}

impl Document for Planned {
    fn human(&self, look: &Look) -> String {
        let approved =
            (!self.approved_by.is_empty()).then(|| Cell::from(self.approved_by.join(", ")));
        details(
            look,
            [
                ("plan", Some(Cell::from(&self.file))),
                ("hash", Some(Cell::from(&self.sha256))),
                (
                    "from",
                    Some(Cell::from(format!("{} in {}", self.queue, self.env))),
                ),
                ("to", Some(Cell::from(&self.target))),
                (
                    "messages",
                    Some(Cell::from(format!(
                        "{} planned, {} to be sent",
                        self.planned, self.to_send
                    ))),
                ),
                ("made by", Some(Cell::from(&self.by))),
                ("approved by", approved),
            ],
        )
    }
}

/// Runs `payops dlq plan`.
pub(crate) async fn plan(context: &Context, args: &PlanArgs) -> CliResult<Exit> {
    let target = context.settings.one_target()?;
    let ports = context.open(&target, Access::Read).await?;
    let dlq = DeadLetters::from(&ports)
        .queues(Some(&args.queue))
        .await
        .map_err(not_read)?
        .pop()
        .unwrap_or_default();
    let plan = made(context, &target, &ports, &dlq, (&args.select, &args.how)).await?;
    show(context, &plan);
    let file = ReplayPlanFile::new(plan);
    let path = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("plan-{}.json", file.plan.id)));
    plans::write(&path, &file)?;
    for canary in super::alarms::canaries(&target, &context.caller(AccessLevel::View)).await {
        context.talk.warn(format!(
            "warning: {canary} is in the middle of a canary, and its weight \
            does not govern who takes a message"
        ));
    }
    context.printer.document(&Planned::new(&file, &path))?;
    context.talk.say(format!(
        "payops dlq replay --plan {} carries it out; payops dlq approve {} is for somebody else",
        path.display(),
        path.display()
    ));
    Ok(Exit::Done)
}

/// Runs `payops dlq approve`.
pub(crate) async fn approve(context: &Context, args: &ApproveArgs) -> CliResult<Exit> {
    let mut file: ReplayPlanFile = PLANS.read(&args.file)?;
    let target = context.settings.target(&file.plan.env)?;
    PLANS.check(&file)?;
    plans::somebody_elses(context, &file)?;
    let deed = if file.plan.edits.is_empty() {
        Action::DlqReplay
    } else {
        Action::DlqEdit
    };
    plans::may_approve(context, &target, deed).await?;
    show(context, &file.plan);
    let reason = safety::reason(context, &target)?;
    let changed = if file.plan.edits.is_empty() {
        String::new()
    } else {
        format!(", {} of them CHANGED", file.plan.edits.len())
    };
    let what = format!(
        "approve of sending {} of {} again{changed}",
        count(file.plan.messages.len(), "message"),
        file.plan.queue
    );
    safety::confirm(
        context,
        &target,
        &Act {
            what: &what,
            typed: &file.plan.id,
            yes: args.yes,
            always: true,
        },
    )?;
    let entry = context
        .entry(&target, PLANS.action, reason.as_deref())
        .subject(&file.plan.queue)
        .detail("plan", &file.plan.id);
    PLANS
        .approve(context, &target, (&args.file, &mut file), entry)
        .await?;
    context.printer.document(&Planned::new(&file, &args.file))?;
    Ok(Exit::Done)
}

/// Reads a plan file that is to be carried out in an environment.
pub(super) fn read(
    context: &Context,
    target: &EnvTarget,
    path: &Path,
) -> CliResult<ReplayPlanFile> {
    let file: ReplayPlanFile = PLANS.read(path)?;
    PLANS.check(&file)?;
    plans::belongs(
        target,
        &Place {
            env: &file.plan.env,
            account: file.plan.account.as_ref(),
        },
    )?;
    plans::warn_of_own(context, &file);
    Ok(file)
}

pub(super) async fn proven(
    context: &Context,
    target: &EnvTarget,
    approvals: &[PlanApproval],
) -> CliResult<Vec<Approval>> {
    PLANS.proven(context, target, approvals).await
}
