//! How a view reacts: one trait, so that all of them are polled, refreshed and woken the same way.

use std::time::Duration;

use payops_core::Timestamp;

use crate::effect::Effect;
use crate::keymap::Command;
use crate::model::{Model, after};

pub(super) trait Controller: Sync {
    /// Runs a command of the view. Commands that it does not have are ignored.
    fn run(&self, _model: &mut Model, _command: Command) -> Vec<Effect> {
        Vec::new()
    }

    /// Requests what is due: called after every message while the view is on screen. What is
    /// pending or fresh enough is not requested again ([`crate::model::Pane::is_due`]).
    fn poll(&self, _model: &mut Model) -> Vec<Effect> {
        Vec::new()
    }

    /// When it has to poll, or to be drawn again, while nothing happens: ages and countdowns.
    fn wake_at(&self, _model: &Model) -> Option<Timestamp> {
        None
    }

    /// Removes the last restriction of the list, before Esc leaves the view; `false` when there is
    /// none.
    fn clear_restriction(&self, _model: &mut Model) -> bool {
        false
    }

    /// Makes everything on screen due now.
    fn refresh(&self, _model: &mut Model) {}

    /// Computes the rows anew where their inputs have changed: called after every message, before
    /// the cursor is settled.
    fn prepare(&self, _model: &mut Model) {}
}

/// For views that show ages.
pub(super) fn next_second(model: &Model) -> Timestamp {
    after(model.now, Duration::from_secs(1))
}
