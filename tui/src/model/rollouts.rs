//! The list of all rollouts.

use std::sync::Arc;

use payops_core::domain::rollout::Rollout;

use super::{Cursor, Filter, ItemKey, RolloutId};

#[derive(Debug, Default)]
pub(crate) struct RolloutsState {
    /// Raised by every change of any rollout.
    pub(crate) revision: u64,
    pub(crate) filter: Filter,
    pub(crate) cursor: Cursor,
    /// All rows, in order, as of `rows_revision`.
    pub(crate) rows: Vec<RolloutRow>,
    pub(crate) rows_revision: Option<u64>,
    /// Places in `rows` of those that match the filter.
    pub(crate) matching: Vec<usize>,
    /// The revision and text that `matching` was computed for.
    pub(crate) filtered: Option<(u64, String)>,
}

/// One rollout, with what it is sorted and searched by.
#[derive(Clone, Debug)]
pub(crate) struct RolloutRow {
    pub(crate) id: RolloutId,
    pub(crate) item: ItemKey,
    pub(crate) rollout: Arc<Rollout>,
    pub(crate) waits_for_human: bool,
    pub(crate) search_text: String,
}

impl RolloutsState {
    pub(crate) fn row(&self, place: usize) -> Option<&RolloutRow> {
        self.matching
            .get(place)
            .and_then(|place| self.rows.get(*place))
    }

    pub(crate) fn selected(&self) -> Option<&RolloutRow> {
        self.row(self.cursor.row)
    }
}
