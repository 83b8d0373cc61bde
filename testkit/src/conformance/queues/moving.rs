//! Messages that go elsewhere: redrive to the dead-letter queue, transfer; and looking without
//! taking.

use std::collections::BTreeSet;
use std::time::Duration;

use payops_core::port::{Attributes, Move, Outgoing, TransferOutcome};

use super::{Kit, LAG, LONG};
use crate::eventually;

pub(super) async fn suite(kit: &Kit<'_>) {
    redrive(kit).await;
    transfer(kit).await;
    transfer_lost(kit).await;
    transfer_batch(kit).await;
    change_visibilities(kit).await;
    browse(kit).await;
}

async fn redrive(kit: &Kit<'_>) {
    let (queue, dlq) = (kit.fixture.queue, kit.fixture.dlq);
    let message = kit.message("redrive");
    kit.queues.send(queue, message.clone()).await.expect("send");
    for count in 1..=kit.fixture.max_receives {
        let received = kit.take_one(queue).await;
        assert_eq!(received.receive_count, count);
        kit.put_back(queue, &received).await;
    }
    // The move happens in a receive, which must not show the message.
    let moved = || async {
        kit.expect_none(queue, "received more often than the queue's limit")
            .await;
        let dead = kit
            .queues
            .receive(dlq, 1, LONG, Duration::ZERO)
            .await
            .expect("receive");
        dead.into_iter().next()
    };
    let dead = eventually(LAG, "the message is in the dead-letter queue", moved).await;
    assert_eq!(
        (&dead.body, &dead.attributes),
        (&message.body, &message.attributes),
        "it goes there as it was sent"
    );
    kit.delete(dlq, &[dead]).await;
    kit.empty(queue).await;
    kit.empty(dlq).await;
}

async fn transfer(kit: &Kit<'_>) {
    let (queue, dlq) = (kit.fixture.queue, kit.fixture.dlq);
    kit.send(dlq, "back").await;
    let dead = kit.take_one(dlq).await;
    let attributes = Attributes::from([("payops-replay-count".to_owned(), "1".to_owned())]);
    let message = Outgoing {
        body: "another body".to_owned(),
        attributes,
        ..Outgoing::default()
    };
    let outcome = kit
        .queues
        .transfer(dlq, &dead.receipt, queue, message.clone())
        .await
        .expect("transfer");
    let TransferOutcome::Moved { message_id } = outcome else {
        panic!("not moved: {outcome:?}")
    };
    let received = kit.take_one(queue).await;
    assert_eq!(
        (&received.message_id, &received.body, &received.attributes),
        (&message_id, &message.body, &message.attributes)
    );
    assert_eq!(received.receive_count, 1, "in its new queue it is new");
    kit.empty(dlq).await;
    kit.delete(queue, &[received]).await;
    kit.empty(queue).await;
}

async fn transfer_lost(kit: &Kit<'_>) {
    let (queue, dlq) = (kit.fixture.queue, kit.fixture.dlq);
    kit.send(dlq, "lost").await;
    let dead = kit.take_one(dlq).await;
    kit.delete(dlq, std::slice::from_ref(&dead)).await;
    let outcome = kit
        .queues
        .transfer(dlq, &dead.receipt, queue, kit.message("lost"))
        .await
        .expect("transfer");
    assert!(
        matches!(outcome, TransferOutcome::Lost),
        "a receipt that is no longer good moves nothing: {outcome:?}"
    );
    kit.expect_none(queue, "nothing was sent").await;
    kit.empty(queue).await;
    kit.empty(dlq).await;
}

async fn transfer_batch(kit: &Kit<'_>) {
    let (queue, dlq) = (kit.fixture.queue, kit.fixture.dlq);
    for name in ["batch-1", "batch-2", "batch-3"] {
        kit.send(dlq, name).await;
    }
    let dead = kit.take(dlq, 3).await;
    // The second is no longer ours.
    kit.delete(dlq, &dead[1..2]).await;
    let moves = dead.iter().map(|dead| Move {
        receipt: dead.receipt.clone(),
        message: Outgoing {
            body: dead.body.clone(),
            attributes: dead.attributes.clone(),
            ..Outgoing::default()
        },
    });
    let results = kit
        .queues
        .transfer_batch(dlq, queue, moves.collect())
        .await
        .expect("transfer_batch");
    let outcomes: Vec<TransferOutcome> = results
        .into_iter()
        .map(|result| result.expect("an outcome"))
        .collect();
    let new_name = |outcome: &TransferOutcome| match outcome {
        TransferOutcome::Moved { message_id }
        | TransferOutcome::SentNotDeleted { message_id, .. } => Some(message_id.clone()),
        TransferOutcome::Lost => None,
    };
    let names: Vec<Option<String>> = outcomes.iter().map(new_name).collect();
    assert!(
        names[0].is_some() && names[2].is_some(),
        "two are ours and go: {outcomes:?}"
    );
    // A standard queue may still take the receipt of a message that is gone.
    assert!(
        names[1].is_none() || !kit.queues.transfer_is_atomic(),
        "one is gone, and nothing is sent for it: {outcomes:?}"
    );
    let expected: BTreeSet<(&str, &str)> = names
        .iter()
        .zip(&dead)
        .filter_map(|(name, dead)| Some((name.as_deref()?, dead.body.as_str())))
        .collect();
    let received = kit.take(queue, expected.len()).await;
    let told: BTreeSet<(&str, &str)> = received
        .iter()
        .map(|message| (message.message_id.as_str(), message.body.as_str()))
        .collect();
    assert_eq!(told, expected, "each under its new name");
    assert!(
        received.iter().all(|message| message.attributes.len() == 2),
        "with their attributes"
    );
    kit.delete(queue, &received).await;
    kit.empty(queue).await;
    kit.empty(dlq).await;
}

async fn change_visibilities(kit: &Kit<'_>) {
    let queue = kit.fixture.queue;
    for name in ["hidden-1", "hidden-2"] {
        kit.send(queue, name).await;
    }
    let taken = kit.take(queue, 2).await;
    let mut receipts: Vec<String> = taken
        .iter()
        .map(|message| message.receipt.clone())
        .collect();
    kit.delete(queue, &taken[1..]).await;
    let shown = kit
        .queues
        .change_visibilities(queue, &receipts, Duration::ZERO)
        .await
        .expect("change_visibilities");
    assert!(
        shown.len() == 2 && shown[0],
        "one is shown again: {shown:?}"
    );
    assert!(
        !shown[1] || !kit.queues.transfer_is_atomic(),
        "one is gone: {shown:?}"
    );
    let again = kit.take_one(queue).await;
    assert_eq!(
        (&again.message_id, again.receive_count),
        (&taken[0].message_id, 2)
    );
    receipts.clear();
    assert_eq!(
        kit.queues
            .change_visibilities(queue, &receipts, LONG)
            .await
            .expect("nothing to do"),
        Vec::<bool>::new()
    );
    kit.delete(queue, &[again]).await;
    kit.empty(queue).await;
}

async fn browse(kit: &Kit<'_>) {
    let dlq = kit.fixture.dlq;
    assert!(
        kit.admin
            .browse(dlq, 5)
            .await
            .expect("browse")
            .messages
            .is_empty(),
        "an empty queue shows nothing"
    );
    let mut sent = BTreeSet::new();
    for i in 0..6 {
        sent.insert(kit.send(dlq, &format!("browse-{i}")).await);
    }
    let seen = kit.admin.browse(dlq, 100).await.expect("browse");
    let ids: BTreeSet<String> = seen
        .messages
        .iter()
        .map(|message| message.message_id.clone())
        .collect();
    assert!(
        ids.is_subset(&sent) && ids.len() == seen.messages.len(),
        "each message once: {seen:?}"
    );
    assert!(
        !seen.complete || ids == sent,
        "said to be all, and is not: {seen:?}"
    );
    assert!(!ids.is_empty(), "six messages and none was seen");
    assert!(
        seen.messages
            .iter()
            .all(|message| message.receipt.is_empty()),
        "looking gives no right to delete"
    );
    assert_eq!(seen.messages[0].attributes.len(), 2, "attributes are shown");
    let limited = kit.admin.browse(dlq, 2).await.expect("browse");
    assert!(
        limited.messages.len() <= 2 && !limited.complete,
        "two of six are not all: {limited:?}"
    );

    let looked = seen.receives_spent + limited.receives_spent;
    let taken = kit.take(dlq, 6).await;
    let counts: u64 = taken
        .iter()
        .map(|message| u64::from(message.receive_count) - 1)
        .sum();
    assert_eq!(counts, looked, "receives spent on looking are what it says");
    kit.delete(dlq, &taken).await;
    kit.empty(dlq).await;
}
