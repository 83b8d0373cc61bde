//! View: payments.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::View;
use crate::model::Model;

/// What the view keeps.
#[derive(Debug, Default)]
pub(crate) struct State {}

/// The view.
pub(crate) struct Payments;

impl View for Payments {
    fn draw(&self, _model: &Model, _frame: &mut Frame<'_>, _body: Rect) {}
}
