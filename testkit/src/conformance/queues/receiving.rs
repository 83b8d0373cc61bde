//! Receiving: visibility, receive counts, receipts of one receive alone.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::future::{join, join_all};

use super::{Kit, LONG};

pub(super) async fn suite(kit: &Kit<'_>) {
    hidden(kit).await;
    visibility_ends(kit).await;
    visibility_extended(kit).await;
    stale_receipts(kit).await;
    at_most_ten(kit).await;
    one_receiver_each(kit).await;
    long_poll(kit).await;
}

async fn hidden(kit: &Kit<'_>) {
    let queue = kit.fixture.queue;
    kit.send(queue, "hidden").await;
    let first = kit.take_one(queue).await;
    kit.expect_none(queue, "a received message was given to somebody else")
        .await;
    kit.put_back(queue, &first).await;
    let second = kit.take_one(queue).await;
    assert_eq!(
        (&second.message_id, second.receive_count),
        (&first.message_id, 2),
        "the same message, received twice"
    );
    assert_ne!(
        second.receipt, first.receipt,
        "each receive has a receipt of its own"
    );
    assert_eq!(
        second.first_received_at, first.first_received_at,
        "the first receive stays the first"
    );
    assert_eq!(second.sent_at, first.sent_at);
    kit.delete(queue, &[second]).await;
    kit.empty(queue).await;
}

async fn visibility_ends(kit: &Kit<'_>) {
    let queue = kit.fixture.queue;
    kit.send(queue, "ends").await;
    let start = Instant::now();
    let first = kit
        .queues
        .receive(queue, 1, kit.short(), Duration::from_secs(5))
        .await
        .expect("receive");
    assert_eq!(first.len(), 1);
    let again = kit.glance(queue).await;
    let in_time = kit.fixture.advance.is_some() || start.elapsed() < kit.short();
    assert!(
        again.is_empty() || !in_time,
        "visible before its time: {again:?}"
    );
    kit.pass().await;
    let second = if again.is_empty() {
        kit.take_one(queue).await
    } else {
        again[0].clone()
    };
    assert_eq!(
        (&second.message_id, second.receive_count),
        (&first[0].message_id, 2),
        "it comes back when nobody deletes it"
    );
    kit.delete(queue, &[second]).await;
}

async fn visibility_extended(kit: &Kit<'_>) {
    let queue = kit.fixture.queue;
    kit.send(queue, "extended").await;
    let first = kit
        .queues
        .receive(queue, 1, kit.short(), Duration::from_secs(5))
        .await
        .expect("receive")
        .remove(0);
    assert!(
        kit.queues
            .change_visibility(queue, &first.receipt, LONG)
            .await
            .expect("change_visibility")
    );
    kit.pass().await;
    kit.expect_none(queue, "visible although its time was extended")
        .await;
    assert!(
        kit.queues
            .change_visibility(queue, &first.receipt, kit.short())
            .await
            .expect("change_visibility"),
        "the receipt is still good"
    );
    kit.pass().await;
    let second = kit.take_one(queue).await;
    assert_eq!(second.receive_count, 2);
    kit.delete(queue, &[second]).await;
}

async fn stale_receipts(kit: &Kit<'_>) {
    let queue = kit.fixture.queue;
    kit.send(queue, "stale").await;
    let first = kit.take_one(queue).await;
    kit.put_back(queue, &first).await;
    let second = kit.take_one(queue).await;

    let deleted = kit
        .queues
        .delete(queue, std::slice::from_ref(&first.receipt))
        .await
        .expect("delete");
    // SQS answers "deleted" to an old receipt and keeps the message; a service of our own says so.
    assert_eq!(deleted.len(), 1);
    assert!(
        !deleted[0] || !kit.queues.transfer_is_atomic(),
        "an old receipt deletes nothing"
    );
    if kit.queues.transfer_is_atomic() {
        assert!(
            !kit.queues
                .change_visibility(queue, &first.receipt, Duration::ZERO)
                .await
                .expect("change_visibility"),
            "an old receipt"
        );
        kit.expect_none(queue, "an old receipt made the message visible")
            .await;
    }
    kit.put_back(queue, &second).await;
    let third = kit.take_one(queue).await;
    assert_eq!(
        third.message_id, first.message_id,
        "the message is still there"
    );
    kit.delete(queue, std::slice::from_ref(&third)).await;
    let visible = kit
        .queues
        .change_visibility(queue, &third.receipt, Duration::ZERO)
        .await
        .expect("change_visibility");
    assert!(
        !visible,
        "the receipt of a deleted message is no longer good"
    );
    kit.empty(queue).await;

    let good = {
        kit.send(queue, "good").await;
        kit.take_one(queue).await
    };
    let both = [third.receipt.clone(), good.receipt.clone()];
    let deleted = kit.queues.delete(queue, &both).await.expect("delete");
    assert!(
        deleted.len() == 2 && deleted[1],
        "one bad receipt spoils no other: {deleted:?}"
    );
    assert!(
        kit.queues
            .delete(queue, &[])
            .await
            .expect("nothing to delete")
            .is_empty()
    );
    kit.empty(queue).await;
}

async fn at_most_ten(kit: &Kit<'_>) {
    let queue = kit.fixture.queue;
    for round in 0..2 {
        let messages = (0..8)
            .map(|i| kit.message(&format!("ten-{round}-{i}")))
            .collect();
        kit.queues
            .send_batch(queue, messages)
            .await
            .expect("send_batch");
    }
    let some = kit
        .queues
        .receive(queue, 10, LONG, Duration::from_secs(5))
        .await
        .expect("receive");
    assert!((1..=10).contains(&some.len()), "{} messages", some.len());
    let rest = kit.take(queue, 16 - some.len()).await;
    let ids: BTreeSet<_> = some
        .iter()
        .chain(&rest)
        .map(|message| &message.message_id)
        .collect();
    assert_eq!(ids.len(), 16, "each message once");
    kit.delete(queue, &some).await;
    kit.delete(queue, &rest).await;
    kit.empty(queue).await;
}

async fn one_receiver_each(kit: &Kit<'_>) {
    let queue = kit.fixture.queue;
    for round in 0..4 {
        let messages = (0..5)
            .map(|i| kit.message(&format!("each-{round}-{i}")))
            .collect();
        kit.queues
            .send_batch(queue, messages)
            .await
            .expect("send_batch");
    }
    let receivers =
        join_all((0..8).map(|_| kit.queues.receive(queue, 3, LONG, Duration::from_secs(1)))).await;
    let mut taken: Vec<_> = receivers
        .into_iter()
        .flat_map(|received| received.expect("receive"))
        .collect();
    let missing = 20_usize
        .checked_sub(taken.len())
        .expect("more messages than were sent");
    taken.extend(kit.take(queue, missing).await);
    let ids: BTreeSet<_> = taken.iter().map(|message| &message.message_id).collect();
    assert_eq!(ids.len(), 20, "of many receivers, one gets each message");
    kit.delete(queue, &taken).await;
    kit.empty(queue).await;
}

async fn long_poll(kit: &Kit<'_>) {
    let queue = kit.fixture.queue;
    let start = Instant::now();
    let waiting = kit.queues.receive(queue, 1, LONG, Duration::from_secs(15));
    let sending = async {
        // Gives the receive a head start; what is checked is only that it does not miss the
        // message.
        tokio::time::sleep(Duration::from_millis(300)).await;
        kit.send(queue, "awaited").await
    };
    let (received, id) = join(waiting, sending).await;
    let received = received.expect("receive");
    assert_eq!(
        received
            .iter()
            .map(|message| &message.message_id)
            .collect::<Vec<_>>(),
        [&id],
        "waits for the first message"
    );
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "a waiting receive saw the message only after {:?}",
        start.elapsed()
    );
    kit.delete(queue, &received).await;

    let start = Instant::now();
    let none = kit
        .queues
        .receive(queue, 1, LONG, Duration::from_secs(1))
        .await
        .expect("receive");
    assert!(
        none.is_empty() && start.elapsed() < Duration::from_secs(10),
        "gives up after its wait"
    );
}
