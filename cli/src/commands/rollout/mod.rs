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
use payops_ops::error::OpsResult;

use crate::context::Context;
use crate::exit::Exit;

/// `payops rollout …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RolloutCommand {
    /// List rollouts of all environments, those that wait for a person first
    List(list::RolloutListArgs),
    /// Show a rollout: steps, weights, analysis, ReplicaSets and pods
    Get(get::RolloutGetArgs),
    /// Promote: resume a paused rollout, or skip its current step
    Promote(act::PromoteArgs),
    /// Skip the current step, whether it is paused or not
    Skip(act::ActionArgs),
    /// Abort: go back to the stable version; the new one stays in the spec
    Abort(act::ActionArgs),
    /// Retry the newest version after an abort
    Retry(act::ActionArgs),
    /// Pause a rollout at its current step
    Pause(act::ActionArgs),
    /// Resume a manually paused rollout
    Resume(act::ActionArgs),
    /// Restart: replace all pods gradually
    Restart(act::ActionArgs),
    /// Undo: go back to the pod template of an older revision
    Undo(act::UndoArgs),
    /// Set images; this starts a new rollout
    SetImage(act::SetImageArgs),
    /// Terminate an analysis run or an experiment
    Terminate(act::TerminateArgs),
    /// Wait until a rollout is healthy, paused or degraded; exits 0, 1 if degraded, 124 on timeout
    Wait(wait::WaitArgs),
    /// List revisions, newest first
    History(history::HistoryArgs),
}

pub(crate) async fn run(context: &Context, command: RolloutCommand) -> OpsResult<Exit> {
    match command {
        RolloutCommand::List(args) => context.interruptible(list::run(context, &args)).await,
        RolloutCommand::Get(args) => context.interruptible(get::run(context, &args)).await,
        RolloutCommand::Wait(args) => context.interruptible(wait::run(context, &args)).await,
        RolloutCommand::History(args) => context.interruptible(history::run(context, &args)).await,
        change => act::run(context, change).await,
    }
}
