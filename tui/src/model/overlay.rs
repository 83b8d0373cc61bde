//! What lies over the views: palette, help, questions, notices; and background tasks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::rollout::{Rollout, RolloutPlan, RolloutRefusal};
use tui_input::Input;

use super::RolloutId;
use super::pane::after;
use super::steer::{Agreeing, Elevating, Replaying};
use crate::msg::TaskUpdate;
use crate::theme::Tone;

#[derive(Clone, Debug)]
pub(crate) enum Overlay {
    Palette {
        input: Input,
        chosen: usize,
    },
    Help {
        top: usize,
    },
    Choose(Choice),
    Prompt(Prompt),
    Confirm(Box<Confirm>),
    Elevate(Box<Elevating>),
    Replay(Box<Replaying>),
    Agree(Box<Agreeing>),
    /// Why a plan was not made.
    Refused {
        what: String,
        refusal: RolloutRefusal,
    },
    /// Text to read: what came of something, why something stands as it does.
    Text {
        title: String,
        lines: Vec<(Tone, String)>,
        top: usize,
    },
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    pub(crate) chosen: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    pub(crate) what: PromptFor,
    pub(crate) words: String,
    pub(crate) input: Input,
    pub(crate) problem: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PromptFor {
    /// Images of a rollout: `container=image`.
    SetImage(RolloutId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Reason,
    Name,
}

#[derive(Clone, Debug)]
pub(crate) struct Confirm {
    pub(crate) id: RolloutId,
    pub(crate) plan: RolloutPlan,
    pub(crate) seen: Arc<Rollout>,
    /// When the state was seen that it is bound to.
    pub(crate) seen_at: Timestamp,
    /// Whether a name and a reason must be typed.
    pub(crate) protected: bool,
    pub(crate) name: Input,
    pub(crate) reason: Input,
    pub(crate) field: Field,
    pub(crate) problem: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) id: RolloutId,
    pub(crate) plan: RolloutPlan,
    pub(crate) seen: Arc<Rollout>,
}

/// Something said in the last line for a few seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) tone: Tone,
    pub(crate) until: Timestamp,
}

impl Notice {
    pub(crate) fn new(tone: Tone, text: impl Into<String>, now: Timestamp) -> Self {
        Self {
            text: text.into(),
            tone,
            until: after(now, Duration::from_secs(5)),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) id: u64,
    pub(crate) env: String,
    pub(crate) what: String,
    /// Whether it changes something: it is not dropped when the screen is left.
    pub(crate) writes: bool,
    pub(crate) started_at: Timestamp,
    pub(crate) state: TaskState,
    /// How much was done when, in the last seconds.
    pub(crate) steps: VecDeque<(Timestamp, u64)>,
}

const RATE_OVER: Duration = Duration::from_secs(10);

impl Task {
    pub(crate) fn step(&mut self, done: u64, now: Timestamp) {
        self.steps.push_back((now, done));
        while self.steps.len() > 2
            && self
                .steps
                .front()
                .is_some_and(|(at, _)| after(*at, RATE_OVER) < now)
        {
            self.steps.pop_front();
        }
    }

    /// How much was done in a second lately; `None` when nothing is known yet.
    pub(crate) fn rate(&self, now: Timestamp) -> Option<u64> {
        let (from, before) = self.steps.front().copied()?;
        let (_, done) = self.steps.back().copied()?;
        let (from, before) = if self.steps.len() == 1 {
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TaskState {
    Running {
        done: u64,
        total: Option<u64>,
        note: String,
        stopping: bool,
    },
    Over {
        end: TaskUpdate,
        at: Timestamp,
    },
}
