//! Background tasks: progress, cancel, and how they ended.

use payops_core::Timestamp;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{View, rollouts};
use crate::effect::{Effect, Job};
use crate::keymap::{Binding, Command, Key};
use crate::model::{Cursor, ItemKey, Model, Notice, Tab, Task, TaskState};
use crate::msg::TaskUpdate;
use crate::theme::Tone;
use crate::widgets::state;
use crate::widgets::table::{self, Column};
use crate::widgets::words::{age, short};

/// What the view keeps.
#[derive(Debug, Default)]
pub(crate) struct State {
    cursor: Cursor,
    /// The number of the last task that was begun.
    last: u64,
}

/// The view.
pub(crate) struct Tasks;

const KEYS: &[Binding] = &[
    Binding::shown(&[Key::ch('n')], Command::Reconcile, "reconcile"),
    Binding::shown(&[Key::ch('x')], Command::CancelTask, "cancel"),
    Binding::shown(&[Key::ch('c')], Command::ClearTasks, "clear what is over"),
];

const COLUMNS: &[Column] = &[
    Column::text("ENV", 8),
    Column::text("TASK", 20),
    Column::text("STATE", 12),
    Column::text("PROGRESS", 28),
    Column::number("TOOK", 5).rank(1),
    Column::text("RESULT", 10).flex(1),
];

/// Compares the stores of the active environment, as a background task.
pub(crate) fn reconcile(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    let Some(env) = model.open_env() else {
        model.say(Notice::new(Tone::Warn, "this environment is not open yet", now));
        return Vec::new();
    };
    let runs = model.tasks.iter().any(|task| task.env == env && matches!(task.state, TaskState::Running { .. }));
    if runs {
        model.say(Notice::new(Tone::Warn, format!("the stores of {env} are being compared already"), now));
        return Vec::new();
    }
    model.task_list.last = model.task_list.last.saturating_add(1);
    let id = model.task_list.last;
    let state = TaskState::Running { done: 0, total: None, stopping: false };
    model.tasks.push(Task { id, env: env.clone(), what: "reconcile".to_owned(), started_at: now, state });
    if model.route().tab() != Tab::Tasks {
        model.say(Notice::new(Tone::Plain, format!("comparing the stores of {}; 8 shows how far it is", env.to_uppercase()), now));
    }
    vec![Effect::StartTask { id, env, job: Job::Reconcile }]
}

impl View for Tasks {
    fn bindings(&self) -> &'static [Binding] {
        KEYS
    }

    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        match command {
            Command::CancelTask => {
                let row = model.task_list.cursor.row;
                if let Some(Task { id, state: TaskState::Running { stopping, .. }, .. }) = model.tasks.get_mut(row) {
                    *stopping = true;
                    return vec![Effect::CancelTask { id: *id }];
                }
            }
            Command::ClearTasks => model.tasks.retain(|task| matches!(task.state, TaskState::Running { .. })),
            Command::Copy => {
                let task = model.tasks.get(model.task_list.cursor.row);
                return task.map(|task| Effect::Copy(format!("{} {} {}", task.env, task.what, result(task).1))).into_iter().collect();
            }
            _ => {}
        }
        Vec::new()
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        model.tasks.iter().any(|task| matches!(task.state, TaskState::Running { .. })).then(|| rollouts::next_second(model))
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
            state::empty(model, frame, body, true, "no background tasks; n compares all stores with each other");
            return;
        }
        let list = (&model.task_list.cursor, model.tasks.len());
        table::draw(model, frame, body, COLUMNS, list, |row| model.tasks.get(row).map(|task| cells(model, task)).unwrap_or_default());
    }
}

/// A bar of 20 cells and the numbers behind it.
fn progress(done: u64, total: Option<u64>) -> String {
    const CELLS: u64 = 16;
    let Some(total) = total.filter(|total| *total > 0) else { return format!("{done} done") };
    let full = usize::try_from(done.min(total).saturating_mul(CELLS) / total).unwrap_or(0);
    let empty = usize::try_from(CELLS).unwrap_or(0).saturating_sub(full);
    format!("{}{} {done}/{total}", "█".repeat(full), "░".repeat(empty))
}

fn result(task: &Task) -> (Tone, String) {
    match &task.state {
        TaskState::Running { .. } => (Tone::Plain, String::new()),
        TaskState::Over { end, .. } => match end {
            TaskUpdate::Done(words) => (Tone::Plain, words.clone()),
            TaskUpdate::Canceled(words) => (Tone::Warn, words.clone()),
            TaskUpdate::Failed(fault) => (Tone::Bad, fault.text.clone()),
            TaskUpdate::Progress { .. } => (Tone::Plain, String::new()),
        },
    }
}

fn cells(model: &Model, task: &Task) -> Vec<Line<'static>> {
    let theme = model.theme;
    let (word, tone, bar, took) = match &task.state {
        TaskState::Running { done, total, stopping } => {
            let word = if *stopping { "◐ stopping" } else { "◐ running" };
            (word, Tone::Accent, progress(*done, *total), age(task.started_at, model.now))
        }
        TaskState::Over { end, at } => {
            let (word, tone) = match end {
                TaskUpdate::Done(_) => ("✔ done", Tone::Good),
                TaskUpdate::Canceled(_) => ("○ canceled", Tone::Warn),
                TaskUpdate::Failed(_) | TaskUpdate::Progress { .. } => ("✖ failed", Tone::Bad),
            };
            (word, tone, String::new(), short(at.duration_since(task.started_at)))
        }
    };
    let (result_tone, result) = result(task);
    vec![
        Line::raw(task.env.to_uppercase()),
        Line::raw(task.what.clone()),
        Line::styled(word, theme.style(tone)),
        Line::raw(bar),
        Line::raw(took),
        Line::styled(result, theme.style(result_tone)),
    ]
}

/// How a task ended, in words.
pub(crate) fn ended(what: &str, end: &TaskUpdate) -> (Tone, String) {
    match end {
        TaskUpdate::Done(words) => (Tone::Good, format!("✔ {what}: {words}")),
        TaskUpdate::Canceled(words) => (Tone::Warn, format!("{what}: stopped, {words}")),
        TaskUpdate::Failed(fault) => (Tone::Bad, format!("✖ {what}: {}", fault.text)),
        TaskUpdate::Progress { .. } => (Tone::Plain, what.to_owned()),
    }
}
