//! Background tasks: progress, cancel, and how they ended.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::View;
use crate::model::Model;
use crate::msg::TaskUpdate;
use crate::theme::Tone;

/// What the view keeps.
#[derive(Debug, Default)]
pub(crate) struct State {}

/// The view.
pub(crate) struct Tasks;

impl View for Tasks {
    fn draw(&self, _model: &Model, _frame: &mut Frame<'_>, _body: Rect) {}
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
