//! `payops payment timeline`: what happened to a payment, in order.

use jiff::Timestamp;
use payops_core::domain::event::Event;
use payops_core::domain::privacy::Privacy;
use payops_ops::error::OpsResult;
use payops_ops::payments;
use serde::Serialize;
use serde_json::Value;

use super::get::{PaymentGetArgs, exit_of_lookup};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, Document, Style, Table, Tone, json_text};

/// A payment's timeline: `{"id":…,"events":[{"seq":…,"at":…,"kind":…,"version":…,"detail":{…}}]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Timeline {
    pub(crate) id: String,
    pub(crate) events: Vec<EventView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct EventView {
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) kind: &'static str,
    pub(crate) version: u64,
    pub(crate) detail: Value,
}

impl EventView {
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

    fn human(&self, style: &Style) -> String {
        events_table(&self.events, style)
    }
}

pub(crate) fn events_table(events: &[EventView], style: &Style) -> String {
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
            Cell::from(style.ago(event.at)),
            Cell::from(event.at.to_string()),
            Cell::toned(event.kind, tone),
            detail,
        ]);
    }
    table.render(style)
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

pub(crate) async fn run(context: &Context, args: &PaymentGetArgs) -> OpsResult<Exit> {
    let id = payments::parse_payment_id(&args.id)?;
    let fan = context
        .ask_each(async |session| {
            let events = payments::timeline(&session, &id).await?;
            let view = |event| EventView::new(event, context.privacy);
            Ok(Timeline {
                id: id.to_string(),
                events: events.iter().map(view).collect(),
            })
        })
        .await?;
    let exit = exit_of_lookup(context, &fan);
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
        insta::assert_snapshot!(timeline().human(&Style::plain()));
        insta::assert_json_snapshot!(timeline());
    }
}
