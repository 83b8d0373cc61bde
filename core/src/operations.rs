//! What an operator may do, as the screen and Admin Web are handed it: one trait, served by
//! whoever keeps rules, journals and the audit record.
//!
//! Every write of it is checked against the rules, recorded when it begins and when it ends, and
//! stopped by a freeze. Who calls it shows plans and asks for a yes; it decides nothing. A refusal
//! by the rules has the kind [`ErrorKind::Refused`](crate::port::ErrorKind::Refused), and its message
//! says what to do.

#![warn(missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::Timestamp;
use crate::domain::access::{AccessLevel, Freeze};
use crate::domain::replay::ReplayPlan;
use crate::domain::rollout::RolloutPlan;
use crate::port::{AuditLog, Executed, PortResult, Ports, Rollouts};
use crate::usecase::{DeadLetter, ReplaySummary};

/// An environment, as far as it is known before anything is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvInfo {
    /// Its name, as `--env` takes it.
    pub name: String,
    /// Whether a write in it needs a typed name and a reason.
    pub protected: bool,
    /// The AWS account id.
    pub account: Option<String>,
    /// The AWS region, such as `eu-west-1`; `None` where there is none.
    pub region: Option<String>,
}

/// An environment that was opened to look at it. Writes go through [`Operations`].
#[derive(Clone)]
pub struct OpenEnvironment {
    /// Its stores and queues, opened with the access level `view`.
    pub ports: Ports,
    /// The clusters of its rollouts; may be empty.
    pub clusters: Vec<Arc<dyn Rollouts>>,
    /// Why there are none, and which settings would give it some.
    pub no_clusters: Option<String>,
    /// What each plan says where the freeze and the record of the environment are kept on this
    /// machine alone.
    pub kept_here: Option<String>,
    /// The audit record, to read; writes go through [`Operations`].
    pub audit: Arc<dyn AuditLog>,
    /// Who the operator is there.
    pub who: String,
}

/// With which access level the operator acts in an environment now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessStatus {
    /// The access level that is held now.
    pub level: AccessLevel,
    /// When an elevation ends; `None` when the level is theirs without one.
    pub until: Option<Timestamp>,
    /// The reason of the elevation that holds.
    pub reason: Option<String>,
    /// The freeze of the environment, while it is frozen.
    pub freeze: Option<Freeze>,
}

/// An elevation that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElevationRequest {
    /// The access level to get.
    pub level: AccessLevel,
    /// Why; kept in the audit record.
    pub reason: String,
    /// The ticket it belongs to.
    pub ticket: Option<String>,
    /// The code of an MFA device, where the role asks for one.
    pub mfa_code: Option<String>,
}

/// How dead letters are to be replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayRequest {
    /// The dead-letter queue, not its source.
    pub queue: String,
    /// How many are sent in a second at most.
    pub rate_per_second: Option<u32>,
    /// How many are sent first and watched.
    pub canary: Option<u32>,
    /// Whether only dead letters are sent whose payments wait for them.
    pub only_safe: bool,
    /// What is put into the body of the one dead letter that is sent, such as
    /// `/detail/amount=1250`.
    pub set: Option<String>,
}

/// A replay as it is reviewed before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayReview {
    /// The plan. While an interrupted replay of the queue exists, the plan of that one: it must be
    /// finished first.
    pub plan: ReplayPlan,
    /// How many messages the interrupted replay had settled; `None` when the plan is new.
    pub settled: Option<usize>,
    /// What to beware of, such as a consumer that is mid-canary.
    pub warnings: Vec<String>,
    /// What an edit changes, line by line, masked: each begins with `+`, `-` or a space.
    pub diff: Vec<String>,
    /// Why the rules would refuse it now, and what to do, if they would.
    pub refusal: Option<String>,
    /// The same with the AWS CLI.
    pub equivalent: String,
}

/// What became of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayEnd {
    /// In numbers, and what was not sent.
    pub summary: ReplaySummary,
    /// Message ids of dead letters that are not in their queue any more.
    pub gone: Vec<String>,
}

/// What became of dead letters that were to be discarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiscardEnd {
    /// How many were to go.
    pub planned: usize,
    /// Message ids of those that are gone.
    pub gone: Vec<String>,
    /// How many were not yet tried when it was stopped.
    pub remaining: usize,
    /// Why each of the others stayed, by message id.
    pub failed: BTreeMap<String, String>,
    /// The file in which those that are gone are kept whole.
    pub kept: Option<String>,
}

/// What became of a redrive by the queue service itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedriveEnd {
    /// Messages moved, approximately on SQS.
    pub moved: u64,
    /// Messages there were, approximately.
    pub planned: Option<u64>,
    /// Whether it was canceled before all were moved.
    pub canceled: bool,
}

/// How a long operation is told to stop, and tells how far it is.
#[async_trait]
pub trait TaskControl: Send + Sync {
    /// Whether it is to stop; what is in hand is ended first.
    fn is_stopped(&self) -> bool;

    /// Returns once it is to stop.
    async fn stopped(&self);

    /// Hears of each batch that is settled.
    fn on_progress(&self, summary: &ReplaySummary);
}

/// Everything that an operator may do from the screen or from Admin Web. Environments go by the
/// name that [`EnvInfo`] gives them.
#[async_trait]
pub trait Operations: Send + Sync {
    /// All environments, in the order in which they are shown. Asks nobody.
    fn environments(&self) -> Vec<EnvInfo>;

    /// Opens an environment to look at it; it may be opened again after a failure.
    async fn open(&self, env: &str) -> PortResult<OpenEnvironment>;

    /// Words for the operator from whatever is under way, such as that a frozen environment is
    /// changed under break-glass. They are handed out once.
    fn notices(&self) -> BoxStream<'static, String>;

    /// With which access level the operator acts now.
    async fn access(&self, env: &str) -> PortResult<AccessStatus>;

    /// Begins an elevation, which is recorded with its reason.
    async fn elevate(&self, env: &str, request: ElevationRequest) -> PortResult<AccessStatus>;

    /// Ends an elevation before its time.
    async fn end_elevation(&self, env: &str) -> PortResult<AccessStatus>;

    /// Executes a plan for a rollout of `cluster`, bound to the state that was shown. `reason` may
    /// be empty where the environment is not protected.
    async fn execute_rollout(
        &self,
        env: &str,
        cluster: &str,
        plan: RolloutPlan,
        reason: String,
    ) -> PortResult<Executed>;

    /// Plans a replay of `letters`, all of one queue. Nothing is changed.
    async fn plan_replay(
        &self,
        env: &str,
        request: ReplayRequest,
        letters: Vec<DeadLetter>,
    ) -> PortResult<ReplayReview>;

    /// Writes a plan to a file that somebody else can approve; its path.
    async fn save_replay_plan(&self, env: &str, plan: ReplayPlan) -> PortResult<String>;

    /// Executes a plan that was reviewed.
    async fn replay(
        &self,
        env: &str,
        plan: ReplayPlan,
        reason: String,
        control: Arc<dyn TaskControl>,
    ) -> PortResult<ReplayEnd>;

    /// Deletes `letters`, all of `queue`, each only if it is still as it was seen. They are kept
    /// whole in a file first.
    async fn discard(
        &self,
        env: &str,
        queue: String,
        letters: Vec<DeadLetter>,
        reason: String,
        control: Arc<dyn TaskControl>,
    ) -> PortResult<DiscardEnd>;

    /// Has the queue service move all of a dead-letter queue back, unread, and waits for its end;
    /// when it is told to stop, it cancels the move.
    async fn redrive(
        &self,
        env: &str,
        queue: String,
        reason: String,
        control: Arc<dyn TaskControl>,
    ) -> PortResult<RedriveEnd>;

    /// Writes `letters`, masked, to a file of JSON lines that only the operator may read; its path.
    async fn export_dead_letters(&self, env: &str, letters: Vec<DeadLetter>) -> PortResult<String>;
}
