//! Reading: lists, scans, and what is pending.

use std::collections::BTreeMap;
use std::time::Duration;

use payops_core::domain::apikey::Caller;
use payops_core::domain::id::PaymentId;
use payops_core::domain::machine::Command;
use payops_core::domain::outbox::OutboxEvent;
use payops_core::domain::payment::Payment;
use payops_core::port::{Accepted, Committed};

use super::Kit;
use crate::conformance::LAG;
use crate::{ManualClock, eventually, sample};

pub(super) async fn suite(kit: &Kit<'_>) {
    get_many(kit).await;
    list(kit).await;
    scan(kit).await;
    due(kit).await;
    outbox(kit).await;
}

async fn get_many(kit: &Kit<'_>) {
    let mut ids = Vec::new();
    for i in 0..120 {
        ids.push(kit.accepted(kit.n(20) + i).await.id);
    }
    assert_eq!(kit.store.get_many(&[]).await.expect("get_many"), []);
    let mut asked = ids.clone();
    asked.push(sample::payment_id(kit.n(20) + 500));
    asked.push(ids[0].clone());
    let mut found: Vec<PaymentId> = kit
        .store
        .get_many(&asked)
        .await
        .expect("get_many")
        .into_iter()
        .map(|payment| payment.id)
        .collect();
    found.sort();
    found.dedup();
    assert_eq!(found, ids, "those that exist, and no others");
    let one = kit.store.get_many(&ids[..1]).await.expect("get_many");
    assert_eq!(
        one,
        [kit.store.get(&ids[0]).await.expect("get").expect("there")],
        "the same as `get` gives"
    );
}

async fn pages(kit: &Kit<'_>, caller: &Caller, size: usize) -> Vec<PaymentId> {
    let mut all = Vec::new();
    let mut after: Option<PaymentId> = None;
    loop {
        let page: Vec<Payment> = kit
            .store
            .list(caller, after.as_ref(), size)
            .await
            .expect("list");
        assert!(page.len() <= size, "a page is longer than asked for");
        assert!(
            page.iter()
                .all(|payment| payment.merchant == caller.merchant && payment.live == caller.live),
            "another's payment in a list"
        );
        let Some(last) = page.last() else { return all };
        after = Some(last.id.clone());
        all.extend(page.into_iter().map(|payment| payment.id));
        assert!(all.len() < 1000, "a list does not end");
    }
}

async fn list(kit: &Kit<'_>) {
    let me = kit.caller("list", false);
    let mut ids = Vec::new();
    for i in 0..23 {
        ids.push(kit.accepted_of(&me, kit.n(21) + i).await.id);
        if i % 3 == 0 {
            kit.accepted_of(&kit.caller("list", true), kit.n(21) + 100 + i)
                .await;
            kit.accepted_of(&kit.caller("list-other", false), kit.n(21) + 200 + i)
                .await;
        }
    }
    ids.reverse();
    let newest_first = || async { (pages(kit, &me, 5).await == ids).then_some(()) };
    eventually(
        LAG,
        "the caller's payments are listed newest first without gap or double",
        newest_first,
    )
    .await;
    let live =
        || async { (pages(kit, &kit.caller("list", true), 100).await.len() == 8).then_some(()) };
    eventually(LAG, "the other mode has a list of its own", live).await;
    let nobody = kit.caller("list-nobody", false);
    assert_eq!(
        kit.store
            .list(&nobody, Some(&ids[3]), 10)
            .await
            .expect("list"),
        [],
        "after somebody else's payment there is nothing of mine"
    );
    let whole = kit.store.list(&me, Some(&ids[20]), 10).await.expect("list");
    assert_eq!(
        whole.iter().map(|payment| &payment.id).collect::<Vec<_>>(),
        [&ids[21], &ids[22]]
    );
    assert_eq!(
        whole[0],
        kit.get(&whole[0]).await,
        "a listed payment is whole"
    );
}

async fn scan(kit: &Kit<'_>) {
    let mut ours = Vec::new();
    for i in 0..17 {
        ours.push(kit.accepted(kit.n(22) + i).await.id);
    }
    let check = || async {
        let mut seen: BTreeMap<PaymentId, u32> = BTreeMap::new();
        let mut from = None;
        loop {
            let page = kit.store.scan(from.as_deref(), 10).await.expect("scan");
            assert!(page.payments.len() <= 10, "a page is longer than asked for");
            for payment in page.payments {
                *seen.entry(payment.id).or_default() += 1;
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert!(
            seen.values().all(|times| *times == 1),
            "a scan showed a payment twice"
        );
        ours.iter().all(|id| seen.contains_key(id)).then_some(())
    };
    eventually(LAG, "a scan shows every payment", check).await;
}

async fn is_due(kit: &Kit<'_>, payment: &Payment, now: payops_core::Timestamp) -> bool {
    kit.store
        .due(payment.id.shard(), now, 100_000)
        .await
        .expect("due")
        .contains(&payment.id)
}

async fn due(kit: &Kit<'_>) {
    let start = ManualClock::start();
    let plus = |seconds| {
        start
            .checked_add(Duration::from_secs(seconds))
            .expect("within range")
    };
    let payment = kit.accepted(kit.n(23)).await;
    let when = payment.due_at.expect("due");
    let just_before = when
        .checked_sub(Duration::from_millis(1))
        .expect("within range");
    eventually(LAG, "a payment is due at its time", || async {
        is_due(kit, &payment, when).await.then_some(())
    })
    .await;
    assert!(
        !is_due(kit, &payment, just_before).await,
        "a payment is due before its time"
    );
    for shard in (0..payops_core::domain::id::SHARDS).filter(|shard| *shard != payment.id.shard()) {
        assert!(
            !kit.store
                .due(shard, when, 100_000)
                .await
                .expect("due")
                .contains(&payment.id),
            "due in shard {shard}, which is not its own"
        );
    }

    let mut later = sample::change(&payment, sample::claim("worker-1"), start);
    later.payment.due_at = Some(plus(9000));
    assert_eq!(
        kit.store.commit(&later).await.expect("commit"),
        Committed::Done
    );
    eventually(LAG, "the due entry follows", || async {
        (!is_due(kit, &payment, plus(8999)).await).then_some(())
    })
    .await;
    eventually(LAG, "the due entry follows", || async {
        is_due(kit, &payment, plus(9000)).await.then_some(())
    })
    .await;

    let ended = sample::change(
        &kit.get(&payment).await,
        Command::Approved(sample::charge(1, start)),
        start,
    );
    assert_eq!(
        ended.payment.due_at, None,
        "nothing is pending of a completed payment"
    );
    assert_eq!(
        kit.store.commit(&ended).await.expect("commit"),
        Committed::Done
    );
    eventually(LAG, "the due entry goes", || async {
        (!is_due(kit, &payment, plus(100_000)).await).then_some(())
    })
    .await;
    oldest_first(kit).await;
}

/// `count` numbers from `n` on whose payments share a shard.
fn same_shard(n: u64, count: usize) -> Vec<u64> {
    let shard = sample::payment_id(n).shard();
    (n..)
        .filter(|n| sample::payment_id(*n).shard() == shard)
        .take(count)
        .collect()
}

async fn oldest_first(kit: &Kit<'_>) {
    // Long before every other run's payments, so that a small limit shows these.
    let base = ManualClock::start()
        .checked_sub(Duration::from_hours(24 * 3650))
        .expect("within range");
    let mut ids = Vec::new();
    for (i, n) in (0..5).zip(same_shard(kit.n(24), 5)) {
        let mut payment = sample::payment(n);
        payment.due_at = base.checked_sub(Duration::from_secs(i)).ok();
        let acceptance =
            sample::accept_payment(&payment, &format!("due-{n}"), ManualClock::start());
        assert_eq!(
            kit.store.accept(&acceptance).await.expect("accept"),
            Accepted::New
        );
        ids.push(payment.id);
    }
    ids.reverse();
    let check = || async {
        let due = kit
            .store
            .due(ids[0].shard(), base, 100_000)
            .await
            .expect("due");
        let ours: Vec<_> = due.into_iter().filter(|id| ids.contains(id)).collect();
        (ours == ids).then_some(())
    };
    eventually(LAG, "due payments come oldest first", check).await;
    let limited = kit.store.due(ids[0].shard(), base, 2).await.expect("due");
    assert_eq!(limited.len(), 2, "no more than asked for");
}

async fn outbox(kit: &Kit<'_>) {
    let start = ManualClock::start();
    let mut rows: Vec<OutboxEvent> = Vec::new();
    for (i, n) in (0..12).zip(same_shard(kit.n(25), 12)) {
        let at = start
            .checked_add(Duration::from_secs(100 - i))
            .expect("within range");
        let acceptance = sample::acceptance(n, at);
        assert_eq!(
            kit.store.accept(&acceptance).await.expect("accept"),
            Accepted::New
        );
        rows.extend(acceptance.outbox);
    }
    rows.reverse();
    let shard = rows[0].payment.shard();
    let pending = || async {
        let all = kit
            .store
            .outbox_pending(shard, 100_000)
            .await
            .expect("outbox_pending");
        all.into_iter()
            .filter(|row| rows.contains(row))
            .collect::<Vec<_>>()
    };
    eventually(LAG, "outbox rows come oldest first", || async {
        (pending().await == rows).then_some(())
    })
    .await;
    assert!(
        kit.store
            .outbox_pending(shard, 3)
            .await
            .expect("outbox_pending")
            .len()
            <= 3,
        "no more than asked for"
    );

    kit.store
        .outbox_done(&rows[..8])
        .await
        .expect("outbox_done");
    kit.store
        .outbox_done(&rows[..8])
        .await
        .expect("doing it twice is the same as once");
    eventually(LAG, "rows that are done are gone", || async {
        (pending().await == rows[8..]).then_some(())
    })
    .await;
    kit.store.outbox_done(&[]).await.expect("nothing to do");
    kit.store.outbox_done(&rows).await.expect("outbox_done");
    eventually(LAG, "all are done", || async {
        pending().await.is_empty().then_some(())
    })
    .await;
    let again = sample::payment(kit.n(25));
    kit.check_timeline(&again).await;
}
