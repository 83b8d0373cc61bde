//! Background tasks: progress, and how they ended.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use payops_core::domain::display::{age, age_since, thousands};

use super::view::View;
use crate::model::{Model, Task, TaskStatus, TaskUpdate};
use crate::redact::redact;
use crate::theme::Tone;
use crate::widgets::pane;
use crate::widgets::table::{self, Column};

const COLUMNS: &[Column] = &[
    Column::text("ENV", 7).rank(2),
    Column::text("TASK", 14).flex(1),
    Column::text("STATE", 10).rank(1),
    Column::number("TOOK", 4),
    Column::text("PROGRESS, RESULT", 18).flex(3),
];

const BAR_CELLS: u64 = 12;

pub(super) struct TasksView;

impl View for TasksView {
    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        Some((table::rows_area(body), model.tasks.len()))
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        if model.tasks.is_empty() {
            pane::draw_empty(
                model,
                frame,
                body,
                true,
                "no background tasks; n reconciles all stores, :await waits for a rollout",
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

/// The first line of a result, and what it found.
pub(crate) fn split_result(words: &str) -> (&str, Vec<&str>) {
    let mut lines = words.lines();
    (lines.next().unwrap_or_default(), lines.collect())
}

/// A bar and the share that is done; the number that is done, while the total is unknown.
fn progress_bar(done: u64, total: Option<u64>) -> String {
    let Some(total) = total.filter(|total| *total > 0) else {
        return format!("{} done", thousands(done));
    };
    let done = done.min(total);
    let full = usize::try_from(done.saturating_mul(BAR_CELLS) / total).unwrap_or(0);
    let empty = usize::try_from(BAR_CELLS).unwrap_or(0).saturating_sub(full);
    format!(
        "{}{} {} %",
        "█".repeat(full),
        "░".repeat(empty),
        done.saturating_mul(100) / total
    )
}

pub(crate) fn task_result(task: &Task) -> (Tone, String) {
    match &task.status {
        TaskStatus::Ended {
            end: TaskUpdate::Done(words),
            ..
        } => (done_tone(words), words.clone()),
        TaskStatus::Ended {
            end: TaskUpdate::Canceled(words),
            ..
        } => (Tone::Warn, words.clone()),
        TaskStatus::Ended {
            end: TaskUpdate::Failed(fault),
            ..
        } => (Tone::Bad, fault.text.clone()),
        TaskStatus::Running { .. }
        | TaskStatus::Ended {
            end: TaskUpdate::Progress { .. },
            ..
        } => (Tone::Plain, String::new()),
    }
}

fn done_tone(words: &str) -> Tone {
    if split_result(words).1.is_empty() {
        Tone::Good
    } else {
        Tone::Warn
    }
}

fn cells(model: &Model, task: &Task) -> Vec<Line<'static>> {
    let theme = model.theme;
    let (word, tone, bar, took) = match &task.status {
        TaskStatus::Running {
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
                format!(" · {}", redact(note))
            };
            (
                word,
                Tone::Accent,
                format!("{}{rate}{note}", progress_bar(*done, *total)),
                age_since(task.started_at, model.now),
            )
        }
        TaskStatus::Ended { end, at } => {
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
                age(at.duration_since(task.started_at)),
            )
        }
    };
    let (end_tone, end) = task_result(task);
    let last = if bar.is_empty() {
        Line::styled(redact(split_result(&end).0), theme.style(end_tone))
    } else {
        Line::styled(bar, theme.style(tone))
    };
    vec![
        Line::raw(task.env.to_uppercase()),
        Line::raw(task.name.clone()),
        Line::styled(word, theme.style(tone)),
        Line::raw(took),
        last,
    ]
}

pub(crate) fn task_summary(name: &str, end: &TaskUpdate) -> (Tone, String) {
    match end {
        TaskUpdate::Done(words) => match (split_result(words).0, done_tone(words)) {
            (first, Tone::Good) => (Tone::Good, format!("✔ {name}: {first}")),
            (first, tone) => (tone, format!("⚠ {name}: {first}; 8, then Enter lists them")),
        },
        TaskUpdate::Canceled(words) => (Tone::Warn, format!("{name}: stopped, {words}")),
        TaskUpdate::Failed(fault) => (Tone::Bad, format!("✖ {name}: {}", fault.text)),
        TaskUpdate::Progress { .. } => (Tone::Plain, name.to_owned()),
    }
}
