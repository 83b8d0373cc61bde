//! The worker: one message, one payment, at most one charge.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::change::build_change;
use super::consume::Handler;
use super::dispatch::{Dispatcher, apply};
use crate::domain::id::{PaymentId, RefundId};
use crate::domain::limits::PaymentLimits;
use crate::domain::machine::{Command, ProviderStep, TransitionRefusal, decide, provider_step};
use crate::domain::money::Money;
use crate::domain::payment::{Failure, Payment, Status};
use crate::domain::sha256_hex;
use crate::domain::work_item::{HandlerOutcome, WorkItem, attribute, parse};
use crate::port::{
    Archive, ChargeOutcome, ChargeRequest, Clock, Committed, ErrorKind, PaymentStore, PortError,
    PortResult, Provider, Received, RefundOutcome, RefundRequest,
};

#[derive(Clone)]
pub struct Worker {
    pub store: Arc<dyn PaymentStore>,
    pub archive: Arc<dyn Archive>,
    pub provider: Arc<dyn Provider>,
    pub dispatcher: Dispatcher,
    pub clock: Arc<dyn Clock>,
    pub limits: PaymentLimits,
    pub name: String,
    pub queue: String,
}

fn retry(class: &str, reason: impl Into<String>) -> HandlerOutcome {
    HandlerOutcome::Retry {
        class: class.to_owned(),
        reason: reason.into(),
        after: None,
    }
}

fn dead_outcome(class: &str, reason: impl Into<String>) -> HandlerOutcome {
    HandlerOutcome::Dead {
        class: class.to_owned(),
        reason: reason.into(),
    }
}

fn port_retry(what: &str, error: &PortError) -> HandlerOutcome {
    retry(
        &format!("{what}_{}", error.class()),
        format!("{what}: {}", error.chain()),
    )
}

fn failure(code: &str, message: impl Into<String>) -> Failure {
    Failure {
        code: code.to_owned(),
        message: message.into(),
    }
}

#[async_trait]
impl Handler for Worker {
    async fn handle(&self, message: &Received) -> HandlerOutcome {
        match parse(&message.body) {
            Ok(WorkItem::Process(id)) => self.process(&id, message).await,
            Ok(WorkItem::Refund(id, refund)) => self.refund(&id, &refund).await,
            Ok(WorkItem::Catchup(id)) => dead_outcome(
                "wrong_queue",
                format!("a notice about {id}, not a work message"),
            ),
            Err(error) => dead_outcome(error.class(), error.to_string()),
        }
    }

    async fn mark_dead(&self, message: &Received, class: &str, reason: &str) -> PortResult<()> {
        let Ok(item) = parse(&message.body) else {
            return Ok(());
        };
        let command = Command::MarkDead {
            queue: self.queue.clone(),
            message_id: message.message_id.clone(),
            refund: match &item {
                WorkItem::Refund(_, refund) => Some(refund.clone()),
                WorkItem::Process(_) | WorkItem::Catchup(_) => None,
            },
            class: class.to_owned(),
            reason: reason.to_owned(),
        };
        let applied = apply(
            &*self.store,
            &*self.clock,
            &self.limits,
            item.payment(),
            &command,
        )
        .await?;
        if let Ok((_, outbox)) = applied {
            self.tell(&outbox).await;
        }
        Ok(())
    }
}

/// What a worker holds after claiming: the payment as committed, and how it stood before.
struct Claimed {
    payment: Payment,
    step: ProviderStep,
    reviewing: bool,
}

impl Worker {
    /// The payment, if this message may try on: not while another message of it is dead, unless
    /// this is that dead letter, moved back by the queue service or by hand and not by a replay,
    /// which takes the marks of death off.
    async fn check_alive(
        &self,
        payment: Payment,
        message: &Received,
    ) -> Result<Payment, HandlerOutcome> {
        if payment
            .dead
            .as_ref()
            .is_none_or(|letter| letter.message_id == message.message_id)
        {
            return Ok(payment);
        }
        if !message.attributes.contains_key(attribute::CLASS) {
            return Err(HandlerOutcome::Done);
        }
        let command = Command::ClearDead {
            by: "redrive".to_owned(),
            reason: "its dead letter was moved back unread".to_owned(),
        };
        match apply(
            &*self.store,
            &*self.clock,
            &self.limits,
            &payment.id,
            &command,
        )
        .await
        {
            Ok(Ok((payment, outbox))) => {
                self.tell(&outbox).await;
                Ok(payment)
            }
            // Somebody else was faster: it comes again.
            Ok(Err(_)) => Err(retry("contended", "the payment changed in the meantime")),
            Err(error) => Err(port_retry("store", &error)),
        }
    }

    async fn process(&self, id: &PaymentId, message: &Received) -> HandlerOutcome {
        let payment = match self.store.get(id).await {
            Ok(Some(payment)) => payment,
            // The object is there, the payment is not. Never make one of an object.
            Ok(None) => return retry("orphan", format!("no payment {id}")),
            Err(error) => return port_retry("store", &error),
        };
        if payment.status.is_final() {
            return HandlerOutcome::Done;
        }
        let payment = match self.check_alive(payment, message).await {
            Ok(payment) => payment,
            Err(outcome) => return outcome,
        };
        if let Some(outcome) = self.verify(&payment).await {
            return outcome;
        }
        let claimed = match self.claim(payment, message).await {
            Ok(claimed) => claimed,
            Err(outcome) => return outcome,
        };
        let found = match claimed.step {
            ProviderStep::Charge if claimed.reviewing => self.provider.find_charge(id).await,
            ProviderStep::Charge => Ok(None),
            ProviderStep::AskThenCharge | ProviderStep::AskOnly => {
                self.provider.find_charge(id).await
            }
        };
        match found {
            Ok(Some(charge)) => self.settle(&claimed, Command::Approved(charge)).await,
            Ok(None) if claimed.reviewing => {
                self.settle(
                    &claimed,
                    Command::Unknown(failure(
                        "not_found",
                        "the provider finds no charge; an operator must decide",
                    )),
                )
                .await
            }
            Ok(None) if claimed.step == ProviderStep::AskOnly => {
                let why = "an earlier attempt may have charged, the provider finds nothing, and \
                    its idempotency key has expired";
                self.settle(
                    &claimed,
                    Command::SendToReview(failure("outcome_unknown", why)),
                )
                .await
            }
            Ok(None) => self.charge(&claimed).await,
            Err(error) => {
                self.after_error(&claimed, &error, "asking the provider")
                    .await
            }
        }
    }

    /// Checks the archived request against the payment; an outcome when it cannot be worked on.
    async fn verify(&self, payment: &Payment) -> Option<HandlerOutcome> {
        let bytes = match self.archive.get(&payment.archive.key).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                return Some(retry(
                    "archive_missing",
                    format!("no object {}", payment.archive.key),
                ));
            }
            Err(error) => return Some(port_retry("archive", &error)),
        };
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if length != payment.archive.bytes || sha256_hex(&bytes) != payment.archive.sha256 {
            return Some(dead_outcome(
                "payload_mismatch",
                "SECURITY: the archived request is not the one that was accepted",
            ));
        }
        None
    }

    async fn claim(&self, payment: Payment, message: &Received) -> Result<Claimed, HandlerOutcome> {
        let now = self.clock.now();
        let hop = json!({
            "queue": self.queue, "message_id": message.message_id,
            "receive": message.receive_count, "sent_at": message.sent_at,
        });
        let command = Command::Claim {
            owner: format!("{}/{}", self.name, message.receipt),
            hop,
        };
        let decision = match decide(&payment, command, now, &self.limits) {
            Ok(decision) => decision,
            Err(TransitionRefusal::Leased { until }) => {
                let after = Some(until.duration_since(now));
                return Err(HandlerOutcome::Retry {
                    class: "leased".to_owned(),
                    reason: format!("another worker has claimed it until {until}"),
                    after,
                });
            }
            Err(_) => return Err(HandlerOutcome::Done),
        };
        let step = provider_step(payment.attempt.as_ref(), now, &self.limits);
        let reviewing = payment.status == Status::Review;
        let change = build_change(&payment, decision, now);
        match self.store.commit(&change).await {
            Ok(Committed::Done) => Ok(Claimed {
                payment: change.payment,
                step,
                reviewing,
            }),
            Ok(_) => Err(retry("contended", "another worker was faster")),
            Err(error) => Err(port_retry("store", &error)),
        }
    }

    async fn charge(&self, claimed: &Claimed) -> HandlerOutcome {
        let payment = &claimed.payment;
        let Some(attempt) = &payment.attempt else {
            return retry("contended", "no attempt is recorded");
        };
        let request = ChargeRequest {
            payment: payment.id.clone(),
            key: attempt.provider_key.clone(),
            money: payment.money,
            source: payment.source.clone(),
        };
        match self.provider.charge(&request).await {
            Ok(ChargeOutcome::Approved(charge)) => {
                self.settle(claimed, Command::Approved(charge)).await
            }
            Ok(ChargeOutcome::Declined { failure, soft }) => {
                self.settle(claimed, Command::Declined { failure, soft })
                    .await
            }
            Err(error) => self.after_error(claimed, &error, "charging").await,
        }
    }

    /// Writes what is known after the provider failed to answer, and has the message come again.
    async fn after_error(
        &self,
        claimed: &Claimed,
        error: &PortError,
        what: &str,
    ) -> HandlerOutcome {
        let failure = failure(
            &format!("provider_{}", error.class()),
            format!("{what}: {}", error.chain()),
        );
        let outcome = match error.kind {
            ErrorKind::Permanent => dead_outcome(&failure.code, failure.message.clone()),
            _ => retry(&failure.code, failure.message.clone()),
        };
        // A question that failed leaves the attempt as it was before: its outcome is still not
        // known.
        let asked = claimed.step != ProviderStep::Charge && what != "charging";
        let harmless = !asked
            && matches!(
                error.kind,
                ErrorKind::Unavailable
                    | ErrorKind::Throttled
                    | ErrorKind::Denied
                    | ErrorKind::Refused
                    | ErrorKind::Permanent
            );
        let command = if harmless {
            Command::NotApplied(failure)
        } else {
            Command::Unknown(failure)
        };
        match self.settle(claimed, command).await {
            HandlerOutcome::Done => outcome,
            other => other,
        }
    }

    /// Writes an outcome under the claim's fence. [`HandlerOutcome::Done`] when it is written and
    /// final.
    async fn settle(&self, claimed: &Claimed, command: Command) -> HandlerOutcome {
        let now = self.clock.now();
        let decision = match decide(&claimed.payment, command, now, &self.limits) {
            Ok(decision) => decision,
            Err(refusal) => return retry("contended", refusal.to_string()),
        };
        let again = decision.payment.status == Status::Processing;
        let soft = decision.payment.attempt.as_ref().is_some_and(|attempt| {
            attempt.state == crate::domain::payment::AttemptState::SoftDeclined
        });
        let change = build_change(&claimed.payment, decision, now);
        match self.store.commit(&change).await {
            Ok(Committed::Done) => {
                self.tell(&change.outbox).await;
                if again && soft {
                    retry("soft_decline", "declined; another attempt may succeed")
                } else {
                    HandlerOutcome::Done
                }
            }
            Ok(_) => retry("fenced", "another worker took the payment over"),
            Err(error) => port_retry("store", &error),
        }
    }

    /// Best effort: what fails here stands in the outbox for the relay.
    async fn tell(&self, outbox: &[crate::domain::outbox::OutboxEvent]) {
        drop(self.dispatcher.dispatch(outbox).await);
    }

    /// Writes down that the provider is about to be called for a refund; the payment after it,
    /// and since when the provider may have seen the refund's key.
    async fn start_refund(
        &self,
        id: &PaymentId,
        refund_id: &RefundId,
    ) -> Result<(Payment, Option<crate::Timestamp>), HandlerOutcome> {
        for _ in 0..10_u8 {
            let before = match self.store.get(id).await {
                Ok(Some(payment)) => payment,
                Ok(None) => return Err(retry("orphan", format!("no payment {id}"))),
                Err(error) => return Err(port_retry("store", &error)),
            };
            let now = self.clock.now();
            let first_sent_at = before
                .refund(refund_id)
                .and_then(|refund| refund.first_sent_at);
            // Otherwise it was paid out or refused already.
            let Ok(decision) = decide(
                &before,
                Command::StartRefund(refund_id.clone()),
                now,
                &self.limits,
            ) else {
                return Err(HandlerOutcome::Done);
            };
            let started = build_change(&before, decision, now);
            match self.store.commit(&started).await {
                Ok(Committed::Done) => return Ok((started.payment, first_sent_at)),
                Ok(_) => {}
                Err(error) => return Err(port_retry("store", &error)),
            }
        }
        Err(retry(
            "contended",
            "other refunds of the payment are being worked on",
        ))
    }

    async fn refund(&self, id: &PaymentId, refund_id: &RefundId) -> HandlerOutcome {
        let (payment, first_sent_at) = match self.start_refund(id, refund_id).await {
            Ok(started) => started,
            Err(outcome) => return outcome,
        };
        let (Some(refund), Some(charge)) = (payment.refund(refund_id), payment.charge.as_ref())
        else {
            return dead_outcome("schema_error", "a refund of a payment that has no charge");
        };
        let Ok(money) = Money::new(refund.minor, payment.money.currency()) else {
            return dead_outcome("schema_error", "a refund of an invalid amount");
        };
        let request = RefundRequest {
            refund: refund_id.clone(),
            payment: id.clone(),
            charge_id: charge.id.clone(),
            money,
        };
        let command = match self
            .pay_out(&request, first_sent_at, refund.provider_id.is_some())
            .await
        {
            Ok(command) => command,
            Err(outcome) => return outcome,
        };
        match apply(&*self.store, &*self.clock, &self.limits, id, &command).await {
            Ok(Ok((_, outbox))) => {
                self.tell(&outbox).await;
                HandlerOutcome::Done
            }
            Ok(Err(_)) => HandlerOutcome::Done,
            Err(error) => port_retry("store", &error),
        }
    }

    /// Has the refund paid out, unless it was taken on before; `taken_on`: the provider said so.
    async fn pay_out(
        &self,
        request: &RefundRequest,
        first_sent_at: Option<crate::Timestamp>,
        taken_on: bool,
    ) -> Result<Command, HandlerOutcome> {
        if let Some(sent_at) = first_sent_at {
            let key_may_be_gone =
                self.clock.now().duration_since(sent_at) >= self.limits.provider_window;
            match self.provider.find_refund(request).await {
                Ok(Some(outcome)) => return Ok(after_refund(request, outcome)),
                Ok(None) if taken_on || key_may_be_gone => {
                    return Err(dead_outcome(
                        "outcome_unknown",
                        "the refund may have been paid out, the provider finds nothing, and \
                            sending it again may pay it twice",
                    ));
                }
                Ok(None) => {}
                Err(error) => return Err(port_retry("provider", &error)),
            }
        }
        match self.provider.refund(request).await {
            Ok(outcome) => Ok(after_refund(request, outcome)),
            Err(error) => {
                if first_sent_at.is_none() && error.kind != ErrorKind::Ambiguous {
                    // Best effort: without it the refund counts as one that may have been paid out.
                    let command = Command::RefundNotSent(request.refund.clone());
                    drop(
                        apply(
                            &*self.store,
                            &*self.clock,
                            &self.limits,
                            &request.payment,
                            &command,
                        )
                        .await,
                    );
                }
                let permanent = error.kind == ErrorKind::Permanent;
                Err(if permanent {
                    dead_outcome("provider_permanent", error.chain())
                } else {
                    port_retry("provider", &error)
                })
            }
        }
    }
}

/// What an outcome of a refund means for its payment. One that is under way is done with for now:
/// it may take days, so the sweeper has it asked about again, and no message waits for it.
fn after_refund(request: &RefundRequest, outcome: RefundOutcome) -> Command {
    let id = request.refund.clone();
    match outcome {
        RefundOutcome::Pending { provider_id } => Command::RefundUnderWay { id, provider_id },
        RefundOutcome::Paid { provider_id } => Command::RefundPaid { id, provider_id },
        RefundOutcome::Refused(failure) => Command::RefundRefused { id, failure },
    }
}
