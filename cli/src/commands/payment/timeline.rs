//! `payops payment timeline`: what happened to a payment, in order.

use jiff::Timestamp;
use payops_core::domain::event::Event;
use serde::Serialize;
use serde_json::Value;

use super::get::{GetArgs, found_somewhere};
use crate::commands::{no_payment, payment_id};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Cell, Column, Document, Look, Table, Tone, json_text};
use payops_core::domain::privacy::Privacy;

/// A payment's timeline: `{"id":…,"events":[{"seq":…,"at":…,"kind":…,"version":…,"detail":{…}}]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Timeline {
    pub(crate) id: String,
    /// Its events, in order of `seq`.
    pub(crate) events: Vec<EventView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct EventView {
    /// Its number, from 1.
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) kind: &'static str,
    pub(crate) version: u64,
    pub(crate) detail: Value,
}

impl EventView {
    /// The view of `event`.
    pub(crate) fn new(event: &Event, privacy: Privacy) -> Self {
        Self {
            seq: event.seq,
            at: event.at,
            kind: event.kind.as_str(),
            version: event.version,
            detail: privacy.json(&event.detail),
        }
    }
}

impl Document for Timeline {
    const ROWS: Option<&'static str> = Some("events");
    const FIELDS: &'static [&'static str] = &["seq", "at", "kind", "version", "detail"];

    fn human(&self, look: &Look) -> String {
        events_table(&self.events, look)
    }
}

pub(crate) fn events_table(events: &[EventView], look: &Look) -> String {
    let columns = [
        Column::number("SEQ"),
        Column::number("AGE"),
        Column::text("AT").wide(),
        Column::text("KIND"),
        Column::text("DETAIL"),
    ];
    let mut table = Table::new(columns);
    for event in events {
        let tone = match event.kind {
            "completed" | "refund_succeeded" => Tone::Good,
            "failed" | "dead_lettered" | "review" | "refund_failed" => Tone::Bad,
            "attempt_failed" | "attempt_unknown" => Tone::Warn,
            _ => Tone::Plain,
        };
        let detail = Cell::from(detail_text(&event.detail));
        table.row([
            Cell::from(event.seq.to_string()),
            Cell::from(look.ago(event.at)),
            Cell::from(event.at.to_string()),
            Cell::toned(event.kind, tone),
            detail,
        ]);
    }
    table.render(look)
}

/// `code=card_declined message="…"`: the members that have a value.
fn detail_text(detail: &Value) -> String {
    let Some(members) = detail.as_object() else {
        return json_text(detail, false);
    };
    let member = |(name, value): (&String, &Value)| match value {
        Value::Null => None,
        Value::String(text) if !text.contains([' ', '"', '=']) => Some(format!("{name}={text}")),
        other => Some(format!("{name}={}", json_text(other, false))),
    };
    members
        .iter()
        .filter_map(member)
        .collect::<Vec<_>>()
        .join(" ")
}

pub(crate) async fn run(context: &Context, args: &GetArgs) -> CliResult<Exit> {
    let id = payment_id(&args.id)?;
    let fan = context.each_env(|target, ports| {
        let id = id.clone();
        async move {
            let events = ports
                .store
                .events(&id)
                .await
                .map_err(|error| CliError::port("the timeline could not be read", error))?;
            // A payment without events is broken, but it is there.
            if events.is_empty() && ports.store.get(&id).await?.is_none() {
                return Err(no_payment(context, &target, &id).await);
            }
            let events = events
                .iter()
                .map(|event| EventView::new(event, context.privacy))
                .collect();
            Ok(Timeline {
                id: id.to_string(),
                events,
            })
        }
    });
    let fan = fan.await?;
    let exit = found_somewhere(context, &fan);
    if !fan.answers.is_empty() {
        context.printer.documents(&fan.answers, fan.many)?;
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use payops_core::domain::event::EventKind;
    use serde_json::json;

    fn timeline() -> Timeline {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let event = |seq, at, kind, detail| {
            EventView::new(
                &Event {
                    seq,
                    at,
                    kind,
                    version: seq,
                    detail,
                },
                Privacy { reveal: false },
            )
        };
        let events = vec![
            event(
                1,
                at("2026-11-22T12:00:00Z"),
                EventKind::Accepted,
                json!({"amount": 1250, "currency": "EUR", "reference": null}),
            ),
            event(
                2,
                at("2026-11-22T12:09:58Z"),
                EventKind::AttemptFailed,
                json!({"code": "provider_timeout", "message": "mail anna@example.com \u{1b}[2J"}),
            ),
        ];
        Timeline {
            id: "pay_1".to_owned(),
            events,
        }
    }

    #[test]
    fn a_timeline_is_short_for_people_and_whole_for_programs() {
        insta::assert_snapshot!(timeline().human(&Look::plain()));
        insta::assert_json_snapshot!(timeline());
    }
}
