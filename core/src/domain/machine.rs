//! The payment state machine: one pure function from a payment and a command to the payment
//! after it, the events it leaves and the outbox rows it owes; or a refusal.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::event::{EventKind, NewEvent};
use super::id::RefundId;
use super::outbox::{OutboxEvent, OutboxKind};
use super::payment::{Attempt, AttemptState, Charge, DeadLetter, Failure, Lease, Payment, Refund, RefundState, Status};
use super::policy::Policy;
use crate::Timestamp;

/// Most refunds of one payment: they live in its row, which stores limit in size.
pub const REFUNDS_MAX: usize = 100;

/// What somebody wants to happen to a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A worker takes it, and will call the provider next.
    Claim {
        /// Which worker, at which receive: `worker/receipt`. The timeline names the worker.
        owner: String,
        /// The message that brought it, for the timeline: id, queue, receive count, sent at.
        hop: Value,
    },
    /// The provider approved the attempt.
    Approved(Charge),
    /// The provider declined.
    Declined {
        /// Why.
        failure: Failure,
        /// Whether another attempt may do better.
        soft: bool,
    },
    /// The provider did nothing.
    NotApplied(Failure),
    /// The provider's answer is not known.
    Unknown(Failure),
    /// A human must look.
    SendToReview(Failure),
    /// Its message goes to the dead-letter queue.
    Bury {
        /// Which queue gives up on it.
        queue: String,
        /// Which message goes.
        message_id: String,
        /// Whether it is a refund's message, and not the charge's.
        refund: bool,
        /// Class of the reason.
        class: String,
        /// The reason.
        reason: String,
    },
    /// An operator sends its message again.
    Unbury {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// The sweeper sends its message again.
    Redrive,
    /// The merchant or an operator takes it back.
    Cancel {
        /// Who: `merchant` or an operator's name.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// The merchant or an operator wants money given back.
    RequestRefund {
        /// The refund's name.
        id: RefundId,
        /// How much; `None` for all that is left.
        minor: Option<i64>,
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// A worker is about to call the provider for a refund.
    StartRefund(RefundId),
    /// The provider did nothing at the first call for a refund: its key counts as never seen.
    RefundNotSent(RefundId),
    /// The provider paid a refund out.
    RefundPaid {
        /// Which.
        id: RefundId,
        /// The provider's name for it.
        provider_id: String,
    },
    /// The provider refused a refund.
    RefundRefused {
        /// Which.
        id: RefundId,
        /// Why.
        failure: Failure,
    },
}

/// What follows from a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The payment after it; one version on.
    pub payment: Payment,
    /// What to add to the timeline.
    pub events: Vec<NewEvent>,
    /// What to tell the rest of the system.
    pub outbox: Vec<OutboxEvent>,
}

/// Why a command cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The payment's status does not allow it.
    #[error("the payment is {status}")]
    Status {
        /// The status.
        status: Status,
    },
    /// A charge has been started, so it cannot be canceled any more.
    #[error("a charge has been started")]
    ChargeStarted,
    /// Another worker has it.
    #[error("another worker holds it until {until}")]
    Leased {
        /// Until when.
        until: Timestamp,
    },
    /// More than is left.
    #[error("only {left_minor} minor units are left to refund")]
    RefundTooLarge {
        /// What is left.
        left_minor: i64,
    },
    /// Zero or negative.
    #[error("a refund must be at least 1 minor unit")]
    RefundNotPositive,
    /// The payment has no such refund, or it has come to its end already.
    #[error("no such pending refund")]
    NoPendingRefund,
    /// As many refunds as one payment may have.
    #[error("a payment has at most {REFUNDS_MAX} refunds")]
    TooManyRefunds,
    /// Nothing is to be done: it already is as asked.
    #[error("nothing is to be done")]
    Nothing,
}

/// Decides what `command` does to `payment` at `now`.
pub fn decide(payment: &Payment, command: Command, now: Timestamp, policy: &Policy) -> Result<Decision, Refusal> {
    let mut next = Draft::new(payment, now);
    match command {
        Command::Claim { owner, hop } => claim(&mut next, &owner, hop, policy)?,
        Command::Approved(charge) => approved(&mut next, charge)?,
        Command::Declined { failure, soft } => declined(&mut next, failure, soft, policy)?,
        Command::NotApplied(failure) => attempt_ended(&mut next, &failure, AttemptState::NotApplied, EventKind::AttemptFailed)?,
        Command::Unknown(failure) => attempt_ended(&mut next, &failure, AttemptState::Sent, EventKind::AttemptUnknown)?,
        Command::SendToReview(failure) => review(&mut next, failure)?,
        Command::Bury { queue, message_id, refund, class, reason } => {
            let at = next.now;
            bury(&mut next, DeadLetter { at, queue, message_id, class, reason }, refund)?;
        }
        Command::Unbury { by, reason } => unbury(&mut next, &by, &reason, policy)?,
        Command::Redrive => redrive(&mut next, policy)?,
        Command::Cancel { by, reason } => cancel(&mut next, &by, reason.as_deref())?,
        Command::RequestRefund { id, minor, by, reason } => request_refund(&mut next, id, minor, by, reason, policy)?,
        Command::StartRefund(id) => start_refund(&mut next, &id)?,
        Command::RefundNotSent(id) => refund_not_sent(&mut next, &id)?,
        Command::RefundPaid { id, provider_id } => refund_paid(&mut next, &id, &provider_id)?,
        Command::RefundRefused { id, failure } => refund_refused(&mut next, &id, &failure)?,
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
pub fn provider_step(before: Option<&Attempt>, now: Timestamp, policy: &Policy) -> ProviderStep {
    let Some(attempt) = before else { return ProviderStep::Charge };
    let within = now.duration_since(attempt.first_sent_at) < policy.provider_window;
    match (&attempt.state, within) {
        (AttemptState::SoftDeclined, _) | (AttemptState::NotApplied, true) => ProviderStep::Charge,
        (AttemptState::NotApplied, false) if !attempt.ambiguous => ProviderStep::AskThenCharge,
        (AttemptState::Sent, true) => ProviderStep::AskThenCharge,
        (AttemptState::NotApplied | AttemptState::Sent, false) | (AttemptState::Settled, _) => ProviderStep::AskOnly,
    }
}

/// A decision being made: the payment with its version raised, and what it leaves.
struct Draft {
    decision: Decision,
    now: Timestamp,
}

impl Draft {
    fn new(payment: &Payment, now: Timestamp) -> Self {
        let mut payment = payment.clone();
        payment.version = payment.version.saturating_add(1);
        // Clocks of different machines differ: a payment's own time never runs backwards.
        let now = now.max(payment.updated_at);
        payment.updated_at = now;
        Self { decision: Decision { payment, events: Vec::new(), outbox: Vec::new() }, now }
    }

    fn payment(&mut self) -> &mut Payment {
        &mut self.decision.payment
    }

    fn event(&mut self, kind: EventKind, detail: Value) {
        self.decision.events.push(NewEvent::new(self.now, kind, detail));
    }

    fn tell(&mut self, kind: OutboxKind) -> &mut OutboxEvent {
        let payment = &self.decision.payment;
        let row = OutboxEvent::new(&payment.id, payment.version, kind, self.now);
        let rows = &mut self.decision.outbox;
        rows.push(row);
        let last = rows.len().saturating_sub(1);
        #[expect(clippy::indexing_slicing, reason = "a row was pushed on the line before")]
        &mut rows[last]
    }

    fn require(&mut self, fine: bool) -> Result<(), Refusal> {
        if fine { Ok(()) } else { Err(Refusal::Status { status: self.decision.payment.status }) }
    }

    fn end(&mut self, status: Status) -> Result<(), Refusal> {
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

fn after(now: Timestamp, delay: SignedDuration) -> Timestamp {
    now.saturating_add(delay).unwrap_or(Timestamp::MAX)
}

fn claim(next: &mut Draft, owner: &str, hop: Value, policy: &Policy) -> Result<(), Refusal> {
    let now = next.now;
    let open = !next.payment().status.is_final();
    next.require(open)?;
    let first = next.payment().attempt.is_none();
    let payment = next.payment();
    if let Some(lease) = payment.lease.as_ref().filter(|lease| lease.owner != owner && lease.until > now) {
        return Err(Refusal::Leased { until: lease.until });
    }
    if payment.status == Status::Processing {
        // Its message is alive: the sweeper need not send another for now.
        payment.due_at = Some(after(now, policy.sweep_delay(payment.redrives)));
    }
    payment.fence = payment.fence.saturating_add(1);
    payment.lease = Some(Lease { owner: owner.to_owned(), until: after(now, policy.lease) });
    // A payment in review is claimed to ask the provider about it: no new attempt is made of that.
    let attempt = match payment.attempt.take() {
        Some(mut same) if !matches!(same.state, AttemptState::SoftDeclined) => {
            same.calls = same.calls.saturating_add(1);
            if same.state == AttemptState::NotApplied && !same.ambiguous {
                // No call so far had an effect: the key is as good as new, and its window starts here.
                same.first_sent_at = now;
            }
            same.ambiguous |= same.state == AttemptState::Sent;
            same.state = AttemptState::Sent;
            same
        }
        before => {
            let number = before.map_or(1, |attempt| attempt.number.saturating_add(1));
            let provider_key = format!("{}:{number}", payment.id);
            Attempt { number, provider_key, first_sent_at: now, state: AttemptState::Sent, calls: 1, ambiguous: false }
        }
    };
    let detail = json!({"number": attempt.number, "key": attempt.provider_key, "call": attempt.calls, "fence": payment.fence, "worker": owner.split('/').next()});
    payment.attempt = Some(attempt);
    if first {
        next.event(EventKind::Queued, hop);
    }
    next.event(EventKind::Attempt, detail);
    Ok(())
}

fn settle_attempt(payment: &mut Payment, state: AttemptState) {
    if let Some(attempt) = payment.attempt.as_mut() {
        attempt.state = state;
    }
}

fn approved(next: &mut Draft, charge: Charge) -> Result<(), Refusal> {
    next.end(Status::Completed)?;
    let detail = json!({"charge_id": charge.id, "card": charge.card, "amount": next.payment().money.minor(), "currency": next.payment().money.currency()});
    let payment = next.payment();
    settle_attempt(payment, AttemptState::Settled);
    payment.refundable_minor = payment.money.minor();
    payment.charge = Some(charge);
    payment.failure = None;
    next.event(EventKind::Completed, detail);
    next.tell(OutboxKind::PaymentCompleted);
    Ok(())
}

fn declined(next: &mut Draft, failure: Failure, soft: bool, policy: &Policy) -> Result<(), Refusal> {
    let detail = json!({"code": failure.code, "message": failure.message});
    let again = soft && next.payment().attempt.as_ref().is_some_and(|attempt| attempt.number < policy.attempts_max);
    if again {
        return attempt_ended(next, &failure, AttemptState::SoftDeclined, EventKind::AttemptFailed);
    }
    next.end(Status::Failed)?;
    let payment = next.payment();
    settle_attempt(payment, AttemptState::Settled);
    payment.failure = Some(failure);
    next.event(EventKind::Failed, detail);
    next.tell(OutboxKind::PaymentFailed);
    Ok(())
}

fn attempt_ended(next: &mut Draft, failure: &Failure, state: AttemptState, kind: EventKind) -> Result<(), Refusal> {
    let open = !next.payment().status.is_final();
    next.require(open)?;
    let payment = next.payment();
    settle_attempt(payment, state);
    payment.lease = None;
    let number = payment.attempt.as_ref().map_or(0, |attempt| attempt.number);
    next.event(kind, json!({"number": number, "code": failure.code, "message": failure.message}));
    Ok(())
}

fn review(next: &mut Draft, failure: Failure) -> Result<(), Refusal> {
    next.end(Status::Review)?;
    let detail = json!({"code": failure.code, "message": failure.message});
    next.payment().failure = Some(failure);
    next.event(EventKind::Review, detail);
    next.tell(OutboxKind::PaymentReview);
    Ok(())
}

fn has_pending_refund(payment: &Payment) -> bool {
    payment.refunds.iter().any(|refund| refund.state == RefundState::Pending)
}

fn bury(next: &mut Draft, letter: DeadLetter, refund: bool) -> Result<(), Refusal> {
    let payment = next.payment();
    let waits = if refund { has_pending_refund(payment) } else { !payment.status.is_final() };
    // A second copy of a message that is dead already changes nothing but the sweeper's plans.
    if !waits || (payment.dead.is_some() && payment.due_at.is_none()) {
        return Err(Refusal::Nothing);
    }
    let detail = json!({"queue": letter.queue, "message_id": letter.message_id, "class": letter.class, "reason": letter.reason});
    payment.lease = None;
    payment.due_at = None;
    payment.dead.get_or_insert(letter);
    next.event(EventKind::DeadLettered, detail);
    next.tell(OutboxKind::PaymentDead);
    Ok(())
}

fn unbury(next: &mut Draft, by: &str, reason: &str, policy: &Policy) -> Result<(), Refusal> {
    if next.payment().dead.take().is_none() {
        return Err(Refusal::Nothing);
    }
    let due = after(next.now, policy.sweep_delay(0));
    let payment = next.payment();
    if payment.status == Status::Processing || has_pending_refund(payment) {
        payment.due_at = Some(due);
    }
    next.event(EventKind::Replayed, json!({"by": by, "reason": reason}));
    next.tell(OutboxKind::PaymentDead);
    Ok(())
}

fn redrive(next: &mut Draft, policy: &Policy) -> Result<(), Refusal> {
    let now = next.now;
    let payment = next.payment();
    let worked_on = payment.lease.as_ref().is_some_and(|lease| lease.until > now);
    if payment.due_at.is_none_or(|due| due > now) || worked_on {
        return Err(Refusal::Nothing);
    }
    // One that no worker ever took is not in doubt: it waits for workers, however long.
    if payment.redrives >= policy.redrives_max && payment.status == Status::Processing && payment.attempt.is_some() {
        let times = payment.redrives;
        let message = format!("no definite end after {times} tries to send it again");
        return review(next, Failure { code: "stuck".to_owned(), message });
    }
    if payment.status != Status::Processing && !has_pending_refund(payment) {
        return Err(Refusal::Nothing);
    }
    payment.redrives = payment.redrives.saturating_add(1);
    let redrives = payment.redrives;
    payment.due_at = Some(after(now, policy.sweep_delay(redrives)));
    next.event(EventKind::Redriven, json!({"times": redrives}));
    Ok(())
}

fn cancel(next: &mut Draft, by: &str, reason: Option<&str>) -> Result<(), Refusal> {
    let open = next.payment().status == Status::Processing;
    next.require(open)?;
    if next.payment().attempt.is_some() {
        return Err(Refusal::ChargeStarted);
    }
    next.end(Status::Canceled)?;
    next.event(EventKind::Canceled, json!({"by": by, "reason": reason}));
    next.tell(OutboxKind::PaymentCanceled);
    Ok(())
}

fn request_refund(
    next: &mut Draft,
    id: RefundId,
    minor: Option<i64>,
    by: String,
    reason: Option<String>,
    policy: &Policy,
) -> Result<(), Refusal> {
    let at = next.now;
    let fine = matches!(next.payment().status, Status::Completed | Status::PartiallyRefunded);
    next.require(fine)?;
    let payment = next.payment();
    if payment.refunds.len() >= REFUNDS_MAX {
        return Err(Refusal::TooManyRefunds);
    }
    let left_minor = payment.refundable_minor;
    let minor = minor.unwrap_or(left_minor);
    if left_minor == 0 || minor > left_minor {
        return Err(Refusal::RefundTooLarge { left_minor });
    }
    if minor <= 0 {
        return Err(Refusal::RefundNotPositive);
    }
    payment.refundable_minor = left_minor.saturating_sub(minor);
    payment.due_at = Some(after(at, policy.sweep_delay(0)));
    payment.redrives = 0;
    let detail = json!({"refund_id": id, "amount": minor, "currency": payment.money.currency(), "by": by, "reason": reason});
    payment.refunds.push(Refund {
        id: id.clone(),
        minor,
        reason,
        by,
        at,
        state: RefundState::Pending,
        first_sent_at: None,
        provider_id: None,
    });
    next.event(EventKind::RefundRequested, detail);
    next.tell(OutboxKind::RefundRequested).refund = Some(id);
    Ok(())
}

fn pending_refund<'a>(payment: &'a mut Payment, id: &RefundId) -> Result<&'a mut Refund, Refusal> {
    let pending = payment.refunds.iter_mut().find(|refund| refund.id == *id && refund.state == RefundState::Pending);
    pending.ok_or(Refusal::NoPendingRefund)
}

fn start_refund(next: &mut Draft, id: &RefundId) -> Result<(), Refusal> {
    let at = next.now;
    let payment = next.payment();
    payment.fence = payment.fence.saturating_add(1);
    let refund = pending_refund(payment, id)?;
    refund.first_sent_at.get_or_insert(at);
    next.event(EventKind::Attempt, json!({"refund_id": id, "key": id}));
    Ok(())
}

fn refund_not_sent(next: &mut Draft, id: &RefundId) -> Result<(), Refusal> {
    pending_refund(next.payment(), id)?.first_sent_at = None;
    next.event(EventKind::AttemptFailed, json!({"refund_id": id}));
    Ok(())
}

fn close_refund(next: &mut Draft, kind: OutboxKind, id: &RefundId) {
    let payment = next.payment();
    if !has_pending_refund(payment) {
        payment.due_at = None;
        payment.dead = None;
    }
    next.tell(kind).refund = Some(id.clone());
}

fn refund_paid(next: &mut Draft, id: &RefundId, provider_id: &str) -> Result<(), Refusal> {
    let payment = next.payment();
    let refund = pending_refund(payment, id)?;
    refund.state = RefundState::Succeeded;
    refund.provider_id = Some(provider_id.to_owned());
    let minor = refund.minor;
    let status = if payment.refunded_minor() == payment.money.minor() { Status::Refunded } else { Status::PartiallyRefunded };
    let may = payment.status.may_become(status);
    payment.status = status;
    next.require(may)?;
    next.event(EventKind::RefundSucceeded, json!({"refund_id": id, "amount": minor, "provider_id": provider_id}));
    close_refund(next, OutboxKind::RefundSucceeded, id);
    Ok(())
}

fn refund_refused(next: &mut Draft, id: &RefundId, failure: &Failure) -> Result<(), Refusal> {
    let payment = next.payment();
    let refund = pending_refund(payment, id)?;
    refund.state = RefundState::Failed;
    let minor = refund.minor;
    payment.refundable_minor = payment.refundable_minor.saturating_add(minor);
    next.event(EventKind::RefundFailed, json!({"refund_id": id, "amount": minor, "code": failure.code, "message": failure.message}));
    close_refund(next, OutboxKind::RefundFailed, id);
    Ok(())
}
