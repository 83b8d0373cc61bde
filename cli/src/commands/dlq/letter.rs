//! A dead letter as this tool understands it: which payment, why it died, since when.

use std::collections::BTreeMap;

use jiff::Timestamp;
use payops_core::domain::bus::{dead_letter_queue, source_queue};
use payops_core::domain::event::{Event, EventKind};
use payops_core::domain::id::PaymentId;
use payops_core::domain::work::{attribute, parse};
use payops_core::port::{Browsed, Ports, Received};
use serde_json::Value;

use crate::error::{CliError, CliResult};

/// What is said when nobody wrote down why a message died.
const NO_REASON: &str = "no reason recorded";

/// A dead letter.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    /// The dead-letter queue that it lies in.
    pub(super) queue: String,
    /// The message.
    pub(super) message: Received,
    /// The payment that it is about, if it says.
    pub(super) payment: Option<PaymentId>,
    /// Class of the reason.
    pub(super) class: String,
    /// Why it died.
    pub(super) reason: String,
    /// When it was first sent.
    pub(super) first_seen: Timestamp,
    /// How often it was received: by its consumer, if that wrote it down.
    pub(super) receive_count: u32,
}

/// What a look into dead-letter queues showed.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    /// The letters, queue by queue.
    pub(super) letters: Vec<Letter>,
    /// Whether these are surely all.
    pub(super) complete: bool,
    /// Receives spent on looking.
    pub(super) receives_spent: u64,
}

/// The dead-letter queues to look at: all, or the one that `queue` (or its source) names.
pub(super) async fn queues(ports: &Ports, queue: Option<&str>) -> CliResult<Vec<String>> {
    let names = ports.queues.names().await.map_err(|error| CliError::port("the queues did not answer", error))?;
    let dlqs: Vec<String> = names.into_iter().filter(|name| source_queue(name).is_some()).collect();
    let Some(queue) = queue else { return Ok(dlqs) };
    let wanted = dead_letter_queue(source_queue(queue).unwrap_or(queue));
    if dlqs.contains(&wanted) {
        return Ok(vec![wanted]);
    }
    Err(CliError::not_found(format!("{queue} is no queue with dead letters"))
        .hint(format!("queues with dead letters are {}", dlqs.join(", "))))
}

/// Looks into dead-letter queues, at most `limit` messages of each.
pub(super) async fn look(ports: &Ports, queues: &[String], limit: usize) -> CliResult<Look> {
    let mut out = Look { complete: true, ..Look::default() };
    for queue in queues {
        let browsed = ports.queues.browse(queue, limit).await;
        let Browsed { messages, complete, receives_spent } =
            browsed.map_err(|error| CliError::port(format!("{queue} could not be looked into"), error))?;
        out.complete &= complete;
        out.receives_spent = out.receives_spent.saturating_add(receives_spent);
        for message in messages {
            out.letters.push(letter(ports, queue, message).await?);
        }
    }
    Ok(out)
}

async fn letter(ports: &Ports, queue: &str, message: Received) -> CliResult<Letter> {
    let attribute = |name: &str| message.attributes.get(name).filter(|value| !value.is_empty()).cloned();
    let payment = payment_of(&message.body);
    let mut class = attribute(attribute::CLASS);
    let mut reason = attribute(attribute::REASON);
    if let (None, Some(id)) = (&reason, &payment) {
        // The queue service gave up on it and not our consumer: the timeline may know why.
        let events = ports.store.events(id).await.map_err(|error| CliError::port("a timeline could not be read", error))?;
        if let Some((told_class, told)) = last_failure(&events) {
            reason = Some(told);
            class = class.or(told_class);
        }
    }
    let first_seen = attribute(attribute::FIRST_SEEN).and_then(|at| at.parse().ok());
    Ok(Letter {
        queue: queue.to_owned(),
        class: class.unwrap_or_else(|| "unknown".to_owned()),
        reason: reason.unwrap_or_else(|| NO_REASON.to_owned()),
        first_seen: first_seen.unwrap_or(message.sent_at),
        receive_count: attribute(attribute::RECEIVES).and_then(|count| count.parse().ok()).unwrap_or(message.receive_count),
        payment,
        message,
    })
}

/// The payment that a message is about: what it says, or else an id that stands in it somewhere.
fn payment_of(body: &str) -> Option<PaymentId> {
    if let Ok(job) = parse(body) {
        return Some(job.payment().clone());
    }
    body.match_indices(PaymentId::PREFIX).find_map(|(start, _)| body.get(start..start.saturating_add(30))?.parse().ok())
}

/// Class and words of the last failure that a timeline tells of.
fn last_failure(events: &[Event]) -> Option<(Option<String>, String)> {
    use EventKind::{AttemptFailed, AttemptUnknown, DeadLettered, Failed, RefundFailed, Review};
    let failure = |event: &&Event| matches!(event.kind, AttemptFailed | AttemptUnknown | DeadLettered | Failed | RefundFailed | Review);
    let detail = &events.iter().rev().find(failure)?.detail;
    let text = |name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
    let class = text("class").or_else(|| text("code"));
    let reason = text("reason").or_else(|| text("message")).or_else(|| class.clone())?;
    Some((class, reason))
}

/// How many letters died of each class, most first: `schema_error(58) provider_timeout(3)`.
pub(super) fn causes<'a>(classes: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for class in classes {
        let count = counts.entry(class).or_default();
        *count = count.saturating_add(1);
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(class, count)| (std::cmp::Reverse(*count), *class));
    counts.iter().map(|(class, count)| format!("{class}({count})")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
    fn causes_are_counted_most_first() {
        assert_eq!(causes(["b", "a", "b", "c"].into_iter()), "b(2) a(1) c(1)");
    }
}
