//! What the screen wants done: data, so that tests compare it and the runtime alone does it.

use std::sync::Arc;

use payops_core::domain::id::PaymentId;
use payops_core::domain::replay::ReplayPlan;
use payops_core::domain::rollout::{Rollout, RolloutAction, RolloutKey, RolloutPlan};
use payops_core::operations::{ElevationRequest, ReplayRequest};
use payops_core::port::Depth;
use payops_core::usecase::DeadLetter;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answered by [`crate::Msg::Answer`] with the same id.
    Request {
        id: u64,
        env: String,
        request: Box<Request>,
    },
    Watch {
        env: String,
        cluster: String,
    },
    /// Watch what belongs to one rollout, in place of any other.
    WatchRelated {
        env: String,
        cluster: String,
        rollout: Box<Rollout>,
        depth: Depth,
    },
    UnwatchRelated,
    StartTask {
        id: u64,
        env: String,
        kind: TaskKind,
    },
    CancelTask {
        id: u64,
    },
    /// Put text, masked already, on the clipboard by the terminal's OSC 52.
    Copy(String),
    /// Give the terminal back and stop the process until it is continued.
    Suspend,
    Quit,
}

impl Effect {
    pub(crate) fn request(id: u64, env: String, request: Request) -> Self {
        Self::Request {
            id,
            env,
            request: Box::new(request),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    OpenEnvironment,
    Related {
        cluster: String,
        rollout: Box<Rollout>,
        depth: Depth,
    },
    ExecuteRollout {
        cluster: String,
        plan: Box<RolloutPlan>,
        /// Empty where no reason is needed.
        reason: String,
    },
    /// The command with which an operator does the same.
    Equivalent {
        cluster: String,
        action: RolloutAction,
        key: RolloutKey,
    },
    /// What the rights of whoever asks do not allow in the namespace of a rollout.
    Rights {
        cluster: String,
        rollout: Box<Rollout>,
    },
    Queues,
    /// The dead letters of a queue, or of all. Browsing them may cost receives.
    DeadLetters {
        queue: Option<String>,
    },
    /// What is in a dead letter, down to the archived request, and its payment.
    DeadLetter(Box<DeadLetter>),
    /// Payments that match a text; the newest when it is empty.
    Search {
        text: String,
    },
    Payment(PaymentId),
    Audit,
    Access,
    Elevate(ElevationRequest),
    EndElevation,
    PlanReplay {
        request: ReplayRequest,
        letters: Arc<[DeadLetter]>,
    },
    /// Write a plan to a file that somebody else can approve.
    SavePlan(Box<ReplayPlan>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskKind {
    Reconcile,
    /// Waits until a rollout is healthy, or is degraded.
    AwaitRollout {
        cluster: String,
        key: RolloutKey,
    },
    Replay {
        plan: Box<ReplayPlan>,
        reason: String,
    },
    Discard {
        queue: String,
        letters: Arc<[DeadLetter]>,
        reason: String,
    },
    /// Has the queue service move all of a dead-letter queue back, unread.
    Redrive {
        queue: String,
        reason: String,
    },
    Export {
        /// How many dead letters are listed: more than these, unless all were selected.
        listed: usize,
        letters: Arc<[DeadLetter]>,
    },
}

impl TaskKind {
    #[must_use]
    pub fn writes(&self) -> bool {
        matches!(
            self,
            Self::Replay { .. } | Self::Discard { .. } | Self::Redrive { .. }
        )
    }
}
