//! Questions that start a task.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::confirmation;
use super::elevate::{elevate_lines, elevate_rows};
use super::reading::{draw_above, rows_above};
use crate::model::{ConfirmDialog, Model, Overlay};
use crate::redact::redact;
use crate::views::popup::{fact_lines, facts_room};

/// How many lines of facts the dialog has, and in how many rows they are read.
pub(crate) fn facts_above(model: &Model) -> (usize, usize) {
    let area = model.area();
    let (lines, rows) = match &model.overlay {
        Some(Overlay::Elevate(dialog)) => (
            elevate_lines(model, dialog, area).len(),
            elevate_rows(dialog),
        ),
        Some(Overlay::Confirm(dialog)) => (
            confirm_lines(model, dialog, area).len(),
            confirmation::rows(&dialog.confirmation, area),
        ),
        _ => return (0, 0),
    };
    (lines, usize::from(rows_above(area, lines, rows)))
}

pub(crate) fn draw_confirm(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    dialog: &ConfirmDialog,
) {
    let (lines, rows) = (
        confirm_lines(model, dialog, area),
        confirmation::rows(&dialog.confirmation, area),
    );
    let title = format!("{} in {}", dialog.title, dialog.env.to_uppercase());
    let bottom = draw_above(model, frame, area, &title, (&lines, dialog.top), rows);
    confirmation::draw(model, frame, bottom, &dialog.confirmation);
}

fn confirm_lines(model: &Model, dialog: &ConfirmDialog, area: Rect) -> Vec<Line<'static>> {
    let (theme, room) = (model.theme, facts_room(area));
    dialog
        .facts
        .iter()
        .flat_map(|fact| fact_lines(theme, room, fact.label, &redact(&fact.text), fact.tone))
        .collect()
}
