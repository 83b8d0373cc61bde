//! `payops payment resolve`: an operator decides how a payment in review ended. The provider is
//! asked first, and money that it took is never called "not charged".

use clap::{Args, ValueEnum};
use payops_core::domain::access::Action;
use payops_core::domain::id::PaymentId;
use payops_core::domain::resolve::{Basis, Contradiction, ResolvePayment, Word};
use payops_core::usecase::{ResolveError, Resolver};

use super::change::{finish, key, prepare, render, told};
use crate::access::{self, Wanted};
use crate::commands::payment_id;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::safety::{self, Act};

/// `payops payment resolve`
#[derive(Clone, Debug, Args)]
pub(crate) struct ResolveArgs {
    /// The payment's id
    id: String,
    /// What happened at the provider
    #[arg(long = "as", value_name = "OUTCOME")]
    outcome: Outcome,
    /// The charge's name at the provider; needed where this machine cannot ask the provider
    #[arg(long, value_name = "CHARGE")]
    charge_id: Option<String>,
    /// Take my word for a charge that the provider does not list yet, or cannot be asked about
    #[arg(long, requires = "charge_id")]
    force: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Names this request: the same again changes nothing (random when left out)
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Outcome {
    /// The money was taken: the payment becomes `completed`
    Charged,
    /// Nothing was taken, and nothing will be: it becomes `failed`
    NotCharged,
}

/// Runs `payops payment resolve`.
pub(crate) async fn run(context: &Context, args: ResolveArgs) -> CliResult<Exit> {
    let id = payment_id(&args.id)?;
    let key = key(args.idempotency_key.clone())?;
    let word = word(&args)?;
    let ready = context.interruptible(prepare(context, &id)).await?;
    let reason = safety::reason(context, &ready.target)?;
    let reason = reason.ok_or_else(|| {
        CliError::refused("a decision needs a reason: it stands on the timeline")
            .hint("add --reason TEXT")
    })?;
    let request = ResolvePayment::new(word, &reason, args.force);
    let request =
        request.map_err(|error| CliError::usage("the request is not right").because(error))?;
    let resolver = Resolver {
        changes: ready.changes.clone(),
        provider: ready.ports.provider.clone(),
    };
    // Under a key that was given this may be a repetition, and its payment in review no more.
    if args.idempotency_key.is_none() {
        let found = context
            .interruptible(async { Ok(resolver.weigh(&ready.payment, &request).await) })
            .await?;
        match found.map_err(|error| refused(error, &id, &key))?.basis {
            Basis::Provider => context.talk.say("the provider says the same"),
            Basis::Operator => context.talk.warn(
                "the provider was not asked, or does not say so: this rests on your word alone",
            ),
        }
    }
    let (name, action) = match args.outcome {
        Outcome::Charged => ("charged", "resolve-charged"),
        Outcome::NotCharged => ("not charged", "resolve-not-charged"),
    };
    let what = format!("resolve {} of {id} as {name}", ready.payment.money);
    let same_as = ready.same_as(context);
    safety::confirm(
        context,
        &ready.target,
        &Act {
            what: &what,
            typed: id.as_str(),
            yes: args.yes,
            always: true,
        },
    )?;
    let permit = access::permit(
        context,
        &ready.target,
        &Wanted::new(Action::PaymentResolve).because(Some(&reason)),
    )
    .await?;
    let entry = context
        .entry(&ready.target, action, Some(&reason))
        .subject(id.as_str())
        .role(permit.duty.as_str())
        .same_as(same_as);
    let resolving = async {
        resolver
            .resolve(context.who(), &id, &key, &request, &render)
            .await
            .map_err(|error| refused(error, &id, &key))
    };
    let made = context.audited(&ready.target, entry, resolving).await?;
    finish(context, &ready, made).await
}

fn word(args: &ResolveArgs) -> CliResult<Word> {
    match (args.outcome, &args.charge_id) {
        (Outcome::Charged, charge_id) => Ok(Word::Charged {
            charge_id: charge_id.clone(),
        }),
        (Outcome::NotCharged, None) => Ok(Word::NotCharged),
        (Outcome::NotCharged, Some(_)) => Err(CliError::usage(
            "--charge-id names a charge, and --as not-charged says that there is none",
        )),
    }
}

fn refused(
    error: ResolveError,
    id: &PaymentId,
    key: &payops_core::domain::text::IdempotencyKey,
) -> CliError {
    let contradiction = match error {
        ResolveError::Change(error) => return told(error, id, key),
        ResolveError::Contradicted(contradiction) => contradiction,
    };
    let hint = match &contradiction {
        Contradiction::Charged { .. } => format!(
            "resolve it --as charged; payops payment refund \
            {id} then gives the money back"
        ),
        Contradiction::NoCharge => {
            "a charge made just now may not be listed yet: wait, or name it with --charge-id and \
                add --force"
                .to_owned()
        }
        Contradiction::OtherCharge { .. } => {
            "name the charge that is listed, or leave --charge-id \
            out"
            .to_owned()
        }
        Contradiction::Several { .. } => "name the one that counts with --charge-id, and give the \
            others back at the provider"
            .to_owned(),
        Contradiction::OtherAmount { .. } => {
            "this is to be settled with the provider; the payment \
            stays in review"
                .to_owned()
        }
        Contradiction::NoChargeId => {
            "add --charge-id, as the provider's own console shows it".to_owned()
        }
        Contradiction::NoAnswer { .. } => {
            "ask again later; what is not known is not a failure".to_owned()
        }
    };
    let exit = if contradiction == Contradiction::NoChargeId {
        Exit::Usage
    } else {
        Exit::Failed
    };
    CliError::new(exit, format!("{id} stays as it is: {contradiction}")).hint(hint)
}
