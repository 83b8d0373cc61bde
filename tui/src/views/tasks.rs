//! Background tasks: progress, cancel, and how they ended.

use std::collections::VecDeque;

use payops_core::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::dead_letters::shown;
use super::{View, overview, rollouts};
use crate::effect::{Effect, Job};
use crate::keymap::{Binding, Command, Key};
use crate::model::{Cursor, ItemKey, Model, Notice, Overlay, Route, Tab, Task, TaskState};
use crate::msg::TaskUpdate;
use crate::theme::Tone;
use crate::widgets::state;
use crate::widgets::table::{self, Column};
use crate::widgets::words::{age, short, thousands};

#[derive(Debug, Default)]
pub(crate) struct State {
    cursor: Cursor,
    /// The number of the last task that was begun.
    last: u64,
}

pub(crate) struct Tasks;

const KEYS: &[Binding] = &[
    Binding::shown(
        &[Key::code(crossterm::event::KeyCode::Enter)],
        Command::Enter,
        "result",
    ),
    Binding::shown(&[Key::ch('n')], Command::Reconcile, "reconcile"),
    Binding::shown(&[Key::ch('x')], Command::CancelTask, "cancel"),
    Binding::shown(&[Key::ch('c')], Command::ClearTasks, "clear finished"),
];

const COLUMNS: &[Column] = &[
    Column::text("ENV", 7).rank(2),
    Column::text("TASK", 14).flex(1),
    Column::text("STATE", 10).rank(1),
    Column::number("TOOK", 4),
    Column::text("PROGRESS, RESULT", 18).flex(3),
];

const CELLS: u64 = 12;

/// Compares the stores of the active environment, as a background task.
pub(crate) fn reconcile(model: &mut Model) -> Vec<Effect> {
    let Some(env) = model.open_env() else {
        model.say(Notice::new(
            Tone::Warn,
            "this environment is not open yet",
            model.now,
        ));
        return Vec::new();
    };
    start(model, env, "reconcile".to_owned(), Job::Reconcile)
}

/// Waits for the rollout that is selected to be healthy, as a background task.
pub(crate) fn wait(model: &mut Model) -> Vec<Effect> {
    let selected = match model.route() {
        Route::Rollout(id) => Some(id.clone()),
        Route::Rollouts => rollouts::selected(model),
        Route::Overview => overview::selected_rollout(model),
        _ => None,
    };
    let Some(id) = selected else {
        model.say(Notice::new(
            Tone::Warn,
            "select a rollout first: 2 lists them",
            model.now,
        ));
        return Vec::new();
    };
    let what = format!("await {}", id.key);
    start(
        model,
        id.env,
        what,
        Job::Await {
            cluster: id.cluster,
            key: id.key,
        },
    )
}

pub(crate) fn runs(model: &Model, env: &str, what: &str) -> bool {
    model.tasks.iter().any(|task| {
        task.env == env && task.what == what && matches!(task.state, TaskState::Running { .. })
    })
}

/// Begins a task, unless the same is under way.
pub(crate) fn start(model: &mut Model, env: String, what: String, job: Job) -> Vec<Effect> {
    let now = model.now;
    if runs(model, &env, &what) {
        model.say(Notice::new(
            Tone::Warn,
            format!(
                "{what} in {} is under way already; 8 shows it",
                env.to_uppercase()
            ),
            now,
        ));
        return Vec::new();
    }
    model.task_list.last = model.task_list.last.saturating_add(1);
    let id = model.task_list.last;
    if model.route().tab() != Tab::Tasks {
        model.say(Notice::new(
            Tone::Plain,
            format!(
                "{what} in {}: begun; 8 shows how far it is",
                env.to_uppercase()
            ),
            now,
        ));
    }
    let state = TaskState::Running {
        done: 0,
        total: None,
        note: String::new(),
        stopping: false,
    };
    model.tasks.push(Task {
        id,
        env: env.clone(),
        what,
        writes: job.writes(),
        started_at: now,
        state,
        steps: VecDeque::new(),
    });
    model.leaving = false;
    vec![Effect::StartTask { id, env, job }]
}

/// Words of a result: the line that says it, and what was found.
fn parts(words: &str) -> (&str, Vec<&str>) {
    let mut lines = words.lines();
    (lines.next().unwrap_or_default(), lines.collect())
}

impl View for Tasks {
    fn bindings(&self) -> &'static [Binding] {
        KEYS
    }

    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        match command {
            Command::CancelTask => {
                let row = model.task_list.cursor.row;
                if let Some(Task {
                    id,
                    state: TaskState::Running { stopping, .. },
                    ..
                }) = model.tasks.get_mut(row)
                {
                    *stopping = true;
                    return vec![Effect::CancelTask { id: *id }];
                }
            }
            Command::Enter => {
                if let Some(task) = model.tasks.get(model.task_list.cursor.row) {
                    let (tone, words) = result(task);
                    let words = if words.is_empty() {
                        "it is not over yet; x cancels it".to_owned()
                    } else {
                        words
                    };
                    let (first, found) = parts(&words);
                    let mut lines = vec![(tone, shown(first))];
                    lines.extend(found.into_iter().map(|line| (Tone::Plain, shown(line))));
                    model.overlay = Some(Overlay::Text {
                        title: format!("{} in {}", task.what, task.env.to_uppercase()),
                        lines,
                        top: 0,
                    });
                }
            }
            Command::ClearTasks => model
                .tasks
                .retain(|task| matches!(task.state, TaskState::Running { .. })),
            Command::Copy => {
                let task = model.tasks.get(model.task_list.cursor.row);
                return task
                    .map(|task| {
                        Effect::Copy(format!(
                            "{} {}: {}",
                            task.env,
                            task.what,
                            shown(&result(task).1.replace('\n', "; "))
                        ))
                    })
                    .into_iter()
                    .collect();
            }
            _ => {}
        }
        Vec::new()
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        model
            .tasks
            .iter()
            .any(|task| matches!(task.state, TaskState::Running { .. }))
            .then(|| rollouts::next_second(model))
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        Some((table::rows_area(body), model.tasks.len()))
    }

    fn item(&self, model: &Model, row: usize) -> Option<ItemKey> {
        Some(ItemKey::from(format!("task:{}", model.tasks.get(row)?.id)))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.task_list.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        if model.tasks.is_empty() {
            state::empty(
                model,
                frame,
                body,
                true,
                "no background tasks; n compares all stores with each other, :await waits for a \
                    rollout",
            );
            return;
        }
        let list = (&model.task_list.cursor, model.tasks.len());
        table::draw(model, frame, body, COLUMNS, list, |row| {
            model
                .tasks
                .get(row)
                .map(|task| cells(model, task))
                .unwrap_or_default()
        });
    }
}

/// A bar and the share that is done; what is done, while nobody knows of how many.
fn progress(done: u64, total: Option<u64>) -> String {
    let Some(total) = total.filter(|total| *total > 0) else {
        return format!("{} done", thousands(done));
    };
    let done = done.min(total);
    let full = usize::try_from(done.saturating_mul(CELLS) / total).unwrap_or(0);
    let empty = usize::try_from(CELLS).unwrap_or(0).saturating_sub(full);
    format!(
        "{}{} {} %",
        "█".repeat(full),
        "░".repeat(empty),
        done.saturating_mul(100) / total
    )
}

fn result(task: &Task) -> (Tone, String) {
    match &task.state {
        TaskState::Over {
            end: TaskUpdate::Done(words),
            ..
        } => (done_tone(words), words.clone()),
        TaskState::Over {
            end: TaskUpdate::Canceled(words),
            ..
        } => (Tone::Warn, words.clone()),
        TaskState::Over {
            end: TaskUpdate::Failed(fault),
            ..
        } => (Tone::Bad, fault.text.clone()),
        TaskState::Running { .. }
        | TaskState::Over {
            end: TaskUpdate::Progress { .. },
            ..
        } => (Tone::Plain, String::new()),
    }
}

fn done_tone(words: &str) -> Tone {
    if parts(words).1.is_empty() {
        Tone::Good
    } else {
        Tone::Warn
    }
}

fn cells(model: &Model, task: &Task) -> Vec<Line<'static>> {
    let theme = model.theme;
    let (word, tone, bar, took) = match &task.state {
        TaskState::Running {
            done,
            total,
            note,
            stopping,
        } => {
            let word = if *stopping {
                "◐ stopping"
            } else {
                "◐ running"
            };
            let rate = task
                .rate(model.now)
                .filter(|_| !note.is_empty())
                .map(|rate| format!(" · {}/s", thousands(rate)))
                .unwrap_or_default();
            let note = if note.is_empty() {
                String::new()
            } else {
                format!(" · {}", shown(note))
            };
            (
                word,
                Tone::Accent,
                format!("{}{rate}{note}", progress(*done, *total)),
                age(task.started_at, model.now),
            )
        }
        TaskState::Over { end, at } => {
            let (word, tone) = match end {
                TaskUpdate::Done(words) if done_tone(words) == Tone::Good => ("✔ done", Tone::Good),
                TaskUpdate::Done(_) => ("⚠ done", Tone::Warn),
                TaskUpdate::Canceled(_) => ("○ canceled", Tone::Warn),
                TaskUpdate::Failed(_) | TaskUpdate::Progress { .. } => ("✖ failed", Tone::Bad),
            };
            (
                word,
                tone,
                String::new(),
                short(at.duration_since(task.started_at)),
            )
        }
    };
    let (end_tone, end) = result(task);
    let last = if bar.is_empty() {
        Line::styled(shown(parts(&end).0), theme.style(end_tone))
    } else {
        Line::styled(bar, theme.style(tone))
    };
    vec![
        Line::raw(task.env.to_uppercase()),
        Line::raw(task.what.clone()),
        Line::styled(word, theme.style(tone)),
        Line::raw(took),
        last,
    ]
}

pub(crate) fn ended(what: &str, end: &TaskUpdate) -> (Tone, String) {
    match end {
        TaskUpdate::Done(words) => match (parts(words).0, done_tone(words)) {
            (first, Tone::Good) => (Tone::Good, format!("✔ {what}: {first}")),
            (first, tone) => (tone, format!("⚠ {what}: {first}; 8 and Enter list them")),
        },
        TaskUpdate::Canceled(words) => (Tone::Warn, format!("{what}: stopped, {words}")),
        TaskUpdate::Failed(fault) => (Tone::Bad, format!("✖ {what}: {}", fault.text)),
        TaskUpdate::Progress { .. } => (Tone::Plain, what.to_owned()),
    }
}
