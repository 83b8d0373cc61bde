//! `payops payment cancel`, and what is shown after every change of a payment.

use clap::Args;
use payops_core::domain::access::Action;
use payops_core::domain::money::Money;
use payops_core::domain::payment::Payment;
use payops_ops::act::Act;
use payops_ops::equivalent;
use payops_ops::error::OpsResult;
use payops_ops::payments::{self, Cancel, ChangedPayment, PaymentView};
use payops_ops::session::Session;
use serde::Serialize;

use crate::consent::{self, ConsentArgs, Proposal, Question, print_dry_run};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Document, Style};

/// `payops payment cancel`
#[derive(Clone, Debug, Args)]
pub(crate) struct CancelArgs {
    /// Payment ID
    id: String,
    #[command(flatten)]
    consent: ConsentArgs,
    /// Idempotency key: repeating the command with the same key changes nothing [default: random]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// A payment after a change: the members of `payment get`, and what was done.
#[derive(Clone, Debug, Serialize)]
struct ChangedView {
    #[serde(flatten)]
    payment: PaymentView,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_id: Option<String>,
    replayed: bool,
}

impl Document for ChangedView {
    fn human(&self, style: &Style) -> String {
        self.payment.human(style)
    }
}

pub(crate) async fn cancel(context: &Context, args: CancelArgs) -> OpsResult<Exit> {
    let id = payments::parse_payment_id(&args.id)?;
    let key = payments::idempotency_key(args.idempotency_key.as_deref())?;
    let session = context.operator.one_session()?;
    let look = async {
        context
            .reveal_unless(args.consent.dry_run, &session)
            .await?;
        payments::get(&session, &id).await
    };
    let payment = context.interruptible(look).await?;
    let reason = consent::reason_unless_dry_run(context, &session.env, args.consent)?;
    let cancel = Cancel::new(payment, reason.as_deref(), key)?;
    if args.consent.dry_run {
        cancel.check(&session).await?;
        return print_change(
            context,
            &session,
            (Action::PaymentCancel, None),
            &cancel.payment,
            cancel.what(),
        )
        .await;
    }
    say_equivalent(context, &session, &cancel.payment);
    let question = Question {
        what: &cancel.what(),
        typed: id.as_str(),
        yes: args.consent.yes,
        always: false,
    };
    consent::confirm(context, &session.env, &question)?;
    show_changed(context, cancel.run(&session).await?)
}

pub(super) fn say_equivalent(context: &Context, session: &Session, payment: &Payment) {
    let line = equivalent::change(&session.env, &payment.id, payment.version);
    context.console.say(format!("equivalent: {line}"));
}

/// Prints a change that is not made.
pub(super) async fn print_change(
    context: &Context,
    session: &Session,
    (action, amount): (Action, Option<Money>),
    payment: &Payment,
    what: String,
) -> OpsResult<Exit> {
    let line = equivalent::change(&session.env, &payment.id, payment.version);
    let proposal = Proposal {
        subject: Some(payment.id.to_string()),
        equivalent: Some(line),
        ..Proposal::new(session, action, what)
    };
    let act = Act::new(action).subject(payment.id.as_str()).amount(amount);
    print_dry_run(context, session, act, &proposal).await?;
    Ok(Exit::Done)
}

pub(super) fn show_changed(context: &Context, changed: ChangedPayment) -> OpsResult<Exit> {
    for note in &changed.notes {
        context.console.say(note);
    }
    if changed.replayed {
        context
            .console
            .say("this request was already made; nothing was changed");
    }
    context.printer.document(&ChangedView {
        payment: PaymentView::new(&changed.payment, context.privacy),
        refund_id: changed.refund_id,
        replayed: changed.replayed,
    })?;
    Ok(Exit::Done)
}
