//! What every archive does.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use payops_core::domain::id::PaymentId;
use payops_core::domain::sha256_hex;
use payops_core::domain::work_item::{WorkItem, archive_key, parse};
use payops_core::port::{Archive, PutOutcome, Queues};

use super::{LAG, number};
use crate::{eventually, sample};

/// Checks an archive; with `events`, also that its "Object Created" events reach that queue,
/// which must be empty.
pub async fn suite(archive: &dyn Archive, salt: u64, events: Option<(&dyn Queues, &str)>) {
    let mut created = once(archive, number(salt, 1)).await;
    created.push(together(archive, number(salt, 2)).await);
    created.extend(list(archive, number(salt, 3)).await);
    if let Some((queues, queue)) = events {
        announced(queues, queue, &created).await;
    }
}

async fn once(archive: &dyn Archive, n: u64) -> Vec<PaymentId> {
    let id = sample::payment_id(n);
    let key = archive_key(&id);
    let bytes = "{\"note\": \"ünï 🦀\"}\r\n\0".as_bytes();
    assert_eq!(
        archive.get(&key).await.expect("get"),
        None,
        "nothing before it is put"
    );
    assert_eq!(
        archive
            .put_if_absent(&key, bytes)
            .await
            .expect("put_if_absent"),
        PutOutcome::Created
    );
    assert_eq!(
        archive.get(&key).await.expect("get").as_deref(),
        Some(bytes),
        "the bytes as they were put"
    );

    let standing = PutOutcome::Exists {
        sha256: sha256_hex(bytes),
    };
    assert_eq!(
        archive
            .put_if_absent(&key, bytes)
            .await
            .expect("put_if_absent"),
        standing,
        "the same again is not written"
    );
    assert_eq!(
        archive
            .put_if_absent(&key, b"other")
            .await
            .expect("put_if_absent"),
        standing,
        "something else is not written over it"
    );
    assert_eq!(
        archive.get(&key).await.expect("get").as_deref(),
        Some(bytes)
    );

    let empty = sample::payment_id(n + 1);
    assert_eq!(
        archive
            .put_if_absent(&archive_key(&empty), b"")
            .await
            .expect("put_if_absent"),
        PutOutcome::Created
    );
    assert_eq!(
        archive.get(&archive_key(&empty)).await.expect("get"),
        Some(Vec::new()),
        "an empty object is an object"
    );

    let large = sample::payment_id(n + 2);
    let bytes: Vec<u8> = (0..200_000_u32)
        .map(|i| u8::try_from(i % 251).expect("small"))
        .collect();
    assert_eq!(
        archive
            .put_if_absent(&archive_key(&large), &bytes)
            .await
            .expect("put_if_absent"),
        PutOutcome::Created
    );
    assert!(
        archive.get(&archive_key(&large)).await.expect("get") == Some(bytes),
        "large objects are whole"
    );
    vec![id, empty, large]
}

async fn together(archive: &dyn Archive, n: u64) -> PaymentId {
    let id = sample::payment_id(n);
    let key = archive_key(&id);
    let bodies: Vec<String> = (0..16).map(|i| format!("{{\"writer\": {i}}}")).collect();
    let outcomes = join_all(
        bodies
            .iter()
            .map(|body| archive.put_if_absent(&key, body.as_bytes())),
    )
    .await;
    let outcomes: Vec<PutOutcome> = outcomes
        .into_iter()
        .map(|outcome| outcome.expect("put_if_absent"))
        .collect();
    let winners: Vec<usize> = (0..16)
        .filter(|i| outcomes[*i] == PutOutcome::Created)
        .collect();
    assert_eq!(
        winners.len(),
        1,
        "of many at once, one creates: {outcomes:?}"
    );
    let won = bodies[winners[0]].as_bytes();
    for outcome in outcomes
        .iter()
        .filter(|outcome| **outcome != PutOutcome::Created)
    {
        assert_eq!(
            outcome,
            &PutOutcome::Exists {
                sha256: sha256_hex(won)
            }
        );
    }
    assert_eq!(archive.get(&key).await.expect("get").as_deref(), Some(won));
    id
}

async fn list(archive: &dyn Archive, n: u64) -> Vec<PaymentId> {
    let ids: Vec<PaymentId> = (0..25).map(|i| sample::payment_id(n + i)).collect();
    // Written last to first: the order of the list is that of the keys.
    for (i, id) in ids.iter().enumerate().rev() {
        archive
            .put_if_absent(&archive_key(id), &vec![b'x'; i])
            .await
            .expect("put_if_absent");
    }
    let check = || async {
        let mut found: Vec<(String, u64)> = Vec::new();
        let mut from = None;
        loop {
            let page = archive.list(from.as_deref(), 6).await.expect("list");
            assert!(page.objects.len() <= 6, "a page is longer than asked for");
            found.extend(page.objects.into_iter().map(|head| (head.key, head.bytes)));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert!(
            found.is_sorted_by(|a, b| a.0 < b.0),
            "keys come in order, each once"
        );
        let sizes: BTreeMap<String, u64> = found.into_iter().collect();
        let fine = (0..)
            .zip(&ids)
            .all(|(i, id)| sizes.get(&archive_key(id)) == Some(&i));
        fine.then_some(())
    };
    eventually(LAG, "every object is listed with its size", check).await;
    ids
}

async fn announced(queues: &dyn Queues, queue: &str, created: &[PaymentId]) {
    let mut seen: BTreeMap<PaymentId, u32> = BTreeMap::new();
    let mut quiet = 0;
    // A second of silence after the last expected one would show doubles and strangers.
    while quiet < 2 || (seen.len() < created.len() && quiet < 15) {
        let received = queues
            .receive(queue, 10, Duration::from_mins(5), Duration::from_secs(1))
            .await
            .expect("receive");
        quiet = if received.is_empty() { quiet + 1 } else { 0 };
        for message in &received {
            let job = parse(&message.body).expect("one of our jobs");
            let WorkItem::Process(id) = job else {
                panic!("not the archive's event: {job:?}")
            };
            *seen.entry(id).or_default() += 1;
        }
        let receipts: Vec<String> = received
            .into_iter()
            .map(|message| message.receipt)
            .collect();
        if !receipts.is_empty() {
            queues.delete(queue, &receipts).await.expect("delete");
        }
    }
    let expected: BTreeMap<PaymentId, u32> = created.iter().map(|id| (id.clone(), 1)).collect();
    assert_eq!(
        seen, expected,
        "one event for each object created, and none for one that stood there"
    );
}
