//! What every bus does. The three source queues must be empty.

use std::collections::BTreeMap;
use std::time::Duration;

use payops_core::domain::bus::{BusEvent, Envelope, QUEUES, SOURCE, object_created, targets};
use payops_core::domain::work_item::archive_key;
use payops_core::port::{Bus, Queues};
use serde_json::json;

use super::number;
use crate::{ManualClock, sample};

/// Checks a bus whose rules lead to `queues`.
pub async fn suite(bus: &dyn Bus, queues: &dyn Queues, salt: u64) {
    let n = number(salt, 1);
    let kinds = [
        "PaymentAccepted",
        "PaymentCompleted",
        "PaymentFailed",
        "RefundRequested",
        "RefundSucceeded",
        "PaymentDead",
        "NobodysEvent",
    ];
    let mut events: Vec<BusEvent> = (0..)
        .zip(kinds)
        .map(|(i, kind)| event(SOURCE, kind, n + i))
        .collect();
    events.push(event("somebody.else", "PaymentCompleted", n + 50));
    assert!(bus.put(&[]).await.expect("nothing to put").is_empty());
    let results = bus.put(&events).await.expect("put");
    assert_eq!(results.len(), events.len(), "each event has its own result");
    for (event, result) in events.iter().zip(results) {
        result.unwrap_or_else(|error| panic!("{}: {}", event.detail_type, error.chain()));
    }
    for queue in QUEUES {
        let expected: Vec<&BusEvent> = events
            .iter()
            .filter(|event| targets(&event.source, &event.detail_type).contains(&queue))
            .collect();
        arrives(queues, queue, &expected).await;
    }

    // The archive's own event does not come from us where S3 makes it, but the rule is there.
    let id = sample::payment_id(n + 60);
    let archived = object_created("bucket", &archive_key(&id), 3, ManualClock::start());
    if bus
        .put(std::slice::from_ref(&archived))
        .await
        .is_ok_and(|results| results.iter().all(Result::is_ok))
    {
        arrives(queues, QUEUES[0], &[&archived]).await;
    }
}

fn event(source: &str, kind: &str, n: u64) -> BusEvent {
    let detail = json!({"payment_id": sample::payment_id(n), "version": 3, "refund_id": null,
        "note": "ünï 🦀"});
    BusEvent {
        source: source.to_owned(),
        detail_type: kind.to_owned(),
        detail,
        at: ManualClock::start(),
    }
}

async fn arrives(queues: &dyn Queues, queue: &str, expected: &[&BusEvent]) {
    let mut seen: BTreeMap<String, Envelope> = BTreeMap::new();
    let mut quiet = 0;
    while quiet < 1 || (seen.len() < expected.len() && quiet < 10) {
        let received = queues
            .receive(queue, 10, Duration::from_mins(5), Duration::from_secs(1))
            .await
            .expect("receive");
        quiet = if received.is_empty() { quiet + 1 } else { 0 };
        for message in received {
            let envelope: Envelope = serde_json::from_str(&message.body).expect("an envelope");
            assert!(!envelope.id.is_empty(), "an event has a name");
            // At least once: a double is fine, another event of the same kind is not.
            seen.insert(
                format!(
                    "{} {} {}",
                    envelope.source, envelope.detail_type, envelope.detail
                ),
                envelope,
            );
            queues
                .delete(queue, &[message.receipt])
                .await
                .expect("delete");
        }
    }
    assert_eq!(seen.len(), expected.len(), "in {queue}: {:?}", seen.keys());
    for event in expected {
        let found = seen.values().find(|envelope| {
            envelope.detail_type == event.detail_type && envelope.source == event.source
        });
        let found = found.unwrap_or_else(|| panic!("{} did not reach {queue}", event.detail_type));
        assert_eq!(found.detail, event.detail, "details come as they were put");
        assert_eq!(
            found.time.as_second(),
            event.at.as_second(),
            "the time is the event's"
        );
    }
}
