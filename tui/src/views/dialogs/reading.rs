//! Lines that are read above what is typed, scrolled where there is no room for all.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::model::Model;
use crate::views::popup::{draw_popup, draw_scroll_hint, split_bottom};

/// How many rows `lines` get above the `rows` that are always on screen: one at least.
pub(super) fn rows_above(area: Rect, lines: usize, rows: u16) -> u16 {
    let room = area.height.saturating_sub(rows + 2).max(1);
    u16::try_from(lines).unwrap_or(u16::MAX).min(room)
}

/// Draws a pop-up with lines from `top` on; returns the area below them, for what is typed.
pub(super) fn draw_above(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    (lines, top): (&[Line<'static>], usize),
    rows: u16,
) -> Rect {
    let above = rows_above(area, lines.len(), rows);
    let inner = draw_popup(model, frame, area, title, above.saturating_add(rows));
    let (read, bottom) = split_bottom(inner, inner.height.saturating_sub(above));
    let top = top.min(lines.len().saturating_sub(usize::from(above)));
    draw_lines(frame, read, lines, top);
    draw_scroll_hint(model, frame, inner, (top, above), lines.len());
    bottom
}

pub(super) fn draw_lines(frame: &mut Frame<'_>, area: Rect, lines: &[Line<'static>], top: usize) {
    for (y, line) in (area.y..area.bottom()).zip(lines.iter().skip(top)) {
        frame.render_widget(
            line.clone(),
            Rect {
                y,
                height: 1,
                ..area
            },
        );
    }
}
