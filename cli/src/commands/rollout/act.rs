//! Steering a rollout: plan, show, ask, record, execute. Each action is bound to the state that
//! was shown: if anything moved since, nothing is done and the difference is told.

use std::sync::Arc;

use clap::Args;
use payops_core::domain::access::Action;
use payops_core::domain::rollout::{ImageChange, Insist, Rollout, RolloutAction, RolloutPlan};
use payops_core::port::Executed;
use payops_ops::act::Act;
use payops_ops::error::{Kind, OpsError, OpsResult};
use payops_ops::rollouts::{self, FoundRollout, parse_image};
use payops_ops::session::Session;
use serde::Serialize;

use super::RolloutCommand;
use super::find::{RolloutNameArgs, find};
use super::view::{RolloutRow, phase_cell};
use crate::consent::{self, ConsentArgs, Question, print_dry_run};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Document, Style, Tone, details};

/// What every action takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct ActionArgs {
    #[command(flatten)]
    which: RolloutNameArgs,
    #[command(flatten)]
    consent: ConsentArgs,
    /// Act although the controller has not taken the last change
    #[arg(long)]
    force: bool,
}

/// `payops rollout promote`
#[derive(Clone, Debug, Args)]
pub(crate) struct PromoteArgs {
    #[command(flatten)]
    name: ActionArgs,
    /// Skip all remaining steps, pauses and analyses
    #[arg(long)]
    full: bool,
}

/// `payops rollout undo`
#[derive(Clone, Debug, Args)]
pub(crate) struct UndoArgs {
    #[command(flatten)]
    name: ActionArgs,
    /// Revision to go back to [default: the previous one]
    #[arg(long, value_name = "N")]
    to_revision: Option<u64>,
}

/// `payops rollout set-image`
#[derive(Clone, Debug, Args)]
pub(crate) struct SetImageArgs {
    #[command(flatten)]
    name: ActionArgs,
    /// CONTAINER=IMAGE, or *=IMAGE for all containers
    #[arg(required = true, value_name = "CONTAINER=IMAGE", value_parser = parse_image)]
    images: Vec<ImageChange>,
}

/// `payops rollout terminate`
#[derive(Clone, Debug, Args)]
pub(crate) struct TerminateArgs {
    #[command(flatten)]
    name: ActionArgs,
    /// Analysis run to terminate
    #[arg(
        long,
        value_name = "NAME",
        required_unless_present = "experiment",
        conflicts_with = "experiment"
    )]
    analysis: Option<String>,
    /// Experiment to terminate
    #[arg(long, value_name = "NAME")]
    experiment: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct ActionReport {
    action: &'static str,
    /// `done`; `written` when the controller has not taken it; `planned` with `--dry-run`; `moved`
    /// when somebody was faster and nothing was done; `partly`.
    outcome: &'static str,
    /// What the controller has not taken, by the fields that say so.
    untaken: Option<String>,
    now: String,
    after: String,
    warnings: Vec<String>,
    /// What had moved before an abort, which lands all the same.
    moved: Option<String>,
    /// Where freeze and record are kept, if that is on this machine alone.
    note: Option<String>,
    same_as: String,
    resource_version: String,
    rollout: RolloutRow,
}

impl Document for ActionReport {
    fn human(&self, style: &Style) -> String {
        let mut pairs = vec![
            ("action", Some(Cell::from(self.action))),
            (
                "outcome",
                Some(Cell::toned(
                    self.outcome,
                    match self.outcome {
                        "moved" | "partly" => Tone::Bad,
                        "written" => Tone::Warn,
                        _ => Tone::Good,
                    },
                )),
            ),
        ];
        // What was done was shown before it was confirmed.
        if self.outcome != "planned" {
            pairs.push(("phase", Some(phase_cell(self.rollout.phase))));
            let message = Some(&self.rollout.message).filter(|message| !message.is_empty());
            pairs.push(("message", message.map(Cell::from)));
            return details(style, pairs);
        }
        pairs.push(("now", Some(Cell::from(&self.now))));
        pairs.push(("after", Some(Cell::from(&self.after))));
        pairs.extend(
            self.warnings
                .iter()
                .map(|warning| ("warning", Some(Cell::toned(warning, Tone::Warn)))),
        );
        pairs.push(("equivalent", Some(Cell::toned(&self.same_as, Tone::Dim))));
        details(style, pairs)
    }
}

pub(super) async fn run(context: &Context, command: RolloutCommand) -> OpsResult<Exit> {
    let (name, action) = match command {
        RolloutCommand::Promote(args) => (
            args.name,
            if args.full {
                RolloutAction::PromoteFull
            } else {
                RolloutAction::Promote
            },
        ),
        RolloutCommand::Skip(args) => (args, RolloutAction::Skip),
        RolloutCommand::Abort(args) => (args, RolloutAction::Abort),
        RolloutCommand::Retry(args) => (args, RolloutAction::Retry),
        RolloutCommand::Pause(args) => (args, RolloutAction::Pause),
        RolloutCommand::Resume(args) => (args, RolloutAction::Resume),
        RolloutCommand::Restart(args) => (
            args,
            RolloutAction::Restart {
                at: whole_second(jiff::Timestamp::now()),
            },
        ),
        RolloutCommand::Undo(args) => (
            args.name,
            RolloutAction::Undo {
                revision: args.to_revision,
            },
        ),
        RolloutCommand::SetImage(args) => (args.name, RolloutAction::SetImage(args.images)),
        RolloutCommand::Terminate(TerminateArgs {
            name,
            analysis: Some(run),
            ..
        }) => (name, RolloutAction::TerminateAnalysis { name: run }),
        RolloutCommand::Terminate(TerminateArgs {
            name,
            experiment: Some(run),
            ..
        }) => (name, RolloutAction::TerminateExperiment { name: run }),
        _ => return Err(OpsError::usage("this command does not change a rollout")),
    };
    let insist = if name.force { Insist::Yes } else { Insist::No };
    let (session, found) = context.interruptible(find(context, &name.which)).await?;
    let plan = context
        .interruptible(rollouts::plan(&found, action, insist))
        .await?;
    if name.consent.dry_run {
        let act = Act::new(Action::from(&plan.action)).subject(plan.key.to_string());
        let mut report = outcome(&found, &plan, "planned", &found.rollout);
        report.note = session.env.kept_here();
        print_dry_run(context, &session, act, &report).await?;
        return Ok(Exit::Done);
    }
    execute(context, &session, &found, &plan, name.consent.yes).await
}

fn whole_second(at: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at.as_second()).unwrap_or(at)
}

async fn execute(
    context: &Context,
    session: &Arc<Session>,
    found: &FoundRollout,
    plan: &RolloutPlan,
    yes: bool,
) -> OpsResult<Exit> {
    context.console.say(format!(
        "{} {} in {}",
        plan.action.as_str(),
        plan.key,
        session.name().to_uppercase()
    ));
    context.console.say(format!(
        "  now         {}\n  after       {}",
        plan.now, plan.after
    ));
    for warning in &plan.warnings {
        context.console.warn(format!("  warning     {warning}"));
    }
    context.console.say(format!(
        "  bound to    {}\n  equivalent  {}",
        bound_to(plan),
        found.cluster.equivalent(&plan.action, &plan.key)
    ));
    let reason = consent::reason(context, &session.env)?;
    let what = format!("{} {}", plan.action.as_str(), plan.key);
    let question = Question {
        what: &what,
        typed: &plan.key.name,
        yes,
        always: plan.dangerous,
    };
    consent::confirm(context, &session.env, &question)?;
    let executed =
        rollouts::execute(session, found.cluster.cluster(), plan, reason.as_deref()).await?;
    match executed {
        Executed::Done(rollout) => {
            // It is done, whoever interrupts the look at what the controller makes of it.
            let untaken = context
                .interruptible(async { Ok(rollouts::await_taken(found).await) })
                .await
                .unwrap_or_default();
            let mut report = outcome(found, plan, "done", &rollout);
            if plan.action == RolloutAction::Abort {
                let moved = found.rollout.changes_besides_abort(&rollout);
                if !moved.is_empty() {
                    let moved = moved.join(", ");
                    context
                        .console
                        .warn(format!("it had moved before the abort: {moved}"));
                    report.moved = Some(moved);
                }
            }
            if let Some((field, waited)) = untaken {
                context.console.warn(format!(
                    "written; the controller has not taken it for {} s ({field})",
                    waited.as_secs()
                ));
                (report.outcome, report.untaken) = ("written", Some(field));
            }
            context.printer.document(&report)?;
            Ok(Exit::Done)
        }
        Executed::Moved(rollout) => {
            context
                .printer
                .document(&outcome(found, plan, "moved", &rollout))?;
            let message = format!(
                "nothing was done: {} changed meanwhile: {}",
                plan.key,
                changes(&found.rollout, &rollout)
            );
            Err(OpsError::failed(message).hint("review the rollout, then run the command again"))
        }
        Executed::Partly { done, now } => {
            context
                .printer
                .document(&outcome(found, plan, "partly", &now))?;
            let message = format!(
                "{done} of {} changes were made, then {} changed: {}",
                plan.changes.len(),
                plan.key,
                changes(&found.rollout, &now)
            );
            Err(OpsError::new(Kind::Partial, message)
                .hint("review the rollout, then run the command again"))
        }
        Executed::Gone => Err(
            OpsError::not_found(format!("{} no longer exists", plan.key)).hint(format!(
                "list rollouts with: {}",
                session.command("rollout list")
            )),
        ),
    }
}

fn outcome(
    found: &FoundRollout,
    plan: &RolloutPlan,
    outcome: &'static str,
    rollout: &Rollout,
) -> ActionReport {
    ActionReport {
        action: plan.action.as_str(),
        outcome,
        untaken: None,
        now: plan.now.clone(),
        after: plan.after.clone(),
        warnings: plan.warnings.clone(),
        moved: None,
        note: None,
        same_as: found.cluster.equivalent(&plan.action, &plan.key),
        resource_version: rollout.resource_version.clone(),
        rollout: RolloutRow::new(found.cluster.cluster(), rollout),
    }
}

/// What a plan is bound to: the version of each object that it was made on.
fn bound_to(plan: &RolloutPlan) -> String {
    if plan.action == RolloutAction::Abort {
        return "the revision under way, whatever its step".to_owned();
    }
    match &plan.workload {
        Some(workload) => format!(
            "{}, resourceVersion {}",
            workload.reference, workload.resource_version
        ),
        None => format!("resourceVersion {}", plan.resource_version),
    }
}

fn changes(was: &Rollout, is: &Rollout) -> String {
    let changes = was.changes(is);
    if changes.is_empty() {
        "only metadata changed".to_owned()
    } else {
        changes.join(", ")
    }
}
