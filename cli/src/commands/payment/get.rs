//! `payops payment get`: a payment as the primary store has it now.

use clap::Args;

use super::view::PaymentView;
use crate::commands::{no_payment, payment_id};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;

/// `payops payment get`, `payops payment timeline`
#[derive(Clone, Debug, Args)]
pub(crate) struct GetArgs {
    /// The payment's id, `pay_…`
    pub(crate) id: String,
}

pub(crate) async fn run(context: &Context, args: &GetArgs) -> CliResult<Exit> {
    let id = payment_id(&args.id)?;
    let fan = context.each_env(|target, ports| {
        let id = id.clone();
        async move {
            match ports
                .store
                .get(&id)
                .await
                .map_err(|error| CliError::port("the payment could not be read", error))?
            {
                Some(payment) => Ok(PaymentView::new(&payment, context.privacy)),
                None => Err(no_payment(context, &target, &id).await),
            }
        }
    });
    let fan = fan.await?;
    let exit = found_somewhere(context, &fan);
    if !fan.answers.is_empty() {
        context.printer.documents(&fan.answers, fan.many)?;
    }
    Ok(exit)
}

/// With several environments a payment is in one of them, and missing in the others is as it
/// should be.
pub(super) fn found_somewhere<T>(context: &Context, fan: &crate::context::Fan<T>) -> Exit {
    let only_missing = fan
        .failures
        .iter()
        .all(|(_, error)| error.exit == Exit::NotFound);
    if only_missing && !fan.answers.is_empty() {
        Exit::Done
    } else {
        fan.exit(&context.talk)
    }
}
