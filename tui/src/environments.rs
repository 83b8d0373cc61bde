//! What the screen is handed: environments, and what opening one gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use payops_core::Timestamp;
use payops_core::domain::access::Duty;
use payops_core::domain::replay::Plan;
use payops_core::port::{AuditLog, PortResult, Ports, Rollouts};
use payops_core::usecase::{Control, Letter, ReplaySummary};

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
    /// Who froze the environment and why, while it is frozen.
    pub frozen: Option<String>,
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
}

/// What is done to dead letters from the screen, by whoever keeps rules, journals and the audit.
/// Every write is checked against the rules, recorded, and journaled there; the screen only shows
/// plans and asks for a yes.
#[async_trait]
pub trait Steering: Send + Sync {
    /// With which right the user acts now.
    async fn standing(&self) -> PortResult<Standing>;

    /// Begins an elevation; a reason is kept in the audit.
    async fn elevate(&self, duty: Duty, reason: &str, ticket: Option<&str>) -> PortResult<Standing>;

    /// Gives an elevation back before it ends.
    async fn lower(&self) -> PortResult<Standing>;

    /// Plans a replay of `letters`, all of one queue. Nothing is changed.
    async fn plan(&self, wanted: ReplayWanted, letters: Vec<Letter>) -> PortResult<Plan>;

    /// Executes a plan. Refusals by the rules are of the kind [`payops_core::port::ErrorKind::Denied`]
    /// and their message says what to do.
    async fn replay(&self, plan: Plan, reason: String, control: Arc<dyn Control>) -> PortResult<ReplaySummary>;

    /// Deletes `letters`, all of `queue`, each only if it is still as it was seen. How many are gone,
    /// and why others are not, by message id.
    async fn discard(
        &self,
        queue: String,
        letters: Vec<Letter>,
        reason: String,
        control: Arc<dyn Control>,
    ) -> PortResult<(usize, BTreeMap<String, String>)>;

    /// Writes `letters`, masked, to a file of JSON lines that only the user may read; its path.
    async fn export(&self, letters: Vec<Letter>) -> PortResult<String>;
}
