//! The mouse: the wheel scrolls, a click selects, a click on what is selected goes in.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::{body, global};
use crate::effect::Effect;
use crate::keymap::Command;
use crate::model::{Model, Overlay};
use crate::views;
use crate::widgets::chrome::{self, Hit};

const WHEEL: isize = 3;

pub(crate) fn mouse(model: &mut Model, event: MouseEvent) -> Vec<Effect> {
    match event.kind {
        MouseEventKind::ScrollUp => wheel(model, -WHEEL),
        MouseEventKind::ScrollDown => wheel(model, WHEEL),
        MouseEventKind::Down(MouseButton::Left) if model.overlay.is_none() => {
            return click(model, event.column, event.row);
        }
        _ => {}
    }
    Vec::new()
}

fn wheel(model: &mut Model, by: isize) {
    match &mut model.overlay {
        Some(Overlay::Help { top } | Overlay::Text { top, .. }) => {
            *top = top.saturating_add_signed(by)
        }
        Some(_) => {}
        None => {
            if let Some(cursor) = views::of(model.route()).cursor_mut(model) {
                cursor.move_by(by);
            }
        }
    }
}

fn click(model: &mut Model, x: u16, y: u16) -> Vec<Effect> {
    let screen = Rect {
        x: 0,
        y: 0,
        width: model.size.width,
        height: model.size.height,
    };
    if chrome::places(model, screen)
        .crumbs
        .contains(Position { x, y })
    {
        match chrome::hit(model, x) {
            Some(Hit::Crumb(place)) => {
                let trail = model.trail.iter().take(place + 1).cloned().collect();
                global::go(model, trail);
            }
            Some(Hit::Tab(tab)) => global::go(model, vec![tab.route()]),
            None => {}
        }
        return Vec::new();
    }
    let view = views::of(model.route());
    let Some((area, rows)) = view.list(model, body(model)) else {
        return Vec::new();
    };
    if !area.contains(Position { x, y }) {
        return Vec::new();
    }
    let Some(cursor) = view.cursor_mut(model) else {
        return Vec::new();
    };
    let row = cursor.top + usize::from(y - area.y);
    if row >= rows {
        return Vec::new();
    }
    if row == cursor.row {
        return global::run(model, Command::Enter);
    }
    cursor.go(row);
    Vec::new()
}
