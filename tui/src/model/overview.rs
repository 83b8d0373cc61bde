//! What the overview shows: all that needs somebody, in any environment.

use std::time::Duration;

use payops_core::domain::alarm::Alarm;

use super::{Cursor, ItemKey};

#[derive(Debug, Default)]
pub(crate) struct OverviewState {
    pub(crate) cursor: Cursor,
    pub(crate) needs: Vec<(ItemKey, Need)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A rollout that waits, by its place among the rows of all rollouts.
    Rollout(usize),
    DeadLetters {
        env: String,
        queue: String,
        visible: u64,
        approximate: bool,
        oldest: Option<Duration>,
    },
    /// Any other alarm: a queue that is not drained, an index that lags.
    Alarm(Box<Alarm>),
}

impl OverviewState {
    pub(crate) fn selected(&self) -> Option<&Need> {
        self.needs.get(self.cursor.row).map(|(_, need)| need)
    }
}
