//! What becomes of a refund: asked for, on its way, paid out or refused.

use serde_json::json;

use super::{Draft, TransitionRefusal, add_delay};
use crate::domain::event::EventKind;
use crate::domain::id::RefundId;
use crate::domain::limits::PaymentLimits;
use crate::domain::outbox::OutboxKind;
use crate::domain::payment::{Failure, Payment, Refund, RefundState, Status};

/// Most refunds of one payment: they live in its row, which stores limit in size.
pub const REFUNDS_MAX: usize = 100;

pub(super) fn request(
    next: &mut Draft,
    id: RefundId,
    minor: Option<i64>,
    by: String,
    reason: Option<String>,
    limits: &PaymentLimits,
) -> Result<(), TransitionRefusal> {
    let at = next.now;
    let fine = matches!(
        next.payment().status,
        Status::Completed | Status::PartiallyRefunded
    );
    next.require(fine)?;
    let payment = next.payment();
    if payment.refunds.len() >= REFUNDS_MAX {
        return Err(TransitionRefusal::TooManyRefunds);
    }
    let left_minor = payment.refundable_minor;
    let minor = minor.unwrap_or(left_minor);
    if left_minor == 0 || minor > left_minor {
        return Err(TransitionRefusal::RefundTooLarge { left_minor });
    }
    if minor <= 0 {
        return Err(TransitionRefusal::RefundNotPositive);
    }
    payment.refundable_minor = left_minor.saturating_sub(minor);
    payment.due_at = Some(add_delay(at, limits.sweep_delay(0)));
    payment.redrives = 0;
    let detail = json!({
        "refund_id": id, "amount": minor, "currency": payment.money.currency(), "by": by,
        "reason": reason,
    });
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

fn pending<'a>(
    payment: &'a mut Payment,
    id: &RefundId,
) -> Result<&'a mut Refund, TransitionRefusal> {
    let pending = payment
        .refunds
        .iter_mut()
        .find(|refund| refund.id == *id && refund.state == RefundState::Pending);
    pending.ok_or(TransitionRefusal::NoPendingRefund)
}

pub(super) fn start(next: &mut Draft, id: &RefundId) -> Result<(), TransitionRefusal> {
    let at = next.now;
    let payment = next.payment();
    payment.fence = payment.fence.saturating_add(1);
    let refund = pending(payment, id)?;
    refund.first_sent_at.get_or_insert(at);
    next.event(EventKind::Attempt, json!({"refund_id": id, "key": id}));
    Ok(())
}

pub(super) fn mark_not_sent(next: &mut Draft, id: &RefundId) -> Result<(), TransitionRefusal> {
    pending(next.payment(), id)?.first_sent_at = None;
    next.event(EventKind::AttemptFailed, json!({"refund_id": id}));
    Ok(())
}

fn close(next: &mut Draft, kind: OutboxKind, id: &RefundId) {
    let payment = next.payment();
    if !payment.has_pending_refund() {
        payment.due_at = None;
        payment.dead = None;
    } else if payment.dead.is_some() && !payment.refunds.iter().any(Refund::is_under_way) {
        // What is left waits for an operator to replay its message.
        payment.due_at = None;
    }
    next.tell(kind).refund = Some(id.clone());
}

/// It stays pending, and the sweeper has it asked about again until it comes to its end: that may
/// take days, so no message waits for it.
pub(super) fn mark_under_way(
    next: &mut Draft,
    id: &RefundId,
    provider_id: &str,
    limits: &PaymentLimits,
) -> Result<(), TransitionRefusal> {
    let refund = pending(next.payment(), id)?;
    if refund.provider_id.as_deref() == Some(provider_id) {
        return Err(TransitionRefusal::Nothing);
    }
    refund.provider_id = Some(provider_id.to_owned());
    let minor = refund.minor;
    let later = add_delay(next.now, limits.sweep_delay(0));
    // Nothing is due while another refund's message is dead.
    next.payment().due_at.get_or_insert(later);
    next.event(
        EventKind::RefundPending,
        json!({"refund_id": id, "amount": minor, "provider_id": provider_id}),
    );
    Ok(())
}

pub(super) fn mark_paid(
    next: &mut Draft,
    id: &RefundId,
    provider_id: &str,
) -> Result<(), TransitionRefusal> {
    let payment = next.payment();
    let refund = pending(payment, id)?;
    refund.state = RefundState::Succeeded;
    refund.provider_id = Some(provider_id.to_owned());
    let minor = refund.minor;
    let status = if payment.refunded_minor() == payment.money.minor() {
        Status::Refunded
    } else {
        Status::PartiallyRefunded
    };
    let may = payment.status.may_become(status);
    payment.status = status;
    next.require(may)?;
    next.event(
        EventKind::RefundSucceeded,
        json!({"refund_id": id, "amount": minor, "provider_id": provider_id}),
    );
    close(next, OutboxKind::RefundSucceeded, id);
    Ok(())
}

pub(super) fn mark_refused(
    next: &mut Draft,
    id: &RefundId,
    failure: &Failure,
) -> Result<(), TransitionRefusal> {
    let payment = next.payment();
    let refund = pending(payment, id)?;
    refund.state = RefundState::Failed;
    let minor = refund.minor;
    payment.refundable_minor = payment.refundable_minor.saturating_add(minor);
    next.event(
        EventKind::RefundFailed,
        json!({"refund_id": id, "amount": minor, "code": failure.code, "message": failure.message}),
    );
    close(next, OutboxKind::RefundFailed, id);
    Ok(())
}
