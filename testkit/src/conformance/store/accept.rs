//! Accepting: one commit point, one payment per key.

use std::time::Duration;

use futures::future::join_all;
use payops_core::domain::event::{EventKind, NewEvent};
use payops_core::domain::outbox::{OutboxEvent, OutboxKind};
use payops_core::port::{Accepted, IdempotencyRow, KeyedRequest};
use serde_json::json;

use super::Kit;
use crate::conformance::LAG;
use crate::{ManualClock, eventually, sample};

pub(super) async fn suite(kit: &Kit<'_>) {
    whole(kit).await;
    key_taken(kit).await;
    id_taken(kit).await;
    scopes(kit).await;
    expiry(kit).await;
    together(kit).await;
}

async fn whole(kit: &Kit<'_>) {
    let now = ManualClock::start();
    let mut acceptance = sample::acceptance(kit.n(1), now);
    // What the caller says of `event_seq` does not count.
    acceptance.payment.event_seq = 77;
    acceptance.events.push(NewEvent::new(
        now,
        EventKind::Archived,
        json!({"ü": ["🦀", 1.5, null, {"z": 1, "a": 2}]}),
    ));
    acceptance.outbox.push(OutboxEvent::new(
        &acceptance.payment.id,
        1,
        OutboxKind::PaymentReview,
        now,
    ));
    let id = &acceptance.payment.id;
    assert_eq!(
        kit.store.get(id).await.expect("get"),
        None,
        "no payment before it is accepted"
    );
    assert_eq!(
        kit.store.events(id).await.expect("events"),
        [],
        "no timeline before it is accepted"
    );
    assert_eq!(
        kit.store.accept(&acceptance).await.expect("accept"),
        Accepted::New
    );

    let mut expected = acceptance.payment.clone();
    expected.event_seq = 2;
    assert_eq!(
        kit.get(&expected).await,
        expected,
        "a payment is read as it was written"
    );

    let events = kit.store.events(id).await.expect("events");
    assert_eq!(
        events
            .iter()
            .map(|event| (event.seq, event.version))
            .collect::<Vec<_>>(),
        [(1, 1), (2, 1)]
    );
    for (event, new) in events.iter().zip(&acceptance.events) {
        assert_eq!(
            (event.at, event.kind, &event.detail),
            (new.at, new.kind, &new.detail),
            "an event is read as it was written"
        );
    }
    let row = kit
        .store
        .idempotency(&acceptance.idempotency.scope, now)
        .await
        .expect("idempotency");
    assert_eq!(
        row.as_ref(),
        Some(&acceptance.idempotency),
        "the answer is kept byte for byte"
    );

    let rows = || async {
        let mut rows = kit.outbox(&expected).await;
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        (rows == acceptance.outbox).then_some(())
    };
    eventually(
        LAG,
        "the outbox rows are pending as they were written",
        rows,
    )
    .await;
}

async fn nothing_written(kit: &Kit<'_>, acceptance: &payops_core::port::Acceptance) {
    let id = &acceptance.payment.id;
    assert_eq!(
        kit.store.get(id).await.expect("get"),
        None,
        "a refused acceptance left a payment"
    );
    assert_eq!(
        kit.store.events(id).await.expect("events"),
        [],
        "a refused acceptance left events"
    );
    assert_eq!(
        kit.outbox(&acceptance.payment).await,
        [],
        "a refused acceptance left outbox rows"
    );
    let due = kit
        .store
        .due(id.shard(), far(), 100_000)
        .await
        .expect("due");
    assert!(!due.contains(id), "a refused acceptance left a due entry");
}

fn far() -> payops_core::Timestamp {
    ManualClock::start()
        .checked_add(Duration::from_hours(24 * 365))
        .expect("within range")
}

async fn key_taken(kit: &Kit<'_>) {
    let now = ManualClock::start();
    let first = sample::acceptance(kit.n(2), now);
    assert_eq!(
        kit.store.accept(&first).await.expect("accept"),
        Accepted::New
    );

    let again = kit.store.accept(&first).await.expect("accept");
    assert_eq!(
        again,
        Accepted::KeyTaken(Box::new(first.idempotency.clone())),
        "the key wins over the id"
    );

    let mut other = sample::acceptance(kit.n(2) + 1, now);
    other.idempotency.scope = first.idempotency.scope.clone();
    let outcome = kit.store.accept(&other).await.expect("accept");
    assert_eq!(
        outcome,
        Accepted::KeyTaken(Box::new(first.idempotency.clone())),
        "the standing row is given, of another request or not"
    );
    nothing_written(kit, &other).await;
    assert_eq!(
        kit.check_timeline(&first.payment).await,
        1,
        "the standing payment is as it was"
    );
}

async fn id_taken(kit: &Kit<'_>) {
    let now = ManualClock::start();
    let first = kit.accepted(kit.n(3)).await;
    let second = sample::accept_payment(&first, &format!("other-key-{}", kit.n(3)), now);
    assert_eq!(
        kit.store.accept(&second).await.expect("accept"),
        Accepted::IdTaken
    );
    assert_eq!(
        kit.store
            .idempotency(&second.idempotency.scope, now)
            .await
            .expect("idempotency"),
        None,
        "nothing is half-written"
    );
    assert_eq!(kit.check_timeline(&first).await, 1);
    assert_eq!(kit.get(&first).await, first);
}

async fn scopes(kit: &Kit<'_>) {
    let now = ManualClock::start();
    let base = sample::acceptance(kit.n(4), now);
    assert_eq!(
        kit.store.accept(&base).await.expect("accept"),
        Accepted::New
    );
    let mut merchant = base.idempotency.scope.clone();
    merchant.merchant = kit.caller("scoped", false).merchant;
    let mut live = base.idempotency.scope.clone();
    live.live = true;
    let mut request = base.idempotency.scope.clone();
    request.request = KeyedRequest::RefundPayment;
    let mut key = base.idempotency.scope.clone();
    key.key = format!("KEY-{} /#|", kit.n(4)).parse().expect("a key");
    for (i, scope) in (1..).zip([merchant, live, request, key]) {
        assert_eq!(
            kit.store
                .idempotency(&scope, now)
                .await
                .expect("idempotency"),
            None,
            "{scope:?}"
        );
        let mut acceptance = sample::acceptance(kit.n(4) + i, now);
        acceptance.idempotency.scope = scope.clone();
        assert_eq!(
            kit.store.accept(&acceptance).await.expect("accept"),
            Accepted::New,
            "{scope:?} is another key"
        );
        let row = kit
            .store
            .idempotency(&scope, now)
            .await
            .expect("idempotency");
        assert_eq!(row, Some(acceptance.idempotency));
    }
    let row = kit
        .store
        .idempotency(&base.idempotency.scope, now)
        .await
        .expect("idempotency");
    assert_eq!(row, Some(base.idempotency), "the first is as it was");
}

async fn expiry(kit: &Kit<'_>) {
    let now = ManualClock::start();
    let first = sample::acceptance(kit.n(5), now);
    assert_eq!(
        kit.store.accept(&first).await.expect("accept"),
        Accepted::New
    );
    let end = first.idempotency.expires_at;
    let before = end
        .checked_sub(Duration::from_millis(1))
        .expect("within range");
    let scope = &first.idempotency.scope;
    assert!(
        kit.store
            .idempotency(scope, before)
            .await
            .expect("idempotency")
            .is_some(),
        "the row stands until it expires"
    );
    assert_eq!(
        kit.store
            .idempotency(scope, end)
            .await
            .expect("idempotency"),
        None,
        "from `expires_at` on it counts as gone"
    );

    let mut early = sample::acceptance(kit.n(5) + 1, before);
    early.idempotency.scope = scope.clone();
    assert!(matches!(
        kit.store.accept(&early).await.expect("accept"),
        Accepted::KeyTaken(_)
    ));
    let mut late = sample::acceptance(kit.n(5) + 2, end);
    late.idempotency.scope = scope.clone();
    assert_eq!(
        kit.store.accept(&late).await.expect("accept"),
        Accepted::New,
        "an expired key is free"
    );
    let row = kit
        .store
        .idempotency(scope, end)
        .await
        .expect("idempotency");
    assert_eq!(
        row,
        Some(late.idempotency),
        "the new row stands in place of the expired one"
    );
}

async fn together(kit: &Kit<'_>) {
    let now = ManualClock::start();
    let acceptances: Vec<_> = (0..32)
        .map(|i| {
            let mut acceptance = sample::acceptance(kit.n(6) + i, now);
            acceptance.idempotency.scope.key =
                format!("one-key-{}", kit.n(6)).parse().expect("a key");
            acceptance
        })
        .collect();
    let outcomes = join_all(
        acceptances
            .iter()
            .map(|acceptance| kit.store.accept(acceptance)),
    )
    .await;
    let outcomes: Vec<Accepted> = outcomes
        .into_iter()
        .map(|outcome| outcome.expect("accept"))
        .collect();
    let winners: Vec<usize> = (0..32).filter(|i| outcomes[*i] == Accepted::New).collect();
    assert_eq!(winners.len(), 1, "of many at once with one key, one is new");
    let expected: &IdempotencyRow = &acceptances[winners[0]].idempotency;
    for (i, outcome) in outcomes
        .iter()
        .enumerate()
        .filter(|(i, _)| *i != winners[0])
    {
        assert_eq!(outcome, &Accepted::KeyTaken(Box::new(expected.clone())));
        nothing_written(kit, &acceptances[i]).await;
    }
    kit.check_timeline(&acceptances[winners[0]].payment).await;
}
