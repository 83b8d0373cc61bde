//! What a pane draws when its value is missing or out of date.

use payops_core::Timestamp;
use payops_core::domain::display::{age, age_since};
use payops_core::port::ErrorKind;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::fault::Fault;
use crate::model::{Model, PaneState};
use crate::theme::Tone;

pub(crate) fn draw_loading(model: &Model, frame: &mut Frame<'_>, area: Rect, what: &str) {
    draw_message(
        frame,
        area,
        vec![Line::styled(
            format!("◌ {what}: loading…"),
            model.theme.style(Tone::Dim),
        )],
    );
}

/// Draws that there is nothing, and why that is good or bad.
pub(crate) fn draw_empty(model: &Model, frame: &mut Frame<'_>, area: Rect, good: bool, why: &str) {
    let (glyph, tone) = if good {
        ("✔", Tone::Good)
    } else {
        ("?", Tone::Warn)
    };
    let line = Line::from(vec![
        Span::styled(format!("{glyph} "), model.theme.style(tone)),
        Span::raw(why.to_owned()),
    ]);
    draw_message(frame, area, vec![line]);
}

/// Draws a failure: the cause, when it is retried, and the key to retry now.
pub(crate) fn draw_failure(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    what: &str,
    fault: &Fault,
    retry_at: Timestamp,
) {
    if fault.kind == ErrorKind::NotSetUp {
        return draw_not_set_up(model, frame, area, &fault.text);
    }
    let theme = model.theme;
    let mut lines = vec![
        Line::styled(format!("✖ {what}: {}", fault.text), theme.style(Tone::Bad)),
        Line::styled(
            format!("  {}", retry_words(retry_at, model.now)),
            theme.style(Tone::Dim),
        ),
    ];
    if !fault.hint().is_empty() {
        lines.push(Line::styled(
            format!("  {}", fault.hint()),
            theme.style(Tone::Dim),
        ));
    }
    draw_message(frame, area, lines);
}

/// Draws that the environment has no such part, and what would give it one: no failure.
pub(crate) fn draw_not_set_up(model: &Model, frame: &mut Frame<'_>, area: Rect, why: &str) {
    let line = Line::from(vec![
        Span::styled("– ", model.theme.style(Tone::Dim)),
        Span::raw(why.to_owned()),
    ]);
    draw_message(frame, area, vec![line]);
}

/// `retrying in 12s; Ctrl-R retries now`
pub(crate) fn retry_words(retry_at: Timestamp, now: Timestamp) -> String {
    format!(
        "retrying in {}; Ctrl-R retries now",
        age(retry_at.duration_since(now))
    )
}

/// A line that says that the value is old: `as of 12s ago: cause; retrying in 3s`.
pub(crate) fn stale_line(
    model: &Model,
    at: Timestamp,
    fault: &Fault,
    retry_at: Timestamp,
) -> Line<'static> {
    let text = format!(
        "⚠ as of {} ago: {}; {}",
        age_since(at, model.now),
        fault.text,
        retry_words(retry_at, model.now)
    );
    Line::styled(text, model.theme.style(Tone::Warn))
}

/// Draws the state of a pane unless it is ready; then returns its value and the area for it, which
/// is below a line that says so when the refresh failed.
pub(crate) fn draw_unless_ready<'a, T>(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    what: &str,
    state: PaneState<'a, T>,
) -> Option<(&'a T, Rect)> {
    match state {
        PaneState::Loading => {
            draw_loading(model, frame, area, what);
            None
        }
        PaneState::Failed { fault, retry_at } => {
            draw_failure(model, frame, area, what, fault, retry_at);
            None
        }
        PaneState::Ready {
            value,
            at,
            fault: Some((fault, retry_at)),
        } if area.height > 1 => {
            frame.render_widget(
                stale_line(model, at, fault, retry_at),
                Rect { height: 1, ..area },
            );
            Some((value, without_first_line(area)))
        }
        PaneState::Ready { value, .. } => Some((value, area)),
    }
}

/// The area less the line in which [`draw_unless_ready`] says that the value is old: what a view's
/// `list` must use too.
pub(crate) fn value_area<T>(area: Rect, state: &PaneState<'_, T>) -> Rect {
    if matches!(state, PaneState::Ready { fault: Some(_), .. }) && area.height > 1 {
        without_first_line(area)
    } else {
        area
    }
}

fn without_first_line(area: Rect) -> Rect {
    Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    }
}

fn draw_message(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>) {
    let inner = Rect {
        x: area.x.saturating_add(1),
        width: area.width.saturating_sub(2),
        ..area
    };
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}
