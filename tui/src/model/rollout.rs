//! One rollout and the tree of what belongs to it.

use std::collections::BTreeSet;

use payops_core::Timestamp;
use payops_core::domain::rollout::Related;
use payops_core::port::Depth;

use super::{Cursor, ItemKey, Pane, RolloutId};
use crate::fault::Fault;

#[derive(Debug, Default)]
pub(crate) struct RolloutState {
    pub(crate) id: Option<RolloutId>,
    pub(crate) related: Pane<Related>,
    pub(crate) watched: Option<(RolloutId, Depth)>,
    /// Why and since when the watch of what belongs to it is cut.
    pub(crate) watch_fault: Option<(Fault, Timestamp)>,
    pub(crate) unfolded: BTreeSet<ItemKey>,
    pub(crate) cursor: Cursor,
    pub(crate) nodes: Vec<(ItemKey, TreeNode)>,
}

/// A row of the tree: numbers are places in [`Related`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TreeNode {
    Metric {
        run: usize,
        metric: usize,
    },
    /// The measurements of a metric, drawn as a chart.
    Chart {
        run: usize,
        metric: usize,
    },
    Experiment(usize),
    /// A revision and its `ReplicaSet`.
    Revision(usize),
    Pod(usize),
    /// In the place of pods that are not loaded yet, or of which there are none.
    /// What may not be read, by its place.
    Unreadable(usize),
    NoPods {
        loading: bool,
    },
}

impl RolloutState {
    pub(crate) fn selected(&self) -> Option<&TreeNode> {
        self.nodes.get(self.cursor.row).map(|(_, node)| node)
    }
}
