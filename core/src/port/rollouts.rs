//! Rollouts of one cluster.

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;

use super::PortResult;
use crate::domain::rollout::{Related, Rollout, RolloutAction, RolloutKey, RolloutPlan};

/// How much of what belongs to a rollout is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Replica sets, analysis runs and experiments; no pods.
    Runs,
    /// All of [`Depth::Runs`], and pods.
    Pods,
}

/// What came of executing a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executed {
    /// Done; the rollout as the cluster answered it.
    Done(Box<Rollout>),
    /// Something had moved since the plan was made: nothing was done. The rollout as it is now.
    Moved(Box<Rollout>),
    /// The first `done` changes of the plan were made, then something moved. As it is now.
    Partly {
        /// Changes that were made.
        done: usize,
        /// The rollout as it is now.
        now: Box<Rollout>,
    },
    /// The rollout is gone.
    Gone,
}

/// What a watch tells.
#[derive(Clone, Debug)]
pub enum Watched<T, G> {
    /// Everything there is: at the beginning, and again after a gap that could not be closed.
    All(Vec<T>),
    /// An object is new, or has changed.
    Changed(Box<T>),
    /// An object was deleted.
    Gone(G),
    /// The watch is cut; it is begun again by itself. What was told may be out of date.
    Cut {
        /// Why, in one line.
        why: String,
        /// After how long it is tried again.
        retry_in: Duration,
    },
}

/// What a rollout watch tells.
pub type RolloutWatch = BoxStream<'static, Watched<Rollout, RolloutKey>>;

/// The rollouts of one cluster, read and watched through one way of reaching it.
#[async_trait]
pub trait Rollouts: Send + Sync {
    /// The name of the cluster in `payops.toml`.
    fn cluster(&self) -> &str;

    /// How it is reached, in a few words: `kubeconfig context prod`, `Argo CD argocd.example.com`.
    fn driver(&self) -> String;

    /// Whether this way of reaching it can do `action`; what it cannot is hidden.
    fn can(&self, action: &RolloutAction) -> bool;

    /// Why the rights of whoever asks do not allow `action` on `rollout`, such as `you may not patch
    /// rollouts.argoproj.io/status in namespace payments`; `None` when they do, and where that is
    /// not known beforehand.
    async fn find_denial(&self, rollout: &Rollout, action: &RolloutAction) -> Option<String> {
        let _ = (rollout, action);
        None
    }

    /// The command with which an operator does the same as `action`, such as
    /// `kubectl argo rollouts promote api -n payments`.
    fn equivalent(&self, action: &RolloutAction, key: &RolloutKey) -> String;

    /// All rollouts, of all namespaces that may be read.
    async fn list(&self) -> PortResult<Vec<Rollout>>;

    /// One rollout; `None` when there is no such.
    async fn get(&self, key: &RolloutKey) -> PortResult<Option<Rollout>>;

    /// What belongs to `rollout`: selected by its labels, never by listing a whole cluster.
    async fn related(&self, rollout: &Rollout, depth: Depth) -> PortResult<Related>;

    /// All rollouts and what becomes of them, without end. It mends itself, backing off.
    fn watch(&self) -> RolloutWatch;

    /// Fires when something that belongs to `rollout` changed (or the watch of it was cut and is
    /// back): time to ask [`Rollouts::related`] again. Without end; backs off.
    fn watch_related(&self, rollout: &Rollout, depth: Depth) -> BoxStream<'static, PortResult<()>>;
}

/// The rollouts of one cluster, by somebody who may change them.
#[async_trait]
pub trait RolloutActions: Rollouts {
    /// Executes a plan, bound to the state it was made on.
    async fn execute(&self, plan: &RolloutPlan) -> PortResult<Executed>;
}
