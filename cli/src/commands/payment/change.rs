//! `payops payment cancel`, and what all changes have in common that an operator asks for: they are
//! made by the same use case as those of a merchant.

use clap::Args;
use payops_core::domain::access::Action;
use payops_core::domain::id::PaymentId;
use payops_core::domain::machine::TransitionRefusal;
use payops_core::domain::payment::Payment;
use payops_core::domain::request::CancelPayment;
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
use crate::same_as;
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

/// A payment after a change: the members of `payment get`, and what was done.
#[derive(Clone, Debug, Serialize)]
struct Changed {
    #[serde(flatten)]
    payment: PaymentView,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_id: Option<String>,
    replayed: bool,
}

impl Document for Changed {
    fn human(&self, look: &Look) -> String {
        self.payment.human(look)
    }
}

pub(super) struct Ready {
    pub(super) target: EnvTarget,
    pub(super) ports: Ports,
    pub(super) changes: Changes,
    pub(super) payment: Payment,
}

impl Ready {
    pub(super) fn same_as(&self, context: &Context) -> String {
        same_as::said(
            context,
            same_as::change(&self.target, &self.payment.id, self.payment.version),
        )
    }
}

pub(super) async fn prepare(context: &Context, id: &PaymentId) -> CliResult<Ready> {
    opened(context, context.settings.one_target()?, id, Access::Write).await
}

/// The same of an environment, to look or to change.
pub(super) async fn opened(
    context: &Context,
    target: EnvTarget,
    id: &PaymentId,
    access: Access,
) -> CliResult<Ready> {
    let ports = context.open(&target, access).await?;
    context.reveal(&target).await?;
    let payment = ports
        .store
        .get(id)
        .await
        .map_err(|error| CliError::port("the payment could not be read", error))?;
    let Some(payment) = payment else {
        return Err(no_payment(context, &target, id).await);
    };
    let (store, clock, random, policy) = (
        ports.store.clone(),
        ports.clock.clone(),
        ports.random.clone(),
        ports.policy.clone(),
    );
    Ok(Ready {
        target,
        changes: Changes {
            store,
            clock,
            random,
            policy,
        },
        ports,
        payment,
    })
}

/// Runs `payops payment cancel`.
pub(crate) async fn cancel(context: &Context, args: CancelArgs) -> CliResult<Exit> {
    let id = payment_id(&args.id)?;
    let key = key(args.idempotency_key)?;
    let ready = context.interruptible(prepare(context, &id)).await?;
    let reason = safety::reason(context, &ready.target)?;
    let body = json!({ "reason": reason }).to_string();
    let request = CancelPayment::parse(body.as_bytes())
        .map_err(|error| CliError::usage("the request is not right").because(error))?;
    let what = format!("cancel {} of {}", ready.payment.money, id);
    let same_as = ready.same_as(context);
    safety::confirm(
        context,
        &ready.target,
        &Act {
            what: &what,
            typed: id.as_str(),
            yes: args.yes,
            always: false,
        },
    )?;
    let permit = access::permit(
        context,
        &ready.target,
        &Wanted::new(Action::PaymentCancel).because(reason.as_deref()),
    )
    .await?;
    let entry = context
        .entry(&ready.target, "cancel", reason.as_deref())
        .subject(id.as_str())
        .role(permit.duty.as_str());
    let entry = entry.same_as(same_as);
    let by = Requester::Operator(context.who().to_owned());
    let work = async {
        ready
            .changes
            .cancel(&by, &id, &key, &request, &render)
            .await
            .map_err(|error| told(error, &id, &key))
    };
    let made = context.audited(&ready.target, entry, work).await?;
    finish(context, &ready, made).await
}

pub(super) fn key(given: Option<String>) -> CliResult<IdempotencyKey> {
    let key = given.unwrap_or_else(random_key);
    key.parse()
        .map_err(|error| CliError::usage("--idempotency-key is not right").because(error))
}

/// A key that nobody else uses. Of letters alone: a run of random digits would pass for a card
/// number now and then, and a key that does is refused.
pub(super) fn random_key() -> String {
    let letters = rand::random::<[u8; 16]>()
        .into_iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from(b'a' + half));
    format!("payops-{}", letters.collect::<String>())
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
    made: (
        payops_core::usecase::Answer,
        Vec<payops_core::domain::outbox::OutboxEvent>,
    ),
) -> CliResult<Exit> {
    let (answer, outbox) = made;
    if let Err(error) = ready.ports.dispatcher().dispatch(&outbox).await {
        // The change is written; the relay tells the rest of the system.
        context.talk.say(format!(
            "done; the rest of the system hears of it a little later ({})",
            error.chain()
        ));
    }
    let stored: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let refund_id = stored
        .get("refund_id")
        .and_then(serde_json::Value::as_str)
        .map(str::to_owned);
    let refund_id = refund_id.filter(|_| answer.status == 202);
    if answer.replayed {
        context
            .talk
            .say("the same request had been made before; nothing was changed now");
    }
    let now = ready
        .ports
        .store
        .get(&answer.payment)
        .await
        .unwrap_or_else(|error| {
            context.talk.say(format!(
                "done; shown as it was before, since it could not be read again ({})",
                error.chain()
            ));
            None
        });
    let payment = PaymentView::new(now.as_ref().unwrap_or(&ready.payment), context.privacy);
    context.printer.document(&Changed {
        payment,
        refund_id,
        replayed: answer.replayed,
    })?;
    Ok(Exit::Done)
}

/// Why a change was not made.
pub(super) fn told(error: ChangeError, id: &PaymentId, key: &IdempotencyKey) -> CliError {
    let look = format!("payops payment timeline {id} tells what happened to it");
    match error {
        ChangeError::NotFound => CliError::not_found(format!("{id} is gone")),
        ChangeError::Refused(refusal) => {
            let exit = match refusal {
                TransitionRefusal::RefundNotPositive => Exit::Usage,
                _ => Exit::Failed,
            };
            CliError::new(exit, format!("{id} does not allow it: {refusal}")).hint(look)
        }
        ChangeError::KeyReused => {
            CliError::usage("this idempotency key was used for another request")
                .hint("use another key, or none")
        }
        ChangeError::Moved { planned, found } => moved(id, planned, found),
        ChangeError::Busy => {
            CliError::failed(format!("{id} keeps changing")).hint("run the same command again")
        }
        ChangeError::Store(error) => {
            CliError::port("nobody knows whether the change was stored", error).hint(format!(
                "run it again with --idempotency-key {} : the same key never changes it twice",
                key.as_str()
            ))
        }
    }
}

/// The payment is not the one any more that a change was planned for.
pub(super) fn moved(id: &PaymentId, planned: u64, found: u64) -> CliError {
    CliError::refused(format!(
        "{id} has changed since this was planned: its version was {planned} and is {found}"
    ))
    .hint(format!(
        "payops payment timeline {id} tells how; then plan again"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_key_is_never_taken_for_a_card_number() {
        let keys: std::collections::BTreeSet<String> = (0..100).map(|_| random_key()).collect();
        assert_eq!(keys.len(), 100);
        let plain = |key: &String| {
            key.len() == 39
                && key
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        };
        assert!(keys.iter().all(plain), "{keys:?}");
    }
}
