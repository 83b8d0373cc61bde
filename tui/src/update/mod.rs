//! The one function that changes the model. It is pure: time comes in messages, and what is to
//! be done goes out as effects.

mod answers;
mod confirm;
mod consent;
mod elevate;
pub(crate) mod fleet;
pub(crate) mod global;
mod letters;
mod mouse;
mod overlay;
pub(crate) mod rollout;

pub(crate) use elevate::{EVERY as STANDING_EVERY, on_screen};
pub(crate) use fleet::told;

use ratatui::layout::Rect;

use crate::effect::{Ask, Effect};
use crate::keymap;
use crate::model::{Cursor, Model};
use crate::msg::Msg;
use crate::views;
use crate::widgets::chrome;
use crate::widgets::edit;

/// Changes the model as the message says, and returns what is to be done.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut effects = match msg {
        Msg::Key(event) => key(model, &event),
        Msg::Mouse(event) => mouse::mouse(model, event),
        Msg::Paste(text) => {
            paste(model, &text);
            Vec::new()
        }
        Msg::Resize(columns, rows) => {
            model.size = ratatui::layout::Size::new(columns, rows);
            Vec::new()
        }
        Msg::Tick(now) => {
            tick(model, now);
            Vec::new()
        }
        Msg::Answer {
            request,
            env,
            answer,
        } => answers::answer(model, request, &env, *answer),
        Msg::Watch { env, cluster, told } => {
            fleet::told(model, &env, &cluster, told);
            Vec::new()
        }
        Msg::RelatedChanged { id, fault } => views::rollout::changed(model, &id, fault),
        Msg::Task { id, update } => {
            answers::task(model, id, update);
            Vec::new()
        }
        Msg::LettersGone { env, ids } => {
            views::dead_letters::gone(model, &env, &ids);
            Vec::new()
        }
        Msg::Shutdown => vec![Effect::Quit],
        Msg::Suspend => vec![Effect::Suspend],
        Msg::Resumed => Vec::new(),
    };
    effects.extend(settled(model));
    effects
}

/// Makes rows anew and finds the selection again, after changes; what is to be asked then.
pub(crate) fn settled(model: &mut Model) -> Vec<Effect> {
    let effects = poll(model);
    settle(model);
    effects
}

/// A key goes to what lies on top: an overlay, an open filter, the view.
fn key(model: &mut Model, event: &crossterm::event::KeyEvent) -> Vec<Effect> {
    if event.kind == crossterm::event::KeyEventKind::Release {
        return Vec::new();
    }
    if model.overlay.is_some() {
        return overlay::key(model, event);
    }
    let view = views::of(model.route());
    if view.filter(model).is_some_and(|filter| filter.open) && global::filter_key(model, event) {
        return Vec::new();
    }
    model.notice = None;
    // What a key means is meant of what is selected when it is pressed.
    if let Some(cursor) = view.cursor_mut(model) {
        cursor.choose();
    }
    match keymap::find(view.bindings(), event) {
        Some(command) => global::run(model, command),
        None => Vec::new(),
    }
}

fn paste(model: &mut Model, text: &str) {
    if overlay::paste(model, text) {
        return;
    }
    let view = views::of(model.route());
    if let Some(filter) = view.filter_mut(model).filter(|filter| filter.open) {
        edit::paste(&mut filter.input, text);
    }
}

fn tick(model: &mut Model, now: payops_core::Timestamp) {
    model.now = now;
    model.marks.sweep(now);
    if model
        .notice
        .as_ref()
        .is_some_and(|notice| notice.until <= now)
    {
        model.notice = None;
    }
}

/// Asks what is due: environments that are not open, and what is on screen.
fn poll(model: &mut Model) -> Vec<Effect> {
    let mut effects = Vec::new();
    for place in 0..model.envs.len() {
        let request = model.next_request();
        let now = model.now;
        let Some(env) = model.envs.get_mut(place) else {
            continue;
        };
        if env.opened.is_due(now, None) {
            env.opened.ask(request);
            effects.push(Effect::Ask {
                request,
                env: env.info.name.clone(),
                ask: Box::new(Ask::Open),
            });
        }
    }
    effects.extend(elevate::poll(model));
    effects.extend(views::rollout::leave(model));
    let view = views::of(model.route());
    effects.extend(view.poll(model));
    effects
}

pub(crate) fn body(model: &Model) -> Rect {
    chrome::places(
        model,
        Rect {
            x: 0,
            y: 0,
            width: model.size.width,
            height: model.size.height,
        },
    )
    .body
}

/// Finds the selected item again, and keeps it on screen.
fn settle(model: &mut Model) {
    let view = views::of(model.route());
    view.prepare(model);
    let Some((area, rows)) = view.list(model, body(model)) else {
        return;
    };
    let Some(mut cursor) = view.cursor_mut(model).map(std::mem::take) else {
        return;
    };
    cursor.settle(rows, usize::from(area.height), |row| view.item(model, row));
    let settled: Cursor = cursor;
    if let Some(cursor) = view.cursor_mut(model) {
        *cursor = settled;
    }
}
