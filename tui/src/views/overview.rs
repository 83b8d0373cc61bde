//! The overview.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::View;
use crate::model::{Model, RolloutId};

/// What the view keeps.
#[derive(Debug, Default)]
pub(crate) struct State {}

/// The view.
pub(crate) struct Overview;

impl View for Overview {
    fn draw(&self, _model: &Model, _frame: &mut Frame<'_>, _body: Rect) {}
}

pub(crate) fn selected_rollout(_model: &Model) -> Option<RolloutId> {
    None
}
