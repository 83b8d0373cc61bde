//! `payops payment`: create, look at, search, change, and compare the stores.

mod change;
mod create;
mod get;
mod load;
mod reconcile;
mod refund;
mod resolve;
mod search;
mod timeline;
pub(crate) mod view;

use clap::Subcommand;
use payops_ops::error::OpsResult;

use crate::context::Context;
use crate::exit::Exit;

pub(crate) use search::shield;
pub(crate) use timeline::{EventView, events_table};

/// `payops payment …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum PaymentCommand {
    /// Create a payment, or many from a file of JSON lines
    Create(create::CreateArgs),
    /// Show a payment
    Get(get::PaymentGetArgs),
    /// Search payments, such as `status:failed amount:>10 anna@`
    Search(search::SearchArgs),
    /// List the newest payments
    List(search::PaymentListArgs),
    /// Show a payment's timeline
    Timeline(get::PaymentGetArgs),
    /// Cancel a payment that has not been charged
    Cancel(change::CancelArgs),
    /// Refund a payment in full or in part; with --out, write a plan for someone else to approve
    Refund(refund::RefundArgs),
    /// Approve someone else's refund plan
    Approve(refund::PaymentApproveArgs),
    /// Settle a payment in review as charged or not charged, after asking the provider
    Resolve(resolve::ResolveArgs),
    /// Compare payments, ledger, index, archive and provider, and list every break
    Reconcile(reconcile::ReconcileArgs),
}

pub(crate) async fn run(context: &Context, command: PaymentCommand) -> OpsResult<Exit> {
    match command {
        PaymentCommand::Create(args) => create(context, args).await,
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

async fn create(context: &Context, args: create::CreateArgs) -> OpsResult<Exit> {
    let session = context.operator.one_session()?;
    match &args.file {
        Some(file) => load::load(context, &session, &args, file).await,
        None => create::create_one(context, &session, &args).await,
    }
}
