//! `payops dlq plan` and `payops dlq approve`: a plan as a file that someone else looks at and
//! approves.

use std::path::{Path, PathBuf};

use clap::Args;
use payops_core::domain::access::Action;
use payops_core::domain::replay::{ReplayPlanFile, estimate};
use payops_ops::access::plan_file::{REPLAY_PLANS, write_plan};
use payops_ops::dead_letters::{approve_plan, check_may_approve, consumer_warnings, find_queue};
use payops_ops::equivalent;
use payops_ops::error::{OpsError, OpsResult};
use serde::Serialize;

use super::open_session;
use super::plan_view::show_plan;
use super::replay::{OptionArgs, make_plan};
use super::select::SelectArgs;
use crate::consent::{self, ConsentArgs, Proposal, Question};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Document, Style, count, details};

/// `payops dlq plan`
#[derive(Clone, Debug, Args)]
pub(crate) struct PlanArgs {
    /// Queue, or its dead-letter queue
    queue: String,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    options: OptionArgs,
    /// File to write the plan to
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `payops dlq approve`
#[derive(Clone, Debug, Args)]
pub(crate) struct DlqApproveArgs {
    /// Plan file
    file: PathBuf,
    #[command(flatten)]
    consent: ConsentArgs,
}

#[derive(Clone, Debug, Serialize)]
struct PlanView {
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

impl PlanView {
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

impl Document for PlanView {
    fn human(&self, style: &Style) -> String {
        let approved =
            (!self.approved_by.is_empty()).then(|| Cell::from(self.approved_by.join(", ")));
        details(
            style,
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
                        "{} planned, {} to send",
                        self.planned, self.to_send
                    ))),
                ),
                ("planned by", Some(Cell::from(&self.by))),
                ("approved by", approved),
            ],
        )
    }
}

/// Runs `payops dlq plan`.
pub(crate) async fn plan(context: &Context, args: &PlanArgs) -> OpsResult<Exit> {
    let session = open_session(context).await?;
    let dlq = find_queue(&session, &args.queue).await?;
    let plan = make_plan(context, &session, &dlq, &args.select, &args.options).await?;
    if plan.messages.is_empty() {
        let message = format!(
            "nothing to replay in {dlq} of {}; no plan was written",
            session.name()
        );
        return Err(OpsError::not_found(message));
    }
    let warnings = consumer_warnings(&session, &plan.target).await;
    show_plan(context, &plan, &warnings);
    let file = ReplayPlanFile::new(plan);
    let path = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("plan-{}.json", file.plan.id)));
    write_plan(&path, &file)?;
    context.printer.document(&PlanView::new(&file, &path))?;
    let path = path.display();
    context.console.say(format!(
        "someone else approves it with: payops dlq approve {path}; then run: {}",
        session.command(&format!("dlq replay --plan {path}"))
    ));
    Ok(Exit::Done)
}

/// Runs `payops dlq approve`.
pub(crate) async fn approve(context: &Context, args: &DlqApproveArgs) -> OpsResult<Exit> {
    let mut file: ReplayPlanFile = REPLAY_PLANS.read(&args.file)?;
    let env = context.operator.settings.target(&file.plan.env)?;
    let session = context.operator.session(&env);
    let reason = context.operator.reason.as_deref();
    check_may_approve(&session, &file, reason, args.consent.dry_run).await?;
    show_plan(context, &file.plan, &[]);
    let changed = if file.plan.edits.is_empty() {
        String::new()
    } else {
        format!(", {} of them CHANGED", file.plan.edits.len())
    };
    let what = format!(
        "approve the replay of {} of {}{changed}",
        count(file.plan.messages.len(), "message"),
        file.plan.queue
    );
    if args.consent.dry_run {
        let line = equivalent::approve(&session.env, session.who(), &file.sha256);
        let proposal = Proposal {
            subject: Some(file.plan.queue.clone()),
            equivalent: Some(line),
            ..Proposal::new(&session, Action::DlqApprove, what)
        };
        return proposal.print(context, &session).await;
    }
    let reason = consent::reason(context, &session.env)?;
    let question = Question {
        what: &what,
        typed: &file.plan.id,
        yes: args.consent.yes,
        always: true,
    };
    consent::confirm(context, &session.env, &question)?;
    approve_plan(&session, &args.file, &mut file, reason.as_deref()).await?;
    context
        .printer
        .document(&PlanView::new(&file, &args.file))?;
    Ok(Exit::Done)
}
