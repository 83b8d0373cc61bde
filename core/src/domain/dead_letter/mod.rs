//! Dead letters: which payment one is about, why it died, what is in it, and which died of the
//! same cause.

use std::collections::BTreeMap;

use serde_json::Value;

use super::event::{Event, EventKind};
use super::id::PaymentId;
use super::work_item::{attribute, parse};

mod cause;
mod decode;
mod fingerprint;
mod headline;
mod layers;
mod words;

pub use cause::{Cause, Sighting, cause_id, causes};
pub use decode::{LAYERS_MAX, UNPACKED_MAX, payload};
pub use fingerprint::fingerprint;
pub use headline::exception;
pub use layers::{Layer, SHOWN_MAX, archived_layer, body_layers};

/// What is said when nobody wrote down why a message died.
pub const NO_REASON: &str = "no reason recorded";
/// The class of a dead letter about which nothing is known.
pub const UNKNOWN: &str = "unknown";

/// The revision of the consumer that gave up on a message, if it wrote it down.
#[must_use]
pub fn consumer_of(attributes: &BTreeMap<String, String>) -> Option<&str> {
    attributes
        .get(attribute::CONSUMER)
        .map(String::as_str)
        .filter(|revision| !revision.is_empty())
}

/// The payment that a message is about: what it says, or else an id that stands in it somewhere.
#[must_use]
pub fn payment_of(body: &str) -> Option<PaymentId> {
    if let Ok(item) = parse(body) {
        return Some(item.payment().clone());
    }
    body.match_indices(PaymentId::PREFIX)
        .find_map(|(start, _)| body.get(start..start.saturating_add(30))?.parse().ok())
}

/// Class and words of the last failure that a timeline tells of.
#[must_use]
pub fn last_failure(events: &[Event]) -> Option<(Option<String>, String)> {
    use EventKind::{AttemptFailed, AttemptUnknown, DeadLettered, Failed, RefundFailed, Review};
    let failure = |event: &&Event| {
        matches!(
            event.kind,
            AttemptFailed | AttemptUnknown | DeadLettered | Failed | RefundFailed | Review
        )
    };
    let detail = &events.iter().rev().find(failure)?.detail;
    let text = |name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
    let class = text("class").or_else(|| text("code"));
    let reason = text("reason")
        .or_else(|| text("message"))
        .or_else(|| class.clone())?;
    Some((class, reason))
}

/// How many dead letters died of each class, most first: `schema_error(58) provider_timeout(3)`.
#[must_use]
pub fn classes<'a>(classes: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for class in classes {
        let count = counts.entry(class).or_default();
        *count = count.saturating_add(1);
    }
    let mut counts: Vec<(&str, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(class, count)| (std::cmp::Reverse(*count), *class));
    counts
        .iter()
        .map(|(class, count)| format!("{class}({count})"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::domain::privacy::Privacy;
    use serde_json::json;

    fn event(kind: EventKind, detail: Value) -> Event {
        Event {
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            kind,
            version: 1,
            detail,
        }
    }

    #[test]
    fn the_last_failure_is_the_reason() {
        let events = [
            event(
                EventKind::AttemptFailed,
                json!({"code": "provider_timeout", "message": "no answer"}),
            ),
            event(
                EventKind::DeadLettered,
                json!({"class": "schema_error", "reason": "amount: expected integer"}),
            ),
            event(EventKind::Indexed, json!({})),
        ];
        assert_eq!(
            last_failure(&events),
            Some((
                Some("schema_error".into()),
                "amount: expected integer".into()
            ))
        );
        assert_eq!(
            last_failure(&events[..1]),
            Some((Some("provider_timeout".into()), "no answer".into()))
        );
        assert_eq!(last_failure(&events[2..]), None);
    }

    #[test]
    fn a_payment_is_found_in_any_body() {
        let id = PaymentId::from_parts(1_763_800_000_000, 7);
        assert_eq!(payment_of(&format!("{{\"broken\": \"{id}\"")), Some(id));
        assert_eq!(payment_of("pay_ and pay_x\u{1f980}"), None);
    }

    #[test]
    fn classes_are_counted_most_first() {
        assert_eq!(classes(["b", "a", "b", "c"].into_iter()), "b(2) a(1) c(1)");
    }

    #[test]
    fn the_consumer_is_read_when_it_is_written_down() {
        let of = |value: &str| {
            consumer_of(&BTreeMap::from([(
                attribute::CONSUMER.to_owned(),
                value.to_owned(),
            )]))
            .map(str::to_owned)
        };
        assert_eq!(
            (of("worker 1.9.0"), of("")),
            (Some("worker 1.9.0".to_owned()), None)
        );
    }

    #[test]
    fn an_absent_object_is_said_to_be_absent() {
        let layer = archived_layer("payments/pay_1.json", None, Privacy::default());
        assert_eq!(
            layer.problem.as_deref(),
            Some("object payments/pay_1.json not found")
        );
    }
}
