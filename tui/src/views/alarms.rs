//! Alarms of all environments.

use payops_core::domain::alarm::Severity;
use payops_core::domain::display::{age_since, count};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::rollouts;
use super::view::{Freshness, View};
use crate::model::{AlarmRow, EnvState, Model};
use crate::redact::redact;
use crate::theme::Tone;
use crate::widgets::pane;
use crate::widgets::table::{self, Column};

const COLUMNS: &[Column] = &[
    Column::text("ENV", 7),
    Column::text("WHAT", 30).flex(2),
    Column::text("WHY", 26).flex(3).rank(1),
    Column::text("SEVERITY", 8).rank(2),
    Column::number("SINCE", 5),
];

pub(super) struct AlarmsView;

impl View for AlarmsView {
    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        let queues = model.envs.iter().filter_map(|env| env.queues.at()).min();
        let asked = |env: &EnvState| !(env.queues.is_answered() && env.queues.value().is_none());
        let missing = if model.envs.iter().any(asked) {
            Freshness::Loading
        } else {
            Freshness::Absent
        };
        let mut out = vec![("queues", queues.map_or(missing, Freshness::At))];
        out.extend(rollouts::freshness(model));
        out
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        Some((
            table::rows_area(above_pending(model, body)),
            model.alarms.matching.len(),
        ))
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        let state = &model.alarms;
        let waiting = model.pending_envs();
        if waiting > 0 && !state.rows.is_empty() {
            let line = Line::styled(
                format!(" ◌ {} still loading", count(waiting, "environment")),
                model.theme.style(Tone::Dim),
            );
            frame.render_widget(
                line,
                Rect {
                    y: body.bottom().saturating_sub(1),
                    height: 1.min(body.height),
                    ..body
                },
            );
        }
        if state.rows.is_empty() {
            if waiting == 0 {
                let why =
                    "no alarms: no dead letters, no old messages, no rollout waiting, no failures";
                pane::draw_empty(model, frame, body, true, why);
            } else {
                pane::draw_loading(model, frame, body, "alarms");
            }
            return;
        }
        let body = above_pending(model, body);
        if state.matching.is_empty() {
            let why = format!(
                "no match among {} alarms; Esc clears the filter",
                state.rows.len()
            );
            pane::draw_empty(model, frame, body, false, &why);
            return;
        }
        let list = (&state.cursor, state.matching.len());
        table::draw(model, frame, body, COLUMNS, list, |row| {
            let row = state.row(row);
            row.map(|row| cells(model, row)).unwrap_or_default()
        });
    }
}

/// The body without its last line, while that says that sources are still loading.
fn above_pending(model: &Model, body: Rect) -> Rect {
    let taken = u16::from(model.pending_envs() > 0 && !model.alarms.rows.is_empty());
    Rect {
        height: body.height.saturating_sub(taken),
        ..body
    }
}

fn cells(model: &Model, row: &AlarmRow) -> Vec<Line<'static>> {
    let (theme, alarm) = (model.theme, &row.alarm);
    let ((glyph, word), tone) = match alarm.severity {
        Severity::Critical => (("✖", "critical"), Tone::Bad),
        Severity::Warning => (("⚠", "warning"), Tone::Warn),
    };
    vec![
        Line::raw(alarm.env.to_uppercase()),
        Line::from(vec![
            Span::styled(format!("{glyph} "), theme.style(tone)),
            Span::styled(redact(&alarm.what), theme.style(Tone::Strong)),
        ]),
        Line::raw(redact(&alarm.why)),
        Line::styled(word, theme.style(tone)),
        Line::raw(
            alarm
                .since
                .map(|since| age_since(since, model.now))
                .unwrap_or_default(),
        ),
    ]
}
