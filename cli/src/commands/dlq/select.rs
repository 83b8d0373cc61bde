//! Which dead letters a command is about, and what looking at them came to.

use std::sync::Arc;

use clap::Args;
use payops_core::usecase::DeadLetter;
use payops_ops::dead_letters::Selection;
use payops_ops::error::OpsResult;
use payops_ops::session::Session;

use crate::context::Context;

/// Which dead letters.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct SelectArgs {
    /// Only dead letters with this cause (see payops dlq causes); may be repeated
    #[arg(long, value_name = "ID")]
    cause: Vec<String>,
    /// Only dead letters that match this filter, such as
    /// `class == "provider_timeout" && age > duration("1h")`, or @NAME for a saved one
    #[arg(long, value_name = "EXPR")]
    filter: Vec<String>,
    /// Only dead letters of this class
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Only the message with this ID; may be repeated
    #[arg(long, value_name = "ID")]
    message: Vec<String>,
    /// Maximum number of dead letters
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Use the snapshot of the last peek instead of the queue
    #[arg(long)]
    snapshot: bool,
}

impl From<&SelectArgs> for Selection {
    fn from(args: &SelectArgs) -> Self {
        Self {
            causes: args.cause.clone(),
            filters: args.filter.clone(),
            class: args.class.clone(),
            messages: args.message.clone(),
            limit: args.limit.and_then(|limit| usize::try_from(limit).ok()),
            from_snapshot: args.snapshot,
        }
    }
}

/// Dead letters that were selected, and whether all of their queue were looked at.
pub(super) struct Chosen {
    pub(super) letters: Vec<DeadLetter>,
    pub(super) complete: bool,
}

/// Selects dead letters, and says what looking at them came to.
pub(super) async fn select(
    context: &Context,
    session: &Arc<Session>,
    queue: Option<&str>,
    selection: &Selection,
) -> OpsResult<Chosen> {
    let selected = payops_ops::dead_letters::select(session, queue, selection).await?;
    let look = &selected.look;
    context.console.say(format!(
        "{}: {}",
        session.name(),
        selected.describe(selection, context.privacy)
    ));
    if let Some(cause) = &look.unknown_cause {
        context.console.warn(format!(
            "no dead letter here has the cause {cause}; list the causes with: {}",
            session.command("dlq causes")
        ));
    }
    Ok(Chosen {
        complete: look.complete,
        letters: selected.letters,
    })
}
