//! Acting on a rollout: from a key to a plan, and from its answer to words.

use std::sync::Arc;

use payops_core::domain::mask;
use payops_core::domain::rollout::{
    ImageChange, Rollout, RolloutAction, RolloutPlan, RolloutRefusal, plan,
};
use payops_core::port::Executed;
use tui_input::Input;

use super::fleet;
use crate::effect::Effect;
use crate::fault::Fault;
use crate::keymap::Verb;
use crate::model::{
    Confirm, Feed, Field, Model, Notice, Overlay, Prompt, PromptFor, RolloutId, Route, Write,
};
use crate::theme::Tone;
use crate::views;
use crate::widgets::words::age;

/// A key that acts: shows the plan, never does it.
pub(crate) fn act(model: &mut Model, verb: Verb) -> Vec<Effect> {
    let Some(id) = selected(model) else {
        model.say(Notice::new(Tone::Dim, "no rollout is selected", model.now));
        return Vec::new();
    };
    let Some(rollout) = fleet::rollout(model, &id) else {
        model.say(Notice::new(
            Tone::Warn,
            format!("{} is gone", id.key),
            model.now,
        ));
        return Vec::new();
    };
    let action = match verb {
        Verb::Promote => RolloutAction::Promote,
        Verb::PromoteFull => RolloutAction::PromoteFull,
        Verb::Skip => RolloutAction::Skip,
        Verb::Abort => RolloutAction::Abort,
        Verb::Retry => RolloutAction::Retry,
        Verb::Undo => RolloutAction::Undo {
            revision: views::rollout::selected_revision(model),
        },
        Verb::PauseResume if rollout.spec_paused => RolloutAction::Resume,
        Verb::PauseResume => RolloutAction::Pause,
        Verb::Restart => RolloutAction::Restart { at: model.now },
        Verb::SetImage => {
            ask_images(model, id, &rollout);
            return Vec::new();
        }
        Verb::Terminate => {
            let Some(action) = views::rollout::selected_run(model) else {
                model.say(Notice::new(
                    Tone::Dim,
                    "select an analysis or an experiment that runs",
                    model.now,
                ));
                return Vec::new();
            };
            action
        }
    };
    show_plan(model, id, &rollout, action);
    Vec::new()
}

fn selected(model: &Model) -> Option<RolloutId> {
    match model.route() {
        Route::Rollout(id) => Some(id.clone()),
        Route::Rollouts => views::rollouts::selected(model),
        Route::Overview => views::overview::selected_rollout(model),
        _ => None,
    }
}

/// Plans, and shows the plan or why there is none.
fn show_plan(model: &mut Model, id: RolloutId, rollout: &Arc<Rollout>, action: RolloutAction) {
    let what = format!(
        "{} {} in {}",
        action.as_str(),
        id.key,
        id.env.to_uppercase()
    );
    let refusal = refuse(model, &id, &action);
    let related = (model.route() == &Route::Rollout(id.clone()))
        .then(|| model.rollout.related.value())
        .flatten();
    let planned = match refusal {
        Some(refusal) => Err(refusal),
        None => plan(action, rollout, related),
    };
    let (seen_at, doubt) = freshness(model, &id);
    let planned = planned.map(|mut plan| {
        plan.warnings.extend(doubt);
        plan
    });
    let protected = model
        .env_named(&id.env)
        .is_none_or(|env| env.info.protected);
    model.overlay = Some(match planned {
        Ok(plan) => Overlay::Confirm(Box::new(Confirm {
            id,
            plan,
            seen: Arc::clone(rollout),
            seen_at,
            protected,
            name: Input::default(),
            reason: Input::default(),
            field: Field::Reason,
            problem: None,
        })),
        Err(refusal) => Overlay::Refused { what, refusal },
    });
}

/// When a rollout was last surely as it is shown, and a warning when that was not now.
fn freshness(model: &Model, id: &RolloutId) -> (payops_core::Timestamp, Option<String>) {
    match fleet::cluster(model, id).map(|cluster| &cluster.feed) {
        Some(Feed::Cut { since, why, .. }) => {
            let words = format!(
                "the cluster is cut for {}: this may not be how it stands now ({why})",
                age(*since, model.now)
            );
            (*since, Some(words))
        }
        _ => (model.now, None),
    }
}

/// Why the screen itself does not plan it.
fn refuse(model: &Model, id: &RolloutId, action: &RolloutAction) -> Option<RolloutRefusal> {
    let refusal = |why: &str, instead: &str| {
        Some(RolloutRefusal {
            why: why.to_owned(),
            instead: instead.to_owned(),
        })
    };
    if model.read_only {
        return refusal(
            "the screen is read-only",
            "start payops without --read-only",
        );
    }
    let cluster = fleet::cluster(model, id)?;
    if !cluster.can(action) {
        return refusal(
            &format!("{} cannot do that", cluster.driver),
            &format!("{}, where that is allowed", action.kubectl(&id.key)),
        );
    }
    if model.writes.values().any(|written| written.id == *id) {
        return refusal(
            "an action on it was sent, and is not answered yet",
            "wait for its answer",
        );
    }
    None
}

fn ask_images(model: &mut Model, id: RolloutId, rollout: &Rollout) {
    let now: Vec<String> = rollout
        .images
        .iter()
        .map(|image| format!("{}={}", image.container, image.image))
        .collect();
    let words = format!(
        "Images of {}: container=image, several with spaces; * for all. Now: {}",
        id.key,
        now.join(" ")
    );
    let input = Input::new(now.first().cloned().unwrap_or_default());
    model.overlay = Some(Overlay::Prompt(Prompt {
        what: PromptFor::SetImage(id),
        words,
        input,
        problem: None,
    }));
}

pub(crate) fn prompted(model: &mut Model, prompt: Prompt) -> Vec<Effect> {
    let PromptFor::SetImage(id) = prompt.what.clone();
    match images(prompt.input.value()) {
        Ok(images) => {
            model.overlay = None;
            if let Some(rollout) = fleet::rollout(model, &id) {
                show_plan(model, id, &rollout, RolloutAction::SetImage(images));
            }
        }
        Err(problem) => {
            model.overlay = Some(Overlay::Prompt(Prompt {
                problem: Some(problem),
                ..prompt
            }))
        }
    }
    Vec::new()
}

fn images(text: &str) -> Result<Vec<ImageChange>, String> {
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
        Err("type container=image".to_owned())
    } else {
        Ok(changes)
    }
}

pub(crate) fn executed(
    model: &mut Model,
    request: u64,
    env: &str,
    result: Result<Executed, Fault>,
) -> Vec<Effect> {
    let Some(Write { id, plan, seen }) = model
        .writes
        .remove(&request)
        .filter(|write| write.id.env == env)
    else {
        return Vec::new();
    };
    // That it was sent is no longer the news.
    model.notice = None;
    let what = format!("{} {}", plan.action.as_str(), id.key);
    let (tone, text, now) = match result {
        Ok(Executed::Done(now)) => (Tone::Good, format!("✔ {what}: done"), Some(*now)),
        Ok(Executed::Moved(now)) => {
            moved(
                model,
                &format!("{what}: nothing was done"),
                &plan,
                &seen,
                &now,
            );
            fleet::learn(model, &id, *now);
            return Vec::new();
        }
        Ok(Executed::Partly { done, now }) => {
            let title = format!("{what}: {done} of {} calls were made", plan.calls.len());
            moved(model, &title, &plan, &seen, &now);
            fleet::learn(model, &id, *now);
            return Vec::new();
        }
        Ok(Executed::Gone) => (
            Tone::Warn,
            format!("{what}: nothing was done, the rollout is gone"),
            None,
        ),
        Err(fault) => {
            failed(model, &what, &fault);
            return Vec::new();
        }
    };
    if let Some(now) = now {
        fleet::learn(model, &id, now);
    }
    model.say(Notice::new(tone, text, model.now));
    model.rollout.related.refresh();
    Vec::new()
}

/// Says that something moved between plan and execution, and what.
fn moved(model: &mut Model, title: &str, plan: &RolloutPlan, seen: &Rollout, now: &Rollout) {
    let mut lines = vec![(
        Tone::Warn,
        "It moved between the plan and its execution:".to_owned(),
    )];
    let changes = seen.changes(now);
    if changes.is_empty() {
        lines.push((
            Tone::Plain,
            "  nothing that is shown here, but the object is another than the one planned on"
                .to_owned(),
        ));
    }
    lines.extend(
        changes
            .into_iter()
            .map(|change| (Tone::Strong, format!("  {}", mask::terminal(&change)))),
    );
    lines.extend([
        (Tone::Plain, String::new()),
        (Tone::Dim, format!("planned on  {}", plan.now)),
        (
            Tone::Dim,
            format!(
                "version     {} → {}",
                plan.resource_version, now.resource_version
            ),
        ),
        (Tone::Plain, String::new()),
        (
            Tone::Plain,
            "Look at it, and press the key again if it is still wanted. Esc goes back.".to_owned(),
        ),
    ]);
    model.overlay = Some(Overlay::Text {
        title: title.to_owned(),
        lines,
        top: 0,
    });
}

fn failed(model: &mut Model, what: &str, fault: &Fault) {
    let ambiguous = fault.kind == payops_core::port::ErrorKind::Ambiguous;
    let effect = if ambiguous {
        "It may or may not have been done: look at it before trying again."
    } else {
        "Nothing was done."
    };
    let mut lines = vec![
        (Tone::Bad, fault.text.clone()),
        (Tone::Strong, effect.to_owned()),
    ];
    if !fault.hint().is_empty() {
        lines.push((Tone::Dim, fault.hint().to_owned()));
    }
    lines.push((Tone::Dim, "Esc goes back.".to_owned()));
    model.overlay = Some(Overlay::Text {
        title: format!("✖ {what}"),
        lines,
        top: 0,
    });
}
