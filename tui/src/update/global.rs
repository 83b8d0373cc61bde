//! Commands that mean the same everywhere.

use crossterm::event::{KeyCode, KeyEvent};
use tui_input::Input;

use super::{body, elevate, letters, rollout};
use crate::effect::Effect;
use crate::keymap::Command;
use crate::model::{Choice, Feed, Model, Notice, Overlay, Route, Tab, Task, TaskState};
use crate::theme::Tone;
use crate::views;
use crate::widgets::edit;

const HISTORY_MAX: usize = 100;

pub(crate) fn run(model: &mut Model, command: Command) -> Vec<Effect> {
    let view = views::of(model.route());
    match command {
        Command::Quit => return quit(model),
        Command::Suspend => return vec![Effect::Suspend],
        Command::Back => back(model),
        Command::Up => move_by(model, -1),
        Command::Down => move_by(model, 1),
        Command::PageUp => move_by(model, page(model).saturating_neg()),
        Command::PageDown => move_by(model, page(model)),
        Command::First => move_by(model, isize::MIN),
        Command::Last => move_by(model, isize::MAX),
        Command::Filter => {
            if let Some(filter) = view.filter_mut(model) {
                filter.open = true;
            }
        }
        Command::Palette => {
            model.overlay = Some(Overlay::Palette {
                input: Input::default(),
                chosen: 0,
            })
        }
        Command::Help => model.overlay = Some(Overlay::Help { top: 0 }),
        Command::Refresh => {
            for env in &mut model.envs {
                if !env.is_open() {
                    env.opened.refresh();
                }
            }
            view.refresh(model);
            return rewatch(model);
        }
        Command::Go(tab) => go(model, vec![tab.route()]),
        Command::Environment => {
            model.overlay = Some(Overlay::Choose(Choice {
                chosen: model.active,
            }))
        }
        Command::HistoryBack => history(model, true),
        Command::HistoryForward => history(model, false),
        Command::Rollout(verb) => return rollout::act(model, verb),
        Command::Elevate => return elevate::open(model),
        Command::Lower => return elevate::lower(model),
        Command::Replay => return letters::replay(model),
        Command::Discard => return letters::discard(model),
        Command::Export => return letters::export(model),
        Command::Edit => return letters::edit(model),
        Command::Redrive => return letters::redrive(model),
        Command::Reconcile => return views::tasks::reconcile(model),
        Command::Await => return views::tasks::wait(model),
        Command::Group
        | Command::Pick
        | Command::PickAll
        | Command::Complete
        | Command::ToLetter
        | Command::ToPayment
        | Command::CancelTask
        | Command::ClearTasks
        | Command::Enter
        | Command::Fold
        | Command::Unfold
        | Command::Copy
        | Command::Why => return view.act(model, command),
    }
    Vec::new()
}

/// Watches anew what is cut, without waiting for its time.
fn rewatch(model: &Model) -> Vec<Effect> {
    let clusters = model.envs.iter().flat_map(|env| {
        env.clusters
            .iter()
            .map(move |cluster| (&env.info.name, cluster))
    });
    let cut = clusters.filter(|(_, cluster)| matches!(cluster.feed, Feed::Cut { .. }));
    cut.map(|(env, cluster)| Effect::Watch {
        env: env.clone(),
        cluster: cluster.name.clone(),
    })
    .collect()
}

/// Leaves; but says first that an action is still without an answer.
fn quit(model: &mut Model) -> Vec<Effect> {
    let runs = |task: &&Task| task.writes && matches!(task.state, TaskState::Running { .. });
    let running = model.tasks.iter().find(runs).map(|task| task.what.clone());
    if (model.writes.is_empty() && running.is_none()) || model.leaving {
        return vec![Effect::Quit];
    }
    model.leaving = true;
    let words = match running {
        Some(what) => {
            format!("{what} is under way: quit again to stop it between two batches, and leave")
        }
        None => {
            "an action was sent and is not answered yet: quit again to leave without its answer"
                .to_owned()
        }
    };
    model.say(Notice::new(Tone::Warn, words, model.now));
    Vec::new()
}

pub(crate) fn go(model: &mut Model, trail: Vec<Route>) {
    if trail == model.trail || trail.is_empty() {
        return;
    }
    model.back.push(std::mem::replace(&mut model.trail, trail));
    if model.back.len() > HISTORY_MAX {
        model.back.remove(0);
    }
    model.forward.clear();
}

pub(crate) fn push(model: &mut Model, route: Route) {
    let mut trail = model.trail.clone();
    trail.push(route);
    go(model, trail);
}

/// Takes the filter away if there is one, else goes out of where one is.
fn back(model: &mut Model) {
    let view = views::of(model.route());
    if let Some(filter) = view.filter_mut(model)
        && filter.is_on()
    {
        filter.input.reset();
        return;
    }
    if view.widen(model) {
        return;
    }
    if model.trail.len() > 1 {
        let trail = model
            .trail
            .iter()
            .take(model.trail.len() - 1)
            .cloned()
            .collect();
        go(model, trail);
    } else if model.route() != &Route::Overview {
        go(model, vec![Tab::Overview.route()]);
    }
}

fn history(model: &mut Model, back: bool) {
    let (from, to) = if back {
        (&mut model.back, &mut model.forward)
    } else {
        (&mut model.forward, &mut model.back)
    };
    if let Some(trail) = from.pop() {
        to.push(std::mem::replace(&mut model.trail, trail));
    } else {
        let words = if back {
            "there is nothing before this"
        } else {
            "there is nothing after this"
        };
        model.say(Notice::new(Tone::Dim, words, model.now));
    }
}

fn page(model: &Model) -> isize {
    let height = views::of(model.route())
        .list(model, body(model))
        .map_or(1, |(area, _)| area.height);
    isize::try_from(height)
        .unwrap_or(1)
        .saturating_sub(1)
        .max(1)
}

fn move_by(model: &mut Model, by: isize) {
    if let Some(cursor) = views::of(model.route()).cursor_mut(model) {
        cursor.move_by(by);
    }
}

/// Makes that environment the one of queues, payments and dead letters.
pub(crate) fn switch(model: &mut Model, name: &str) {
    let Some(place) = model.envs.iter().position(|env| env.info.name == name) else {
        model.say(Notice::new(
            Tone::Warn,
            format!("there is no environment {name}"),
            model.now,
        ));
        return;
    };
    if place != model.active {
        model.active = place;
        let words = format!(
            "queues, payments and dead letters are those of {} now",
            name.to_uppercase()
        );
        model.say(Notice::new(Tone::Plain, words, model.now));
    }
}

/// A key while a filter is typed; `false` when it is not for the filter.
pub(crate) fn filter_key(model: &mut Model, event: &KeyEvent) -> bool {
    let view = views::of(model.route());
    let Some(filter) = view.filter_mut(model) else {
        return false;
    };
    match event.code {
        KeyCode::Enter => filter.open = false,
        KeyCode::Esc => {
            filter.open = false;
            filter.input.reset();
        }
        KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => return false,
        _ => return edit::key(&mut filter.input, event),
    }
    true
}
