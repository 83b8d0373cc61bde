//! What a pane says in its own place when there is nothing to show, or not the newest.

use payops_core::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::words::{age, short};
use crate::fault::Fault;
use crate::model::{Look, Model};
use crate::theme::Tone;

pub(crate) fn loading(model: &Model, frame: &mut Frame<'_>, area: Rect, what: &str) {
    say(
        model,
        frame,
        area,
        vec![Line::styled(
            format!("◌ {what}: loading…"),
            model.theme.style(Tone::Dim),
        )],
    );
}

/// Says that there is nothing, and why that is good or bad.
pub(crate) fn empty(model: &Model, frame: &mut Frame<'_>, area: Rect, good: bool, why: &str) {
    let (glyph, tone) = if good {
        ("✔", Tone::Good)
    } else {
        ("?", Tone::Warn)
    };
    let line = Line::from(vec![
        Span::styled(format!("{glyph} "), model.theme.style(tone)),
        Span::raw(why.to_owned()),
    ]);
    say(model, frame, area, vec![line]);
}

/// Says that it failed: the cause, when it is tried again, and the key to do that now.
pub(crate) fn failed(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    what: &str,
    fault: &Fault,
    retry_at: Timestamp,
) {
    let theme = model.theme;
    let mut lines = vec![
        Line::styled(format!("✖ {what}: {}", fault.text), theme.style(Tone::Bad)),
        Line::styled(
            format!("  {}", again(retry_at, model.now)),
            theme.style(Tone::Dim),
        ),
    ];
    if !fault.hint().is_empty() {
        lines.push(Line::styled(
            format!("  {}", fault.hint()),
            theme.style(Tone::Dim),
        ));
    }
    say(model, frame, area, lines);
}

/// `asked again in 12s, or now with Ctrl-R`
pub(crate) fn again(retry_at: Timestamp, now: Timestamp) -> String {
    format!(
        "tried again in {}, or now with Ctrl-R",
        short(retry_at.duration_since(now))
    )
}

/// One line saying that what is shown is old: `as of 12s ago: cause; tried again in 3s`.
pub(crate) fn stale(
    model: &Model,
    at: Timestamp,
    fault: &Fault,
    retry_at: Timestamp,
) -> Line<'static> {
    let text = format!(
        "⚠ as of {} ago: {}; {}",
        age(at, model.now),
        fault.text,
        again(retry_at, model.now)
    );
    Line::styled(text, model.theme.style(Tone::Warn))
}

/// Draws a pane's state unless it is ready; then its value, and where the rest of it may be
/// drawn: below a line that says so when it could not be refreshed.
pub(crate) fn ready<'a, T>(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    what: &str,
    look: Look<'a, T>,
) -> Option<(&'a T, Rect)> {
    match look {
        Look::Loading => {
            loading(model, frame, area, what);
            None
        }
        Look::Failed { fault, retry_at } => {
            failed(model, frame, area, what, fault, retry_at);
            None
        }
        Look::Ready {
            value,
            at,
            fault: Some((fault, retry_at)),
        } if area.height > 1 => {
            frame.render_widget(
                stale(model, at, fault, retry_at),
                Rect { height: 1, ..area },
            );
            Some((value, below(area)))
        }
        Look::Ready { value, .. } => Some((value, area)),
    }
}

/// The area less the line in which [`ready`] says that the value is old: what a view's
/// `list` must use too.
pub(crate) fn rest<T>(area: Rect, look: &Look<'_, T>) -> Rect {
    if matches!(look, Look::Ready { fault: Some(_), .. }) && area.height > 1 {
        below(area)
    } else {
        area
    }
}

fn below(area: Rect) -> Rect {
    Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    }
}

fn say(_model: &Model, frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>) {
    let inner = Rect {
        x: area.x.saturating_add(1),
        width: area.width.saturating_sub(2),
        ..area
    };
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}
