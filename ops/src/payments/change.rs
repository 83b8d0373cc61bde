//! What all changes of a payment have in common, and canceling one. They are made by the same use
//! cases as those of a merchant.

use std::sync::Arc;

use jiff::Timestamp;
use payops_core::domain::access::Action;
use payops_core::domain::id::PaymentId;
use payops_core::domain::machine::{self, Command, TransitionRefusal};
use payops_core::domain::outbox::OutboxEvent;
use payops_core::domain::payment::Payment;
use payops_core::domain::request::{BadRequest, CancelPayment};
use payops_core::domain::text::IdempotencyKey;
use payops_core::port::{KeyedRequest, Ports};
use payops_core::usecase::{Answer, ChangeError, Changes, Requester};
use serde_json::{Value, json};

use crate::act::{Act, Done};
use crate::equivalent;
use crate::error::{Kind, OpsError, OpsResult};
use crate::session::Session;

/// A payment after a change.
#[derive(Clone, Debug)]
pub struct ChangedPayment {
    pub payment: Payment,
    /// The refund that was asked for.
    pub refund_id: Option<String>,
    /// Whether the same request had been made before, so that nothing was changed now.
    pub replayed: bool,
    /// What the operator should know although all was done.
    pub notes: Vec<String>,
}

/// Canceling a payment whose charge has not been started.
#[derive(Clone, Debug)]
pub struct Cancel {
    pub payment: Payment,
    key: IdempotencyKey,
    reason: Option<String>,
    request: CancelPayment,
}

impl Cancel {
    pub fn new(payment: Payment, reason: Option<&str>, key: IdempotencyKey) -> OpsResult<Self> {
        let body = json!({ "reason": reason }).to_string();
        Ok(Self {
            payment,
            key,
            reason: reason.map(str::to_owned),
            request: CancelPayment::parse(body.as_bytes()).map_err(invalid)?,
        })
    }

    /// What will be done, after "This will".
    #[must_use]
    pub fn what(&self) -> String {
        format!("cancel {} of {}", self.payment.money, self.payment.id)
    }

    /// Refuses what the payment does not allow as it is now. Nothing is changed or recorded.
    pub async fn check(&self, session: &Session) -> OpsResult<()> {
        let command = Command::Cancel {
            by: session.who().to_owned(),
            reason: self.request.reason.clone(),
        };
        check_transition(session, (&self.payment, "canceled"), command, &self.key).await
    }

    pub async fn run(&self, session: &Arc<Session>) -> OpsResult<ChangedPayment> {
        let id = &self.payment.id;
        let act = Act::new(Action::PaymentCancel)
            .subject(id.as_str())
            .reason(self.reason.as_deref())
            .equivalent(equivalent_change(session, &self.payment));
        session
            .act(act, async |permit| {
                let ports = permit.ports().await?;
                let by = Requester::Operator(session.who().to_owned());
                let answer = Changes::from(&ports)
                    .cancel(&by, id, &self.key, &self.request, &render)
                    .await
                    .map_err(|error| to_error(session, error, (id, "canceled"), &self.key))?;
                Ok(Done::new(finish(&ports, &self.payment, answer).await))
            })
            .await
    }
}

/// The same change with the AWS CLI.
#[must_use]
pub(super) fn equivalent_change(session: &Session, payment: &Payment) -> String {
    equivalent::change(&session.env, &payment.id, payment.version)
}

pub(super) fn invalid(error: BadRequest) -> OpsError {
    OpsError::usage("invalid request").because(error)
}

/// The key that was given, or a random one.
pub fn idempotency_key(given: Option<&str>) -> OpsResult<IdempotencyKey> {
    given
        .map_or_else(random_key, str::to_owned)
        .parse()
        .map_err(|error| OpsError::usage("invalid --idempotency-key").because(error))
}

/// A key that nobody else uses. Of letters alone: a run of random digits would pass for a card
/// number now and then, and a key that does is refused.
fn random_key() -> String {
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
        "id": payment.id,
        "status": payment.status,
        "amount": payment.money.minor(),
        "currency": payment.money.currency(),
        "version": payment.version,
        "refund_id": refund,
    })
    .to_string()
}

pub(super) async fn check_transition(
    session: &Session,
    (payment, participle): (&Payment, &str),
    command: Command,
    key: &IdempotencyKey,
) -> OpsResult<()> {
    let limits = &session.ports().await?.limits;
    machine::decide(payment, command, Timestamp::now(), limits)
        .map(drop)
        .map_err(|refusal| {
            let error = ChangeError::Refused(refusal);
            to_error(session, error, (&payment.id, participle), key)
        })
}

/// Tells the rest of the system, and reads the payment as it is now.
pub(super) async fn finish(
    ports: &Ports,
    before: &Payment,
    (answer, outbox): (Answer, Vec<OutboxEvent>),
) -> ChangedPayment {
    let mut notes = Vec::new();
    // The change is written; the relay tells the rest of the system.
    if let Some(dispatcher) = ports.own_dispatcher()
        && let Err(error) = dispatcher.dispatch(&outbox).await
    {
        notes.push(format!(
            "done; other services will be notified later ({})",
            error.chain()
        ));
    }
    let now = ports
        .store
        .get(&answer.payment)
        .await
        .unwrap_or_else(|error| {
            notes.push(format!(
                "done; showing the payment as it was before, because it could not be read again \
                 ({})",
                error.chain()
            ));
            None
        });
    let stored: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let refund_id = stored
        .get("refund_id")
        .and_then(Value::as_str)
        .filter(|_| answer.request == KeyedRequest::RefundPayment)
        .map(str::to_owned);
    ChangedPayment {
        payment: now.unwrap_or_else(|| before.clone()),
        refund_id,
        replayed: answer.replayed,
        notes,
    }
}

/// Why a payment could not be `canceled`, or whatever the participle is.
pub(super) fn to_error(
    session: &Session,
    error: ChangeError,
    (id, participle): (&PaymentId, &str),
    key: &IdempotencyKey,
) -> OpsError {
    match error {
        ChangeError::NotFound => OpsError::not_found(format!("payment {id} no longer exists")),
        ChangeError::Refused(refusal) => {
            let kind = match refusal {
                TransitionRefusal::RefundNotPositive => Kind::Usage,
                _ => Kind::Failed,
            };
            let message = format!("{id} cannot be {participle}: {refusal}; nothing was changed");
            OpsError::new(kind, message).hint(format!(
                "see what happened with: {}",
                session.command(&format!("payment timeline {id}"))
            ))
        }
        ChangeError::KeyReused => {
            OpsError::usage("this idempotency key was used for another request")
                .hint("use another key, or omit --idempotency-key")
        }
        ChangeError::Moved { planned, found } => has_changed(session, id, (planned, found)),
        ChangeError::Busy => OpsError::failed(format!("{id} is being changed by other processes"))
            .hint("run the same command again"),
        ChangeError::Store(error) => {
            OpsError::port("the change may or may not have been stored", error).hint(format!(
                "run it again with --idempotency-key {} ; with the same key it takes effect at \
                 most once",
                key.as_str()
            ))
        }
    }
}

/// The payment is no longer the one that a change was planned for.
pub(super) fn has_changed(
    session: &Session,
    id: &PaymentId,
    (planned, found): (u64, u64),
) -> OpsError {
    OpsError::refused(format!(
        "{id} has changed since it was planned: version {planned} is now {found}"
    ))
    .hint(format!(
        "see the changes with: {}; then plan again",
        session.command(&format!("payment timeline {id}"))
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_random_key_is_never_taken_for_a_card_number() {
        let keys: BTreeSet<String> = (0..100).map(|_| random_key()).collect();
        assert_eq!(keys.len(), 100);
        let is_plain = |key: &String| {
            key.len() == 39
                && key
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        };
        assert!(keys.iter().all(is_plain), "{keys:?}");
    }
}
