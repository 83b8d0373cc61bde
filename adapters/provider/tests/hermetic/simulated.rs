//! The simulated acquirer: the contract, and each of its bad habits.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what they expect by panicking"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use payops_core::domain::id::RefundId;
use payops_core::domain::payment::Charge;
use payops_core::port::{
    ChargeOutcome, ChargeRequest, ErrorKind, Provider as _, RefundOutcome, RefundRequest,
};
use payops_provider::{AcquirerOptions, SimulatedAcquirer};
use payops_testkit::conformance::provider::{Tokens, suite};
use payops_testkit::{ManualClock, sample};
use tempfile::TempDir;

const OPTIONS: AcquirerOptions = AcquirerOptions {
    slow: Duration::from_millis(80),
    timeout: Duration::from_millis(60),
};

async fn open_at(path: &Path, clock: &ManualClock) -> SimulatedAcquirer {
    SimulatedAcquirer::open(path, Arc::new(clock.clone()), OPTIONS)
        .await
        .expect("opens")
}

async fn open() -> (TempDir, ManualClock, SimulatedAcquirer) {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = ManualClock::new();
    let acquirer = open_at(&dir.path().join("acquirer.db"), &clock).await;
    (dir, clock, acquirer)
}

fn request(n: u64, attempt: u32, token: &str) -> ChargeRequest {
    let payment = sample::payment(n);
    ChargeRequest {
        key: format!("{}:{attempt}", payment.id),
        payment: payment.id,
        money: payment.money,
        source: token.parse().expect("a token"),
    }
}

async fn approved(acquirer: &SimulatedAcquirer, request: &ChargeRequest) -> Charge {
    match acquirer.charge(request).await.expect("an answer") {
        ChargeOutcome::Approved(charge) => charge,
        ChargeOutcome::Declined { failure, .. } => panic!("declined: {failure:?}"),
    }
}

async fn count(acquirer: &SimulatedAcquirer, n: u64) -> usize {
    acquirer
        .charges(&sample::payment(n).id)
        .await
        .expect("lists")
        .len()
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    let (_dir, _clock, acquirer) = open().await;
    let tokens = Tokens {
        approve: "tok_visa",
        hard_decline: "tok_declined",
        soft_decline: None,
        unknown: "tok_nobody",
    };
    suite(&acquirer, 1, &tokens).await;
}

#[tokio::test]
async fn each_token_does_what_it_says() {
    let (_dir, _clock, acquirer) = open().await;
    for (n, (token, brand, last4)) in [
        ("tok_visa", "visa", "4242"),
        ("tok_mastercard", "mastercard", "4444"),
        ("tok_slow", "visa", "4242"),
    ]
    .into_iter()
    .enumerate()
    {
        let card = approved(&acquirer, &request(n as u64, 1, token))
            .await
            .card
            .expect("a card");
        assert_eq!((card.brand.as_str(), card.last4.as_str()), (brand, last4));
    }
    let refusals = [
        ("tok_declined", "card_declined"),
        ("tok_anything", "unknown_token"),
        ("pm_card_visa", "unknown_token"),
    ];
    for (n, (token, code)) in (9..).zip(refusals) {
        let outcome = acquirer
            .charge(&request(n, 1, token))
            .await
            .expect("an answer");
        let ChargeOutcome::Declined {
            failure,
            soft: false,
        } = outcome
        else {
            panic!("{token}: {outcome:?}")
        };
        assert_eq!(failure.code, code);
        let known = acquirer
            .knows_source(&token.parse().expect("a token"))
            .await
            .expect("asks");
        assert_eq!(known, token == "tok_declined");
        let reused = acquirer
            .charge(&request(n, 1, "tok_visa"))
            .await
            .expect_err("the key is another request's");
        assert_eq!(reused.kind, ErrorKind::Permanent);
    }
    assert_eq!(acquirer.stats().await.expect("counts").declines, 3);
}

#[tokio::test]
async fn a_time_out_has_charged_once() {
    let (_dir, _clock, acquirer) = open().await;
    let request = request(1, 1, "tok_timeout_charged");
    assert_eq!(
        acquirer.charge(&request).await.expect_err("no answer").kind,
        ErrorKind::Ambiguous
    );
    let found = acquirer
        .find_charge(&request.payment)
        .await
        .expect("finds")
        .expect("it was charged");
    assert_eq!(approved(&acquirer, &request).await, found);
    assert_eq!(count(&acquirer, 1).await, 1);
}

#[tokio::test]
async fn a_time_out_has_charged_even_if_the_caller_goes_away() {
    let (_dir, _clock, acquirer) = open().await;
    let request = request(1, 1, "tok_timeout_charged");
    let mut call = Box::pin(acquirer.charge(&request));
    let other = async {
        while acquirer
            .find_charge(&request.payment)
            .await
            .expect("finds")
            .is_none()
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = &mut call => panic!("answered: {answer:?}"),
        () = other => {}
    }
    drop(call);
    assert_eq!(count(&acquirer, 1).await, 1);
}

#[tokio::test]
async fn flaky_fails_twice_per_key_across_restarts() {
    let (dir, clock, acquirer) = open().await;
    assert_eq!(
        acquirer
            .charge(&request(1, 1, "tok_flaky"))
            .await
            .expect_err("fails")
            .kind,
        ErrorKind::Unavailable
    );
    drop(acquirer);
    let acquirer = open_at(&dir.path().join("acquirer.db"), &clock).await;
    let error = acquirer
        .charge(&request(1, 1, "tok_flaky"))
        .await
        .expect_err("fails");
    assert!(error.kind == ErrorKind::Unavailable && error.message.contains("HTTP 503"));
    assert_eq!(count(&acquirer, 1).await, 0);
    approved(&acquirer, &request(1, 1, "tok_flaky")).await;
    assert_eq!(
        acquirer
            .charge(&request(1, 2, "tok_flaky"))
            .await
            .expect_err("another key fails again")
            .kind,
        ErrorKind::Unavailable
    );
}

#[tokio::test]
async fn poison_fails_until_it_is_fixed_in_any_process() {
    let (dir, clock, acquirer) = open().await;
    let other = open_at(&dir.path().join("acquirer.db"), &clock).await;
    for _ in 0..5 {
        assert_eq!(
            acquirer
                .charge(&request(1, 1, "tok_poison"))
                .await
                .expect_err("fails")
                .kind,
            ErrorKind::Unavailable
        );
    }
    other.fix_poison().await.expect("fixes");
    approved(&acquirer, &request(1, 1, "tok_poison")).await;
    other.break_poison().await.expect("breaks");
    assert_eq!(
        acquirer
            .charge(&request(2, 1, "tok_poison"))
            .await
            .expect_err("fails")
            .kind,
        ErrorKind::Unavailable
    );
    assert_eq!(
        (count(&acquirer, 1).await, count(&acquirer, 2).await),
        (1, 0)
    );
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day_and_charges_again() {
    let (_dir, clock, acquirer) = open().await;
    let request = request(1, 1, "tok_visa");
    let first = approved(&acquirer, &request).await;
    clock.advance(Duration::from_millis(24 * 60 * 60 * 1_000 - 1));
    assert_eq!(approved(&acquirer, &request).await, first);
    clock.advance(Duration::from_millis(1));
    let second = approved(&acquirer, &request).await;
    assert_ne!(second.id, first.id);
    let entries = acquirer.charges(&request.payment).await.expect("lists");
    assert_eq!(
        entries
            .iter()
            .map(|entry| entry.id.clone())
            .collect::<Vec<_>>(),
        [first.id.clone(), second.id]
    );
    assert_eq!(
        acquirer.find_charge(&request.payment).await.expect("finds"),
        Some(first)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_openers_of_one_file_charge_a_key_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("acquirer.db");
    let clock = ManualClock::new();
    let (one, two) = tokio::join!(open_at(&path, &clock), open_at(&path, &clock));
    let acquirers = [one, two];
    let calls = (0..60_u64).map(|n| {
        let acquirer = &acquirers[usize::from(n % 2 == 0)];
        async move { approved(acquirer, &request(n / 6, 1, "tok_visa")).await.id }
    });
    let ids: std::collections::BTreeSet<_> =
        futures::future::join_all(calls).await.into_iter().collect();
    assert_eq!(ids.len(), 10);
    assert_eq!(acquirers[0].stats().await.expect("counts").charges, 10);
}

#[tokio::test]
async fn refunds_never_pass_what_was_captured() {
    let (_dir, _clock, acquirer) = open().await;
    let request = request(1, 1, "tok_visa");
    let charge = approved(&acquirer, &request).await;
    let minor = request.money.minor();
    let refund = |n: u64, minor: i64| RefundRequest {
        refund: RefundId::from_parts(n, 1),
        payment: request.payment.clone(),
        charge_id: charge.id.clone(),
        money: payops_core::domain::money::Money::new(minor, request.money.currency())
            .expect("an amount"),
    };
    let halves: Vec<_> = (0..4).map(|n| refund(n, minor / 2)).collect();
    let outcomes = futures::future::join_all(halves.iter().map(|half| acquirer.refund(half))).await;
    let paid = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Ok(RefundOutcome::Paid { .. })))
        .count();
    assert_eq!(paid, 2, "{outcomes:?}");
    let changed = acquirer
        .refund(&refund(0, 1))
        .await
        .expect_err("another amount");
    assert_eq!(changed.kind, ErrorKind::Permanent);
    let stranger = RefundRequest {
        payment: sample::payment(2).id,
        ..refund(7, 1)
    };
    assert!(
        matches!(
            acquirer.refund(&stranger).await,
            Ok(RefundOutcome::Refused(_))
        ),
        "another payment's charge was refunded"
    );
    let stats = acquirer.stats().await.expect("counts");
    assert_eq!((stats.charges, stats.declines, stats.refunds), (1, 0, 2));
    assert_eq!(stats.charged_minor["EUR"], minor);
    assert_eq!(stats.refunded_minor["EUR"], minor / 2 * 2);
}

#[tokio::test]
async fn read_only_reads_and_takes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("acquirer.db");
    let clock = ManualClock::new();
    let missing = SimulatedAcquirer::open_read_only(&path, Arc::new(clock.clone()))
        .await
        .expect_err("no file");
    assert_eq!(missing.kind, ErrorKind::NotFound);
    approved(&open_at(&path, &clock).await, &request(1, 1, "tok_visa")).await;
    let reader = SimulatedAcquirer::open_read_only(&path, Arc::new(clock))
        .await
        .expect("opens");
    assert_eq!(count(&reader, 1).await, 1);
    assert_eq!(
        reader
            .charge(&request(2, 1, "tok_visa"))
            .await
            .expect_err("refused")
            .kind,
        ErrorKind::NotWritable
    );
    assert_eq!(reader.stats().await.expect("counts").charges, 1);
}
