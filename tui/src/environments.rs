//! What the screen is handed: environments, and what opening one gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use payops_core::Timestamp;
use payops_core::domain::access::{Duty, Freeze};
use payops_core::domain::replay::Plan;
use payops_core::port::{AuditLog, PortResult, Ports, Rollouts};
use payops_core::usecase::{Letter, ReplaySummary};
use tokio_util::sync::CancellationToken;

/// An environment, as far as it is known before anything is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvInfo {
    /// Its name.
    pub name: String,
    /// Whether a write in it needs a name typed and a reason.
    pub protected: bool,
    /// The account's number, if it has one.
    pub account: Option<String>,
    /// The region, if it has one.
    pub region: Option<String>,
}

/// An environment that was opened.
#[derive(Clone)]
pub struct Opened {
    /// Its ports.
    pub ports: Ports,
    /// Its clusters.
    pub clusters: Vec<Arc<dyn Rollouts>>,
    /// The record of what is done.
    pub audit: Arc<dyn AuditLog>,
    /// Who the user is there.
    pub who: String,
    /// How dead letters are steered; `None` where the screen may only look.
    pub steering: Option<Arc<dyn Steering>>,
}

/// The environments there are.
#[async_trait]
pub trait Environments: Send + Sync {
    /// All of them; asks nobody.
    fn list(&self) -> Vec<EnvInfo>;

    /// Opens one; the screen opens it again when that failed.
    async fn open(&self, name: &str) -> PortResult<Opened>;
}

/// With which right the user acts in an environment now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The duty: view, operate or break-glass.
    pub duty: Duty,
    /// When an elevation ends; `None` when the duty is theirs without one.
    pub until: Option<Timestamp>,
    /// Why the elevation that holds was begun; `None` without one.
    pub reason: Option<String>,
    /// The freeze of the environment, while it is frozen.
    pub freeze: Option<Freeze>,
}

/// An elevation that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElevationWanted {
    /// Which duty.
    pub duty: Duty,
    /// Why; kept in the audit.
    pub reason: String,
    /// The ticket it belongs to.
    pub ticket: Option<String>,
    /// The code of an MFA device, where the role asks for one.
    pub mfa: Option<String>,
}

/// What is asked of a replay, beside the letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayWanted {
    /// The dead-letter queue.
    pub queue: String,
    /// How many are sent in a second at most.
    pub rate_per_second: Option<u32>,
    /// How many are sent first and watched.
    pub canary: Option<u32>,
    /// Whether only letters are sent whose payments wait for them.
    pub only_safe: bool,
    /// What is put into the body of the one letter that is sent, such as `/detail/amount=1250`.
    pub set: Option<String>,
}

/// A replay as it is reviewed before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayReview {
    /// The plan. Of an interrupted replay the plan of that: it must be finished first.
    pub plan: Plan,
    /// Messages that an interrupted replay had settled; `None` when the plan is new.
    pub settled: Option<usize>,
    /// What to beware of, in words, such as a consumer in the middle of a canary.
    pub warnings: Vec<String>,
    /// What an edit changes, line by line, masked: each begins with `+`, `-` or a space.
    pub diff: Vec<String>,
    /// Why the rules would refuse it now, and what to do, if they would.
    pub refusal: Option<String>,
    /// The same on the command line.
    pub same_as: String,
}

/// What became of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayEnd {
    /// In numbers, and what was not sent.
    pub summary: ReplaySummary,
    /// Message ids of letters that are not in their queue any more.
    pub gone: Vec<String>,
}

/// What became of letters that were to be discarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiscardEnd {
    /// Letters that were to go.
    pub planned: usize,
    /// Message ids of letters that are gone.
    pub gone: Vec<String>,
    /// Letters not yet tried, when it was stopped.
    pub remaining: usize,
    /// Letters that stayed, and why, by message id.
    pub failed: BTreeMap<String, String>,
    /// Where those that are gone are kept whole.
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

/// How a task of letters is told to stop, and tells how far it is.
#[derive(Clone)]
pub struct Handle {
    /// Cancelled when it is to stop; what is in hand is ended first.
    pub stop: CancellationToken,
    /// Hears of each batch that is settled.
    pub told: Arc<dyn Fn(&ReplaySummary) + Send + Sync>,
}

/// What is done to dead letters from the screen, by whoever keeps rules, journals and the audit.
/// Every write is checked against the rules, recorded, and journaled there; the screen shows plans
/// and asks for a yes. A refusal by the rules is of the kind [`payops_core::port::ErrorKind::Denied`],
/// and its message says what to do.
#[async_trait]
pub trait Steering: Send + Sync {
    /// With which right the user acts now.
    async fn standing(&self) -> PortResult<Standing>;

    /// Begins an elevation.
    async fn elevate(&self, wanted: ElevationWanted) -> PortResult<Standing>;

    /// Gives an elevation back before it ends.
    async fn lower(&self) -> PortResult<Standing>;

    /// Plans a replay of `letters`, all of one queue. Nothing is changed.
    async fn plan(&self, wanted: ReplayWanted, letters: Vec<Letter>) -> PortResult<ReplayReview>;

    /// Writes a plan as a file that somebody else can approve of; its path.
    async fn save(&self, plan: Plan) -> PortResult<String>;

    /// Executes a plan that was reviewed.
    async fn replay(&self, plan: Plan, reason: String, handle: Handle) -> PortResult<ReplayEnd>;

    /// Deletes `letters`, all of `queue`, each only if it is still as it was seen. They are kept whole
    /// in a file first.
    async fn discard(
        &self,
        queue: String,
        letters: Vec<Letter>,
        reason: String,
        handle: Handle,
    ) -> PortResult<DiscardEnd>;

    /// Has the queue service move all of a dead-letter queue back, unread, and waits for its end; told to
    /// stop, it is canceled there.
    async fn redrive(
        &self,
        queue: String,
        reason: String,
        handle: Handle,
    ) -> PortResult<RedriveEnd>;

    /// Writes `letters`, masked, to a file of JSON lines that only the user may read; its path.
    async fn export(&self, letters: Vec<Letter>) -> PortResult<String>;
}
