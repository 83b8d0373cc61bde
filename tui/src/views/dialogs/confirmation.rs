//! A reason, and the phrase that must be typed where writes are protected.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr as _;

use crate::model::{Confirmation, ConfirmationField, Model};
use crate::text::{clip, wrap};
use crate::theme::Tone;
use crate::views::popup::{draw_input, line_at, popup_width};

/// Rows below what is read: a note, keys, and what is typed.
pub(super) const BOTTOM_ROWS: u16 = 5;

/// What must be typed, in as many lines as it needs: it must not be cut off.
fn phrase_lines(confirmation: &Confirmation, width: usize) -> Vec<String> {
    let Some(expected) = &confirmation.phrase else {
        return vec![clip("Enter confirms, Esc cancels.", width)];
    };
    let mut lines = wrap(&format!("Type {expected}"), width, usize::MAX);
    if let Some(last) = lines.last_mut() {
        // Less than this would look like a part of what is typed.
        let room = width.saturating_sub(last.width());
        if room > " to confirm".len() {
            last.push_str(&clip(" to confirm, Esc to cancel", room));
        }
    }
    lines
}

/// Rows of the reason, the phrase and the problem, with an empty one above them.
pub(super) fn rows(confirmation: &Confirmation, area: Rect) -> u16 {
    let width = usize::from(popup_width(area).saturating_sub(4));
    u16::try_from(phrase_lines(confirmation, width).len())
        .unwrap_or(1)
        .saturating_add(BOTTOM_ROWS - 1)
}

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect, confirmation: &Confirmation) {
    let theme = model.theme;
    let width = usize::from(area.width);
    let lines = phrase_lines(confirmation, width);
    // Where there are too few rows, the empty one is left out.
    let below = area.height.saturating_sub(3);
    let first = below.saturating_sub(u16::try_from(lines.len()).unwrap_or(below));
    for (y, part) in (first..below).zip(lines) {
        frame.render_widget(
            Line::styled(part, theme.style(Tone::Strong)),
            line_at(area, y),
        );
    }
    draw_input(
        model,
        frame,
        line_at(area, below),
        "reason      ",
        &confirmation.reason,
        confirmation.field == ConfirmationField::Reason,
    );
    if confirmation.phrase.is_some() {
        draw_input(
            model,
            frame,
            line_at(area, below + 1),
            "type it     ",
            &confirmation.typed,
            confirmation.field == ConfirmationField::Phrase,
        );
    }
    if let Some(problem) = &confirmation.problem {
        frame.render_widget(
            Line::styled(clip(&format!("✖ {problem}"), width), theme.style(Tone::Bad)),
            line_at(area, below + 2),
        );
    }
}
