//! Sending, one by one and in batches, and what the queue says of itself.

use std::collections::BTreeSet;
use std::time::Duration;

use payops_core::port::{ErrorKind, Outgoing};

use super::Kit;

pub(super) async fn suite(kit: &Kit<'_>) {
    names(kit).await;
    whole(kit).await;
    batch(kit).await;
    limits(kit).await;
    delay(kit).await;
    stats(kit).await;
    unknown(kit).await;
}

async fn names(kit: &Kit<'_>) {
    let names = kit.admin.names().await.expect("names");
    assert!(names.is_sorted(), "names come in order: {names:?}");
    for name in [
        Some(kit.fixture.queue),
        Some(kit.fixture.dlq),
        kit.fixture.fifo,
    ]
    .into_iter()
    .flatten()
    {
        assert!(
            names.iter().any(|known| known == name),
            "{name} is not among {names:?}"
        );
    }
}

async fn whole(kit: &Kit<'_>) {
    let queue = kit.fixture.queue;
    let message = kit.message("whole");
    let id = kit.queues.send(queue, message.clone()).await.expect("send");
    let received = kit.take_one(queue).await;
    assert_eq!(received.message_id, id, "the name that sending gave");
    assert_eq!(
        (&received.body, &received.attributes),
        (&message.body, &message.attributes),
        "a message comes as it was sent"
    );
    assert_eq!(received.receive_count, 1, "the first receive counts");
    assert!(
        received
            .first_received_at
            .is_none_or(|first| first >= received.sent_at),
        "received before it was sent"
    );
    assert_eq!(
        (received.group.as_ref(), received.dedupe.as_ref()),
        (None, None)
    );
    kit.delete(queue, &[received]).await;
    kit.empty(queue).await;

    let bare = Outgoing {
        body: "no attributes".to_owned(),
        ..Outgoing::default()
    };
    kit.queues.send(queue, bare.clone()).await.expect("send");
    let received = kit.take_one(queue).await;
    assert_eq!((&received.body, received.attributes.len()), (&bare.body, 0));
    kit.delete(queue, &[received]).await;
}

async fn batch(kit: &Kit<'_>) {
    let queue = kit.fixture.queue;
    let messages: Vec<_> = (0..10)
        .map(|i| kit.message(&format!("batch-{i}")))
        .collect();
    let results = kit
        .queues
        .send_batch(queue, messages.clone())
        .await
        .expect("send_batch");
    let ids: Vec<String> = results
        .into_iter()
        .map(|result| result.expect("each is sent"))
        .collect();
    assert_eq!(ids.len(), 10);
    let received = kit.take(queue, 10).await;
    for message in &received {
        let place = ids
            .iter()
            .position(|id| *id == message.message_id)
            .expect("a name that sending gave");
        assert_eq!(message.body, messages[place].body, "results come in order");
    }
    assert_eq!(
        received
            .iter()
            .map(|message| &message.message_id)
            .collect::<BTreeSet<_>>()
            .len(),
        10,
        "each message once"
    );
    kit.delete(queue, &received).await;
    assert!(
        kit.queues
            .send_batch(queue, Vec::new())
            .await
            .expect("an empty batch")
            .is_empty()
    );
    kit.empty(queue).await;
}

async fn limits(kit: &Kit<'_>) {
    let queue = kit.fixture.queue;
    let eleven = (0..11)
        .map(|i| kit.message(&format!("eleven-{i}")))
        .collect();
    let error = kit
        .queues
        .send_batch(queue, eleven)
        .await
        .expect_err("more than ten");
    assert_eq!(error.kind, ErrorKind::Permanent, "{}", error.chain());

    let long = Outgoing {
        body: "x".repeat(1024 * 1024 + 1),
        ..Outgoing::default()
    };
    let error = kit
        .queues
        .send(queue, long.clone())
        .await
        .expect_err("longer than 1 MiB");
    assert_eq!(error.kind, ErrorKind::Permanent, "{}", error.chain());
    let results = kit
        .queues
        .send_batch(
            queue,
            vec![kit.message("fine-1"), long, kit.message("fine-2")],
        )
        .await
        .expect("send_batch");
    let fine: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(fine, [true, false, true], "each entry has its own result");
    let received = kit.take(queue, 2).await;
    kit.delete(queue, &received).await;
    kit.empty(queue).await;
}

async fn delay(kit: &Kit<'_>) {
    let queue = kit.fixture.queue;
    let late = Outgoing {
        delay: kit.short(),
        ..kit.message("late")
    };
    kit.queues.send(queue, late.clone()).await.expect("send");
    kit.expect_none(queue, "a delayed message was received at once")
        .await;
    kit.pass().await;
    let received = kit.take_one(queue).await;
    assert_eq!(
        (received.body.as_str(), received.receive_count),
        (late.body.as_str(), 1)
    );
    kit.delete(queue, &[received]).await;
}

async fn stats(kit: &Kit<'_>) {
    let queue = kit.fixture.queue;
    for name in ["a", "b", "c"] {
        kit.send(queue, name).await;
    }
    let taken = kit.take_one(queue).await;
    let stats = kit
        .stats(queue, "2 visible, 1 in flight", |s| {
            (s.visible, s.in_flight, s.delayed) == (2, 1, 0)
        })
        .await;
    assert_eq!(stats.name, queue);
    assert_eq!(
        (stats.dlq.as_deref(), stats.max_receives),
        (Some(kit.fixture.dlq), Some(kit.fixture.max_receives))
    );
    let dlq = kit.admin.stats(kit.fixture.dlq).await.expect("stats");
    assert_eq!(
        (dlq.dlq, dlq.max_receives),
        (None, None),
        "a dead-letter queue has none itself"
    );
    kit.delete(queue, &[taken]).await;

    // With a clock to turn the delay cannot end before the counts are read.
    if kit.fixture.advance.is_some() {
        kit.queues
            .send(
                queue,
                Outgoing {
                    delay: kit.short(),
                    ..kit.message("d")
                },
            )
            .await
            .expect("send");
        kit.stats(queue, "2 visible, 1 delayed", |s| {
            (s.visible, s.in_flight, s.delayed) == (2, 0, 1)
        })
        .await;
        kit.pass().await;
        let stats = kit
            .stats(queue, "3 visible", |s| {
                (s.visible, s.in_flight, s.delayed) == (3, 0, 0)
            })
            .await;
        assert!(
            stats.oldest_age.is_none_or(|age| age >= kit.short()),
            "older than that: {stats:?}"
        );
        let late = kit.take(queue, 3).await;
        kit.delete(queue, &late).await;
    } else {
        let rest = kit.take(queue, 2).await;
        kit.delete(queue, &rest).await;
    }
    kit.empty(queue).await;
}

async fn unknown(kit: &Kit<'_>) {
    let absent = "no-such-queue";
    let send = kit
        .queues
        .send(absent, kit.message("x"))
        .await
        .expect_err("no such queue");
    let receive = kit
        .queues
        .receive(absent, 1, Duration::from_secs(1), Duration::ZERO)
        .await
        .expect_err("no such queue");
    let stats = kit.admin.stats(absent).await.expect_err("no such queue");
    for error in [send, receive, stats] {
        assert_eq!(error.kind, ErrorKind::NotFound, "{}", error.chain());
    }
}
