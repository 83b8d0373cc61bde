//! What the screen wants done: data, so that tests compare it and the runtime alone does it.

use std::sync::Arc;

use payops_core::domain::id::PaymentId;
use payops_core::domain::replay::Plan as ReplayPlan;
use payops_core::domain::rollout::{Plan, Rollout, RolloutKey};
use payops_core::port::Depth;
use payops_core::usecase::Letter;

use crate::environments::{ElevationWanted, ReplayWanted};

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask an environment; the answer carries the number.
    Ask {
        /// The number.
        request: u64,
        /// The environment.
        env: String,
        /// The question.
        ask: Box<Ask>,
    },
    /// Watch the rollouts of a cluster, from now on.
    Watch {
        /// The environment.
        env: String,
        /// The cluster.
        cluster: String,
    },
    /// Watch what belongs to one rollout, in place of any other.
    WatchRelated {
        /// The environment.
        env: String,
        /// The cluster.
        cluster: String,
        /// The rollout.
        rollout: Box<Rollout>,
        /// Whether pods too.
        depth: Depth,
    },
    /// Stop that.
    UnwatchRelated,
    /// Begin a background task.
    StartTask {
        /// Its number.
        id: u64,
        /// The environment.
        env: String,
        /// What it does.
        job: Job,
    },
    /// Ask a background task to stop.
    CancelTask {
        /// Its number.
        id: u64,
    },
    /// Put text, masked already, on the clipboard by the terminal's OSC 52.
    Copy(String),
    /// Give the terminal back and stop until somebody says go on.
    Suspend,
    /// End.
    Quit,
}

/// A question to an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Open it.
    Open,
    /// What belongs to a rollout.
    Related {
        /// The cluster.
        cluster: String,
        /// The rollout as it is known.
        rollout: Box<Rollout>,
        /// Whether pods too.
        depth: Depth,
    },
    /// Execute a plan.
    Execute {
        /// The cluster.
        cluster: String,
        /// The plan that was shown.
        plan: Box<Plan>,
        /// Why, as the user said; kept in the audit.
        reason: Option<String>,
    },
    /// How its queues stand.
    Queues,
    /// Its dead letters, all or those of one queue: a look may cost receives.
    Letters {
        /// The dead-letter queue; all when `None`.
        queue: Option<String>,
    },
    /// What is in a dead letter, down to the archived request, and its payment.
    Letter(Box<Letter>),
    /// Payments that a text asks for; the newest when it is empty.
    Search {
        /// The text.
        text: String,
    },
    /// One payment and its timeline.
    Payment(PaymentId),
    /// The newest entries of the audit.
    Audit,
    /// With which right the user acts.
    Standing,
    /// Elevate.
    Elevate(ElevationWanted),
    /// Give an elevation back.
    Lower,
    /// The plan of a replay. Nothing is changed.
    PlanReplay {
        /// How.
        wanted: ReplayWanted,
        /// Which letters, all of one queue.
        letters: Arc<[Letter]>,
    },
    /// Write a plan to a file that somebody else can approve of.
    SavePlan(Box<ReplayPlan>),
}

/// What a background task does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Compares all stores with each other.
    Reconcile,
    /// Waits until a rollout is healthy, or cannot become so by itself.
    Await {
        /// Its cluster.
        cluster: String,
        /// Which.
        key: RolloutKey,
    },
    /// Executes a plan that was reviewed.
    Replay {
        /// The plan that was shown.
        plan: Box<ReplayPlan>,
        /// Why; empty when nobody said.
        reason: String,
    },
    /// Deletes dead letters.
    Discard {
        /// Of which queue.
        queue: String,
        /// Which.
        letters: Arc<[Letter]>,
        /// Why.
        reason: String,
    },
    /// Has the queue service move all of a dead-letter queue back, unread.
    Redrive {
        /// The dead-letter queue.
        queue: String,
        /// Why.
        reason: String,
    },
    /// Writes dead letters, masked, to a file.
    Export {
        /// Which.
        letters: Arc<[Letter]>,
    },
}

impl Job {
    /// Whether it changes something.
    #[must_use]
    pub fn writes(&self) -> bool {
        matches!(
            self,
            Self::Replay { .. } | Self::Discard { .. } | Self::Redrive { .. }
        )
    }
}
