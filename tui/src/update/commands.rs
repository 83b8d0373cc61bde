//! Commands that mean the same in every view.

use crossterm::event::{KeyCode, KeyEvent};
use tui_input::Input;

use super::routes::controller_of;
use super::{access, confirm, edit, navigate, replay, rollout_actions, tasks};
use crate::effect::Effect;
use crate::keymap::Command;
use crate::model::{Model, Overlay, Route, Tab, WatchStatus};
use crate::theme::Tone;
use crate::views;

pub(super) fn run(model: &mut Model, command: Command) -> Vec<Effect> {
    match command {
        Command::Quit => return quit(model),
        Command::Suspend => return vec![Effect::Suspend],
        Command::Back => go_back(model),
        Command::Up => move_by(model, -1),
        Command::Down => move_by(model, 1),
        Command::PageUp => move_by(model, page_rows(model).saturating_neg()),
        Command::PageDown => move_by(model, page_rows(model)),
        Command::First => move_by(model, isize::MIN),
        Command::Last => move_by(model, isize::MAX),
        Command::Filter => open_filter(model),
        Command::Palette => {
            model.overlay = Some(Overlay::Palette {
                input: Input::default(),
                chosen: 0,
            });
        }
        Command::Help => model.overlay = Some(Overlay::Help { top: 0 }),
        Command::Refresh => {
            for env in &mut model.envs {
                if !env.is_open() {
                    env.details.refresh();
                }
            }
            controller_of(model.route()).refresh(model);
            return rewatch_cut(model);
        }
        Command::Go(tab) => navigate::go(model, vec![tab.route()]),
        Command::Environment => {
            model.overlay = Some(Overlay::Environments {
                chosen: model.active,
            });
        }
        Command::HistoryBack => navigate::go_in_history(model, true),
        Command::HistoryForward => navigate::go_in_history(model, false),
        Command::Rollout(verb) => return rollout_actions::act(model, verb),
        Command::Elevate => access::open_dialog(model),
        Command::EndElevation => return access::end_elevation(model),
        Command::Replay => return replay::open_dialog(model),
        Command::Discard => confirm::open_discard(model),
        Command::Export => return confirm::export(model),
        Command::Edit => replay::open_edit(model),
        Command::Redrive => confirm::open_redrive(model),
        Command::Reconcile => return tasks::reconcile(model),
        Command::Await => return tasks::await_rollout(model),
        Command::Group
        | Command::Pick
        | Command::PickAll
        | Command::Complete
        | Command::ToDeadLetter
        | Command::ToPayment
        | Command::CancelTask
        | Command::ClearTasks
        | Command::Enter
        | Command::Fold
        | Command::Unfold
        | Command::Copy
        | Command::Why => return controller_of(model.route()).run(model, command),
    }
    Vec::new()
}

/// Opens the filter of the view, or else the payment search: what is typed next must never act as
/// keys.
fn open_filter(model: &mut Model) {
    if model.filter().is_none() {
        navigate::push(model, Route::Payments);
        model.payments.filter.input.reset();
    }
    if let Some(filter) = model.filter_mut() {
        filter.open = true;
    }
}

/// Restarts watches that are cut, without waiting for the retry.
fn rewatch_cut(model: &Model) -> Vec<Effect> {
    let clusters = model.envs.iter().flat_map(|env| {
        env.clusters
            .iter()
            .map(move |cluster| (&env.info.name, cluster))
    });
    let cut = clusters.filter(|(_, cluster)| matches!(cluster.watch, WatchStatus::Cut { .. }));
    cut.map(|(env, cluster)| Effect::Watch {
        env: env.clone(),
        cluster: cluster.name.clone(),
    })
    .collect()
}

/// Quits; while something is running, only when asked twice.
fn quit(model: &mut Model) -> Vec<Effect> {
    let running = model
        .tasks
        .iter()
        .find(|task| task.writes && task.is_running())
        .map(|task| task.name.clone());
    if (model.pending_actions.is_empty() && running.is_none()) || model.quit_requested {
        return vec![Effect::Quit];
    }
    model.quit_requested = true;
    let words = match running {
        Some(what) => {
            format!("{what} is running; quit again to stop it after the current batch and exit")
        }
        None => {
            "an action has not been answered yet; quit again to exit without its answer".to_owned()
        }
    };
    model.notify(Tone::Warn, words);
    Vec::new()
}

/// Clears the filter or another restriction; without one, leaves the view.
fn go_back(model: &mut Model) {
    if let Some(filter) = model.filter_mut()
        && filter.is_on()
    {
        filter.input.reset();
        return;
    }
    if controller_of(model.route()).clear_restriction(model) {
        return;
    }
    if model.trail.len() > 1 {
        let trail = model
            .trail
            .iter()
            .take(model.trail.len() - 1)
            .cloned()
            .collect();
        navigate::go(model, trail);
    } else if model.route() != &Route::Overview {
        navigate::go(model, vec![Tab::Overview.route()]);
    }
}

fn page_rows(model: &Model) -> isize {
    let height = views::list(model).map_or(1, |(area, _)| area.height);
    isize::try_from(height)
        .unwrap_or(1)
        .saturating_sub(1)
        .max(1)
}

fn move_by(model: &mut Model, by: isize) {
    model.cursor_mut().move_by(by);
}

/// Handles a key while a filter is typed; `false` when it is not for the filter.
pub(super) fn handle_filter_key(model: &mut Model, event: &KeyEvent) -> bool {
    let Some(filter) = model.filter_mut() else {
        return false;
    };
    match event.code {
        KeyCode::Enter => filter.open = false,
        KeyCode::Esc => {
            let was_empty = !filter.is_on();
            filter.open = false;
            filter.input.reset();
            // Back to the view that the search was opened from.
            if was_empty && model.route() == &Route::Payments && model.trail.len() > 1 {
                go_back(model);
            }
        }
        KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => return false,
        _ => return edit::handle_key(&mut filter.input, event),
    }
    true
}
