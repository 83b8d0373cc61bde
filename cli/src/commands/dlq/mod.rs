//! `payops dlq`: dead letters: what died, why, and what becomes of it.

pub(crate) mod alarms;
pub(crate) mod approve;
mod causes;
pub(crate) mod discard;
pub(crate) mod edit;
pub(crate) mod export;
mod filters;
mod list;
mod peek;
mod planned;
pub(crate) mod redrive;
pub(crate) mod replay;
mod select;
mod show;

use clap::Subcommand;
use payops_core::usecase::DeadLettersError;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;

/// `payops dlq …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// Dead letters of all queues or of one, with why each died
    List(list::ListArgs),
    /// What they died of: like with like, most first
    Causes(causes::CausesArgs),
    /// Look once, keep what was seen for browsing with --snapshot, and say what it cost
    Peek(peek::PeekArgs),
    /// One dead letter, decoded layer by layer
    Show(show::ShowArgs),
    /// A replay as a file, for somebody else to look at and approve
    Plan(approve::PlanArgs),
    /// Approve somebody else's plan
    Approve(approve::ApproveArgs),
    /// Send dead letters to their queue again: shows the plan, asks, keeps a journal
    Replay(replay::ReplayArgs),
    /// Have the queue service move a whole dead-letter queue back, unread
    Redrive(redrive::RedriveArgs),
    /// Redrives of a dead-letter queue, and how far each is
    Redrives(redrive::WhichArgs),
    /// Stop a redrive; what is moved stays moved
    CancelRedrive(redrive::WhichArgs),
    /// Send one again with another body: shows the difference, asks
    Edit(edit::EditArgs),
    /// Delete dead letters, with a reason; they are kept in a file first
    Discard(discard::DiscardArgs),
    /// Dead letters as JSON lines, masked
    Export(export::ExportArgs),
    /// Expressions that choose dead letters, saved by name
    #[command(subcommand)]
    Filter(filters::FilterCommand),
}

pub(crate) async fn run(context: &Context, command: DlqCommand) -> CliResult<Exit> {
    match command {
        DlqCommand::List(args) => context.interruptible(list::run(context, &args)).await,
        DlqCommand::Causes(args) => context.interruptible(causes::run(context, &args)).await,
        DlqCommand::Peek(args) => context.interruptible(peek::run(context, &args)).await,
        DlqCommand::Show(args) => context.interruptible(show::run(context, &args)).await,
        DlqCommand::Plan(args) => context.interruptible(approve::plan(context, &args)).await,
        DlqCommand::Approve(args) => approve::approve(context, &args).await,
        DlqCommand::Redrive(args) => redrive::run(context, &args).await,
        DlqCommand::Redrives(args) => context.interruptible(redrive::list(context, &args)).await,
        DlqCommand::CancelRedrive(args) => redrive::cancel(context, &args).await,
        DlqCommand::Replay(args) => replay::run(context, &args).await,
        DlqCommand::Edit(args) => edit::run(context, &args).await,
        DlqCommand::Discard(args) => discard::run(context, &args).await,
        DlqCommand::Export(args) => context.interruptible(export::run(context, &args)).await,
        DlqCommand::Filter(command) => filters::run(context, command),
    }
}

/// Why there is nothing to look at, with the queues that there are.
fn not_read(error: DeadLettersError) -> CliError {
    let told = error.to_string();
    match error {
        DeadLettersError::NotADeadLetterQueue { known, .. } => CliError::not_found(told)
            .hint(format!("queues with dead letters are {}", known.join(", "))),
        DeadLettersError::Port(error) => CliError::port(told, error),
    }
}
