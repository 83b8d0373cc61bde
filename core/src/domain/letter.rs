//! Dead letters: which payment one is about, why it died, what is in it, and which died of the
//! same cause.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::bus::{ARCHIVE_SOURCE, Envelope};
use super::event::{Event, EventKind};
use super::id::PaymentId;
use super::privacy::Privacy;
use super::work::parse;
use crate::Timestamp;

/// What is said when nobody wrote down why a message died.
pub const NO_REASON: &str = "no reason recorded";
/// The class of a letter about which nothing is known.
pub const UNKNOWN: &str = "unknown";
/// How much of a fingerprint is kept, in characters.
const FINGERPRINT_MAX: usize = 160;

/// The payment that a message is about: what it says, or else an id that stands in it somewhere.
#[must_use]
pub fn payment_of(body: &str) -> Option<PaymentId> {
    if let Ok(job) = parse(body) {
        return Some(job.payment().clone());
    }
    body.match_indices(PaymentId::PREFIX).find_map(|(start, _)| body.get(start..start.saturating_add(30))?.parse().ok())
}

/// Class and words of the last failure that a timeline tells of.
#[must_use]
pub fn last_failure(events: &[Event]) -> Option<(Option<String>, String)> {
    use EventKind::{AttemptFailed, AttemptUnknown, DeadLettered, Failed, RefundFailed, Review};
    let failure = |event: &&Event| matches!(event.kind, AttemptFailed | AttemptUnknown | DeadLettered | Failed | RefundFailed | Review);
    let detail = &events.iter().rev().find(failure)?.detail;
    let text = |name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
    let class = text("class").or_else(|| text("code"));
    let reason = text("reason").or_else(|| text("message")).or_else(|| class.clone())?;
    Some((class, reason))
}

/// A reason without what differs from message to message: every word that holds a digit becomes
/// `#`, so that ids, counts, amounts and times do not keep like apart from like.
#[must_use]
pub fn fingerprint(reason: &str) -> String {
    let word = |word: &str| if word.bytes().any(|byte| byte.is_ascii_digit()) { "#".to_owned() } else { word.to_owned() };
    let whole = reason.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    whole.chars().take(FINGERPRINT_MAX).collect()
}

/// Letters that died of one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Class of the reason, a stable word.
    pub class: String,
    /// The reason, without what differs from letter to letter.
    pub fingerprint: String,
    /// How many.
    pub count: u64,
    /// When the first of them was first sent.
    pub first_seen: Timestamp,
    /// When the last of them was first sent.
    pub last_seen: Timestamp,
}

/// Groups letters, given as class, reason and when each was first sent; most first.
#[must_use]
pub fn causes<'a>(letters: impl Iterator<Item = (&'a str, &'a str, Timestamp)>) -> Vec<Cause> {
    let mut groups: BTreeMap<(String, String), (u64, Timestamp, Timestamp)> = BTreeMap::new();
    for (class, reason, at) in letters {
        let group = groups.entry((class.to_owned(), fingerprint(reason))).or_insert((0, at, at));
        *group = (group.0.saturating_add(1), group.1.min(at), group.2.max(at));
    }
    let cause = |((class, fingerprint), (count, first_seen, last_seen))| Cause { class, fingerprint, count, first_seen, last_seen };
    let mut causes: Vec<Cause> = groups.into_iter().map(cause).collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    causes
}

/// How many letters died of each class, most first: `schema_error(58) provider_timeout(3)`.
#[must_use]
pub fn classes<'a>(classes: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for class in classes {
        let count = counts.entry(class).or_default();
        *count = count.saturating_add(1);
    }
    let mut counts: Vec<(&str, u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(class, count)| (std::cmp::Reverse(*count), *class));
    counts.iter().map(|(class, count)| format!("{class}({count})")).collect::<Vec<_>>().join(" ")
}

/// One layer of a message, masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// `envelope`, `detail`, `archived request`; `json` or `text` for a body of no known shape.
    #[serde(rename = "layer")]
    pub name: &'static str,
    /// What it holds; `null` when it could not be read.
    pub content: Value,
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
}

impl Layer {
    fn of(name: &'static str, content: Value) -> Self {
        Self { name, content, problem: None }
    }
}

/// The layers of a body: the event envelope and its detail, or what it is instead.
#[must_use]
pub fn body_layers(body: &str, privacy: Privacy) -> Vec<Layer> {
    let Ok(value) = serde_json::from_str::<Value>(body) else {
        let problem = Some("not JSON".to_owned());
        return vec![Layer { name: "text", content: Value::String(privacy.text(body)), problem }];
    };
    let Ok(envelope) = serde_json::from_value::<Envelope>(value.clone()) else {
        let problem = Some("not an event envelope".to_owned());
        return vec![Layer { name: "json", content: privacy.json(&value), problem }];
    };
    let head = json!({
        "id": privacy.text(&envelope.id), "source": privacy.text(&envelope.source),
        "detail-type": privacy.text(&envelope.detail_type), "time": envelope.time,
    });
    let mut detail = privacy.json(&envelope.detail);
    if envelope.source == ARCHIVE_SOURCE {
        // A bucket's name is no person's.
        let bucket = envelope.detail.pointer("/bucket/name").and_then(Value::as_str).map(|name| privacy.text(name));
        if let (Some(shown), Some(bucket)) = (detail.pointer_mut("/bucket/name"), bucket) {
            *shown = Value::String(bucket);
        }
    }
    vec![Layer::of("envelope", head), Layer::of("detail", detail)]
}

/// The layer of an archived request; `None` when there is no object `key`.
#[must_use]
pub fn archived_layer(key: &str, bytes: Option<&[u8]>, privacy: Privacy) -> Layer {
    const NAME: &str = "archived request";
    let Some(bytes) = bytes else {
        return Layer { name: NAME, content: Value::Null, problem: Some(format!("there is no object {key}")) };
    };
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        return Layer::of(NAME, privacy.json(&value));
    }
    let content = Value::String(privacy.text(&String::from_utf8_lossy(bytes)));
    Layer { name: NAME, content, problem: Some("not JSON".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, detail: Value) -> Event {
        Event { seq: 1, at: Timestamp::UNIX_EPOCH, kind, version: 1, detail }
    }

    #[test]
    fn the_last_failure_is_the_reason() {
        let events = [
            event(EventKind::AttemptFailed, json!({"code": "provider_timeout", "message": "no answer"})),
            event(EventKind::DeadLettered, json!({"class": "schema_error", "reason": "amount: expected integer"})),
            event(EventKind::Indexed, json!({})),
        ];
        assert_eq!(last_failure(&events), Some((Some("schema_error".into()), "amount: expected integer".into())));
        assert_eq!(last_failure(&events[..1]), Some((Some("provider_timeout".into()), "no answer".into())));
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
    fn like_reasons_are_one_cause() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let letters = [
            ("timeout", "no answer to pay_01 after 30 s", at(5)),
            ("timeout", "no answer to pay_02 after 31 s", at(3)),
            ("schema_error", "amount: expected integer", at(9)),
        ];
        let causes = causes(letters.into_iter());
        let told: Vec<_> = causes.iter().map(|cause| (cause.class.as_str(), cause.fingerprint.as_str(), cause.count)).collect();
        assert_eq!(told, [("timeout", "no answer to # after # s", 2), ("schema_error", "amount: expected integer", 1)]);
        assert_eq!((causes[0].first_seen, causes[0].last_seen), (at(3), at(5)));
    }

    #[test]
    fn an_absent_object_is_said_to_be_absent() {
        let layer = archived_layer("payments/pay_1.json", None, Privacy::default());
        assert_eq!(layer.problem.as_deref(), Some("there is no object payments/pay_1.json"));
    }
}
