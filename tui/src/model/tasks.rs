//! Background tasks.

use std::collections::VecDeque;
use std::time::Duration;

use payops_core::Timestamp;

use super::Cursor;
use super::pane::after;
use crate::fault::Fault;

#[derive(Debug, Default)]
pub(crate) struct TaskListState {
    pub(crate) cursor: Cursor,
    /// The number of the task that was started last.
    pub(crate) last_id: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: u64,
    pub(crate) env: String,
    pub(crate) name: String,
    /// Whether it changes something: it is not dropped when the screen closes.
    pub(crate) writes: bool,
    pub(crate) started_at: Timestamp,
    pub(crate) status: TaskStatus,
    /// How much was done when, in the last seconds.
    pub(crate) samples: VecDeque<(Timestamp, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TaskStatus {
    Running {
        done: u64,
        total: Option<u64>,
        note: String,
        stopping: bool,
    },
    Ended {
        end: TaskUpdate,
        at: Timestamp,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskUpdate {
    Progress {
        done: u64,
        total: Option<u64>,
        /// More about it; empty when there is nothing.
        note: String,
    },
    /// The result in its first line; what it found in those after it.
    Done(String),
    /// It was stopped by the user; what remains, in words.
    Canceled(String),
    Failed(Fault),
}

const RATE_OVER: Duration = Duration::from_secs(10);

impl Task {
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.status, TaskStatus::Running { .. })
    }

    pub(crate) fn add_sample(&mut self, done: u64, now: Timestamp) {
        self.samples.push_back((now, done));
        while self.samples.len() > 2
            && self
                .samples
                .front()
                .is_some_and(|(at, _)| after(*at, RATE_OVER) < now)
        {
            self.samples.pop_front();
        }
    }

    /// How much was done in a second lately; `None` before the first sample.
    pub(crate) fn rate(&self, now: Timestamp) -> Option<u64> {
        let (from, before) = self.samples.front().copied()?;
        let (_, done) = self.samples.back().copied()?;
        let (from, before) = if self.samples.len() == 1 {
            (self.started_at, 0)
        } else {
            (from, before)
        };
        let seconds = u64::try_from(now.duration_since(from).as_secs())
            .ok()
            .filter(|seconds| *seconds > 0)?;
        Some(done.saturating_sub(before) / seconds)
    }
}
