//! Replaying dead letters: plan, review, confirm.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};
use payops_core::operations::{ReplayRequest, ReplayReview};
use payops_core::usecase::DeadLetter;
use tui_input::Input;

use super::replay_facts::describe_review;
use super::{access, confirmation, edit, tasks};
use crate::effect::{Effect, Request, TaskKind};
use crate::fault::Fault;
use crate::model::{
    Confirmation, Model, Overlay, PlanState, ReplayDialog, ReplayOption, ReviewedPlan,
    remaining_messages,
};
use crate::theme::Tone;
use crate::views::replay_scroll_max;

/// The dead letters that an action applies to, all of one queue.
pub(super) struct Targets {
    pub(super) env: String,
    pub(super) protected: bool,
    pub(super) queue: String,
    pub(super) letters: Arc<[DeadLetter]>,
}

/// Finds the targets of an action; notifies why there are none.
pub(super) fn find_targets(model: &mut Model, writes: bool) -> Option<Targets> {
    let letters = model.target_dead_letters();
    let env = model.env().filter(|env| env.is_open());
    let problem = match (env, letters.first()) {
        (None, _) => "this environment is not open yet",
        _ if writes && model.read_only => "this screen is read-only",
        (_, None) => "no dead letter is selected",
        (Some(env), Some(first)) if letters.iter().all(|letter| letter.queue == first.queue) => {
            return Some(Targets {
                env: env.info.name.clone(),
                protected: env.info.protected,
                queue: first.queue.clone(),
                letters: letters.into_iter().cloned().collect(),
            });
        }
        _ => "the selection spans several queues; open one from queues (3), or filter by queue",
    };
    model.notify(Tone::Warn, problem);
    None
}

/// Requests the plan of a replay, and shows it when it comes.
pub(super) fn open_dialog(model: &mut Model) -> Vec<Effect> {
    let Some(targets) = find_targets(model, true) else {
        return Vec::new();
    };
    model.overlay = Some(dialog_for(targets, None));
    request_plan(model)
}

/// Asks for a change to the body of one dead letter, and plans its replay with that.
pub(super) fn open_edit(model: &mut Model) {
    let Some(targets) = find_targets(model, true) else {
        return;
    };
    if targets.letters.len() == 1 {
        let option = Some((ReplayOption::Set, Input::default()));
        model.overlay = Some(dialog_for(targets, option));
    } else {
        let words = "only one dead letter can be edited at a time; Esc clears the selection";
        model.notify(Tone::Warn, words);
    }
}

fn dialog_for(targets: Targets, option: Option<(ReplayOption, Input)>) -> Overlay {
    let request = ReplayRequest {
        queue: targets.queue,
        ..ReplayRequest::default()
    };
    Overlay::Replay(Box::new(ReplayDialog {
        env: targets.env,
        protected: targets.protected,
        letters: targets.letters,
        request,
        plan: PlanState::None,
        option,
        confirmation: None,
        note: None,
        top: 0,
    }))
}

fn request_plan(model: &mut Model) -> Vec<Effect> {
    let id = model.next_request();
    let Some(Overlay::Replay(dialog)) = &mut model.overlay else {
        return Vec::new();
    };
    (dialog.plan, dialog.note) = (PlanState::Requested(id), None);
    let request = Request::PlanReplay {
        request: dialog.request.clone(),
        letters: Arc::clone(&dialog.letters),
    };
    vec![Effect::request(id, dialog.env.clone(), request)]
}

pub(super) fn handle_plan(model: &mut Model, id: u64, result: Result<Box<ReplayReview>, Fault>) {
    let Some(Overlay::Replay(dialog)) = &mut model.overlay else {
        return;
    };
    if matches!(dialog.plan, PlanState::Requested(requested) if requested == id) {
        dialog.plan = match result {
            Ok(review) => PlanState::Ready(Box::new(ReviewedPlan {
                facts: describe_review(&review),
                review: *review,
            })),
            Err(fault) => PlanState::Failed(fault),
        };
    }
}

pub(super) fn handle_saved_plan(model: &mut Model, result: Result<String, Fault>) {
    let note = match result {
        Ok(path) => Ok(format!(
            "saved to {path}; to approve, someone else runs: payops dlq approve {path}; then run: \
                payops dlq replay --plan {path}"
        )),
        Err(fault) => Err(fault.text),
    };
    if let Some(Overlay::Replay(dialog)) = &mut model.overlay {
        dialog.note = Some(note);
        return;
    }
    match note {
        Ok(words) => model.notify(Tone::Good, words),
        Err(words) => model.notify(Tone::Bad, format!("✖ the plan was not saved: {words}")),
    }
}

/// Handles a key while a plan is on screen.
pub(super) fn handle_key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let Some(Overlay::Replay(dialog)) = &mut model.overlay else {
        return Vec::new();
    };
    if let Some((option, input)) = &mut dialog.option {
        if event.code != KeyCode::Enter {
            edit::handle_key(input, event);
            return Vec::new();
        }
        let (option, typed) = (*option, input.value().trim().to_owned());
        return set_option(model, option, &typed);
    }
    if let Some(typed) = &mut dialog.confirmation {
        return match confirmation::handle_key(typed, event) {
            Some(reason) => start(model, reason),
            None => Vec::new(),
        };
    }
    handle_review_key(model, event)
}

/// Handles a key while the plan is read, and nothing is typed.
fn handle_review_key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    if event.code == KeyCode::Char('r') {
        return request_plan(model);
    }
    let (id, now) = (model.next_request(), model.now);
    let Some(Overlay::Replay(dialog)) = &mut model.overlay else {
        return Vec::new();
    };
    let PlanState::Ready(reviewed) = &dialog.plan else {
        return Vec::new();
    };
    let review = &reviewed.review;
    let is_new = review.settled.is_none();
    match event.code {
        KeyCode::Char('i') if is_new && dialog.request.set.is_some() => {
            let set = dialog.request.set.clone().unwrap_or_default();
            dialog.option = Some((ReplayOption::Set, set.into()));
        }
        KeyCode::Char('c') if is_new => {
            dialog.option = Some((ReplayOption::Canary, Input::default()));
        }
        KeyCode::Char('t') if is_new => {
            dialog.option = Some((ReplayOption::Rate, Input::default()));
        }
        KeyCode::Char('o') if is_new => {
            dialog.request.only_safe = !dialog.request.only_safe;
            return request_plan(model);
        }
        KeyCode::Char('w') if is_new => {
            return vec![Effect::request(
                id,
                dialog.env.clone(),
                Request::SavePlan(Box::new(review.plan.clone())),
            )];
        }
        KeyCode::Enter if review.refusal.is_some() => {
            let words = "the rules do not allow this; w saves the plan for someone else";
            dialog.note = Some(Err(words.to_owned()));
        }
        KeyCode::Enter if review.plan.messages.is_empty() => model.overlay = None,
        KeyCode::Enter => {
            let phrase = format!("{} {}", review.plan.queue, remaining_messages(review));
            dialog.confirmation = Some(Confirmation::new(&phrase, dialog.protected, false, now));
        }
        KeyCode::Up | KeyCode::Char('k') => dialog.top = dialog.top.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => dialog.top = dialog.top.saturating_add(1),
        KeyCode::PageUp => dialog.top = dialog.top.saturating_sub(10),
        KeyCode::PageDown => dialog.top = dialog.top.saturating_add(10),
        _ => {}
    }
    let last = replay_scroll_max(model);
    if let Some(Overlay::Replay(dialog)) = &mut model.overlay {
        dialog.top = dialog.top.min(last);
    }
    Vec::new()
}

/// Takes an option that was typed, and plans with it.
fn set_option(model: &mut Model, option: ReplayOption, typed: &str) -> Vec<Effect> {
    let Some(Overlay::Replay(dialog)) = &mut model.overlay else {
        return Vec::new();
    };
    if option == ReplayOption::Set {
        if !typed.starts_with('/') || !typed.contains('=') {
            let words = "enter a JSON pointer and a value, such as /detail/amount=1250";
            dialog.note = Some(Err(words.to_owned()));
            return Vec::new();
        }
        (dialog.option, dialog.request.set) = (None, Some(typed.to_owned()));
        return request_plan(model);
    }
    dialog.option = None;
    let value = match typed.parse::<u32>() {
        Ok(value) if value > 0 => Some(value),
        _ if typed.is_empty() => None,
        _ => {
            dialog.note = Some(Err(format!("{typed} is not a number above 0")));
            return Vec::new();
        }
    };
    match option {
        ReplayOption::Canary => dialog.request.canary = value,
        ReplayOption::Rate | ReplayOption::Set => dialog.request.rate_per_second = value,
    }
    request_plan(model)
}

fn start(model: &mut Model, reason: String) -> Vec<Effect> {
    let Some(Overlay::Replay(dialog)) = &mut model.overlay else {
        return Vec::new();
    };
    let (env, name) = (
        dialog.env.clone(),
        format!("replay {}", dialog.request.queue),
    );
    // The review, and what was typed, stay on screen.
    if tasks::is_running(model, &env, &name) {
        if let Some(Overlay::Replay(dialog)) = &mut model.overlay
            && let Some(typed) = &mut dialog.confirmation
        {
            typed.problem = Some(tasks::already_running(&name));
        }
        return Vec::new();
    }
    let Some(Overlay::Replay(dialog)) = model.overlay.take() else {
        return Vec::new();
    };
    let PlanState::Ready(reviewed) = dialog.plan else {
        return Vec::new();
    };
    let kind = TaskKind::Replay {
        plan: Box::new(reviewed.review.plan),
        reason,
    };
    let effects = tasks::start(model, env.clone(), name, kind);
    model.dead_letters.clear_picked();
    access::refresh(model, &env);
    effects
}
