//! `payops dlq`: dead letters: which there are, why each failed, and what becomes of them.

mod approve;
mod causes;
mod discard;
mod edit;
mod export;
mod filters;
mod list;
mod peek;
mod plan_view;
mod redrive;
mod replay;
mod select;
mod show;

use std::sync::Arc;

use clap::Subcommand;
use payops_ops::error::OpsResult;
use payops_ops::session::Session;

use crate::context::Context;
use crate::exit::Exit;

/// `payops dlq …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// List dead letters and why each one failed
    List(list::DlqListArgs),
    /// Group dead letters by cause, most frequent first
    Causes(causes::CausesArgs),
    /// Take a snapshot to browse with --snapshot, and show the receives that it cost
    Peek(peek::DlqPeekArgs),
    /// Show a dead letter, decoded layer by layer
    Show(show::ShowArgs),
    /// Plan a replay and write it to a file for someone else to approve
    Plan(approve::PlanArgs),
    /// Approve someone else's replay plan
    Approve(approve::DlqApproveArgs),
    /// Replay dead letters to their queue; shows the plan first and keeps a journal
    Replay(replay::ReplayArgs),
    /// Have the queue service move a whole dead-letter queue back, without looking at messages
    Redrive(redrive::RedriveArgs),
    /// List redrives of a dead-letter queue and their progress
    Redrives(redrive::RedrivesArgs),
    /// Cancel a redrive; messages already moved stay moved
    #[command(alias = "cancel-redrive")]
    RedriveCancel(redrive::RedriveCancelArgs),
    /// Edit the body of a dead letter and replay it; shows the diff first
    Edit(edit::EditArgs),
    /// Delete dead letters, after writing copies to a file; requires a reason
    Discard(discard::DiscardArgs),
    /// Print dead letters as JSON lines, masked
    Export(export::DlqExportArgs),
    /// Save, list and delete filters for dead letters
    #[command(subcommand)]
    Filter(filters::FilterCommand),
}

pub(crate) async fn run(context: &Context, command: DlqCommand) -> OpsResult<Exit> {
    match command {
        DlqCommand::List(args) => context.interruptible(list::run(context, &args)).await,
        DlqCommand::Causes(args) => context.interruptible(causes::run(context, &args)).await,
        DlqCommand::Peek(args) => peek::run(context, &args).await,
        DlqCommand::Show(args) => context.interruptible(show::run(context, &args)).await,
        DlqCommand::Plan(args) => context.interruptible(approve::plan(context, &args)).await,
        DlqCommand::Approve(args) => approve::approve(context, &args).await,
        DlqCommand::Redrive(args) => redrive::run(context, &args).await,
        DlqCommand::Redrives(args) => context.interruptible(redrive::list(context, &args)).await,
        DlqCommand::RedriveCancel(args) => redrive::cancel(context, &args).await,
        DlqCommand::Replay(args) => replay::run(context, &args).await,
        DlqCommand::Edit(args) => edit::run(context, &args).await,
        DlqCommand::Discard(args) => discard::run(context, &args).await,
        DlqCommand::Export(args) => export::run(context, &args).await,
        DlqCommand::Filter(command) => filters::run(context, command),
    }
}

/// The session of the one environment that was named, in which personal data may be shown when
/// that was asked for.
async fn open_session(context: &Context) -> OpsResult<Arc<Session>> {
    let session = context.operator.one_session()?;
    context.reveal(&session).await?;
    Ok(session)
}
