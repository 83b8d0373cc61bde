//! What belongs to a rollout: `ReplicaSets`, pods, analysis runs, experiments.

use super::{ContainerImage, Rollout, WorkloadRef};
use crate::Timestamp;

/// Which part of a rollout a `ReplicaSet` plays; one may play several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The newest version of a canary, not yet stable.
    Canary,
    Stable,
    /// The active service of a blue-green rollout sends users to it.
    Active,
    /// Only the preview service of a blue-green rollout selects it.
    Preview,
    /// The newest version of a blue-green rollout, while no service selects it.
    New,
    Old,
}

impl Role {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Stable => "stable",
            Self::Active => "active",
            Self::Preview => "preview",
            Self::New => "new",
            Self::Old => "old",
        }
    }

    /// All of `roles` in one text: `stable, active`.
    #[must_use]
    pub fn list(roles: &[Self]) -> String {
        let words: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        words.join(", ")
    }
}

/// A `ReplicaSet` of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSet {
    pub name: String,
    pub uid: String,
    pub hash: String,
    pub revision: Option<u64>,
    pub desired: u32,
    pub current: u32,
    pub ready: u32,
    pub available: u32,
    pub created_at: Option<Timestamp>,
    pub images: Vec<ContainerImage>,
    /// Until when its pods stand although it serves nobody any more: going back to it is instant.
    pub scale_down_at: Option<Timestamp>,
    /// Its pod template as it stands there, with the hash label: what an undo goes back to.
    pub template: serde_json::Value,
}

impl ReplicaSet {
    /// Which parts it plays in `rollout`; never none.
    #[must_use]
    pub fn roles(&self, rollout: &Rollout) -> Vec<Role> {
        let (stable, newest) = (
            self.hash == rollout.stable_hash,
            self.hash == rollout.current_hash,
        );
        let mut roles = Vec::new();
        if stable {
            roles.push(Role::Stable);
        }
        match rollout.blue_green() {
            Some(blue_green) if self.hash == blue_green.active_hash => roles.push(Role::Active),
            Some(blue_green) if self.hash == blue_green.preview_hash => roles.push(Role::Preview),
            Some(_) if newest && !stable => roles.push(Role::New),
            None if newest && !stable => roles.push(Role::Canary),
            _ => {}
        }
        if roles.is_empty() {
            roles.push(Role::Old);
        }
        roles
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    pub name: String,
    /// Hash of its template: which `ReplicaSet` it is of.
    pub hash: String,
    /// `Running`, `Pending`, or why it does not run, such as `CrashLoopBackOff`.
    pub status: String,
    pub ready: u32,
    pub containers: u32,
    pub restarts: u32,
    pub node: Option<String>,
    pub created_at: Option<Timestamp>,
    pub terminating: bool,
}

/// How an analysis run, one of its metrics or one measurement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunPhase {
    Pending,
    Running,
    Successful,
    Failed,
    Error,
    Inconclusive,
}

impl RunPhase {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Successful => "Successful",
            Self::Failed => "Failed",
            Self::Error => "Error",
            Self::Inconclusive => "Inconclusive",
        }
    }

    /// The phase of that word; anything else is [`RunPhase::Pending`].
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let all = [
            Self::Running,
            Self::Successful,
            Self::Failed,
            Self::Error,
            Self::Inconclusive,
        ];
        all.into_iter()
            .find(|phase| phase.as_str() == name)
            .unwrap_or(Self::Pending)
    }

    #[must_use]
    pub const fn is_done(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

/// Why an analysis was started (label `rollout-type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnalysisKind {
    Step(Option<usize>),
    Background,
    PrePromotion,
    PostPromotion,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    pub value: String,
    pub phase: RunPhase,
    /// When it was finished, or else begun.
    pub at: Option<Timestamp>,
    pub message: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Threshold {
    /// Holds when the measurement passed, such as `result[0] < 0.35`.
    pub success: Option<String>,
    pub failure: Option<String>,
    pub failures_max: u32,
    pub inconclusive_max: u32,
    /// Measurements wanted in all; `None` for as long as the run lasts.
    pub count: Option<u32>,
    /// Whether it is only watched: it cannot fail the run.
    pub dry_run: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    pub name: String,
    pub phase: RunPhase,
    pub message: String,
    pub threshold: Threshold,
    /// The measurements that the controller kept, oldest first.
    pub measurements: Vec<Measurement>,
    pub successful: u32,
    pub failed: u32,
    pub inconclusive: u32,
    /// Measurements that could not be made.
    pub errors: u32,
}

impl Metric {
    #[must_use]
    pub fn count_measurements(&self) -> u32 {
        self.successful
            .saturating_add(self.failed)
            .saturating_add(self.inconclusive)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalysisRun {
    pub name: String,
    pub uid: String,
    pub resource_version: String,
    pub kind: AnalysisKind,
    pub hash: String,
    pub revision: Option<u64>,
    pub phase: RunPhase,
    pub message: String,
    pub created_at: Option<Timestamp>,
    pub metrics: Vec<Metric>,
}

impl AnalysisRun {
    /// Why its verdict should not be believed, if so: it passed, and nothing it measured did.
    #[must_use]
    pub fn suspicion(&self) -> Option<&'static str> {
        let metrics = || {
            self.metrics
                .iter()
                .filter(|metric| !metric.threshold.dry_run)
        };
        let judged = metrics().any(|metric| metric.count_measurements() > 0);
        let none_passed = metrics().all(|metric| metric.successful == 0);
        (self.phase == RunPhase::Successful && judged && none_passed)
            .then_some("Successful, yet no measurement passed")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Experiment {
    pub name: String,
    pub resource_version: String,
    pub phase: RunPhase,
    pub message: String,
    pub revision: Option<u64>,
    pub created_at: Option<Timestamp>,
}

/// The object whose pod template a rollout uses, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    pub reference: WorkloadRef,
    pub uid: String,
    pub resource_version: String,
    /// 0 when the kind does not count changes.
    pub generation: u64,
    pub images: Vec<ContainerImage>,
}

/// Everything that belongs to a rollout, as far as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Related {
    /// `ReplicaSets`, newest revision first.
    pub replica_sets: Vec<ReplicaSet>,
    /// Pods; `None` when they were not asked for.
    pub pods: Option<Vec<Pod>>,
    pub analysis_runs: Vec<AnalysisRun>,
    pub experiments: Vec<Experiment>,
    /// The object whose pod template it uses; `None` without one, or when it does not exist.
    pub workload: Option<Workload>,
    /// What may not be read, such as `replicasets.apps in team-a`.
    pub unreadable: Vec<String>,
}

impl Related {
    /// Says that objects of `resource` may not be read, if so.
    #[must_use]
    pub fn is_unreadable(&self, resource: &str) -> Option<&str> {
        self.unreadable
            .iter()
            .map(String::as_str)
            .find(|what| what.starts_with(resource))
    }

    /// The revision of a pod template, by its hash.
    #[must_use]
    pub fn revision_of(&self, hash: &str) -> Option<u64> {
        let mut sets = self.replica_sets.iter();
        sets.find(|set| set.hash == hash)?.revision
    }

    /// Analysis runs of the newest version that have not come to an end.
    pub fn running_analyses<'a>(
        &'a self,
        rollout: &'a Rollout,
    ) -> impl Iterator<Item = &'a AnalysisRun> {
        self.analysis_runs
            .iter()
            .filter(|run| run.hash == rollout.current_hash && !run.phase.is_done())
    }
}
