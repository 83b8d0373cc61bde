//! `payops payment get`: a payment as the primary store has it now.

use clap::Args;
use payops_ops::error::{Kind, OpsResult};
use payops_ops::payments::{self, PaymentView};

use crate::context::{Context, FanOut};
use crate::exit::Exit;

/// `payops payment get`, `payops payment timeline`
#[derive(Clone, Debug, Args)]
pub(crate) struct PaymentGetArgs {
    /// Payment ID (pay_…)
    pub(crate) id: String,
}

pub(crate) async fn run(context: &Context, args: &PaymentGetArgs) -> OpsResult<Exit> {
    let id = payments::parse_payment_id(&args.id)?;
    let fan = context
        .ask_each(async |session| {
            let payment = payments::get(&session, &id).await?;
            Ok(PaymentView::new(&payment, context.privacy))
        })
        .await?;
    let exit = exit_of_lookup(context, &fan);
    if !fan.answers.is_empty() {
        context.printer.documents(&fan.answers, fan.many)?;
    }
    Ok(exit)
}

/// With several environments a payment is in one of them, and missing in the others is as it
/// should be.
pub(super) fn exit_of_lookup<T>(context: &Context, fan: &FanOut<T>) -> Exit {
    let only_missing = fan
        .failures
        .iter()
        .all(|(_, error)| error.kind == Kind::NotFound);
    if only_missing && !fan.answers.is_empty() {
        Exit::Done
    } else {
        fan.exit(&context.console)
    }
}
