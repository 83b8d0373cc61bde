//! The queues of one environment, with samples of their depths.

use std::collections::{BTreeMap, VecDeque};

use payops_core::Timestamp;
use payops_core::domain::bus::source_queue;
use payops_core::port::QueueStats;

use super::{Cursor, EnvState, Filter, ItemKey, Model};

/// Times and depths of one queue, oldest first.
pub(crate) type DepthSamples = VecDeque<(Timestamp, u64)>;

#[derive(Debug, Default)]
pub(crate) struct QueuesState {
    pub(crate) cursor: Cursor,
    pub(crate) filter: Filter,
    /// Places of the queues that are listed, among those of the environment.
    pub(crate) matching: Vec<usize>,
    /// Depths of queues, by environment and queue.
    pub(crate) depths: BTreeMap<(String, String), DepthSamples>,
}

pub(crate) fn queue_item(env: &str, queue: &str) -> ItemKey {
    ItemKey::from(format!("queue:{env}/{queue}"))
}

pub(crate) fn queue_depth(queue: &QueueStats) -> u64 {
    queue
        .visible
        .saturating_add(queue.in_flight)
        .saturating_add(queue.delayed)
}

pub(crate) fn is_dead_letter_queue(queue: &QueueStats) -> bool {
    source_queue(&queue.name).is_some()
}

/// The queue that holds the dead letters of `queue`.
pub(crate) fn dead_letter_queue_of<'a>(
    queue: &QueueStats,
    all: &'a [QueueStats],
) -> Option<&'a QueueStats> {
    queue
        .dlq
        .as_ref()
        .and_then(|dlq| all.iter().find(|other| other.name == *dlq))
}

impl EnvState {
    pub(crate) fn queue_stats(&self) -> &[QueueStats] {
        self.queues.value().map_or(&[], Vec::as_slice)
    }
}

impl Model {
    pub(crate) fn selected_queue(&self) -> Option<&QueueStats> {
        let place = *self.queues.matching.get(self.queues.cursor.row)?;
        self.env()?.queue_stats().get(place)
    }

    /// The dead-letter queue of the selected queue, and its depth.
    pub(crate) fn selected_dead_letter_queue(&self) -> Option<(String, u64)> {
        let queue = self.selected_queue()?;
        let all = self.env().map(EnvState::queue_stats).unwrap_or_default();
        let dlq = if is_dead_letter_queue(queue) {
            Some(queue)
        } else {
            dead_letter_queue_of(queue, all)
        };
        dlq.map(|dlq| (dlq.name.clone(), queue_depth(dlq)))
    }
}
