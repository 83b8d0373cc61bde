//! What becomes of a payment's charge: claimed, attempted, settled, or left to a human.

use serde_json::{Value, json};

use super::{Draft, TransitionRefusal, add_delay};
use crate::domain::event::EventKind;
use crate::domain::limits::PaymentLimits;
use crate::domain::outbox::OutboxKind;
use crate::domain::payment::{Attempt, AttemptState, Charge, Failure, Lease, Payment, Status};
use crate::domain::resolve::{Resolution, ResolveOutcome};

pub(super) fn claim(
    next: &mut Draft,
    owner: &str,
    hop: Value,
    limits: &PaymentLimits,
) -> Result<(), TransitionRefusal> {
    let now = next.now;
    let open = !next.payment().status.is_final();
    next.require(open)?;
    let first = next.payment().attempt.is_none();
    let payment = next.payment();
    if let Some(lease) = payment
        .lease
        .as_ref()
        .filter(|lease| lease.owner != owner && lease.until > now)
    {
        return Err(TransitionRefusal::Leased { until: lease.until });
    }
    if payment.status == Status::Processing {
        // Its message is alive: the sweeper need not send another for now.
        payment.due_at = Some(add_delay(now, limits.sweep_delay(payment.redrives)));
    }
    payment.fence = payment.fence.saturating_add(1);
    payment.lease = Some(Lease {
        owner: owner.to_owned(),
        until: add_delay(now, limits.lease),
    });
    // A payment in review is claimed to ask the provider about it: no new attempt is made of that.
    let attempt = match payment.attempt.take() {
        Some(mut same) if !matches!(same.state, AttemptState::SoftDeclined) => {
            same.calls = same.calls.saturating_add(1);
            if same.state == AttemptState::NotApplied && !same.ambiguous {
                // No call so far had an effect: the key is as good as new, and its window starts
                // here.
                same.first_sent_at = now;
            }
            same.ambiguous |= same.state == AttemptState::Sent;
            same.state = AttemptState::Sent;
            same
        }
        before => {
            let number = before.map_or(1, |attempt| attempt.number.saturating_add(1));
            let provider_key = format!("{}:{number}", payment.id);
            Attempt {
                number,
                provider_key,
                first_sent_at: now,
                state: AttemptState::Sent,
                calls: 1,
                ambiguous: false,
            }
        }
    };
    let detail = json!({
        "number": attempt.number, "key": attempt.provider_key, "call": attempt.calls,
        "fence": payment.fence, "worker": owner.split('/').next(),
    });
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

pub(super) fn approve(next: &mut Draft, charge: Charge) -> Result<(), TransitionRefusal> {
    next.end(Status::Completed)?;
    let detail = json!({
        "charge_id": charge.id, "card": charge.card, "amount": next.payment().money.minor(),
        "currency": next.payment().money.currency(),
    });
    let payment = next.payment();
    settle_attempt(payment, AttemptState::Settled);
    payment.refundable_minor = payment.money.minor();
    payment.charge = Some(charge);
    payment.failure = None;
    next.event(EventKind::Completed, detail);
    next.tell(OutboxKind::PaymentCompleted);
    Ok(())
}

pub(super) fn decline(
    next: &mut Draft,
    failure: Failure,
    soft: bool,
    limits: &PaymentLimits,
) -> Result<(), TransitionRefusal> {
    let again = soft
        && next
            .payment()
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.number < limits.attempts_max);
    if again {
        return end_attempt(
            next,
            &failure,
            AttemptState::SoftDeclined,
            EventKind::AttemptFailed,
        );
    }
    fail(next, failure)
}

fn fail(next: &mut Draft, failure: Failure) -> Result<(), TransitionRefusal> {
    next.end(Status::Failed)?;
    let detail = json!({"code": failure.code, "message": failure.message});
    let payment = next.payment();
    settle_attempt(payment, AttemptState::Settled);
    payment.failure = Some(failure);
    next.event(EventKind::Failed, detail);
    next.tell(OutboxKind::PaymentFailed);
    Ok(())
}

pub(super) fn end_attempt(
    next: &mut Draft,
    failure: &Failure,
    state: AttemptState,
    kind: EventKind,
) -> Result<(), TransitionRefusal> {
    let open = !next.payment().status.is_final();
    next.require(open)?;
    let payment = next.payment();
    settle_attempt(payment, state);
    payment.lease = None;
    let number = payment.attempt.as_ref().map_or(0, |attempt| attempt.number);
    next.event(
        kind,
        json!({"number": number, "code": failure.code, "message": failure.message}),
    );
    Ok(())
}

pub(super) fn review(next: &mut Draft, failure: Failure) -> Result<(), TransitionRefusal> {
    next.end(Status::Review)?;
    let detail = json!({"code": failure.code, "message": failure.message});
    next.payment().failure = Some(failure);
    next.event(EventKind::Review, detail);
    next.tell(OutboxKind::PaymentReview);
    Ok(())
}

pub(super) fn resolve(
    next: &mut Draft,
    by: &str,
    reason: &str,
    resolution: Resolution,
) -> Result<(), TransitionRefusal> {
    let now = next.now;
    let in_review = next.payment().status == Status::Review;
    next.require(in_review)?;
    // A replayed message has a worker ask the provider at this moment: what it finds comes first.
    if let Some(lease) = next
        .payment()
        .lease
        .as_ref()
        .filter(|lease| lease.until > now)
    {
        return Err(TransitionRefusal::Leased { until: lease.until });
    }
    let Resolution { outcome, basis } = resolution;
    next.event(
        EventKind::Resolved,
        json!({"as": outcome.as_str(), "by": by, "reason": reason, "basis": basis.as_str()}),
    );
    match outcome {
        ResolveOutcome::Charged(charge) => approve(next, charge),
        ResolveOutcome::NotCharged => {
            // The operator's words stay on our side: this is what customer and merchant read.
            let failure = Failure {
                code: "not_charged".to_owned(),
                message: "it could not be completed".to_owned(),
            };
            fail(next, failure)
        }
    }
}
