//! Steering a rollout: plan, show, ask, record, execute. Each action is bound to the state that
//! was shown: if anything moved since, nothing is done and the difference is told.

use clap::Args;
use payops_core::domain::access::Action;
use payops_core::domain::audit::AuditOutcome as Became;
use payops_core::domain::rollout::{ImageChange, Rollout, RolloutAction, RolloutPlan, plan};
use payops_core::port::{Depth, Executed};
use payops_core::usecase::became;
use serde::Serialize;

use super::RolloutCommand;
use super::find::{self, Found, WhichArgs};
use super::view::RolloutRow;
use crate::access::{self, Wanted};
use crate::context::{Access, Context};
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Cell, Document, Look, Tone, details};
use crate::safety::{self, Act};

/// What every action takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct NameArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    consent: ConsentArgs,
}

/// Whether it is done at once.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConsentArgs {
    /// Do not ask; where writes are protected this needs --reason
    #[arg(long)]
    yes: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// `payops rollout promote`
#[derive(Clone, Debug, Args)]
pub(crate) struct PromoteArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Pass over all steps, pauses and analysis
    #[arg(long)]
    full: bool,
}

/// `payops rollout undo`
#[derive(Clone, Debug, Args)]
pub(crate) struct UndoArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Which revision; the one before the current when left out
    #[arg(long, value_name = "N")]
    to_revision: Option<u64>,
}

/// `payops rollout set-image`
#[derive(Clone, Debug, Args)]
pub(crate) struct SetImageArgs {
    #[command(flatten)]
    name: NameArgs,
    /// CONTAINER=IMAGE, `*=IMAGE` for all containers
    #[arg(required = true, value_name = "CONTAINER=IMAGE", value_parser = image)]
    images: Vec<ImageChange>,
}

/// `payops rollout terminate`
#[derive(Clone, Debug, Args)]
pub(crate) struct TerminateArgs {
    #[command(flatten)]
    name: NameArgs,
    /// The analysis run
    #[arg(
        long,
        value_name = "NAME",
        required_unless_present = "experiment",
        conflicts_with = "experiment"
    )]
    analysis: Option<String>,
    /// The experiment
    #[arg(long, value_name = "NAME")]
    experiment: Option<String>,
}

fn image(text: &str) -> Result<ImageChange, String> {
    match text.split_once('=') {
        Some((container, image))
            if (container == "*" || container.chars().all(is_name))
                && !container.is_empty()
                && is_image(image) =>
        {
            Ok(ImageChange {
                container: container.to_owned(),
                image: image.to_owned(),
            })
        }
        _ => Err("write CONTAINER=IMAGE, such as api=registry.example/payments:1.9.0".to_owned()),
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

/// The characters of a reference: <https://github.com/distribution/reference>. What is right beyond
/// that, the registry knows.
fn is_image(image: &str) -> bool {
    let good =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '@' | '+');
    (1..=512).contains(&image.len())
        && image.starts_with(|c: char| c.is_ascii_alphanumeric())
        && image.chars().all(good)
}

#[derive(Clone, Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the name that scripts read")]
struct Outcome {
    action: &'static str,
    /// `done`, `planned` (with `--dry-run`), or `moved`: somebody was faster and nothing was done.
    outcome: &'static str,
    now: String,
    after: String,
    warnings: Vec<String>,
    same_as: String,
    resource_version: String,
    rollout: RolloutRow,
}

impl Document for Outcome {
    fn human(&self, look: &Look) -> String {
        let mut pairs = vec![
            ("action", Some(Cell::from(self.action))),
            (
                "outcome",
                Some(Cell::toned(
                    self.outcome,
                    if self.outcome == "moved" {
                        Tone::Bad
                    } else {
                        Tone::Good
                    },
                )),
            ),
            ("now", Some(Cell::from(&self.now))),
            ("after", Some(Cell::from(&self.after))),
        ];
        pairs.extend(
            self.warnings
                .iter()
                .map(|warning| ("warning", Some(Cell::toned(warning, Tone::Warn)))),
        );
        pairs.push(("same as", Some(Cell::toned(&self.same_as, Tone::Dim))));
        details(look, pairs)
    }
}

pub(super) async fn run(context: &Context, command: RolloutCommand) -> CliResult<Exit> {
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
                at: whole_second(Context::now()),
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
        _ => return Err(CliError::usage("this changes nothing")),
    };
    let found = context
        .interruptible(find::one(context, &name.which, Access::Write))
        .await?;
    let plan = context.interruptible(planned(&found, action)).await?;
    if name.consent.dry_run {
        context
            .printer
            .document(&outcome(&found, &plan, "planned", &found.rollout))?;
        return Ok(Exit::Done);
    }
    execute(context, &found, &plan, name.consent.yes).await
}

fn whole_second(at: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at.as_second()).unwrap_or(at)
}

async fn planned(found: &Found, action: RolloutAction) -> CliResult<RolloutPlan> {
    if !found.rollouts.can(&action) {
        return Err(CliError::refused(format!(
            "{} cannot {} a rollout",
            found.rollouts.driver(),
            action.as_str()
        ))
        .hint("reach the cluster itself, by kubeconfig or EKS, to do that"));
    }
    let related = found.rollouts.related(&found.rollout, Depth::Runs).await;
    let related = related.map_err(|error| {
        CliError::port(
            format!("what belongs to {} could not be read", found.rollout.key),
            error,
        )
    })?;
    plan(action, &found.rollout, Some(&related))
        .map_err(|refusal| CliError::refused(refusal.why).hint(refusal.instead))
}

async fn execute(
    context: &Context,
    found: &Found,
    plan: &RolloutPlan,
    yes: bool,
) -> CliResult<Exit> {
    let target = &found.target;
    context.talk.say(format!(
        "{} {} in {}",
        plan.action.as_str(),
        plan.key,
        target.name.to_uppercase()
    ));
    context.talk.say(format!(
        "  now       {}\n  after     {}",
        plan.now, plan.after
    ));
    for warning in &plan.warnings {
        context.talk.warn(format!("  warning   {warning}"));
    }
    context.talk.say(format!(
        "  bound to  resourceVersion {}\n  same as   {}",
        plan.resource_version, plan.same_as
    ));
    let reason = safety::reason(context, target)?;
    let what = format!("{} {}", plan.action.as_str(), plan.key);
    safety::confirm(
        context,
        target,
        &Act {
            what: &what,
            typed: &plan.key.name,
            yes,
            always: false,
        },
    )?;
    let permit = access::permit(
        context,
        target,
        &Wanted::new(Action::from(&plan.action)).because(reason.as_deref()),
    )
    .await?;
    let entry = context.entry(
        target,
        &format!("rollout {}", plan.action.as_str()),
        reason.as_deref(),
    );
    let entry = entry
        .subject(format!("{}/{}", found.rollouts.cluster(), plan.key))
        .same_as(&plan.same_as)
        .role(permit.duty.as_str());
    let entry = entry
        .detail("resource_version", &plan.resource_version)
        .outcome(Became::Begun);
    context.record(target, &entry)?;
    // From here on it is not interrupted: what was sent is waited for.
    let executed = found.rollouts.execute(plan).await;
    let (end, words) = became(&executed);
    context.record_end(target, &entry, end, Some(&words));
    let executed =
        executed.map_err(|error| CliError::port(format!("{what} did not succeed"), error))?;
    match executed {
        Executed::Done(rollout) => {
            context
                .printer
                .document(&outcome(found, plan, "done", &rollout))?;
            Ok(Exit::Done)
        }
        Executed::Moved(rollout) => {
            context
                .printer
                .document(&outcome(found, plan, "moved", &rollout))?;
            let message = format!(
                "nothing was done: {} moved in between: {}",
                plan.key,
                changes(&found.rollout, &rollout)
            );
            Err(CliError::failed(message).hint("look at it again, then decide again"))
        }
        Executed::Partly { done, now } => {
            context
                .printer
                .document(&outcome(found, plan, "partly", &now))?;
            let message = format!(
                "{done} of {} changes were made, then {} moved: {}",
                plan.calls.len(),
                plan.key,
                changes(&found.rollout, &now)
            );
            Err(CliError::new(Exit::Partial, message).hint("look at it again, then decide again"))
        }
        Executed::Gone => Err(CliError::not_found(format!("{} is gone", plan.key))
            .hint("payops rollout list shows what there is")),
    }
}

fn outcome(found: &Found, plan: &RolloutPlan, outcome: &'static str, rollout: &Rollout) -> Outcome {
    Outcome {
        action: plan.action.as_str(),
        outcome,
        now: plan.now.clone(),
        after: plan.after.clone(),
        warnings: plan.warnings.clone(),
        same_as: plan.same_as.clone(),
        resource_version: rollout.resource_version.clone(),
        rollout: RolloutRow::new(found.rollouts.cluster(), rollout),
    }
}

fn changes(was: &Rollout, is: &Rollout) -> String {
    let changes = was.changes(is);
    if changes.is_empty() {
        "only its metadata".to_owned()
    } else {
        changes.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_read() {
        assert_eq!(
            image("api=r/p:1"),
            Ok(ImageChange {
                container: "api".into(),
                image: "r/p:1".into()
            })
        );
        assert!(
            image("api").is_err()
                && image("=x").is_err()
                && image("api=").is_err()
                && image("api=a b").is_err()
        );
        for garbage in [
            "api=$(touch${IFS}/tmp/x);y",
            "a'b=x",
            "*=!!!::::",
            "api=a\u{1b}[2Jb",
            "api=img:1=2",
            "api=:1",
        ] {
            assert!(image(garbage).is_err(), "{garbage}");
        }
        assert!(image("*=r/p@sha256:00").is_ok());
    }
}
