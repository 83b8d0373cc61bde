//! Changing: conditional on version and fence, whole or not at all.

use std::time::Duration;

use futures::future::join_all;
use payops_core::domain::event::{EventKind, NewEvent, Note};
use payops_core::domain::machine::Command;
use payops_core::domain::payment::{DeadMark, Failure, Payment, Refund, RefundState};
use payops_core::port::{Committed, Noted};
use serde_json::json;

use super::Kit;
use crate::conformance::LAG;
use crate::{ManualClock, eventually, sample};

pub(super) async fn suite(kit: &Kit<'_>) {
    whole(kit).await;
    every_field(kit).await;
    stale(kit).await;
    with_key(kit).await;
    together(kit).await;
    notes(kit).await;
    mixed(kit).await;
}

fn note(once: &str) -> Note {
    Note {
        once: once.to_owned(),
        event: NewEvent::new(
            ManualClock::start(),
            EventKind::Archived,
            json!({"once": once}),
        ),
    }
}

async fn whole(kit: &Kit<'_>) {
    let now = ManualClock::start();
    let payment = kit.accepted(kit.n(10)).await;
    let claimed = sample::change(&payment, sample::claim("worker-1"), now);
    assert_eq!(
        kit.store.commit(&claimed).await.expect("commit"),
        Committed::Done
    );
    let mut expected = claimed.payment.clone();
    expected.event_seq = 3;
    assert_eq!(
        kit.get(&payment).await,
        expected,
        "a change is read as it was written"
    );

    let charged = sample::change(
        &expected,
        Command::Approved(sample::charge(kit.n(10), now)),
        now,
    );
    assert_eq!(
        kit.store.commit(&charged).await.expect("commit"),
        Committed::Done
    );
    let count = kit.check_timeline(&payment).await;
    assert_eq!(count, 1 + claimed.events.len() + charged.events.len());
    let events = kit.store.events(&payment.id).await.expect("events");
    for (event, new) in events[1..]
        .iter()
        .zip(claimed.events.iter().chain(&charged.events))
    {
        assert_eq!(
            (event.at, event.kind, &event.detail),
            (new.at, new.kind, &new.detail)
        );
    }
    let versions: Vec<u64> = events.iter().map(|event| event.version).collect();
    assert!(
        versions.is_sorted() && versions.last() == Some(&3),
        "events carry the version after the change: {versions:?}"
    );
    let pending = || async {
        let rows = kit.outbox(&payment).await;
        charged
            .outbox
            .iter()
            .all(|row| rows.contains(row))
            .then_some(())
    };
    eventually(LAG, "the change's outbox rows are pending", pending).await;
}

/// A payment with something in every field.
fn full(payment: &Payment, n: u64) -> Payment {
    let now = ManualClock::start();
    let mut payment = payment.clone();
    payment.redrives = 3;
    payment.failure = Some(Failure {
        code: "odd".to_owned(),
        message: "Ünüsual \"quote\"".to_owned(),
    });
    payment.dead = Some(DeadMark {
        at: now,
        queue: "payments-work".to_owned(),
        message_id: "m1".to_owned(),
        class: "timeout".to_owned(),
        reason: "no answer".to_owned(),
    });
    let id = |i: u64| payops_core::domain::id::RefundId::from_parts(i, u128::from(n));
    let refund = |i: u64, state| Refund {
        id: id(i),
        minor: 100,
        reason: Some("returned".to_owned()),
        by: "anna".to_owned(),
        at: now,
        state,
        first_sent_at: Some(now),
        provider_id: Some("re_9".to_owned()),
    };
    payment.refunds = vec![
        refund(2, RefundState::Succeeded),
        refund(1, RefundState::Pending),
        refund(3, RefundState::Failed),
    ];
    payment.refundable_minor = payment.money.minor() - 200;
    payment
}

async fn every_field(kit: &Kit<'_>) {
    let now = ManualClock::start();
    let payment = kit.accepted(kit.n(11)).await;
    let mut change = sample::change(&payment, sample::claim("worker-1"), now);
    change.payment = full(&change.payment, kit.n(11));
    assert_eq!(
        kit.store.commit(&change).await.expect("commit"),
        Committed::Done
    );
    let mut expected = change.payment.clone();
    expected.event_seq = 3;
    assert_eq!(
        kit.get(&payment).await,
        expected,
        "every field is read as it was written"
    );

    let mut bare = sample::change(&expected, Command::Approved(sample::charge(1, now)), now);
    bare.payment.lease = None;
    bare.payment.failure = None;
    bare.payment.dead = None;
    bare.payment.refunds.clear();
    assert_eq!(
        kit.store.commit(&bare).await.expect("commit"),
        Committed::Done
    );
    bare.payment.event_seq = kit.get(&payment).await.event_seq;
    assert_eq!(
        kit.get(&payment).await,
        bare.payment,
        "what is taken away is gone"
    );
}

async fn stale(kit: &Kit<'_>) {
    let now = ManualClock::start();
    let payment = kit.accepted(kit.n(12)).await;
    let claim = sample::change(&payment, sample::claim("worker-1"), now);
    let mut version = claim.clone();
    version.expect.version = 2;
    let mut fence = claim.clone();
    fence.expect.fence = 1;
    let mut missing = claim.clone();
    missing.payment.id = sample::payment_id(kit.n(12) + 1);
    for change in [&version, &fence, &missing] {
        assert_eq!(
            kit.store.commit(change).await.expect("commit"),
            Committed::Stale,
            "{:?}",
            change.expect
        );
    }
    assert_eq!(
        kit.get(&payment).await,
        payment,
        "a stale change writes nothing"
    );
    assert_eq!(kit.check_timeline(&payment).await, 1);
    assert_eq!(
        kit.store.get(&missing.payment.id).await.expect("get"),
        None,
        "a change makes no payment"
    );
    assert_eq!(
        kit.store.events(&missing.payment.id).await.expect("events"),
        [],
        "a change of no payment leaves no events"
    );

    assert_eq!(
        kit.store.commit(&claim).await.expect("commit"),
        Committed::Done
    );
    assert_eq!(
        kit.store.commit(&claim).await.expect("commit"),
        Committed::Stale,
        "the same change again is stale"
    );
    // A worker whose fence has passed on holds the version, but not the fence.
    let claimed = kit.get(&payment).await;
    let mut old = sample::change(&claimed, Command::Approved(sample::charge(1, now)), now);
    old.expect.fence = 0;
    assert_eq!(
        kit.store.commit(&old).await.expect("commit"),
        Committed::Stale,
        "a stale fence never writes"
    );
    assert_eq!(kit.get(&payment).await, claimed);
    assert!(
        !kit.outbox(&payment)
            .await
            .iter()
            .any(|row| old.outbox.contains(row)),
        "a stale change left outbox rows"
    );
}

async fn with_key(kit: &Kit<'_>) {
    let now = ManualClock::start();
    let payment = kit.accepted(kit.n(13)).await;
    let cancel = || {
        sample::change(
            &payment,
            Command::Cancel {
                by: "merchant".to_owned(),
                reason: None,
            },
            now,
        )
    };
    let mut taken = cancel();
    let standing = sample::acceptance(kit.n(13), now).idempotency;
    taken.idempotency = Some(sample::idempotency(
        &payment,
        &format!("key-{}", kit.n(13)),
        now,
    ));
    assert_eq!(
        kit.store.commit(&taken).await.expect("commit"),
        Committed::KeyTaken(Box::new(standing))
    );
    assert_eq!(
        kit.get(&payment).await,
        payment,
        "nothing is written when the key is taken"
    );
    assert_eq!(kit.check_timeline(&payment).await, 1);

    let mut fresh = cancel();
    let row = sample::idempotency(&payment, &format!("cancel-{}", kit.n(13)), now);
    fresh.idempotency = Some(row.clone());
    let mut stale = fresh.clone();
    stale.expect.version = 9;
    assert_eq!(
        kit.store.commit(&stale).await.expect("commit"),
        Committed::Stale
    );
    assert_eq!(
        kit.store
            .idempotency(&row.scope, now)
            .await
            .expect("idempotency"),
        None,
        "a stale change takes no key"
    );
    assert_eq!(
        kit.store.commit(&fresh).await.expect("commit"),
        Committed::Done
    );
    assert_eq!(
        kit.store
            .idempotency(&row.scope, now)
            .await
            .expect("idempotency"),
        Some(row.clone())
    );

    // Long after, the expired row does not stand in the way of another change.
    let later = row
        .expires_at
        .checked_add(Duration::from_secs(1))
        .expect("within range");
    let other = kit.accepted(kit.n(13) + 1).await;
    let mut reuse = sample::change(&other, sample::claim("worker-1"), later);
    let new_row = sample::idempotency(&other, &format!("cancel-{}", kit.n(13)), later);
    reuse.idempotency = Some(new_row.clone());
    assert_eq!(
        kit.store.commit(&reuse).await.expect("commit"),
        Committed::Done
    );
    assert_eq!(
        kit.store
            .idempotency(&row.scope, later)
            .await
            .expect("idempotency"),
        Some(new_row)
    );
}

async fn together(kit: &Kit<'_>) {
    let now = ManualClock::start();
    let payment = kit.accepted(kit.n(14)).await;
    let changes: Vec<_> = (0..16)
        .map(|i| sample::change(&payment, sample::claim(&format!("worker-{i}")), now))
        .collect();
    let outcomes = join_all(changes.iter().map(|change| kit.store.commit(change))).await;
    let outcomes: Vec<Committed> = outcomes
        .into_iter()
        .map(|outcome| outcome.expect("commit"))
        .collect();
    let winners: Vec<usize> = (0..16)
        .filter(|i| outcomes[*i] == Committed::Done)
        .collect();
    assert_eq!(
        winners.len(),
        1,
        "of changes decided on one version, one is written: {outcomes:?}"
    );
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Committed::Done | Committed::Stale))
    );
    let stands = kit.get(&payment).await;
    assert_eq!(
        stands.lease, changes[winners[0]].payment.lease,
        "what stands is the winner's"
    );
    assert_eq!((stands.version, stands.fence), (2, 1));
    assert_eq!(kit.check_timeline(&payment).await, 3);
}

async fn notes(kit: &Kit<'_>) {
    let payment = kit.accepted(kit.n(15)).await;
    assert_eq!(
        kit.store
            .note(&payment.id, &note("archived"))
            .await
            .expect("note"),
        Noted::Written
    );
    let mut second = note("archived");
    second.event.detail = json!({"other": true});
    assert_eq!(
        kit.store.note(&payment.id, &second).await.expect("note"),
        Noted::Already
    );
    assert_eq!(
        kit.store
            .note(&payment.id, &note("ledger:charge ü"))
            .await
            .expect("note"),
        Noted::Written,
        "another name is another note"
    );
    assert_eq!(
        kit.store
            .note(&sample::payment_id(kit.n(15) + 1), &note("archived"))
            .await
            .expect("note"),
        Noted::NoPayment
    );
    assert_eq!(
        kit.store
            .events(&sample::payment_id(kit.n(15) + 1))
            .await
            .expect("events"),
        [],
        "a note of no payment leaves nothing"
    );

    let events = kit.store.events(&payment.id).await.expect("events");
    assert_eq!(events.len(), 3);
    assert_eq!(
        (events[1].seq, events[1].version, &events[1].detail),
        (2, 1, &note("archived").event.detail)
    );
    let mut expected = payment.clone();
    expected.event_seq = 3;
    assert_eq!(
        kit.get(&payment).await,
        expected,
        "a note changes nothing but `event_seq`"
    );

    let other = kit.accepted(kit.n(15) + 2).await;
    assert_eq!(
        kit.store
            .note(&other.id, &note("archived"))
            .await
            .expect("note"),
        Noted::Written,
        "names are those of one payment"
    );
    let once = note("many");
    let outcomes = join_all((0..16).map(|_| kit.store.note(&other.id, &once))).await;
    let written = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Ok(Noted::Written)))
        .count();
    assert_eq!(written, 1, "a note is written once: {outcomes:?}");
    assert_eq!(kit.check_timeline(&other).await, 3);
}

/// Changes and notes at once: whatever comes first, the timeline has no gap.
async fn mixed(kit: &Kit<'_>) {
    let now = ManualClock::start();
    let payment = kit.accepted(kit.n(16)).await;
    let names: Vec<_> = (0..8).map(|i| note(&format!("note-{i}"))).collect();
    let commits = async {
        for round in 0..8 {
            let current = kit.get(&payment).await;
            let change = sample::change(&current, sample::claim("worker-1"), now);
            let outcome = kit.store.commit(&change).await.expect("commit");
            assert_eq!(outcome, Committed::Done, "a note made change {round} stale");
        }
    };
    let notes = join_all(names.iter().map(|note| kit.store.note(&payment.id, note)));
    let ((), notes) = futures::future::join(commits, notes).await;
    assert!(
        notes
            .iter()
            .all(|outcome| matches!(outcome, Ok(Noted::Written))),
        "{notes:?}"
    );
    // One accepted, one queued, eight attempts, eight notes.
    assert_eq!(kit.check_timeline(&payment).await, 18);
}
