//! Actions on dead letters that are confirmed without a plan: discard and redrive; and exports.

use crossterm::event::KeyEvent;
use payops_core::domain::bus::source_of;
use payops_core::domain::dead_letter::classes;
use payops_core::domain::display::count;

use super::replay::{Targets, find_targets};
use super::{access, confirmation, tasks};
use crate::effect::{Effect, TaskKind};
use crate::model::{ConfirmDialog, Confirmation, Fact, Model, Overlay, Route};
use crate::theme::Tone;

pub(super) fn open_discard(model: &mut Model) {
    let Some(targets) = find_targets(model, true) else {
        return;
    };
    let Targets {
        env,
        protected,
        queue,
        letters,
    } = targets;
    let messages = count(letters.len(), "message");
    let facts = vec![
        Fact::new(
            "delete",
            format!("{messages} from {queue}, permanently"),
            Tone::Bad,
        ),
        Fact::new(
            "causes",
            classes(letters.iter().map(|letter| letter.class.as_str())),
            Tone::Plain,
        ),
        Fact::new(
            "backup",
            "each is saved whole to a private file first",
            Tone::Plain,
        ),
        Fact::new(
            "bound to",
            "each is deleted only if it has not changed since",
            Tone::Plain,
        ),
    ];
    let phrase = format!("{queue} {}", letters.len());
    model.overlay = Some(Overlay::Confirm(Box::new(ConfirmDialog {
        env,
        title: "Discard",
        facts,
        confirmation: Confirmation::new(&phrase, protected, true, model.now),
        task_name: format!("discard {queue}"),
        task: TaskKind::Discard {
            queue,
            letters,
            reason: String::new(),
        },
        top: 0,
    })));
}

/// Asks whether the queue service should move a whole dead-letter queue back, unread.
pub(super) fn open_redrive(model: &mut Model) {
    let found = match model.route() {
        Route::Queues => model.selected_dead_letter_queue(),
        _ => model.target_dead_letter_queue().map(|queue| (queue, 1)),
    };
    let env = model.env().filter(|env| env.is_open());
    let problem = match (env, found) {
        (None, _) => "this environment is not open yet",
        _ if model.read_only => "this screen is read-only",
        (_, None) => "select a queue that has dead letters",
        (_, Some((_, 0))) => "its dead-letter queue is empty",
        (Some(env), Some((queue, _))) => {
            let dialog = ConfirmDialog {
                env: env.info.name.clone(),
                title: "Redrive",
                facts: describe_redrive(&queue),
                confirmation: Confirmation::new(&queue, env.info.protected, false, model.now),
                task_name: format!("redrive {queue}"),
                task: TaskKind::Redrive {
                    queue,
                    reason: String::new(),
                },
                top: 0,
            };
            model.overlay = Some(Overlay::Confirm(Box::new(dialog)));
            return;
        }
    };
    model.notify(Tone::Warn, problem);
}

fn describe_redrive(queue: &str) -> Vec<Fact> {
    let target = source_of(queue).unwrap_or_default();
    vec![
        Fact::new(
            "move",
            format!("all messages of {queue} to {target}, by the queue service itself"),
            Tone::Bad,
        ),
        Fact::new(
            "⚠ warning",
            "messages move unread: no payment check, no canary, no loop guard, no \
                journal of single messages",
            Tone::Warn,
        ),
        Fact::new(
            "instead",
            "press R in dead letters (4); it checks payments and keeps a journal",
            Tone::Plain,
        ),
        Fact::new(
            "equivalent",
            format!(
                "aws sqs start-message-move-task \
                    --source-arn …:{queue} --destination-arn …:{target}"
            ),
            Tone::Dim,
        ),
    ]
}

pub(super) fn handle_key(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    let Some(Overlay::Confirm(dialog)) = &mut model.overlay else {
        return Vec::new();
    };
    let Some(typed) = confirmation::handle_key(&mut dialog.confirmation, event) else {
        return Vec::new();
    };
    let (env, name) = (dialog.env.clone(), dialog.task_name.clone());
    // What was typed stays on screen.
    if tasks::is_running(model, &env, &name) {
        if let Some(Overlay::Confirm(dialog)) = &mut model.overlay {
            dialog.confirmation.problem = Some(tasks::already_running(&name));
        }
        return Vec::new();
    }
    let Some(Overlay::Confirm(dialog)) = model.overlay.take() else {
        return Vec::new();
    };
    let mut kind = dialog.task;
    if let TaskKind::Discard { reason, .. } | TaskKind::Redrive { reason, .. } = &mut kind {
        *reason = typed;
    }
    let effects = tasks::start(model, env.clone(), name, kind);
    model.dead_letters.clear_picked();
    access::refresh(model, &env);
    effects
}

pub(super) fn export(model: &mut Model) -> Vec<Effect> {
    let Some(Targets { env, letters, .. }) = find_targets(model, false) else {
        return Vec::new();
    };
    let name = format!("export {}", count(letters.len(), "dead letter"));
    let listed = model.dead_letters.listed();
    tasks::start(model, env, name, TaskKind::Export { letters, listed })
}
