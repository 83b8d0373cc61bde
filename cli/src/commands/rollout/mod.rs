//! `payops rollout`: canaries: what they wait for, and steering them.
#![expect(
    clippy::doc_markdown,
    reason = "these comments are the help text, read at a terminal"
)]

mod act;
mod find;
mod get;
mod history;
mod list;
mod view;
mod wait;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

/// `payops rollout …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RolloutCommand {
    /// All rollouts of all environments, those that wait for a human first
    List(list::ListArgs),
    /// One rollout: steps, weights, analysis, ReplicaSets and pods
    Get(get::GetArgs),
    /// Go on: ends the pause, or else passes over the current step
    Promote(act::PromoteArgs),
    /// Pass over the current step, paused or not
    Skip(act::NameArgs),
    /// Back to the stable version; the new one stays in the spec
    Abort(act::NameArgs),
    /// Try the newest version again after an abort
    Retry(act::NameArgs),
    /// Stop where it is
    Pause(act::NameArgs),
    /// End a pause by hand
    Resume(act::NameArgs),
    /// Replace all pods, a few at a time
    Restart(act::NameArgs),
    /// Back to the pod template of an older revision
    Undo(act::UndoArgs),
    /// Other images: begins a new rollout
    SetImage(act::SetImageArgs),
    /// End an analysis run or an experiment early
    Terminate(act::TerminateArgs),
    /// Wait until it is healthy, paused or degraded: exit 0, 124 on a time-out, 1 when degraded
    Wait(wait::WaitArgs),
    /// The revisions that are kept, newest first
    History(history::HistoryArgs),
}

pub(crate) async fn run(context: &Context, command: RolloutCommand) -> CliResult<Exit> {
    match command {
        RolloutCommand::List(args) => context.interruptible(list::run(context, &args)).await,
        RolloutCommand::Get(args) => context.interruptible(get::run(context, &args)).await,
        RolloutCommand::Wait(args) => context.interruptible(wait::run(context, &args)).await,
        RolloutCommand::History(args) => context.interruptible(history::run(context, &args)).await,
        change => act::run(context, change).await,
    }
}
