//! Text from outside, made fit for the screen: personal data masked, control characters escaped.

use payops_core::Timestamp;
use payops_core::domain::display::age_since;
use payops_core::domain::event::Event;
use payops_core::domain::mask::terminal;
use payops_core::domain::privacy::Privacy;
use serde_json::Value;

const PRETTY_LINES_MAX: usize = 200;
/// More than any screen shows in one line.
const COMPACT_MAX: usize = 2_000;

pub(crate) fn redact(text: &str) -> String {
    terminal(&Privacy::default().text(text))
}

/// A value, masked already, in lines.
pub(crate) fn pretty_json(value: &Value) -> Vec<String> {
    let text = match value {
        Value::Null => return Vec::new(),
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    };
    text.lines().take(PRETTY_LINES_MAX).map(terminal).collect()
}

/// A value, masked already, in one line.
pub(crate) fn compact_json(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    terminal(&text.chars().take(COMPACT_MAX).collect::<String>())
}

/// An event in two words: `dead_lettered 2m`.
pub(crate) fn event_summary(event: &Event, now: Timestamp) -> String {
    format!("{} {}", event.kind.as_str(), age_since(event.at, now))
}

/// An event in one line: ` 12s  completed      charge_id=…`.
pub(crate) fn event_line(event: &Event, now: Timestamp) -> String {
    format!(
        "{:>4}  {:<14} {}",
        age_since(event.at, now),
        event.kind.as_str(),
        event_detail(event)
    )
}

/// The details of an event, masked: `code=card_declined amount=1250`.
pub(crate) fn event_detail(event: &Event) -> String {
    let masked = Privacy::default().json(&event.detail);
    let Some(members) = masked.as_object() else {
        return String::new();
    };
    let member = |(name, value): (&String, &Value)| match value {
        Value::Null => None,
        Value::String(text) => Some(format!("{name}={text}")),
        other => Some(format!("{name}={other}")),
    };
    terminal(
        &members
            .iter()
            .filter_map(member)
            .collect::<Vec<_>>()
            .join(" "),
    )
}
