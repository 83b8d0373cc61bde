//! EventBridge: puts that fail in part.

use std::sync::Arc;

use payops_aws::EventBridgeBus;
use payops_core::domain::audit::{AuditEntry, ShippedLine, chain};
use payops_core::domain::bus::{BusEvent, SOURCE};
use payops_core::port::{AuditPlace as _, Bus as _, ErrorKind};
use payops_core::usecase::OverBus;
use payops_testkit::ManualClock;
use serde_json::json;

use crate::support::{Reply, Service};

fn event(source: &str) -> BusEvent {
    BusEvent {
        source: source.to_owned(),
        detail_type: "PaymentCompleted".to_owned(),
        detail: json!({"payment_id": "x"}),
        at: ManualClock::start(),
    }
}

#[tokio::test]
async fn each_event_has_its_own_result() {
    let answer = || {
        Reply::json(&json!({"FailedEntryCount": 4, "Entries": [
            {"EventId": "e1"}, {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow"}, {"ErrorCode": "InternalFailure"},
            {"ErrorCode": "MalformedDetail"}, {"ErrorCode": "SomethingNew"},
        ]}))
    };
    let service = Service::new(move |_, _| answer());
    let bus = EventBridgeBus::new(service.clients().await.events, "payments");
    // The third is refused here, so the answers belong to the others.
    let events = [SOURCE, SOURCE, "aws.s3", SOURCE, SOURCE, SOURCE, SOURCE].map(event);
    let told: Vec<Option<ErrorKind>> = bus
        .put(&events)
        .await
        .expect("put")
        .into_iter()
        .map(|result| result.err().map(|error| error.kind))
        .collect();
    let expected = [
        None,
        Some(ErrorKind::Throttled),
        Some(ErrorKind::Denied),
        Some(ErrorKind::Unavailable),
        Some(ErrorKind::Permanent),
        Some(ErrorKind::Unavailable),
        Some(ErrorKind::Ambiguous),
    ];
    assert_eq!(told, expected);
    let asked = service.asked()[0].json();
    assert_eq!(asked["Entries"].as_array().map(Vec::len), Some(6));
    assert_eq!(
        (
            &asked["Entries"][0]["EventBusName"],
            &asked["Entries"][0]["Detail"]
        ),
        (&json!("payments"), &json!("{\"payment_id\":\"x\"}"))
    );
    assert_eq!(
        asked["Entries"][0]["Time"].as_f64(),
        Some(1_795_348_800.0),
        "the event's own time"
    );
}

#[tokio::test]
async fn eleven_events_are_too_many_and_none_is_no_call() {
    let service = Service::new(|_, _| Reply::Timeout);
    let bus = EventBridgeBus::new(service.clients().await.events, "payments");
    let error = bus
        .put(&vec![event(SOURCE); 11])
        .await
        .expect_err("eleven events");
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(bus.put(&[]).await.expect("nothing to put").is_empty());
    assert!(service.asked().is_empty());
    assert_eq!(
        bus.put(&[event(SOURCE)]).await.expect_err("no answer").kind,
        ErrorKind::Ambiguous
    );
}

fn record() -> Vec<ShippedLine> {
    let mut last = None;
    let line = |number| {
        let entry = AuditEntry::new(ManualClock::start(), "anna", "prod", "refund")
            .subject(format!("pay_{number}"));
        let (line, head) = chain(&entry, last.as_ref()).expect("a line");
        let after = last.replace(head.clone());
        ShippedLine {
            chain: "c".to_owned(),
            after,
            head,
            entry,
            line,
        }
    };
    (1..=12).map(line).collect()
}

fn numbers(put: &serde_json::Value) -> Vec<u64> {
    let seq = |entry: &serde_json::Value| -> Option<u64> {
        let detail: serde_json::Value = serde_json::from_str(entry["Detail"].as_str()?).ok()?;
        detail["entry"]["seq"].as_u64()
    };
    put["Entries"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(seq)
        .collect()
}

#[tokio::test]
async fn lines_of_the_record_that_failed_are_put_again_alone() {
    let service = Service::new(|before, asked| {
        let count = asked.json()["Entries"].as_array().map_or(0, Vec::len);
        let refused = |place: usize| {
            if before == 0 {
                place == 1 || place == 4
            } else {
                before == 1 && place == 1
            }
        };
        let entry = |place| {
            if refused(place) {
                json!({"ErrorCode": "ThrottlingException"})
            } else {
                json!({"EventId": "e"})
            }
        };
        Reply::json(
            &json!({"FailedEntryCount": 1, "Entries": (0..count).map(entry).collect::<Vec<_>>()}),
        )
    });
    let place = OverBus::new(Arc::new(EventBridgeBus::new(
        service.clients().await.events,
        "records",
    )));
    let taken = place.take(&record()).await;
    assert!(taken.count == 12 && taken.error.is_none(), "{taken:?}");
    let puts: Vec<Vec<u64>> = service
        .asked()
        .iter()
        .map(|asked| numbers(&asked.json()))
        .collect();
    assert_eq!(
        puts,
        [
            vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
            vec![2, 5],
            vec![5],
            vec![11, 12]
        ]
    );
}

#[tokio::test]
async fn lines_after_one_that_stays_refused_are_not_told_to_be_there() {
    let service = Service::new(|_, _| {
        let entry = |place| {
            if place == 3 {
                json!({"ErrorCode": "NotAuthorizedForSourceException"})
            } else {
                json!({"EventId": "e"})
            }
        };
        Reply::json(
            &json!({"FailedEntryCount": 1, "Entries": (0..10).map(entry).collect::<Vec<_>>()}),
        )
    });
    let place = OverBus::new(Arc::new(EventBridgeBus::new(
        service.clients().await.events,
        "records",
    )));
    let taken = place.take(&record()).await;
    assert_eq!(
        (taken.count, taken.error.map(|error| error.kind)),
        (3, Some(ErrorKind::Denied))
    );
    assert_eq!(
        service.asked().len(),
        1,
        "what is not allowed is not asked for again"
    );
}
