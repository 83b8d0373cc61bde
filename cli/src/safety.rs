//! What must be said before something is changed: who, why, and yes.

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::settings::EnvTarget;

#[derive(Clone, Debug)]
pub(crate) struct Act<'a> {
    /// What will be done, in words: `refund 12.50 EUR of pay_…`.
    pub(crate) what: &'a str,
    /// What must be typed to go on.
    pub(crate) typed: &'a str,
    /// Whether `--yes` was given.
    pub(crate) yes: bool,
    /// Whether it asks everywhere, and not only where writes are protected.
    pub(crate) always: bool,
}

/// The reason given; in a protected environment there must be one, and it is asked for at a
/// terminal.
pub(crate) fn reason(context: &Context, target: &EnvTarget) -> CliResult<Option<String>> {
    let given = context
        .reason
        .clone()
        .filter(|reason| !reason.trim().is_empty());
    if given.is_some() || !target.protected {
        return given.map(harmless).transpose();
    }
    let asked = context.talk.ask(&format!(
        "Why? (kept with what is done in {}):",
        target.name
    ));
    let missing = || {
        CliError::refused(format!("a write in {} needs a reason", target.name))
            .hint("add --reason TEXT")
    };
    asked
        .filter(|reason| !reason.trim().is_empty())
        .ok_or_else(missing)
        .and_then(harmless)
        .map(Some)
}

/// A reason is kept for ever in journals, timelines and the audit: no card number may be in it.
pub(crate) fn harmless(reason: String) -> CliResult<String> {
    if payops_core::domain::pan::contains_card_number(&reason) {
        return Err(
            CliError::usage("the reason holds what looks like a card number")
                .hint("say why without it"),
        );
    }
    Ok(reason)
}

/// Lets an act pass, or refuses it: `--yes`, or at a terminal the text typed.
pub(crate) fn confirm(context: &Context, target: &EnvTarget, act: &Act<'_>) -> CliResult<()> {
    if act.yes || !(act.always || target.protected) {
        return Ok(());
    }
    if !context.talk.asks {
        let message = format!(
            "{} in {} needs a confirmation, and there is nobody to ask",
            act.what, target.name
        );
        return Err(CliError::refused(message).hint("add --yes once you are sure"));
    }
    context.talk.warn(format!(
        "This will {} in {}.",
        act.what,
        target.name.to_uppercase()
    ));
    match context.talk.ask(&format!("Type `{}` to go on:", act.typed)) {
        Some(typed) if typed.trim() == act.typed => Ok(()),
        _ => Err(CliError::refused("not confirmed; nothing was done")),
    }
}
