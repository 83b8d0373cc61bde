//! One rollout.

use payops_core::domain::rollout::{Action, Related, RunPhase};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::View;
use crate::effect::Effect;
use crate::fault::Fault;
use crate::keymap::Binding;
use crate::model::{Model, Pane, RolloutId};
use crate::theme::Tone;

/// What the view keeps.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) related: Pane<Related>,
}

/// The view.
pub(crate) struct Detail;
pub(crate) const KEYS: &[Binding] = super::rollouts::ACTIONS;

impl View for Detail {
    fn draw(&self, _model: &Model, _frame: &mut Frame<'_>, _body: Rect) {}
}
pub(crate) fn changed(_model: &mut Model, _id: &RolloutId, _fault: Option<Fault>) -> Vec<Effect> {
    Vec::new()
}
pub(crate) fn selected_revision(_model: &Model) -> Option<u64> {
    None
}
pub(crate) fn selected_run(_model: &Model) -> Option<Action> {
    None
}
pub(crate) fn why(_model: &mut Model, _id: &RolloutId) {}
pub(crate) fn run_sign(_phase: RunPhase) -> (&'static str, Tone) {
    ("", Tone::Plain)
}
