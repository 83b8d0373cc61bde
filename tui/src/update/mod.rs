//! The one function that changes the model. It is pure: time comes in messages, and what is to be
//! done goes out as effects.

mod access;
mod alarms;
mod answers;
mod audit;
mod clusters;
mod commands;
mod confirm;
mod confirmation;
mod controller;
mod dead_letter;
mod dead_letters;
mod edit;
mod mouse;
mod navigate;
mod overlay;
mod overview;
mod payment;
mod payments;
mod queues;
mod replay;
mod replay_facts;
mod rights;
mod rollout;
mod rollout_actions;
mod rollout_explanation;
mod rollout_results;
mod rollout_tree;
mod rollouts;
mod routes;
mod tasks;

use crossterm::event::{KeyEvent, KeyEventKind};
use payops_core::Timestamp;
use payops_core::operations::EnvInfo;
use ratatui::layout::Size;

use crate::effect::{Effect, Request};
use crate::keymap::{find_command, view_bindings};
use crate::model::{Model, Options};
use crate::msg::Msg;
use crate::theme::Tone;
use crate::views;

pub(crate) use clusters::handle_watch;
use routes::controller_of;

/// The screen before anything is known, and what to do first.
#[must_use]
pub fn start(
    environments: Vec<EnvInfo>,
    options: &Options,
    columns: u16,
    rows: u16,
) -> (Model, Vec<Effect>) {
    let mut model = Model::new(environments, options, columns, rows);
    let effects = settle(&mut model);
    (model, effects)
}

/// Changes the model as the message says, and returns what is to be done.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut effects = match msg {
        Msg::Key(event) => handle_key(model, &event),
        Msg::Mouse(event) => mouse::handle_mouse(model, event),
        Msg::Paste(text) => {
            handle_paste(model, &text);
            Vec::new()
        }
        Msg::Resize(columns, rows) => {
            model.size = Size::new(columns, rows);
            Vec::new()
        }
        Msg::Tick(now) => {
            handle_tick(model, now);
            Vec::new()
        }
        Msg::Answer { id, env, answer } => answers::handle_answer(model, id, &env, *answer),
        Msg::Watch {
            env,
            cluster,
            event,
        } => {
            clusters::handle_watch(model, &env, &cluster, event);
            Vec::new()
        }
        Msg::RelatedChanged { id, fault } => {
            rollout::handle_related_change(model, &id, fault);
            Vec::new()
        }
        Msg::Task { id, update } => {
            answers::handle_task_update(model, id, update);
            Vec::new()
        }
        Msg::DeadLettersGone { env, message_ids } => {
            dead_letters::remove_gone(model, &env, &message_ids);
            Vec::new()
        }
        Msg::Notice(text) => {
            model.notify(Tone::Warn, text);
            Vec::new()
        }
        Msg::Shutdown => vec![Effect::Quit],
        Msg::Suspend => vec![Effect::Suspend],
        Msg::Resumed => Vec::new(),
    };
    effects.extend(settle(model));
    effects
}

/// Requests what is due, computes rows anew and finds the selection again, after changes.
pub(crate) fn settle(model: &mut Model) -> Vec<Effect> {
    let effects = poll(model);
    controller_of(model.route()).prepare(model);
    settle_cursor(model);
    effects
}

/// When the model next needs a [`Msg::Tick`]: something on screen changes then. `None` when nothing
/// does.
#[must_use]
pub fn wake_at(model: &Model) -> Option<Timestamp> {
    let notice = model.notice.as_ref().map(|notice| notice.until);
    let open = model.envs.iter().filter_map(|env| env.details.due_at(None));
    let times = [
        notice,
        model.marks.next_end(),
        access::due_at(model),
        controller_of(model.route()).wake_at(model),
    ];
    open.chain(times.into_iter().flatten()).min()
}

/// A key goes to what lies on top: an overlay, an open filter, the view.
fn handle_key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    if event.kind == KeyEventKind::Release {
        return Vec::new();
    }
    if model.overlay.is_some() {
        return overlay::handle_key(model, event);
    }
    if model.filter().is_some_and(|filter| filter.open) && commands::handle_filter_key(model, event)
    {
        return Vec::new();
    }
    model.notice = None;
    // A key applies to what is selected when it is pressed, whatever comes to stand there later.
    model.cursor_mut().pin();
    match find_command(view_bindings(model.route()), event) {
        Some(command) => commands::run(model, command),
        None => Vec::new(),
    }
}

fn handle_paste(model: &mut Model, text: &str) {
    if overlay::handle_paste(model, text) {
        return;
    }
    if let Some(filter) = model.filter_mut().filter(|filter| filter.open) {
        edit::paste(&mut filter.input, text);
    }
}

fn handle_tick(model: &mut Model, now: Timestamp) {
    model.now = now;
    model.marks.remove_expired(now);
    if model
        .notice
        .as_ref()
        .is_some_and(|notice| notice.until <= now)
    {
        model.notice = None;
    }
}

/// Requests what is due: environments that are not open, and what is on screen.
fn poll(model: &mut Model) -> Vec<Effect> {
    let mut effects = Vec::new();
    for place in 0..model.envs.len() {
        let id = model.next_request();
        let now = model.now;
        let Some(env) = model.envs.get_mut(place) else {
            continue;
        };
        if env.details.is_due(now, None) {
            env.details.start(id);
            effects.push(Effect::request(
                id,
                env.info.name.clone(),
                Request::OpenEnvironment,
            ));
        }
    }
    effects.extend(access::poll(model));
    effects.extend(rollout::stop_watching(model));
    effects.extend(controller_of(model.route()).poll(model));
    effects
}

/// Finds the selected item again, and keeps it on screen.
fn settle_cursor(model: &mut Model) {
    let Some((area, rows)) = views::list(model) else {
        return;
    };
    let mut cursor = std::mem::take(model.cursor_mut());
    cursor.settle(rows, usize::from(area.height), |row| model.item(row));
    *model.cursor_mut() = cursor;
}
