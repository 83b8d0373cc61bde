//! What must be said before something is changed: why, and yes.

use clap::Args;
use payops_core::domain::access::Action;
use payops_ops::act::Act;
use payops_ops::environment::Environment;
use payops_ops::error::{OpsError, OpsResult};
use payops_ops::session::Session;
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Document, Style, Tone, details};

/// Stands for the reason of a dry run, which needs none.
const DRY_RUN: &str = "dry run";

/// How a write is agreed to. The reason is `--reason`, which every command knows.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct ConsentArgs {
    /// Do not ask for confirmation; protected environments also need --reason
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What the operator is asked to confirm.
#[derive(Clone, Debug)]
pub(crate) struct Question<'a> {
    /// What will be done, after "This will": `refund 12.50 EUR of pay_…`.
    pub(crate) what: &'a str,
    /// What must be typed to go on.
    pub(crate) typed: &'a str,
    pub(crate) yes: bool,
    /// Whether it is asked everywhere, and not only in protected environments.
    pub(crate) always: bool,
}

/// A write that has no plan of its own to show: what `--dry-run` prints of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Proposal {
    pub(crate) outcome: &'static str,
    pub(crate) action: Action,
    pub(crate) env: String,
    pub(crate) subject: Option<String>,
    /// What will be done, after "This will": `refund 12.50 EUR of pay_…`.
    pub(crate) what: String,
    #[serde(rename = "same_as")]
    pub(crate) equivalent: Option<String>,
}

impl Proposal {
    pub(crate) fn new(session: &Session, action: Action, what: impl Into<String>) -> Self {
        Self {
            outcome: "planned",
            action,
            env: session.name().to_owned(),
            subject: None,
            what: what.into(),
            equivalent: None,
        }
    }

    /// Prints it, as what a dry run came to.
    pub(crate) async fn print(self, context: &Context, session: &Session) -> OpsResult<Exit> {
        let act = Act {
            subject: self.subject.clone(),
            ..Act::new(self.action)
        };
        print_dry_run(context, session, act, &self).await?;
        Ok(Exit::Done)
    }
}

impl Document for Proposal {
    fn human(&self, style: &Style) -> String {
        details(
            style,
            [
                ("action", Some(Cell::from(self.action.as_str()))),
                ("outcome", Some(Cell::toned(self.outcome, Tone::Good))),
                ("env", Some(Cell::from(&self.env))),
                ("subject", self.subject.as_ref().map(Cell::from)),
                ("would", Some(Cell::from(&self.what))),
                (
                    "equivalent",
                    self.equivalent
                        .as_ref()
                        .map(|line| Cell::toned(line, Tone::Dim)),
                ),
            ],
        )
    }
}

/// Prints what would be done, and whether the policy would refuse it: `act` is what it would be
/// asked.
pub(crate) async fn print_dry_run<T: Document>(
    context: &Context,
    session: &Session,
    act: Act,
    plan: &T,
) -> OpsResult<()> {
    context.printer.document(plan)?;
    say_where_kept(context, &session.env);
    // A dry run needs no reason.
    let reason = context.operator.reason.as_deref().unwrap_or(DRY_RUN);
    if let Some(refusal) = session.would_refuse(&act.reason(Some(reason))).await? {
        let console = &context.console;
        console.warn(format!("this would be refused: {refusal}"));
    }
    context
        .console
        .say("dry run: nothing was changed or recorded");
    Ok(())
}

/// The reason, or a stand-in for a dry run, which needs none.
pub(crate) fn reason_unless_dry_run(
    context: &Context,
    env: &Environment,
    consent: ConsentArgs,
) -> OpsResult<Option<String>> {
    if consent.dry_run {
        let given = context.operator.reason.clone();
        return Ok(given.or_else(|| Some(DRY_RUN.to_owned())));
    }
    reason(context, env)
}

/// The reason given. A protected environment needs one, and it is asked for at a terminal.
pub(crate) fn reason(context: &Context, env: &Environment) -> OpsResult<Option<String>> {
    let given = context.operator.reason.clone();
    if given.is_some() || !env.protected {
        return Ok(given);
    }
    let question = format!("Why? (kept in the audit record of {}):", env.name);
    let asked = context.console.ask(&question);
    let missing = || {
        OpsError::refused(format!("writes in {} require a reason", env.name))
            .hint("add --reason TEXT")
    };
    asked
        .filter(|reason| !reason.trim().is_empty())
        .ok_or_else(missing)
        .and_then(check_reason)
        .map(Some)
}

/// Refuses a reason with a card number in it: reasons are kept for ever in journals, timelines and
/// the audit record.
pub(crate) fn check_reason(reason: String) -> OpsResult<String> {
    if payops_core::domain::pan::contains_card_number(&reason) {
        return Err(
            OpsError::usage("the reason contains what looks like a card number")
                .hint("give the reason without it"),
        );
    }
    Ok(reason)
}

/// Says where the freeze and the record of a write are kept, if that is on this machine.
pub(crate) fn say_where_kept(context: &Context, env: &Environment) {
    if let Some(note) = env.kept_here() {
        context.console.say(format!("note: {note}"));
    }
}

/// Lets a write pass, or refuses it: `--yes`, or the text typed at a terminal.
pub(crate) fn confirm(
    context: &Context,
    env: &Environment,
    question: &Question<'_>,
) -> OpsResult<()> {
    say_where_kept(context, env);
    if question.yes || !(question.always || env.protected) {
        return Ok(());
    }
    if !context.console.can_ask {
        let message = format!(
            "{} in {} needs confirmation, and there is no terminal to ask on",
            question.what, env.name
        );
        return Err(OpsError::refused(message).hint("add --yes to confirm"));
    }
    context.console.warn(format!(
        "This will {} in {}.",
        question.what,
        env.name.to_uppercase()
    ));
    let prompt = format!("Type `{}` to continue:", question.typed);
    match context.console.ask(&prompt) {
        Some(typed) if typed.trim() == question.typed => Ok(()),
        _ => Err(OpsError::refused("not confirmed; nothing was done")),
    }
}
