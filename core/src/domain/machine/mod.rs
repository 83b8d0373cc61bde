//! The payment state machine: one pure function from a payment and a command to the payment
//! after it, the events it leaves and the outbox rows it owes; or a refusal.

mod charge;
mod refund;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::event::{EventKind, NewEvent};
use super::id::RefundId;
use super::limits::PaymentLimits;
use super::outbox::{OutboxEvent, OutboxKind};
use super::payment::{Attempt, AttemptState, Charge, DeadMark, Failure, Payment, Status};
use super::resolve::Resolution;
use crate::Timestamp;

pub use refund::REFUNDS_MAX;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A worker takes it, and will call the provider next.
    Claim {
        /// Which worker, at which receive: `worker/receipt`. The timeline names the worker.
        owner: String,
        /// The message that brought it, for the timeline: id, queue, receive count, sent at.
        hop: Value,
    },
    Approved(Charge),
    Declined {
        failure: Failure,
        soft: bool,
    },
    NotApplied(Failure),
    /// The provider's answer is not known.
    Unknown(Failure),
    SendToReview(Failure),
    MarkDead {
        queue: String,
        message_id: String,
        /// The refund whose message it is; `None` for the charge's.
        refund: Option<RefundId>,
        class: String,
        reason: String,
    },
    ClearDead {
        by: String,
        reason: String,
    },
    Redrive,
    Cancel {
        /// Who: `merchant` or an operator's name.
        by: String,
        reason: Option<String>,
    },
    /// An operator decides what nobody else can: how a payment in review ended.
    Resolve {
        by: String,
        reason: String,
        resolution: Resolution,
    },
    RequestRefund {
        id: RefundId,
        /// How much; `None` for all that is left.
        minor: Option<i64>,
        by: String,
        reason: Option<String>,
    },
    /// A worker is about to call the provider for a refund.
    StartRefund(RefundId),
    /// The provider did nothing at the first call for a refund: its key counts as never seen.
    RefundNotSent(RefundId),
    /// The provider took a refund on, and has neither paid it out nor failed to.
    RefundUnderWay {
        id: RefundId,
        provider_id: String,
    },
    RefundPaid {
        id: RefundId,
        provider_id: String,
    },
    RefundRefused {
        id: RefundId,
        failure: Failure,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    pub payment: Payment,
    pub events: Vec<NewEvent>,
    pub outbox: Vec<OutboxEvent>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransitionRefusal {
    /// The payment's status does not allow it.
    #[error("the payment is {status}")]
    Status { status: Status },
    /// A charge has been started, so it cannot be canceled any more.
    #[error("a charge has been started")]
    ChargeStarted,
    #[error("another worker has claimed it until {until}")]
    Leased { until: Timestamp },
    #[error("only {left_minor} minor units can still be refunded")]
    RefundTooLarge { left_minor: i64 },
    #[error("a refund must be at least 1 minor unit")]
    RefundNotPositive,
    /// The payment has no such refund, or it has come to its end already.
    #[error("no such pending refund")]
    NoPendingRefund,
    #[error("a payment has at most {REFUNDS_MAX} refunds")]
    TooManyRefunds,
    /// Nothing is to be done: it already is as asked.
    #[error("nothing to do")]
    Nothing,
}

/// Decides what `command` does to `payment` at `now`.
pub fn decide(
    payment: &Payment,
    command: Command,
    now: Timestamp,
    limits: &PaymentLimits,
) -> Result<Transition, TransitionRefusal> {
    let mut next = Draft::new(payment, now);
    match command {
        Command::Claim { owner, hop } => charge::claim(&mut next, &owner, hop, limits)?,
        Command::Approved(charge) => charge::approve(&mut next, charge)?,
        Command::Declined { failure, soft } => charge::decline(&mut next, failure, soft, limits)?,
        Command::NotApplied(failure) => charge::end_attempt(
            &mut next,
            &failure,
            AttemptState::NotApplied,
            EventKind::AttemptFailed,
        )?,
        Command::Unknown(failure) => charge::end_attempt(
            &mut next,
            &failure,
            AttemptState::Sent,
            EventKind::AttemptUnknown,
        )?,
        Command::SendToReview(failure) => charge::review(&mut next, failure)?,
        Command::MarkDead {
            queue,
            message_id,
            refund,
            class,
            reason,
        } => {
            let at = next.now;
            mark_dead(
                &mut next,
                DeadMark {
                    at,
                    queue,
                    message_id,
                    class,
                    reason,
                },
                refund.as_ref(),
            )?;
        }
        Command::ClearDead { by, reason } => clear_dead(&mut next, &by, &reason, limits)?,
        Command::Redrive => redrive(&mut next, limits)?,
        Command::Cancel { by, reason } => cancel(&mut next, &by, reason.as_deref())?,
        Command::Resolve {
            by,
            reason,
            resolution,
        } => charge::resolve(&mut next, &by, &reason, resolution)?,
        Command::RequestRefund {
            id,
            minor,
            by,
            reason,
        } => refund::request(&mut next, id, minor, by, reason, limits)?,
        Command::StartRefund(id) => refund::start(&mut next, &id)?,
        Command::RefundNotSent(id) => refund::mark_not_sent(&mut next, &id)?,
        Command::RefundUnderWay { id, provider_id } => {
            refund::mark_under_way(&mut next, &id, &provider_id, limits)?;
        }
        Command::RefundPaid { id, provider_id } => refund::mark_paid(&mut next, &id, &provider_id)?,
        Command::RefundRefused { id, failure } => refund::mark_refused(&mut next, &id, &failure)?,
    }
    Ok(next.decision)
}

/// What to do at the provider for a claimed payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderStep {
    /// Charge: the provider cannot have seen this key, or said that it did nothing.
    Charge,
    /// Ask first. Not found: charge with the same key, which the provider still knows.
    AskThenCharge,
    /// Ask only. Not found: a human must look, since the same key may charge again.
    AskOnly,
}

/// Which step is safe for `attempt` as it stood *before* the claim (`None`: there was none).
#[must_use]
pub fn provider_step(
    before: Option<&Attempt>,
    now: Timestamp,
    limits: &PaymentLimits,
) -> ProviderStep {
    let Some(attempt) = before else {
        return ProviderStep::Charge;
    };
    let within = now.duration_since(attempt.first_sent_at) < limits.provider_window;
    match (&attempt.state, within) {
        (AttemptState::SoftDeclined, _) | (AttemptState::NotApplied, true) => ProviderStep::Charge,
        (AttemptState::NotApplied, false) if !attempt.ambiguous => ProviderStep::AskThenCharge,
        (AttemptState::Sent, true) => ProviderStep::AskThenCharge,
        (AttemptState::NotApplied | AttemptState::Sent, false) | (AttemptState::Settled, _) => {
            ProviderStep::AskOnly
        }
    }
}

/// A decision being made: the payment with its version raised, and what it leaves.
struct Draft {
    decision: Transition,
    now: Timestamp,
}

impl Draft {
    fn new(payment: &Payment, now: Timestamp) -> Self {
        let mut payment = payment.clone();
        payment.version = payment.version.saturating_add(1);
        // Clocks of different machines differ: a payment's own time never runs backwards.
        let now = now.max(payment.updated_at);
        payment.updated_at = now;
        Self {
            decision: Transition {
                payment,
                events: Vec::new(),
                outbox: Vec::new(),
            },
            now,
        }
    }

    fn payment(&mut self) -> &mut Payment {
        &mut self.decision.payment
    }

    fn event(&mut self, kind: EventKind, detail: Value) {
        self.decision
            .events
            .push(NewEvent::new(self.now, kind, detail));
    }

    fn tell(&mut self, kind: OutboxKind) -> &mut OutboxEvent {
        let payment = &self.decision.payment;
        let row = OutboxEvent::new(&payment.id, payment.version, kind, self.now);
        let rows = &mut self.decision.outbox;
        rows.push(row);
        let last = rows.len().saturating_sub(1);
        #[expect(
            clippy::indexing_slicing,
            reason = "a row was pushed on the line before"
        )]
        &mut rows[last]
    }

    fn require(&mut self, fine: bool) -> Result<(), TransitionRefusal> {
        if fine {
            Ok(())
        } else {
            Err(TransitionRefusal::Status {
                status: self.decision.payment.status,
            })
        }
    }

    fn end(&mut self, status: Status) -> Result<(), TransitionRefusal> {
        let may = self.decision.payment.status.may_become(status);
        self.require(may)?;
        let payment = self.payment();
        payment.status = status;
        payment.lease = None;
        payment.due_at = None;
        payment.dead = None;
        Ok(())
    }
}

fn add_delay(now: Timestamp, delay: SignedDuration) -> Timestamp {
    now.saturating_add(delay).unwrap_or(Timestamp::MAX)
}

fn mark_dead(
    next: &mut Draft,
    letter: DeadMark,
    refund: Option<&RefundId>,
) -> Result<(), TransitionRefusal> {
    let payment = next.payment();
    let waits = if refund.is_some() {
        payment.has_pending_refund()
    } else {
        !payment.status.is_final()
    };
    // A second copy of a message that is dead already changes nothing but the sweeper's plans.
    if !waits || (payment.dead.is_some() && payment.due_at.is_none()) {
        return Err(TransitionRefusal::Nothing);
    }
    let detail = json!({
        "queue": letter.queue, "message_id": letter.message_id, "class": letter.class,
        "reason": letter.reason,
    });
    payment.lease = None;
    // A refund that the provider has taken on has no message to be replayed: it is still asked
    // about.
    if !payment
        .refunds
        .iter()
        .any(|other| other.is_under_way() && Some(&other.id) != refund)
    {
        payment.due_at = None;
    }
    payment.dead.get_or_insert(letter);
    next.event(EventKind::DeadLettered, detail);
    next.tell(OutboxKind::PaymentDead);
    Ok(())
}

fn clear_dead(
    next: &mut Draft,
    by: &str,
    reason: &str,
    limits: &PaymentLimits,
) -> Result<(), TransitionRefusal> {
    if next.payment().dead.take().is_none() {
        return Err(TransitionRefusal::Nothing);
    }
    let due = add_delay(next.now, limits.sweep_delay(0));
    let payment = next.payment();
    if payment.status == Status::Processing || payment.has_pending_refund() {
        payment.due_at = Some(due);
    }
    next.event(EventKind::Replayed, json!({"by": by, "reason": reason}));
    next.tell(OutboxKind::PaymentDead);
    Ok(())
}

fn redrive(next: &mut Draft, limits: &PaymentLimits) -> Result<(), TransitionRefusal> {
    let now = next.now;
    let payment = next.payment();
    let worked_on = payment
        .lease
        .as_ref()
        .is_some_and(|lease| lease.until > now);
    if payment.due_at.is_none_or(|due| due > now) || worked_on {
        return Err(TransitionRefusal::Nothing);
    }
    // One that no worker ever took is not in doubt: it waits for workers, however long.
    if payment.redrives >= limits.redrives_max
        && payment.status == Status::Processing
        && payment.attempt.is_some()
    {
        let times = payment.redrives;
        let message = format!("no definite end after {times} tries to send it again");
        return charge::review(
            next,
            Failure {
                code: "stuck".to_owned(),
                message,
            },
        );
    }
    if payment.status != Status::Processing && !payment.has_pending_refund() {
        return Err(TransitionRefusal::Nothing);
    }
    payment.redrives = payment.redrives.saturating_add(1);
    let redrives = payment.redrives;
    payment.due_at = Some(add_delay(now, limits.sweep_delay(redrives)));
    next.event(EventKind::Redriven, json!({"times": redrives}));
    Ok(())
}

fn cancel(next: &mut Draft, by: &str, reason: Option<&str>) -> Result<(), TransitionRefusal> {
    let open = next.payment().status == Status::Processing;
    next.require(open)?;
    if next.payment().attempt.is_some() {
        return Err(TransitionRefusal::ChargeStarted);
    }
    next.end(Status::Canceled)?;
    next.event(EventKind::Canceled, json!({"by": by, "reason": reason}));
    next.tell(OutboxKind::PaymentCanceled);
    Ok(())
}
