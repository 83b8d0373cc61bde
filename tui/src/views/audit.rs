//! Who did what, when and why.

use payops_core::domain::audit::AuditEntry;
use payops_core::domain::display::{age_since, count};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::environment::ready_env;
use super::view::{Freshness, View};
use crate::model::Model;
use crate::redact::redact;
use crate::signs::outcome_sign;
use crate::theme::Tone;
use crate::widgets::pane;
use crate::widgets::table::{self, Column};

const COLUMNS: &[Column] = &[
    Column::number("AGE", 4),
    Column::text("TIME (UTC)", 19).rank(4),
    Column::text("WHO", 8),
    Column::text("ENV", 7).rank(3),
    Column::text("ACTION", 17),
    Column::text("SUBJECT", 14).flex(2),
    Column::text("REASON", 12).flex(2).rank(1),
];

fn below_damage(model: &Model, area: Rect) -> Rect {
    let taken = u16::from(model.audit.damaged_lines() > 0).min(area.height);
    Rect {
        y: area.y + taken,
        height: area.height - taken,
        ..area
    }
}

pub(super) struct AuditView;

impl View for AuditView {
    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        vec![("audit", Freshness::from(model.audit.record.state()))]
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        let area = below_damage(model, pane::value_area(body, &model.audit.record.state()));
        Some((table::rows_area(area), model.audit.matching.len()))
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        if ready_env(model, frame, body).is_none() {
            return;
        }
        let Some(((entries, damaged), area)) = pane::draw_unless_ready(
            model,
            frame,
            body,
            "audit record",
            model.audit.record.state(),
        ) else {
            return;
        };
        if *damaged > 0 {
            let lines = count(usize::try_from(*damaged).unwrap_or(usize::MAX), "line");
            let line = Line::styled(
                format!(" ⚠ {lines} of the audit record cannot be read"),
                model.theme.style(Tone::Bad),
            );
            frame.render_widget(line, Rect { height: 1, ..area });
        }
        let area = below_damage(model, area);
        if model.audit.matching.is_empty() {
            let (good, why) = if entries.is_empty() {
                (
                    true,
                    "no entries yet: every cancel, refund, replay and rollout action is recorded",
                )
            } else {
                (false, "no match; Esc clears the filter")
            };
            pane::draw_empty(model, frame, area, good, why);
            return;
        }
        let list = (&model.audit.cursor, model.audit.matching.len());
        table::draw(model, frame, area, COLUMNS, list, |row| {
            let entry = model.audit.entry(row);
            entry.map(|entry| cells(model, entry)).unwrap_or_default()
        });
    }
}

fn cells(model: &Model, entry: &AuditEntry) -> Vec<Line<'static>> {
    let outcome = entry.outcome.map(outcome_sign);
    let at = entry.at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    vec![
        Line::raw(age_since(entry.at, model.now)),
        Line::styled(at, model.theme.style(Tone::Dim)),
        Line::raw(redact(&entry.who)),
        Line::raw(redact(&entry.env).to_uppercase()),
        Line::from(vec![
            Span::styled(
                outcome.map_or_else(|| "  ".to_owned(), |(glyph, _)| format!("{glyph} ")),
                model
                    .theme
                    .style(outcome.map_or(Tone::Plain, |(_, tone)| tone)),
            ),
            Span::styled(redact(&entry.action), model.theme.style(Tone::Strong)),
        ]),
        Line::raw(redact(entry.subject.as_deref().unwrap_or_default())),
        Line::raw(redact(entry.reason.as_deref().unwrap_or_default())),
    ]
}
