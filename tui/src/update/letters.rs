//! Dead letters that are sent again, deleted and exported: plan, review, execute.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};
use payops_core::domain::bus::source_of;
use payops_core::domain::dead_letter::classes;
use payops_core::usecase::DeadLetter;
use tui_input::Input;

use super::{consent, elevate};
use crate::effect::{Ask, Effect, Job};
use crate::environments::{ReplayReview, ReplayWanted};
use crate::fault::Fault;
use crate::model::{
    Agreeing, Consent, Model, Notice, Number, Overlay, Planning, Replaying, Reviewed, Route,
};
use crate::theme::Tone;
use crate::views::{dead_letters, queues, tasks};
use crate::widgets::edit;
use crate::widgets::steer;
use crate::widgets::words::count;

/// The letters that are meant, all of one queue, and where; says so when there are none.
fn meant(model: &mut Model, writes: bool) -> Option<(String, bool, String, Arc<[DeadLetter]>)> {
    let found = dead_letters::meant(model);
    let env = model.env().filter(|env| env.is_open());
    let problem = match (env, found.first()) {
        (None, _) => "this environment is not open yet".to_owned(),
        (Some(env), _) if !env.steers() => "dead letters can only be looked at here".to_owned(),
        _ if writes && model.read_only => "this screen is read-only".to_owned(),
        (_, None) => "no dead letter is selected".to_owned(),
        (Some(env), Some(first)) if found.iter().all(|letter| letter.queue == first.queue) => {
            let (env, queue) = (
                (env.info.name.clone(), env.info.protected),
                first.queue.clone(),
            );
            return Some((env.0, env.1, queue, found.into_iter().cloned().collect()));
        }
        _ => "these are of several queues: select those of one, from queues (3) or with a filter"
            .to_owned(),
    };
    model.say(Notice::new(Tone::Warn, problem, model.now));
    None
}

/// Asks for the plan of a replay, and shows it when it comes.
pub(crate) fn replay(model: &mut Model) -> Vec<Effect> {
    let Some((env, protected, queue, letters)) = meant(model, true) else {
        return Vec::new();
    };
    let wanted = ReplayWanted {
        queue,
        ..ReplayWanted::default()
    };
    let plan = Planning::Asked(0);
    let replaying = Replaying {
        env,
        protected,
        letters,
        wanted,
        plan,
        number: None,
        consent: None,
        note: None,
        top: 0,
    };
    model.overlay = Some(Overlay::Replay(Box::new(replaying)));
    plan_again(model)
}

fn plan_again(model: &mut Model) -> Vec<Effect> {
    let request = model.next_request();
    let Some(Overlay::Replay(dialog)) = &mut model.overlay else {
        return Vec::new();
    };
    (dialog.plan, dialog.note) = (Planning::Asked(request), None);
    let ask = Ask::PlanReplay {
        wanted: dialog.wanted.clone(),
        letters: Arc::clone(&dialog.letters),
    };
    vec![Effect::Ask {
        request,
        env: dialog.env.clone(),
        ask: Box::new(ask),
    }]
}

pub(crate) fn planned(model: &mut Model, request: u64, result: Result<Box<ReplayReview>, Fault>) {
    let Some(Overlay::Replay(dialog)) = &mut model.overlay else {
        return;
    };
    if matches!(dialog.plan, Planning::Asked(asked) if asked == request) {
        dialog.plan = match result {
            Ok(review) => Planning::Ready(Box::new(Reviewed {
                told: steer::told(&review),
                review: *review,
            })),
            Err(fault) => Planning::Failed(fault),
        };
    }
}

pub(crate) fn saved(model: &mut Model, result: Result<String, Fault>) {
    let note = match result {
        Ok(path) => Ok(format!(
            "written to {path}; somebody else: payops dlq approve {path}; then: payops dlq replay \
                --plan {path}"
        )),
        Err(fault) => Err(fault.text),
    };
    if let Some(Overlay::Replay(dialog)) = &mut model.overlay {
        dialog.note = Some(note);
        return;
    }
    let (tone, words) = match note {
        Ok(words) => (Tone::Good, words),
        Err(words) => (Tone::Bad, format!("✖ the plan was not written: {words}")),
    };
    model.say(Notice::new(tone, words, model.now));
}

pub(crate) fn replay_key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let Some(Overlay::Replay(dialog)) = &mut model.overlay else {
        return Vec::new();
    };
    if let Some((number, input)) = &mut dialog.number {
        if event.code != KeyCode::Enter {
            edit::key(input, event);
            return Vec::new();
        }
        let (number, typed) = (*number, input.value().trim().to_owned());
        return numbered(model, number, &typed);
    }
    if let Some(consent) = &mut dialog.consent {
        return match consent::key(consent, event) {
            Some(reason) => begin(model, reason),
            None => Vec::new(),
        };
    }
    let Planning::Ready(reviewed) = &dialog.plan else {
        return if event.code == KeyCode::Char('r') {
            plan_again(model)
        } else {
            Vec::new()
        };
    };
    let review = &reviewed.review;
    let is_new = review.settled.is_none();
    match event.code {
        KeyCode::Char('i') if is_new && dialog.wanted.set.is_some() => {
            dialog.number = Some((
                Number::Set,
                dialog.wanted.set.clone().unwrap_or_default().into(),
            ));
        }
        KeyCode::Char('c') if is_new => dialog.number = Some((Number::Canary, Input::default())),
        KeyCode::Char('t') if is_new => dialog.number = Some((Number::Rate, Input::default())),
        KeyCode::Char('o') if is_new => {
            dialog.wanted.only_safe = !dialog.wanted.only_safe;
            return plan_again(model);
        }
        KeyCode::Char('w') if is_new => {
            let (env, plan) = (dialog.env.clone(), Box::new(review.plan.clone()));
            let request = model.next_request();
            return vec![Effect::Ask {
                request,
                env,
                ask: Box::new(Ask::SavePlan(plan)),
            }];
        }
        KeyCode::Char('r') => return plan_again(model),
        KeyCode::Enter if review.refusal.is_some() => {
            dialog.note = Some(Err(
                "the rules do not allow it; w writes the plan for somebody else".to_owned(),
            ));
        }
        KeyCode::Enter if review.plan.messages.is_empty() => model.overlay = None,
        KeyCode::Enter => {
            let words = format!("{} {}", review.plan.queue, steer::left(review));
            dialog.consent = Some(Consent::new(&words, dialog.protected, false));
        }
        KeyCode::Up | KeyCode::Char('k') => dialog.top = dialog.top.saturating_sub(1),
        KeyCode::Down | KeyCode::Char('j') => dialog.top = dialog.top.saturating_add(1),
        KeyCode::PageUp => dialog.top = dialog.top.saturating_sub(10),
        KeyCode::PageDown => dialog.top = dialog.top.saturating_add(10),
        _ => {}
    }
    let last = steer::replay_lines_max(model);
    if let Some(Overlay::Replay(dialog)) = &mut model.overlay {
        dialog.top = dialog.top.min(last);
    }
    Vec::new()
}

/// Takes a number that was typed, and plans with it.
fn numbered(model: &mut Model, number: Number, typed: &str) -> Vec<Effect> {
    let Some(Overlay::Replay(dialog)) = &mut model.overlay else {
        return Vec::new();
    };
    if number == Number::Set {
        if !typed.starts_with('/') || !typed.contains('=') {
            dialog.note = Some(Err(
                "write a JSON pointer and JSON, such as /detail/amount=1250".to_owned(),
            ));
            return Vec::new();
        }
        (dialog.number, dialog.wanted.set) = (None, Some(typed.to_owned()));
        return plan_again(model);
    }
    dialog.number = None;
    let value = match typed.parse::<u32>() {
        Ok(value) if value > 0 => Some(value),
        _ if typed.is_empty() => None,
        _ => {
            dialog.note = Some(Err(format!("{typed} is no number above 0")));
            return Vec::new();
        }
    };
    match number {
        Number::Canary => dialog.wanted.canary = value,
        Number::Rate | Number::Set => dialog.wanted.rate_per_second = value,
    }
    plan_again(model)
}

/// Says in a dialog that the same is under way already: what was reviewed and typed stays.
fn busy(model: &mut Model) -> bool {
    let what = match &model.overlay {
        Some(Overlay::Replay(dialog)) => (
            dialog.env.clone(),
            format!("replay {}", dialog.wanted.queue),
        ),
        Some(Overlay::Agree(dialog)) => (dialog.env.clone(), dialog.task.clone()),
        _ => return false,
    };
    let runs = tasks::runs(model, &what.0, &what.1);
    let words = Some(format!("{} is under way already; 8 shows it", what.1));
    match &mut model.overlay {
        Some(Overlay::Agree(dialog)) if runs => dialog.consent.problem = words,
        Some(Overlay::Replay(dialog)) if runs => {
            if let Some(consent) = &mut dialog.consent {
                consent.problem = words;
            }
        }
        _ => {}
    }
    runs
}

fn begin(model: &mut Model, reason: String) -> Vec<Effect> {
    if busy(model) {
        return Vec::new();
    }
    let Some(Overlay::Replay(dialog)) = model.overlay.take() else {
        return Vec::new();
    };
    let Planning::Ready(reviewed) = dialog.plan else {
        return Vec::new();
    };
    let review = reviewed.review;
    let what = format!("replay {}", review.plan.queue);
    let effects = tasks::start(
        model,
        dialog.env.clone(),
        what,
        Job::Replay {
            plan: Box::new(review.plan),
            reason,
        },
    );
    model.dead_letters.unpick();
    elevate::again(model, &dialog.env);
    effects
}

pub(crate) fn discard(model: &mut Model) -> Vec<Effect> {
    let Some((env, protected, queue, letters)) = meant(model, true) else {
        return Vec::new();
    };
    let died = classes(letters.iter().map(|letter| letter.class.as_str()));
    let told = vec![
        (
            "delete",
            format!("{} of {queue}, for good", count(letters.len(), "message")),
            Tone::Bad,
        ),
        ("died of", died, Tone::Plain),
        (
            "kept",
            "each is kept whole in a file first, which only you can read".to_owned(),
            Tone::Plain,
        ),
        (
            "bound to",
            "each goes only if it is still as it was seen".to_owned(),
            Tone::Plain,
        ),
    ];
    let consent = Consent::new(&format!("{queue} {}", letters.len()), protected, true);
    let (task, job) = (
        format!("discard {queue}"),
        Job::Discard {
            queue,
            letters,
            reason: String::new(),
        },
    );
    model.overlay = Some(Overlay::Agree(Box::new(Agreeing {
        env,
        title: "Discard",
        told,
        consent,
        task,
        job,
        top: 0,
    })));
    Vec::new()
}

/// Opens the question whether all of a dead-letter queue is to be moved back, unread.
pub(crate) fn redrive(model: &mut Model) -> Vec<Effect> {
    let found = match model.route() {
        Route::Queues => queues::selected_dlq(model),
        _ => dead_letters::queue(model).map(|queue| (queue, 1)),
    };
    let env = model.env().filter(|env| env.is_open());
    let problem = match (env, found) {
        (None, _) => "this environment is not open yet",
        (Some(env), _) if !env.steers() => "dead letters can only be looked at here",
        _ if model.read_only => "this screen is read-only",
        (_, None) => "select a queue that has dead letters",
        (_, Some((_, 0))) => "its dead-letter queue is empty",
        (Some(env), Some((queue, _))) => {
            let target = source_of(&queue).unwrap_or_default();
            let told = vec![
                (
                    "move",
                    format!("all of {queue} to {target}, by the queue service itself"),
                    Tone::Bad,
                ),
                (
                    "⚠ warning",
                    "unread: no look at payments, no canary, no loop guard, no line for each in a \
                        journal"
                        .to_owned(),
                    Tone::Warn,
                ),
                (
                    "instead",
                    "R in dead letters (4) has all that".to_owned(),
                    Tone::Plain,
                ),
                (
                    "same as",
                    format!(
                        "aws sqs start-message-move-task --source-arn …:{queue} \
                    --destination-arn …:{target}"
                    ),
                    Tone::Dim,
                ),
            ];
            let consent = Consent::new(&queue, env.info.protected, false);
            let (env, task) = (env.info.name.clone(), format!("redrive {queue}"));
            let job = Job::Redrive {
                queue,
                reason: String::new(),
            };
            model.overlay = Some(Overlay::Agree(Box::new(Agreeing {
                env,
                title: "Redrive",
                told,
                consent,
                task,
                job,
                top: 0,
            })));
            return Vec::new();
        }
    };
    model.say(Notice::new(Tone::Warn, problem, model.now));
    Vec::new()
}

pub(crate) fn agree_key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let Some(Overlay::Agree(dialog)) = &mut model.overlay else {
        return Vec::new();
    };
    let Some(why) = consent::key(&mut dialog.consent, event) else {
        return Vec::new();
    };
    if busy(model) {
        return Vec::new();
    }
    let Some(Overlay::Agree(dialog)) = model.overlay.take() else {
        return Vec::new();
    };
    let Agreeing {
        env, task, mut job, ..
    } = *dialog;
    if let Job::Discard { reason, .. } | Job::Redrive { reason, .. } = &mut job {
        *reason = why;
    }
    let effects = tasks::start(model, env.clone(), task, job);
    model.dead_letters.unpick();
    elevate::again(model, &env);
    effects
}

pub(crate) fn export(model: &mut Model) -> Vec<Effect> {
    let Some((env, _, _, letters)) = meant(model, false) else {
        return Vec::new();
    };
    let what = format!("export {}", count(letters.len(), "letter"));
    tasks::start(model, env, what, Job::Export { letters })
}

/// Asks what is to be put into the body of one letter, and plans its replay with that.
pub(crate) fn edit(model: &mut Model) -> Vec<Effect> {
    let Some((env, protected, queue, letters)) = meant(model, true) else {
        return Vec::new();
    };
    if letters.len() != 1 {
        model.say(Notice::new(
            Tone::Warn,
            "one letter is edited at a time: Esc takes the others out",
            model.now,
        ));
        return Vec::new();
    }
    let wanted = ReplayWanted {
        queue,
        ..ReplayWanted::default()
    };
    let number = Some((Number::Set, Input::default()));
    let replaying = Replaying {
        env,
        protected,
        letters,
        wanted,
        plan: Planning::Not,
        number,
        consent: None,
        note: None,
        top: 0,
    };
    model.overlay = Some(Overlay::Replay(Box::new(replaying)));
    Vec::new()
}
