//! What lies over the views: palette, help, questions, notices; and background tasks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::rollout::{Plan, Refusal, Rollout};
use tui_input::Input;

use super::RolloutId;
use super::pane::after;
use super::steer::{Agreeing, Elevating, Replaying};
use crate::msg::TaskUpdate;
use crate::theme::Tone;

/// What lies over the view. It takes all keys.
#[derive(Clone, Debug)]
pub(crate) enum Overlay {
    /// The command palette.
    Palette {
        /// What was typed.
        input: Input,
        /// Which of the matches is chosen.
        chosen: usize,
    },
    /// The keys.
    Help {
        /// The first line on screen.
        top: usize,
    },
    /// Choosing one of a few things.
    Choose(Choice),
    /// A line to type.
    Prompt(Prompt),
    /// A plan to say yes or no to.
    Confirm(Box<Confirm>),
    /// An elevation that is asked for.
    Elevate(Box<Elevating>),
    /// A replay of dead letters: plan, review, yes.
    Replay(Box<Replaying>),
    /// Something to say yes or no to.
    Agree(Box<Agreeing>),
    /// Why a plan was not made.
    Refused {
        /// What was wanted.
        what: String,
        /// Why not, and what instead.
        refusal: Refusal,
    },
    /// Text to read: what came of something, why something stands as it does.
    Text {
        /// The title.
        title: String,
        /// The lines.
        lines: Vec<(Tone, String)>,
        /// The first line on screen.
        top: usize,
    },
}

/// Choosing an environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    /// Which is chosen.
    pub(crate) chosen: usize,
}

/// A line to type.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    /// What for.
    pub(crate) what: PromptFor,
    /// What is asked, in words.
    pub(crate) words: String,
    /// What was typed.
    pub(crate) input: Input,
    /// What is wrong with it.
    pub(crate) problem: Option<String>,
}

/// What a line is typed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PromptFor {
    /// Images of a rollout: `container=image`.
    SetImage(RolloutId),
}

/// Which line of a confirmation is typed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// Why it is done.
    Reason,
    /// The name.
    Name,
}

/// A plan to say yes or no to.
#[derive(Clone, Debug)]
pub(crate) struct Confirm {
    /// Of which rollout.
    pub(crate) id: RolloutId,
    /// The plan.
    pub(crate) plan: Plan,
    /// The rollout that it was made on.
    pub(crate) seen: Arc<Rollout>,
    /// When the state was seen that it is bound to.
    pub(crate) seen_at: Timestamp,
    /// Whether a name and a reason must be typed.
    pub(crate) protected: bool,
    /// The name, as typed.
    pub(crate) name: Input,
    /// The reason, as typed.
    pub(crate) reason: Input,
    /// Which of the two is typed in.
    pub(crate) field: Field,
    /// What is wrong with what was typed.
    pub(crate) problem: Option<String>,
}

/// A plan that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// Of which rollout.
    pub(crate) id: RolloutId,
    /// The plan.
    pub(crate) plan: Plan,
    /// The rollout that it was made on.
    pub(crate) seen: Arc<Rollout>,
}

/// Something said in the last line for a few seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// What.
    pub(crate) text: String,
    /// How it is meant.
    pub(crate) tone: Tone,
    /// Until when.
    pub(crate) until: Timestamp,
}

impl Notice {
    /// Something said for five seconds from now.
    pub(crate) fn new(tone: Tone, text: impl Into<String>, now: Timestamp) -> Self {
        Self {
            text: text.into(),
            tone,
            until: after(now, Duration::from_secs(5)),
        }
    }
}

/// A background task.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// Its number.
    pub(crate) id: u64,
    /// In which environment.
    pub(crate) env: String,
    /// What it does, in words.
    pub(crate) what: String,
    /// Whether it changes something: it is not dropped when the screen is left.
    pub(crate) writes: bool,
    /// Since when.
    pub(crate) started_at: Timestamp,
    /// How it stands.
    pub(crate) state: TaskState,
    /// How much was done when, in the last seconds.
    pub(crate) steps: VecDeque<(Timestamp, u64)>,
}

/// Over how long a task's rate is told.
const RATE_OVER: Duration = Duration::from_secs(10);

impl Task {
    /// Notes how much is done by now.
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

/// How a background task stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TaskState {
    /// Under way.
    Running {
        /// Done so far.
        done: u64,
        /// Of how many.
        total: Option<u64>,
        /// More to say of it.
        note: String,
        /// Whether it was asked to stop.
        stopping: bool,
    },
    /// Over.
    Over {
        /// How it ended.
        end: TaskUpdate,
        /// When.
        at: Timestamp,
    },
}
