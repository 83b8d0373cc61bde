//! One payment: what it is now, and what happened to it.

mod head;

use payops_core::domain::display::age_since;
use payops_core::domain::event::{Event, EventKind};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::environment::ready_env;
use super::view::{Freshness, View};
use crate::model::{Model, PaymentDetails};
use crate::redact::event_detail;
use crate::theme::Tone;
use crate::widgets::pane;
use crate::widgets::table::{self, Column, draw_lines};

const COLUMNS: &[Column] = &[
    Column::number("SEQ", 3),
    Column::number("AGE", 4),
    Column::text("TIME (UTC)", 19).rank(2),
    Column::text("KIND", 16),
    Column::text("DETAIL", 20).flex(1),
];

pub(super) struct PaymentView;

impl View for PaymentView {
    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        vec![("payment", Freshness::from(model.payment.details.state()))]
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        let area = pane::value_area(body, &model.payment.details.state());
        let head = model.payment.payment_details().map_or(0, |details| {
            head::lines(&details.payment, model.now, area.width).len()
        });
        Some((
            table::rows_area(below(area, head)),
            model
                .payment
                .payment_details()
                .map_or(0, |details| details.events.len()),
        ))
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        let Some(env) = ready_env(model, frame, body) else {
            return;
        };
        let Some((found, area)) =
            pane::draw_unless_ready(model, frame, body, "payment", model.payment.details.state())
        else {
            return;
        };
        let Some(PaymentDetails { payment, events }) = found else {
            let why = format!(
                "payment not found in {}; e switches the environment, Esc goes back",
                env.info.name.to_uppercase()
            );
            pane::draw_empty(model, frame, area, false, &why);
            return;
        };
        let lines = head::lines(payment, model.now, area.width);
        draw_lines(model, frame, area, &lines, 0);
        let area = below(area, lines.len());
        if events.is_empty() {
            pane::draw_empty(
                model,
                frame,
                area,
                false,
                "no events: data is missing, :reconcile shows what",
            );
            return;
        }
        table::draw(
            model,
            frame,
            area,
            COLUMNS,
            (&model.payment.cursor, events.len()),
            |row| {
                events
                    .get(row)
                    .map(|event| cells(model, event))
                    .unwrap_or_default()
            },
        );
    }
}

fn below(area: Rect, lines: usize) -> Rect {
    // One empty line between its state and its events.
    let taken = u16::try_from(lines)
        .unwrap_or(u16::MAX)
        .saturating_add(u16::from(lines > 0))
        .min(area.height);
    Rect {
        y: area.y + taken,
        height: area.height - taken,
        ..area
    }
}

fn cells(model: &Model, event: &Event) -> Vec<Line<'static>> {
    let tone = match event.kind {
        EventKind::Completed | EventKind::RefundSucceeded => Tone::Good,
        EventKind::Failed
        | EventKind::DeadLettered
        | EventKind::Review
        | EventKind::RefundFailed
        | EventKind::MailUnconfirmed => Tone::Bad,
        EventKind::AttemptFailed | EventKind::AttemptUnknown | EventKind::MailRefused => Tone::Warn,
        _ => Tone::Plain,
    };
    let at = event.at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    vec![
        Line::styled(event.seq.to_string(), model.theme.style(Tone::Dim)),
        Line::raw(age_since(event.at, model.now)),
        Line::styled(at, model.theme.style(Tone::Dim)),
        Line::styled(event.kind.as_str(), model.theme.style(tone)),
        Line::raw(event_detail(event)),
    ]
}
