//! `payops payment`: create, look at, search, change, and compare the stores.

mod batch;
mod change;
mod create;
mod get;
mod lines;
mod reconcile;
mod refund;
mod resolve;
mod search;
mod timeline;
pub(crate) mod view;
mod wait;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;

pub(crate) use search::shield;
pub(crate) use timeline::{EventView, events_table};

/// `payops payment …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum PaymentCommand {
    /// Create one payment, or many from a file of JSON lines
    Create(create::CreateArgs),
    /// Show a payment
    Get(get::GetArgs),
    /// Find payments: `status:failed amount:>10 anna@`; words are joined by AND
    Search(search::SearchArgs),
    /// The newest payments
    List(search::ListArgs),
    /// What happened to a payment, in order
    Timeline(get::GetArgs),
    /// Cancel a payment whose charge has not been started
    Cancel(change::CancelArgs),
    /// Give money back, all that is left or part of it; with --out as a plan that somebody else
    /// approves
    Refund(refund::RefundArgs),
    /// Approve a refund that somebody else planned
    Approve(refund::ApproveArgs),
    /// Decide how a payment in review ended, after asking the provider
    Resolve(resolve::ResolveArgs),
    /// Compare payments, ledger, index, archive and provider, and name every break
    Reconcile(reconcile::ReconcileArgs),
}

pub(crate) async fn run(context: &Context, command: PaymentCommand) -> CliResult<Exit> {
    match command {
        PaymentCommand::Create(args) => create::run(context, args).await,
        PaymentCommand::Get(args) => context.interruptible(get::run(context, &args)).await,
        PaymentCommand::Search(args) => context.interruptible(search::run(context, &args)).await,
        PaymentCommand::List(args) => context.interruptible(search::list(context, &args)).await,
        PaymentCommand::Timeline(args) => {
            context.interruptible(timeline::run(context, &args)).await
        }
        PaymentCommand::Cancel(args) => change::cancel(context, args).await,
        PaymentCommand::Refund(args) => refund::run(context, args).await,
        PaymentCommand::Approve(args) => refund::approve(context, &args).await,
        PaymentCommand::Resolve(args) => resolve::run(context, args).await,
        PaymentCommand::Reconcile(args) => {
            context.interruptible(reconcile::run(context, &args)).await
        }
    }
}
