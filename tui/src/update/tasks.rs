//! Background tasks: started, canceled, ended.

use std::collections::VecDeque;

use payops_core::Timestamp;

use super::controller::{Controller, next_second};
use crate::effect::{Effect, TaskKind};
use crate::keymap::Command;
use crate::model::{Model, Overlay, Tab, Task, TaskStatus};
use crate::redact::redact;
use crate::theme::Tone;
use crate::views::{split_result, task_result};

/// Compares the stores of the active environment, as a background task.
pub(super) fn reconcile(model: &mut Model) -> Vec<Effect> {
    let Some(env) = model.open_env() else {
        model.notify(Tone::Warn, "this environment is not open yet");
        return Vec::new();
    };
    start(model, env, "reconcile".to_owned(), TaskKind::Reconcile)
}

/// Waits until the selected rollout is healthy, as a background task.
pub(super) fn await_rollout(model: &mut Model) -> Vec<Effect> {
    let Some(id) = model.selected_rollout() else {
        model.notify(Tone::Warn, "select a rollout first: 2 lists them");
        return Vec::new();
    };
    let name = format!("await {}", id.key);
    start(
        model,
        id.env,
        name,
        TaskKind::AwaitRollout {
            cluster: id.cluster,
            key: id.key,
        },
    )
}

pub(super) fn is_running(model: &Model, env: &str, name: &str) -> bool {
    model
        .tasks
        .iter()
        .any(|task| task.env == env && task.name == name && task.is_running())
}

pub(super) fn already_running(name: &str) -> String {
    format!("{name} is already running; 8 shows it")
}

/// Starts a task, unless the same is running.
pub(super) fn start(model: &mut Model, env: String, name: String, kind: TaskKind) -> Vec<Effect> {
    let now = model.now;
    if is_running(model, &env, &name) {
        let name = format!("{name} in {}", env.to_uppercase());
        model.notify(Tone::Warn, already_running(&name));
        return Vec::new();
    }
    model.task_list.last_id = model.task_list.last_id.saturating_add(1);
    let id = model.task_list.last_id;
    if model.route().tab() != Tab::Tasks {
        let words = format!(
            "{name} in {}: started; 8 shows its progress",
            env.to_uppercase()
        );
        model.notify(Tone::Plain, words);
    }
    let status = TaskStatus::Running {
        done: 0,
        total: None,
        note: String::new(),
        stopping: false,
    };
    model.tasks.push(Task {
        id,
        env: env.clone(),
        name,
        writes: kind.writes(),
        started_at: now,
        status,
        samples: VecDeque::new(),
    });
    model.quit_requested = false;
    vec![Effect::StartTask { id, env, kind }]
}

pub(super) struct TasksController;

impl Controller for TasksController {
    fn run(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        match command {
            Command::CancelTask => {
                let row = model.task_list.cursor.row;
                if let Some(Task {
                    id,
                    status: TaskStatus::Running { stopping, .. },
                    ..
                }) = model.tasks.get_mut(row)
                {
                    *stopping = true;
                    return vec![Effect::CancelTask { id: *id }];
                }
            }
            Command::Enter => {
                if let Some(task) = model.tasks.get(model.task_list.cursor.row) {
                    let (tone, words) = task_result(task);
                    let words = if words.is_empty() {
                        "still running; x cancels it".to_owned()
                    } else {
                        words
                    };
                    let (first, found) = split_result(&words);
                    let mut lines = vec![(tone, redact(first))];
                    lines.extend(found.into_iter().map(|line| (Tone::Plain, redact(line))));
                    model.overlay = Some(Overlay::Text {
                        title: format!("{} in {}", task.name, task.env.to_uppercase()),
                        lines,
                        top: 0,
                    });
                }
            }
            Command::ClearTasks => model.tasks.retain(Task::is_running),
            Command::Copy => {
                let task = model.tasks.get(model.task_list.cursor.row);
                return task
                    .map(|task| {
                        Effect::Copy(format!(
                            "{} {}: {}",
                            task.env,
                            task.name,
                            redact(&task_result(task).1.replace('\n', "; "))
                        ))
                    })
                    .into_iter()
                    .collect();
            }
            _ => {}
        }
        Vec::new()
    }

    fn wake_at(&self, model: &Model) -> Option<Timestamp> {
        model
            .tasks
            .iter()
            .any(Task::is_running)
            .then(|| next_second(model))
    }
}
