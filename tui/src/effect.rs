//! What the screen wants done: data, so that tests compare it and the runtime alone does it.

use std::sync::Arc;

use payops_core::domain::id::PaymentId;
use payops_core::domain::replay::ReplayPlan;
use payops_core::domain::rollout::{Rollout, RolloutKey, RolloutPlan};
use payops_core::port::Depth;
use payops_core::usecase::DeadLetter;

use crate::environments::{ElevationWanted, ReplayWanted};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Ask {
        request: u64,
        env: String,
        ask: Box<Ask>,
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
        job: Job,
    },
    CancelTask {
        id: u64,
    },
    /// Put text, masked already, on the clipboard by the terminal's OSC 52.
    Copy(String),
    /// Give the terminal back and stop until somebody says go on.
    Suspend,
    Quit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    Open,
    Related {
        cluster: String,
        rollout: Box<Rollout>,
        depth: Depth,
    },
    Execute {
        cluster: String,
        plan: Box<RolloutPlan>,
        reason: Option<String>,
    },
    Queues,
    /// Its dead letters, all or those of one queue: a look may cost receives.
    DeadLetters {
        /// The dead-letter queue; all when `None`.
        queue: Option<String>,
    },
    /// What is in a dead letter, down to the archived request, and its payment.
    DeadLetter(Box<DeadLetter>),
    /// Payments that a text asks for; the newest when it is empty.
    Search {
        text: String,
    },
    Payment(PaymentId),
    Audit,
    Standing,
    Elevate(ElevationWanted),
    Lower,
    PlanReplay {
        wanted: ReplayWanted,
        letters: Arc<[DeadLetter]>,
    },
    /// Write a plan to a file that somebody else can approve of.
    SavePlan(Box<ReplayPlan>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    Reconcile,
    /// Waits until a rollout is healthy, or cannot become so by itself.
    Await {
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
        letters: Arc<[DeadLetter]>,
    },
}

impl Job {
    #[must_use]
    pub fn writes(&self) -> bool {
        matches!(
            self,
            Self::Replay { .. } | Self::Discard { .. } | Self::Redrive { .. }
        )
    }
}
