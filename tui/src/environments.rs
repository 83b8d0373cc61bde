//! What the screen is handed: environments, and what opening one gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use payops_core::Timestamp;
use payops_core::domain::access::{AccessLevel, Freeze};
use payops_core::domain::replay::ReplayPlan;
use payops_core::port::{AuditLog, PortResult, Ports, Rollouts};
use payops_core::usecase::{DeadLetter, ReplaySummary};
use tokio_util::sync::CancellationToken;

/// An environment, as far as it is known before anything is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvInfo {
    pub name: String,
    /// Whether a write in it needs a name typed and a reason.
    pub protected: bool,
    pub account: Option<String>,
    pub region: Option<String>,
}

#[derive(Clone)]
pub struct Opened {
    pub ports: Ports,
    pub clusters: Vec<Arc<dyn Rollouts>>,
    pub audit: Arc<dyn AuditLog>,
    pub who: String,
    /// How dead letters are steered; `None` where the screen may only look.
    pub steering: Option<Arc<dyn Steering>>,
}

#[async_trait]
pub trait Environments: Send + Sync {
    fn list(&self) -> Vec<EnvInfo>;

    /// Opens one; the screen opens it again when that failed.
    async fn open(&self, name: &str) -> PortResult<Opened>;
}

/// With which right the user acts in an environment now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub duty: AccessLevel,
    /// When an elevation ends; `None` when the duty is theirs without one.
    pub until: Option<Timestamp>,
    /// Why the elevation that holds was begun; `None` without one.
    pub reason: Option<String>,
    pub freeze: Option<Freeze>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElevationWanted {
    pub duty: AccessLevel,
    pub reason: String,
    pub ticket: Option<String>,
    /// The code of an MFA device, where the role asks for one.
    pub mfa: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayWanted {
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
    pub plan: ReplayPlan,
    /// Messages that an interrupted replay had settled; `None` when the plan is new.
    pub settled: Option<usize>,
    /// What to beware of, in words, such as a consumer in the middle of a canary.
    pub warnings: Vec<String>,
    /// What an edit changes, line by line, masked: each begins with `+`, `-` or a space.
    pub diff: Vec<String>,
    /// Why the rules would refuse it now, and what to do, if they would.
    pub refusal: Option<String>,
    pub same_as: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayEnd {
    /// In numbers, and what was not sent.
    pub summary: ReplaySummary,
    /// Message ids of letters that are not in their queue any more.
    pub gone: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiscardEnd {
    pub planned: usize,
    pub gone: Vec<String>,
    /// Dead letters not yet tried, when it was stopped.
    pub remaining: usize,
    pub failed: BTreeMap<String, String>,
    pub kept: Option<String>,
}

/// What became of a redrive by the queue service itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedriveEnd {
    pub moved: u64,
    pub planned: Option<u64>,
    pub canceled: bool,
}

/// How a task of letters is told to stop, and tells how far it is.
#[derive(Clone)]
pub struct Handle {
    /// Cancelled when it is to stop; what is in hand is ended first.
    pub stop: CancellationToken,
    pub told: Arc<dyn Fn(&ReplaySummary) + Send + Sync>,
}

/// What is done to dead letters from the screen, by whoever keeps rules, journals and the audit.
/// Every write is checked against the rules, recorded, and journaled there; the screen shows plans
/// and asks for a yes. A refusal by the rules is of the kind
/// [`payops_core::port::ErrorKind::Denied`], and its message says what to do.
#[async_trait]
pub trait Steering: Send + Sync {
    async fn standing(&self) -> PortResult<Standing>;

    async fn elevate(&self, wanted: ElevationWanted) -> PortResult<Standing>;

    async fn lower(&self) -> PortResult<Standing>;

    /// Plans a replay of `letters`, all of one queue. Nothing is changed.
    async fn plan(
        &self,
        wanted: ReplayWanted,
        letters: Vec<DeadLetter>,
    ) -> PortResult<ReplayReview>;

    /// Writes a plan as a file that somebody else can approve of; its path.
    async fn save(&self, plan: ReplayPlan) -> PortResult<String>;

    async fn replay(
        &self,
        plan: ReplayPlan,
        reason: String,
        handle: Handle,
    ) -> PortResult<ReplayEnd>;

    /// Deletes `letters`, all of `queue`, each only if it is still as it was seen. They are kept
    /// whole in a file first.
    async fn discard(
        &self,
        queue: String,
        letters: Vec<DeadLetter>,
        reason: String,
        handle: Handle,
    ) -> PortResult<DiscardEnd>;

    /// Has the queue service move all of a dead-letter queue back, unread, and waits for its end;
    /// told to stop, it is canceled there.
    async fn redrive(
        &self,
        queue: String,
        reason: String,
        handle: Handle,
    ) -> PortResult<RedriveEnd>;

    /// Writes `letters`, masked, to a file of JSON lines that only the user may read; its path.
    async fn export(&self, letters: Vec<DeadLetter>) -> PortResult<String>;
}
