//! `payops dlq`: dead letters: what died, why, and sending it again.

mod list;
mod replay;
mod show;

use clap::Subcommand;
use payops_core::usecase::LettersError;

use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;

/// `payops dlq …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// Dead letters of all queues or of one, with why each died
    List(list::ListArgs),
    /// One dead letter, decoded layer by layer
    Show(show::ShowArgs),
    /// Send dead letters to their queue again: shows the plan, asks, keeps a journal
    Replay(replay::ReplayArgs),
}

/// Runs the command.
pub(crate) async fn run(context: &Context, command: DlqCommand) -> CliResult<Exit> {
    match command {
        DlqCommand::List(args) => context.interruptible(list::run(context, &args)).await,
        DlqCommand::Show(args) => context.interruptible(show::run(context, &args)).await,
        DlqCommand::Replay(args) => replay::run(context, &args).await,
    }
}

/// Why there is nothing to look at, with the queues that there are.
fn not_read(error: LettersError) -> CliError {
    let told = error.to_string();
    match error {
        LettersError::NotADeadLetterQueue { known, .. } => {
            CliError::not_found(told).hint(format!("queues with dead letters are {}", known.join(", ")))
        }
        LettersError::Port(error) => CliError::port(told, error),
    }
}
