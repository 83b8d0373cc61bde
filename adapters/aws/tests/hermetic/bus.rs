//! EventBridge: puts that fail in part.

use payops_aws::EventBridgeBus;
use payops_core::domain::bus::{BusEvent, SOURCE};
use payops_core::port::{Bus as _, ErrorKind};
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
    let told: Vec<Option<ErrorKind>> =
        bus.put(&events).await.expect("put").into_iter().map(|result| result.err().map(|error| error.kind)).collect();
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
        (&asked["Entries"][0]["EventBusName"], &asked["Entries"][0]["Detail"]),
        (&json!("payments"), &json!("{\"payment_id\":\"x\"}"))
    );
    assert_eq!(asked["Entries"][0]["Time"].as_f64(), Some(1_795_348_800.0), "the event's own time");
}

#[tokio::test]
async fn eleven_events_are_too_many_and_none_is_no_call() {
    let service = Service::new(|_, _| Reply::Timeout);
    let bus = EventBridgeBus::new(service.clients().await.events, "payments");
    let error = bus.put(&vec![event(SOURCE); 11]).await.expect_err("eleven events");
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(bus.put(&[]).await.expect("nothing to put").is_empty());
    assert!(service.asked().is_empty());
    assert_eq!(bus.put(&[event(SOURCE)]).await.expect_err("no answer").kind, ErrorKind::Ambiguous);
}
