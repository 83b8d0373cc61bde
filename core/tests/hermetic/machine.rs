//! The state machine: single decisions, and random lives of a payment.

#![expect(
    clippy::expect_used,
    reason = "a test says what it expects by panicking"
)]

use jiff::{SignedDuration, Timestamp};
use payops_core::domain::apikey::Caller;
use payops_core::domain::id::{PaymentId, RefundId};
use payops_core::domain::limits::PaymentLimits;
use payops_core::domain::machine::{
    Command, ProviderStep, TransitionRefusal, decide, provider_step,
};
use payops_core::domain::outbox::OutboxKind;
use payops_core::domain::payment::{AttemptState, Charge, Failure, Payment, RefundState, Status};
use payops_core::domain::request::CreatePayment;
use payops_core::domain::resolve::{Basis, Resolution, ResolveOutcome};
use proptest::prelude::*;
use serde_json::Value;

const BODY: &[u8] = br#"{"amount":1000,"currency":"EUR","source":"tok_visa","reference":"INV-1","customer":{"email":"a@example.com"}}"#;

fn start() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().expect("a time")
}

fn later(seconds: i64) -> Timestamp {
    start()
        .checked_add(SignedDuration::from_secs(seconds))
        .expect("a time")
}

fn payment() -> Payment {
    let request = CreatePayment::parse(BODY).expect("a request");
    let caller = Caller {
        merchant: "acme".parse().expect("a merchant"),
        live: true,
    };
    Payment::new_accepted(
        PaymentId::from_parts(1, 1),
        &caller,
        &request,
        start(),
        &PaymentLimits::default(),
    )
    .0
}

fn claim(owner: &str) -> Command {
    Command::Claim {
        owner: owner.into(),
        hop: Value::Null,
    }
}

fn charge() -> Charge {
    Charge {
        id: "ch_1".into(),
        card: None,
        at: start(),
    }
}

fn failure() -> Failure {
    Failure {
        code: "card_declined".into(),
        message: "declined".into(),
    }
}

fn refund_id(n: u128) -> RefundId {
    RefundId::from_parts(1, n)
}

#[track_caller]
fn after(payment: &Payment, commands: &[Command]) -> Payment {
    let limits = PaymentLimits::default();
    commands.iter().fold(payment.clone(), |payment, command| {
        decide(&payment, command.clone(), start(), &limits)
            .expect("allowed")
            .payment
    })
}

#[track_caller]
fn refused(payment: &Payment, command: Command, expected: &TransitionRefusal) {
    assert_eq!(
        decide(payment, command, start(), &PaymentLimits::default()).as_ref(),
        Err(expected)
    );
}

fn completed() -> Payment {
    after(&payment(), &[claim("w"), Command::Approved(charge())])
}

#[test]
fn a_charge_completes_and_is_told() {
    let claimed = after(&payment(), &[claim("w")]);
    let decision = decide(
        &claimed,
        Command::Approved(charge()),
        start(),
        &PaymentLimits::default(),
    )
    .expect("allowed");
    assert_eq!(
        (
            decision.payment.status,
            decision.payment.refundable_minor,
            decision.payment.version
        ),
        (Status::Completed, 1000, 3)
    );
    assert_eq!(
        decision
            .outbox
            .iter()
            .map(|row| row.kind)
            .collect::<Vec<_>>(),
        [OutboxKind::PaymentCompleted]
    );
    assert_eq!(
        (decision.payment.lease, decision.payment.due_at),
        (None, None)
    );
}

#[test]
fn a_lease_keeps_others_out_until_it_ends_and_the_fence_rises() {
    let claimed = after(&payment(), &[claim("a")]);
    refused(
        &claimed,
        claim("b"),
        &TransitionRefusal::Leased { until: later(60) },
    );
    let again = decide(&claimed, claim("b"), later(60), &PaymentLimits::default())
        .expect("the lease has ended")
        .payment;
    assert_eq!((claimed.fence, again.fence), (1, 2));
    let attempt = again.attempt.expect("an attempt");
    assert_eq!(
        (attempt.number, attempt.calls, attempt.ambiguous),
        (1, 2, true)
    );
}

#[test]
fn a_new_attempt_number_comes_only_after_a_decline() {
    let declined = |soft| Command::Declined {
        failure: failure(),
        soft,
    };
    let number = |payment: &Payment| payment.attempt.as_ref().map(|attempt| attempt.number);
    let again = after(
        &payment(),
        &[claim("a"), Command::NotApplied(failure()), claim("a")],
    );
    assert_eq!(number(&again), Some(1));
    let again = after(
        &payment(),
        &[claim("a"), Command::Unknown(failure()), claim("a")],
    );
    assert_eq!(number(&again), Some(1));
    let again = after(&payment(), &[claim("a"), declined(true), claim("a")]);
    assert_eq!(number(&again), Some(2));
    let ended = after(&again, &[declined(true), claim("a"), declined(true)]);
    assert_eq!(
        ended.status,
        Status::Failed,
        "three soft declines are enough"
    );
    assert_eq!(
        after(&payment(), &[claim("a"), declined(false)]).status,
        Status::Failed
    );
}

#[test]
fn what_may_have_charged_is_asked_about_and_past_the_window_only_asked_about() {
    let limits = PaymentLimits::default();
    let step = |payment: &Payment, hours: i64| {
        provider_step(payment.attempt.as_ref(), later(hours * 3600), &limits)
    };
    assert_eq!(step(&payment(), 0), ProviderStep::Charge);
    let crashed = after(&payment(), &[claim("a")]);
    assert_eq!(
        (step(&crashed, 1), step(&crashed, 24)),
        (ProviderStep::AskThenCharge, ProviderStep::AskOnly)
    );
    let unknown = after(&crashed, &[Command::Unknown(failure())]);
    assert_eq!(
        (step(&unknown, 1), step(&unknown, 24)),
        (ProviderStep::AskThenCharge, ProviderStep::AskOnly)
    );
    let not_applied = after(&crashed, &[Command::NotApplied(failure())]);
    assert_eq!(
        (step(&not_applied, 1), step(&not_applied, 24)),
        (ProviderStep::Charge, ProviderStep::AskThenCharge)
    );
    let mixed = after(&unknown, &[claim("a"), Command::NotApplied(failure())]);
    assert_eq!(
        mixed.attempt.as_ref().map(|attempt| attempt.state.clone()),
        Some(AttemptState::NotApplied)
    );
    assert_eq!(
        step(&mixed, 24),
        ProviderStep::AskOnly,
        "an earlier call may have charged"
    );
}

#[test]
fn cancel_only_before_a_charge_starts() {
    let cancel = || Command::Cancel {
        by: "merchant".into(),
        reason: None,
    };
    assert_eq!(after(&payment(), &[cancel()]).status, Status::Canceled);
    refused(
        &after(&payment(), &[claim("a")]),
        cancel(),
        &TransitionRefusal::ChargeStarted,
    );
    refused(
        &completed(),
        cancel(),
        &TransitionRefusal::Status {
            status: Status::Completed,
        },
    );
    refused(
        &after(&payment(), &[cancel()]),
        claim("a"),
        &TransitionRefusal::Status {
            status: Status::Canceled,
        },
    );
}

fn refund(n: u128, minor: Option<i64>) -> Command {
    Command::RequestRefund {
        id: refund_id(n),
        minor,
        by: "merchant".into(),
        reason: None,
    }
}

fn paid(n: u128) -> Command {
    Command::RefundPaid {
        id: refund_id(n),
        provider_id: format!("pr_{n}"),
    }
}

#[test]
fn refunds_set_the_amount_aside_and_never_pass_what_was_captured() {
    let part = after(&completed(), &[refund(1, Some(400))]);
    assert_eq!(
        (part.refundable_minor, part.status),
        (600, Status::Completed)
    );
    refused(
        &part,
        refund(2, Some(601)),
        &TransitionRefusal::RefundTooLarge { left_minor: 600 },
    );
    refused(
        &part,
        refund(2, Some(0)),
        &TransitionRefusal::RefundNotPositive,
    );
    refused(
        &part,
        refund(2, Some(-5)),
        &TransitionRefusal::RefundNotPositive,
    );
    let part = after(&part, &[paid(1)]);
    assert_eq!(part.status, Status::PartiallyRefunded);
    let whole = after(&part, &[refund(2, None), paid(2)]);
    assert_eq!(
        (whole.status, whole.refunded_minor(), whole.refundable_minor),
        (Status::Refunded, 1000, 0)
    );
    refused(
        &whole,
        refund(3, None),
        &TransitionRefusal::Status {
            status: Status::Refunded,
        },
    );
    refused(&whole, paid(2), &TransitionRefusal::NoPendingRefund);
}

#[test]
fn a_refused_refund_may_be_asked_for_again() {
    let asked = after(&completed(), &[refund(1, None)]);
    let refused = after(
        &asked,
        &[Command::RefundRefused {
            id: refund_id(1),
            failure: failure(),
        }],
    );
    assert_eq!(
        (refused.refundable_minor, refused.status, refused.due_at),
        (1000, Status::Completed, None)
    );
}

#[test]
fn the_sweeper_gives_up_into_review() {
    let limits = PaymentLimits {
        redrives_max: 2,
        ..PaymentLimits::default()
    };
    let mut waiting = payment();
    for _ in 0..5 {
        waiting = decide(
            &waiting,
            Command::Redrive,
            waiting.due_at.expect("due"),
            &limits,
        )
        .expect("allowed")
        .payment;
    }
    assert_eq!(
        waiting.status,
        Status::Processing,
        "no worker ever took it: nothing is in doubt"
    );
    let mut payment = after(&payment(), &[claim("a"), Command::Unknown(failure())]);
    for _ in 0..2 {
        payment = decide(
            &payment,
            Command::Redrive,
            payment.due_at.expect("due"),
            &limits,
        )
        .expect("allowed")
        .payment;
    }
    let last = decide(
        &payment,
        Command::Redrive,
        payment.due_at.expect("due"),
        &limits,
    )
    .expect("allowed")
    .payment;
    assert_eq!((last.status, last.due_at), (Status::Review, None));
    assert_eq!(
        decide(&payment, Command::Redrive, start(), &limits),
        Err(TransitionRefusal::Nothing),
        "not due yet"
    );
}

#[test]
fn a_claim_keeps_the_sweeper_away() {
    let claimed = decide(
        &payment(),
        claim("a"),
        later(170),
        &PaymentLimits::default(),
    )
    .expect("allowed")
    .payment;
    assert_eq!(
        claimed.due_at,
        Some(later(350)),
        "three minutes from the claim"
    );
}

#[test]
fn time_never_runs_backwards_in_a_payment() {
    let claimed = decide(&payment(), claim("a"), later(10), &PaymentLimits::default())
        .expect("allowed")
        .payment;
    let next = decide(
        &claimed,
        Command::Approved(charge()),
        start(),
        &PaymentLimits::default(),
    )
    .expect("allowed")
    .payment;
    assert_eq!(next.updated_at, later(10));
}

fn resolve(is_charged: bool) -> Command {
    let outcome = if is_charged {
        ResolveOutcome::Charged(charge())
    } else {
        ResolveOutcome::NotCharged
    };
    Command::Resolve {
        by: "otto".into(),
        reason: "asked the bank".into(),
        resolution: Resolution {
            outcome,
            basis: Basis::Operator,
        },
    }
}

fn in_review() -> Payment {
    after(
        &payment(),
        &[
            claim("a"),
            Command::Unknown(failure()),
            Command::SendToReview(failure()),
        ],
    )
}

#[test]
fn an_operator_brings_a_payment_in_review_to_either_end() {
    let decision = decide(
        &in_review(),
        resolve(true),
        later(9),
        &PaymentLimits::default(),
    )
    .expect("allowed");
    assert_eq!(
        (
            decision.payment.status,
            decision.payment.refundable_minor,
            decision.payment.failure
        ),
        (Status::Completed, 1000, None)
    );
    assert_eq!(
        decision
            .outbox
            .iter()
            .map(|row| row.kind)
            .collect::<Vec<_>>(),
        [OutboxKind::PaymentCompleted]
    );
    let told: Vec<(&str, Option<&str>)> = decision
        .events
        .iter()
        .map(|event| {
            (
                event.kind.as_str(),
                event.detail.get("by").and_then(Value::as_str),
            )
        })
        .collect();
    assert_eq!(told, [("resolved", Some("otto")), ("completed", None)]);

    let decision = decide(
        &in_review(),
        resolve(false),
        later(9),
        &PaymentLimits::default(),
    )
    .expect("allowed");
    assert_eq!(
        (decision.payment.status, decision.payment.refundable_minor),
        (Status::Failed, 0)
    );
    assert_eq!(
        decision
            .outbox
            .iter()
            .map(|row| row.kind)
            .collect::<Vec<_>>(),
        [OutboxKind::PaymentFailed]
    );
    let failure = decision.payment.failure.expect("why");
    assert!(
        !failure.message.contains("bank"),
        "the operator's words are not the customer's: {failure:?}"
    );
    let detail = &decision.events[0].detail;
    assert_eq!(
        (
            detail["as"].as_str(),
            detail["reason"].as_str(),
            detail["basis"].as_str()
        ),
        (
            Some("not_charged"),
            Some("asked the bank"),
            Some("operator")
        )
    );
}

#[test]
fn only_a_payment_in_review_that_nobody_works_on_is_resolved() {
    for (payment, status) in [
        (payment(), Status::Processing),
        (completed(), Status::Completed),
    ] {
        refused(
            &payment,
            resolve(false),
            &TransitionRefusal::Status { status },
        );
    }
    let ended = after(&in_review(), &[resolve(true)]);
    refused(
        &ended,
        resolve(false),
        &TransitionRefusal::Status {
            status: Status::Completed,
        },
    );
    let asked_about = after(&in_review(), &[claim("late")]);
    refused(
        &asked_about,
        resolve(false),
        &TransitionRefusal::Leased { until: later(60) },
    );
    assert!(
        decide(
            &asked_about,
            resolve(false),
            later(60),
            &PaymentLimits::default()
        )
        .is_ok(),
        "its lease has ended"
    );
}

fn under_way(n: u128) -> Command {
    Command::RefundUnderWay {
        id: refund_id(n),
        provider_id: format!("pr_{n}"),
    }
}

#[test]
fn a_refund_under_way_is_asked_about_until_it_ends() {
    let limits = PaymentLimits::default();
    let sent = after(
        &completed(),
        &[refund(1, Some(400)), Command::StartRefund(refund_id(1))],
    );
    let waiting = after(&sent, &[under_way(1)]);
    assert_eq!(
        (
            waiting.refundable_minor,
            waiting.refunded_minor(),
            waiting.status
        ),
        (600, 0, Status::Completed),
        "not given back yet"
    );
    refused(&waiting, under_way(1), &TransitionRefusal::Nothing);
    let again = decide(
        &waiting,
        Command::Redrive,
        waiting.due_at.expect("due"),
        &limits,
    )
    .expect("the sweeper has it asked about")
    .payment;
    let failed = after(
        &again,
        &[Command::RefundRefused {
            id: refund_id(1),
            failure: failure(),
        }],
    );
    assert_eq!(
        (failed.refundable_minor, failed.due_at),
        (1000, None),
        "what failed later may be refunded again"
    );
    let paid_out = after(&again, &[paid(1)]);
    assert_eq!(
        (paid_out.refunded_minor(), paid_out.status, paid_out.due_at),
        (400, Status::PartiallyRefunded, None)
    );
}

#[test]
fn a_dead_letter_of_one_refund_does_not_strand_another_that_is_under_way() {
    let mark_dead = |n| Command::MarkDead {
        queue: "q".into(),
        message_id: "m".into(),
        refund: Some(refund_id(n)),
        class: "c".into(),
        reason: "r".into(),
    };
    let both = after(
        &completed(),
        &[refund(1, Some(100)), refund(2, Some(200)), under_way(1)],
    );
    let dead = after(&both, &[mark_dead(2)]);
    assert!(
        dead.dead.is_some() && dead.due_at.is_some(),
        "the first is still asked about"
    );
    let ended = after(&dead, &[paid(1)]);
    assert!(
        ended.dead.is_some() && ended.due_at.is_none(),
        "the second waits for an operator"
    );
    let taken_on = after(
        &after(&completed(), &[refund(1, None), mark_dead(1)]),
        &[under_way(1)],
    );
    assert!(taken_on.due_at.is_some());
    assert_eq!(
        after(&both, &[mark_dead(1)]).due_at,
        None,
        "what was taken on and lost is an operator's"
    );
}

fn any_command() -> impl Strategy<Value = Command> {
    let refund_no = 1_u128..4;
    prop_oneof![
        "[ab]".prop_map(|owner| claim(&owner)),
        Just(Command::Approved(charge())),
        any::<bool>().prop_map(|soft| Command::Declined {
            failure: failure(),
            soft
        }),
        Just(Command::NotApplied(failure())),
        Just(Command::Unknown(failure())),
        Just(Command::SendToReview(failure())),
        (proptest::option::of(1_u128..4), "[mn]").prop_map(|(refund, message_id)| {
            Command::MarkDead {
                queue: "q".into(),
                message_id,
                refund: refund.map(refund_id),
                class: "c".into(),
                reason: "r".into(),
            }
        }),
        (1_u128..4).prop_map(|n| Command::RefundNotSent(refund_id(n))),
        Just(Command::ClearDead {
            by: "o".into(),
            reason: "r".into()
        }),
        Just(Command::Redrive),
        Just(Command::Cancel {
            by: "merchant".into(),
            reason: None
        }),
        any::<bool>().prop_map(resolve),
        refund_no.clone().prop_map(under_way),
        (1_u128..4, proptest::option::of(-10_i64..1200)).prop_map(|(n, minor)| refund(n, minor)),
        refund_no
            .clone()
            .prop_map(|n| Command::StartRefund(refund_id(n))),
        refund_no.clone().prop_map(paid),
        refund_no.prop_map(|n| Command::RefundRefused {
            id: refund_id(n),
            failure: failure()
        }),
    ]
}

proptest! {
    #[test]
    fn whatever_is_asked_the_rules_hold(commands in proptest::collection::vec((any_command(), 0_i64..200), 1..60)) {
        let limits = PaymentLimits::default();
        let mut payment = payment();
        let mut seconds = 0;
        for (command, pause) in commands {
            seconds += pause;
            let Ok(decision) = decide(&payment, command, later(seconds), &limits) else { continue };
            let next = decision.payment;
            prop_assert_eq!(next.version, payment.version + 1);
            prop_assert!(next.fence >= payment.fence && next.updated_at >= payment.updated_at);
            prop_assert!(next.status == payment.status || payment.status.may_become(next.status), "{} to {}", payment.status, next.status);
            prop_assert!(!decision.events.is_empty());
            prop_assert_eq!(next.charge.is_some(), next.status.is_charged());
            let aside: i64 = next.refunds.iter().filter(|refund| refund.state != RefundState::Failed).map(|refund| refund.minor).sum();
            let captured = if next.charge.is_some() { next.money.minor() } else { 0 };
            prop_assert_eq!(aside + next.refundable_minor, captured);
            prop_assert!(next.refundable_minor >= 0 && next.refunded_minor() <= captured);
            if next.status.is_final() && !next.refunds.iter().any(|refund| refund.state == RefundState::Pending) {
                prop_assert_eq!(next.due_at, None);
            }
            if next.refunds.iter().any(|refund| refund.state == RefundState::Pending) {
                prop_assert!(next.due_at.is_some() || next.dead.is_some(), "a pending refund must \
                    be found by the sweeper or an operator");
            }
            if next.status == Status::Processing && next.dead.is_none() {
                prop_assert!(next.due_at.is_some(), "a payment that is processing must be found by \
                    the sweeper");
            }
            payment = next;
        }
    }
}
