//! `payops payment resolve`: an operator decides how a payment in review ended. The provider is
//! asked first, and money that it took is never called "not charged".

use clap::{Args, ValueEnum};
use payops_core::domain::access::Action;
use payops_core::domain::resolve::{Basis, Settlement};
use payops_ops::error::{OpsError, OpsResult};
use payops_ops::payments::{self, Resolve};

use super::change::{print_change, say_equivalent, show_changed};
use crate::consent::{self, ConsentArgs, Question};
use crate::context::Context;
use crate::exit::Exit;

/// `payops payment resolve`
#[derive(Clone, Debug, Args)]
pub(crate) struct ResolveArgs {
    /// Payment ID
    id: String,
    /// What happened at the provider
    #[arg(long = "as", value_name = "OUTCOME")]
    outcome: Outcome,
    /// Charge ID at the provider; required if this machine cannot ask the provider
    #[arg(long, value_name = "CHARGE")]
    charge_id: Option<String>,
    /// Accept a charge that the provider does not list yet or cannot be asked about
    #[arg(long, requires = "charge_id")]
    force: bool,
    #[command(flatten)]
    consent: ConsentArgs,
    /// Idempotency key: repeating the command with the same key changes nothing [default: random]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Outcome {
    /// The money was taken; the payment becomes `completed`
    Charged,
    /// Nothing was or will be taken; the payment becomes `failed`
    NotCharged,
}

pub(crate) async fn run(context: &Context, args: ResolveArgs) -> OpsResult<Exit> {
    let id = payments::parse_payment_id(&args.id)?;
    let key = payments::idempotency_key(args.idempotency_key.as_deref())?;
    let word = word(&args)?;
    let session = context.operator.one_session()?;
    let look = async {
        context
            .reveal_unless(args.consent.dry_run, &session)
            .await?;
        payments::get(&session, &id).await
    };
    let payment = context.interruptible(look).await?;
    let dry_run = args.consent.dry_run;
    let reason = consent::reason_unless_dry_run(context, &session.env, args.consent)?;
    let reason = reason.ok_or_else(|| {
        OpsError::refused("resolving a payment requires a reason, which is shown on its timeline")
            .hint("add --reason TEXT")
    })?;
    let resolve = Resolve::new(payment, word, &reason, args.force, key)?;
    // Under a key that was given this may be a repetition, and its payment in review no more.
    if args.idempotency_key.is_none() || dry_run {
        match context.interruptible(resolve.weigh(&session)).await? {
            Basis::Provider => context.console.say("the provider confirms this"),
            Basis::Operator => context.console.warn(
                "the provider was not asked or does not confirm this; you are responsible for the \
                 decision",
            ),
        }
    }
    let (payment, what) = (&resolve.payment, resolve.what());
    if dry_run {
        let action = (Action::PaymentResolve, None);
        return print_change(context, &session, action, payment, what).await;
    }
    say_equivalent(context, &session, payment);
    let question = Question {
        what: &what,
        typed: id.as_str(),
        yes: args.consent.yes,
        always: true,
    };
    consent::confirm(context, &session.env, &question)?;
    show_changed(context, resolve.run(&session).await?)
}

fn word(args: &ResolveArgs) -> OpsResult<Settlement> {
    match (args.outcome, &args.charge_id) {
        (Outcome::Charged, charge_id) => Ok(Settlement::Charged {
            charge_id: charge_id.clone(),
        }),
        (Outcome::NotCharged, None) => Ok(Settlement::NotCharged),
        (Outcome::NotCharged, Some(_)) => {
            Err(OpsError::usage("--charge-id contradicts --as not-charged"))
        }
    }
}
