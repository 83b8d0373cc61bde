//! The mouse: the wheel scrolls, a click selects, a click on what is selected opens it.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::{commands, navigate};
use crate::effect::Effect;
use crate::keymap::Command;
use crate::model::{Model, Overlay};
use crate::views::{self, Hit};

const WHEEL_ROWS: isize = 3;

pub(super) fn handle_mouse(model: &mut Model, event: MouseEvent) -> Vec<Effect> {
    match event.kind {
        MouseEventKind::ScrollUp => scroll_by(model, -WHEEL_ROWS),
        MouseEventKind::ScrollDown => scroll_by(model, WHEEL_ROWS),
        MouseEventKind::Down(MouseButton::Left) if model.overlay.is_none() => {
            return click(model, event.column, event.row);
        }
        _ => {}
    }
    Vec::new()
}

fn scroll_by(model: &mut Model, by: isize) {
    match &mut model.overlay {
        Some(Overlay::Help { top } | Overlay::Text { top, .. }) => {
            *top = top.saturating_add_signed(by);
        }
        Some(_) => {}
        None => {
            model.cursor_mut().move_by(by);
        }
    }
}

fn click(model: &mut Model, x: u16, y: u16) -> Vec<Effect> {
    if views::layout(model, model.area())
        .crumbs
        .contains(Position { x, y })
    {
        match views::hit(model, x) {
            Some(Hit::Crumb(place)) => {
                let trail = model.trail.iter().take(place + 1).cloned().collect();
                navigate::go(model, trail);
            }
            Some(Hit::Tab(tab)) => navigate::go(model, vec![tab.route()]),
            None => {}
        }
        return Vec::new();
    }
    let Some((area, rows)) = views::list(model) else {
        return Vec::new();
    };
    if !area.contains(Position { x, y }) {
        return Vec::new();
    }
    let cursor = model.cursor_mut();
    let row = cursor.top + usize::from(y - area.y);
    if row >= rows {
        return Vec::new();
    }
    if row == cursor.row {
        return commands::run(model, Command::Enter);
    }
    cursor.move_to(row);
    Vec::new()
}
