//! Acting on a rollout: from a key to a plan, and from the yes to its execution.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};
use payops_core::Timestamp;
use payops_core::domain::display::age_since;
use payops_core::domain::rollout::{ImageChange, Rollout, RolloutAction, RolloutRefusal, plan};
use tui_input::Input;

use super::{confirmation, rights, rollout};
use crate::effect::{Effect, Request};
use crate::fault::Fault;
use crate::keymap::RolloutCommand;
use crate::model::{
    Confirmation, Model, Overlay, PendingAction, Prompt, PromptPurpose, RolloutDialog, RolloutId,
    Route, WatchStatus,
};
use crate::theme::Tone;

/// Shows the plan of an action; nothing is done yet.
pub(super) fn act(model: &mut Model, command: RolloutCommand) -> Vec<Effect> {
    let Some(id) = model.selected_rollout() else {
        model.notify(Tone::Dim, "no rollout is selected");
        return Vec::new();
    };
    let Some(rollout) = model.find_rollout(&id) else {
        model.notify(Tone::Warn, format!("{} does not exist any more", id.key));
        return Vec::new();
    };
    let action = match command {
        RolloutCommand::Promote => RolloutAction::Promote,
        RolloutCommand::PromoteFull => RolloutAction::PromoteFull,
        RolloutCommand::Skip => RolloutAction::Skip,
        RolloutCommand::Abort => RolloutAction::Abort,
        RolloutCommand::Retry => RolloutAction::Retry,
        RolloutCommand::Undo => RolloutAction::Undo {
            revision: rollout::selected_revision(model),
        },
        RolloutCommand::PauseResume if rollout.spec_paused => RolloutAction::Resume,
        RolloutCommand::PauseResume => RolloutAction::Pause,
        RolloutCommand::Restart => RolloutAction::Restart { at: model.now },
        RolloutCommand::SetImage => {
            prompt_for_images(model, id, &rollout);
            return Vec::new();
        }
        RolloutCommand::Terminate => {
            let Some(action) = rollout::selected_run(model) else {
                model.notify(Tone::Dim, "select a running analysis or experiment");
                return Vec::new();
            };
            action
        }
    };
    show_plan(model, id, &rollout, action)
}

/// Shows the plan, or why there is none.
fn show_plan(
    model: &mut Model,
    id: RolloutId,
    rollout: &Arc<Rollout>,
    action: RolloutAction,
) -> Vec<Effect> {
    let title = format!(
        "{} {} in {}",
        action.as_str(),
        id.key,
        id.env.to_uppercase()
    );
    let related = (model.route() == &Route::Rollout(id.clone()))
        .then(|| model.rollout.related.value())
        .flatten();
    let planned = match find_refusal(model, &id, &action) {
        Some(refusal) => Err(refusal),
        None => match related {
            Some(related) => plan(
                action,
                &rollout.as_ref().clone().count_canary(related),
                Some(related),
            ),
            None => plan(action, rollout, None),
        },
    };
    let (seen_at, warning) = last_seen(model, &id);
    let protected = model
        .env_named(&id.env)
        .is_none_or(|env| env.info.protected);
    let mut plan = match planned {
        Ok(plan) => plan,
        Err(refusal) => {
            model.overlay = Some(Overlay::Refused { title, refusal });
            return Vec::new();
        }
    };
    plan.warnings.extend(warning);
    let details = model.env_named(&id.env).and_then(|env| env.details.value());
    plan.warnings
        .extend(details.and_then(|details| details.kept_here.clone()));
    let request_id = model.next_request();
    let effect = Effect::Request {
        id: request_id,
        env: id.env.clone(),
        request: Box::new(Request::Equivalent {
            cluster: id.cluster.clone(),
            action: plan.action.clone(),
            key: plan.key.clone(),
        }),
    };
    let asked = id.clone();
    let mut confirmation = Confirmation::new(&id.key.name, protected, false, model.now);
    if plan.dangerous {
        confirmation.phrase = Some(id.key.name.clone());
    }
    model.overlay = Some(Overlay::Rollout(Box::new(RolloutDialog {
        confirmation,
        id,
        plan,
        seen: Arc::clone(rollout),
        seen_at,
        request_id,
        equivalent: String::new(),
    })));
    let rights = rights::ask_once(model, &asked);
    std::iter::once(effect).chain(rights).collect()
}

/// Puts the command that does the same as the plan on screen into its dialog.
pub(super) fn set_equivalent(model: &mut Model, id: u64, line: Result<String, Fault>) {
    if let Some(Overlay::Rollout(dialog)) = &mut model.overlay
        && dialog.request_id == id
    {
        dialog.equivalent = line.unwrap_or_default();
    }
}

/// When the state on screen was last known to be current, and a warning when that is not now.
fn last_seen(model: &Model, id: &RolloutId) -> (Timestamp, Option<String>) {
    match model.find_cluster(id).map(|cluster| &cluster.watch) {
        Some(WatchStatus::Cut { since, why, .. }) => {
            let words = format!(
                "the cluster has not answered for {}; the rollout may have changed since ({why})",
                age_since(*since, model.now)
            );
            (*since, Some(words))
        }
        _ => (model.now, None),
    }
}

/// Why the screen itself refuses to plan an action.
fn find_refusal(model: &Model, id: &RolloutId, action: &RolloutAction) -> Option<RolloutRefusal> {
    let refusal = |why: &str, instead: &str| {
        Some(RolloutRefusal {
            why: why.to_owned(),
            instead: instead.to_owned(),
        })
    };
    if model.read_only {
        return refusal(
            "this screen is read-only",
            "start payops without --read-only",
        );
    }
    let cluster = model.find_cluster(id)?;
    if !cluster.supports(action) {
        return refusal(
            &format!("{} does not support this action", cluster.driver),
            "reach the cluster itself, by kubeconfig or EKS, to do that",
        );
    }
    if let Some(denied) = rights::find_refusal(model, id, action.as_str()) {
        return Some(denied);
    }
    if model
        .pending_actions
        .values()
        .any(|pending| pending.id == *id)
    {
        return refusal(
            "another action on it has not been answered yet",
            "wait for the answer",
        );
    }
    None
}

fn prompt_for_images(model: &mut Model, id: RolloutId, rollout: &Rollout) {
    let current: Vec<String> = rollout
        .images
        .iter()
        .map(|image| format!("{}={}", image.container, image.image))
        .collect();
    let words = format!(
        "Images of {} as container=image, separated by spaces; * sets all containers. Now: {}",
        id.key,
        current.join(" ")
    );
    let input = Input::new(current.first().cloned().unwrap_or_default());
    model.overlay = Some(Overlay::Prompt(Prompt {
        purpose: PromptPurpose::SetImage(id),
        words,
        input,
        problem: None,
    }));
}

/// Takes what was typed in a prompt.
pub(super) fn handle_prompt(model: &mut Model, prompt: Prompt) -> Vec<Effect> {
    let PromptPurpose::SetImage(id) = prompt.purpose.clone();
    match parse_images(prompt.input.value()) {
        Ok(images) => {
            model.overlay = None;
            if let Some(rollout) = model.find_rollout(&id) {
                return show_plan(model, id, &rollout, RolloutAction::SetImage(images));
            }
        }
        Err(problem) => {
            model.overlay = Some(Overlay::Prompt(Prompt {
                problem: Some(problem),
                ..prompt
            }));
        }
    }
    Vec::new()
}

fn parse_images(text: &str) -> Result<Vec<ImageChange>, String> {
    let change = |word: &str| match word.split_once('=') {
        Some((container, image)) if !container.is_empty() && !image.is_empty() => Ok(ImageChange {
            container: container.to_owned(),
            image: image.to_owned(),
        }),
        _ => Err(format!("{word} is not container=image")),
    };
    let changes: Vec<ImageChange> = text
        .split_whitespace()
        .map(change)
        .collect::<Result<_, _>>()?;
    if changes.is_empty() {
        Err("enter container=image".to_owned())
    } else {
        Ok(changes)
    }
}

/// Handles a key while a plan is on screen.
pub(super) fn handle_key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let Some(Overlay::Rollout(dialog)) = &mut model.overlay else {
        return Vec::new();
    };
    if dialog.confirmation.phrase.is_some() {
        return match confirmation::handle_key(&mut dialog.confirmation, event) {
            Some(reason) => execute(model, reason),
            None => Vec::new(),
        };
    }
    match event.code {
        KeyCode::Enter | KeyCode::Char('y') => execute(model, String::new()),
        KeyCode::Char('n') => {
            model.overlay = None;
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn execute(model: &mut Model, reason: String) -> Vec<Effect> {
    let Some(Overlay::Rollout(dialog)) = model.overlay.take() else {
        return Vec::new();
    };
    let request_id = model.next_request();
    let RolloutDialog { id, plan, seen, .. } = *dialog;
    let words = format!(
        "{} {} in {}: sent…",
        plan.action.as_str(),
        plan.key,
        id.env.to_uppercase()
    );
    model.notify(Tone::Plain, words);
    model.pending_actions.insert(
        request_id,
        PendingAction {
            id: id.clone(),
            plan: plan.clone(),
            seen,
        },
    );
    model.quit_requested = false;
    let request = Request::ExecuteRollout {
        cluster: id.cluster,
        plan: Box::new(plan),
        reason,
    };
    vec![Effect::request(request_id, id.env, request)]
}
