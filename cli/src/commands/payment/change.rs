//! `payops payment cancel` and `refund`: changes that an operator asks for, made by the same
//! use case as those of a merchant.

use clap::Args;
use payops_core::domain::access::Deed;
use payops_core::domain::id::PaymentId;
use payops_core::domain::machine::Refusal;
use payops_core::domain::money::{Currency, Money};
use payops_core::domain::payment::Payment;
use payops_core::domain::request::{CancelPayment, CreateRefund};
use payops_core::domain::text::IdempotencyKey;
use payops_core::port::Ports;
use payops_core::usecase::{ChangeError, Changes, Requester};
use serde::Serialize;
use serde_json::json;

use super::view::PaymentView;
use crate::access::{self, Wanted};
use crate::commands::{no_payment, payment_id};
use crate::context::{Access, Context};
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Document, Look};
use crate::safety::{self, Act};
use crate::settings::EnvTarget;

/// `payops payment cancel`
#[derive(Clone, Debug, Args)]
pub(crate) struct CancelArgs {
    /// The payment's id
    id: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Names this request: the same again changes nothing (random when left out)
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// `payops payment refund`
#[derive(Clone, Debug, Args)]
pub(crate) struct RefundArgs {
    /// The payment's id
    id: String,
    /// How much, with the currency's decimals: 12.50 EUR, 1250 JPY; all that is left when left out
    #[arg(long, value_name = "DECIMAL", conflicts_with = "amount_minor")]
    amount: Option<String>,
    /// How much, in minor units: 1250 is 12.50 EUR
    #[arg(long, value_name = "INTEGER")]
    amount_minor: Option<i64>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Names this request: the same again changes nothing (random when left out)
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

/// A payment after a change: the members of `payment get`, and what was done.
#[derive(Clone, Debug, Serialize)]
struct Changed {
    #[serde(flatten)]
    payment: PaymentView,
    /// The refund that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_id: Option<String>,
    /// Whether the same request had been made before.
    replayed: bool,
}

impl Document for Changed {
    fn human(&self, look: &Look) -> String {
        self.payment.human(look)
    }
}

/// What is needed for a change.
pub(super) struct Ready {
    pub(super) target: EnvTarget,
    pub(super) ports: Ports,
    pub(super) changes: Changes,
    pub(super) payment: Payment,
}

/// Opens what a change needs, and reads the payment.
pub(super) async fn prepare(context: &Context, id: &PaymentId) -> CliResult<Ready> {
    let target = context.settings.one_target()?;
    let ports = context.open(&target, Access::Write).await?;
    context.reveal(&target).await?;
    let payment = ports.store.get(id).await.map_err(|error| CliError::port("the payment could not be read", error))?;
    let Some(payment) = payment else { return Err(no_payment(context, &target, id).await) };
    let (store, clock, random, policy) = (ports.store.clone(), ports.clock.clone(), ports.random.clone(), ports.policy.clone());
    Ok(Ready { target, changes: Changes { store, clock, random, policy }, ports, payment })
}

/// Runs `payops payment cancel`.
pub(crate) async fn cancel(context: &Context, args: CancelArgs) -> CliResult<Exit> {
    let id = payment_id(&args.id)?;
    let key = key(args.idempotency_key)?;
    let ready = context.interruptible(prepare(context, &id)).await?;
    let reason = safety::reason(context, &ready.target)?;
    let body = json!({ "reason": reason }).to_string();
    let request = CancelPayment::parse(body.as_bytes()).map_err(|error| CliError::usage("the request is not right").because(error))?;
    let what = format!("cancel {} of {}", ready.payment.money, id);
    safety::confirm(context, &ready.target, &Act { what: &what, typed: id.as_str(), yes: args.yes, always: false })?;
    let permit = access::permit(context, &ready.target, &Wanted::new(Deed::PaymentCancel).because(reason.as_deref())).await?;
    let entry = context.entry(&ready.target, "cancel", reason.as_deref()).subject(id.as_str()).role(permit.duty.as_str());
    let by = Requester::Operator(context.who().to_owned());
    let work = async { ready.changes.cancel(&by, &id, &key, &request, &render).await.map_err(|error| told(error, &id, &key)) };
    let made = context.audited(&ready.target, entry, work).await?;
    finish(context, &ready, made).await
}

/// Runs `payops payment refund`.
pub(crate) async fn refund(context: &Context, args: RefundArgs) -> CliResult<Exit> {
    let id = payment_id(&args.id)?;
    let key = key(args.idempotency_key.clone())?;
    let ready = context.interruptible(prepare(context, &id)).await?;
    let minor = minor(&args, ready.payment.money.currency())?;
    let reason = safety::reason(context, &ready.target)?;
    let body = minor.map_or_else(|| json!({ "reason": reason }), |minor| json!({ "amount": minor, "reason": reason }));
    let request =
        CreateRefund::parse(body.to_string().as_bytes()).map_err(|error| CliError::usage("the request is not right").because(error))?;
    let currency = ready.payment.money.currency();
    let amount = payops_core::domain::money::major(minor.unwrap_or(ready.payment.refundable_minor), currency);
    let what = format!("refund {amount} {currency} of {id}");
    safety::confirm(context, &ready.target, &Act { what: &what, typed: id.as_str(), yes: args.yes, always: false })?;
    let money = Money::new(minor.unwrap_or(ready.payment.refundable_minor), currency).ok();
    let wanted = Wanted { amount: money, ..Wanted::new(Deed::PaymentRefund).because(reason.as_deref()) };
    let permit = access::permit(context, &ready.target, &wanted).await?;
    let entry = context.entry(&ready.target, "refund", reason.as_deref()).subject(id.as_str()).role(permit.duty.as_str());
    let entry = entry.detail("amount", format!("{amount} {currency}"));
    let by = Requester::Operator(context.who().to_owned());
    let work = async { ready.changes.refund(&by, &id, &key, &request, &render).await.map_err(|error| told(error, &id, &key)) };
    let made = context.audited(&ready.target, entry, work).await?;
    finish(context, &ready, made).await
}

fn minor(args: &RefundArgs, currency: Currency) -> CliResult<Option<i64>> {
    match (&args.amount, args.amount_minor) {
        (Some(text), _) => {
            let money = Money::parse_major(text, currency);
            money
                .map(|money| Some(money.minor()))
                .map_err(|error| CliError::usage(format!("--amount {text} is not an amount")).because(error))
        }
        (None, minor) => Ok(minor),
    }
}

/// The key that was given, or a random one.
pub(super) fn key(given: Option<String>) -> CliResult<IdempotencyKey> {
    let key = given.unwrap_or_else(random_key);
    key.parse().map_err(|error| CliError::usage("--idempotency-key is not right").because(error))
}

/// A key that nobody else uses.
pub(super) fn random_key() -> String {
    format!("payops-{}", hex::encode(rand::random::<[u8; 16]>()))
}

/// What is stored as the answer to a repeated request.
pub(super) fn render(payment: &Payment) -> String {
    let refund = payment.refunds.last().map(|refund| refund.id.to_string());
    json!({
        "id": payment.id, "status": payment.status, "amount": payment.money.minor(), "currency": payment.money.currency(),
        "version": payment.version, "refund_id": refund,
    })
    .to_string()
}

/// Tells the rest of the system, and shows the payment as it is now.
pub(super) async fn finish(
    context: &Context,
    ready: &Ready,
    made: (payops_core::usecase::Answer, Vec<payops_core::domain::outbox::OutboxEvent>),
) -> CliResult<Exit> {
    let (answer, outbox) = made;
    if let Err(error) = ready.ports.dispatcher().dispatch(&outbox).await {
        // The change is written; the relay tells the rest of the system.
        context.talk.say(format!("done; the rest of the system hears of it a little later ({})", error.chain()));
    }
    let stored: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let refund_id = stored.get("refund_id").and_then(serde_json::Value::as_str).map(str::to_owned);
    let refund_id = refund_id.filter(|_| answer.status == 202);
    if answer.replayed {
        context.talk.say("the same request had been made before; nothing was changed now");
    }
    let now = ready.ports.store.get(&answer.payment).await.unwrap_or_else(|error| {
        context.talk.say(format!("done; shown as it was before, since it could not be read again ({})", error.chain()));
        None
    });
    let payment = PaymentView::new(now.as_ref().unwrap_or(&ready.payment), context.privacy);
    context.printer.document(&Changed { payment, refund_id, replayed: answer.replayed })?;
    Ok(Exit::Done)
}

/// Why a change was not made.
pub(super) fn told(error: ChangeError, id: &PaymentId, key: &IdempotencyKey) -> CliError {
    let look = format!("payops payment timeline {id} tells what happened to it");
    match error {
        ChangeError::NotFound => CliError::not_found(format!("{id} is gone")),
        ChangeError::Refused(refusal) => {
            let exit = match refusal {
                Refusal::RefundNotPositive => Exit::Usage,
                _ => Exit::Failed,
            };
            CliError::new(exit, format!("{id} does not allow it: {refusal}")).hint(look)
        }
        ChangeError::KeyReused => CliError::usage("this idempotency key was used for another request").hint("use another key, or none"),
        ChangeError::Busy => CliError::failed(format!("{id} keeps changing")).hint("run the same command again"),
        ChangeError::Store(error) => CliError::port("nobody knows whether the change was stored", error)
            .hint(format!("run it again with --idempotency-key {} : the same key never changes it twice", key.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(amount: Option<&str>, amount_minor: Option<i64>) -> RefundArgs {
        RefundArgs { id: String::new(), amount: amount.map(str::to_owned), amount_minor, yes: false, idempotency_key: None }
    }

    #[test]
    fn amounts_follow_the_currency() {
        let currency = |code: &str| code.parse::<Currency>().expect("a currency");
        let read = |amount, code| minor(&args(amount, None), currency(code));
        assert_eq!(read(Some("12.50"), "EUR").expect("an amount"), Some(1250));
        assert_eq!(read(Some("1250"), "JPY").expect("an amount"), Some(1250));
        assert_eq!(read(None, "EUR").expect("all"), None);
        assert_eq!(read(Some("12.5"), "EUR").expect_err("refused").exit, Exit::Usage);
        assert_eq!(minor(&args(None, Some(7)), currency("EUR")).expect("an amount"), Some(7));
    }
}
