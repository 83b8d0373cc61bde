//! What belongs to a rollout: `ReplicaSets`, pods, analysis runs, experiments.

use super::{ContainerImage, Rollout};
use crate::Timestamp;

/// Which part of a rollout a `ReplicaSet` plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The newest version, not yet stable.
    Canary,
    /// The version that is stable.
    Stable,
    /// An older revision.
    Old,
}

/// A `ReplicaSet` of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSet {
    /// Its name.
    pub name: String,
    /// Kubernetes' name for it.
    pub uid: String,
    /// Hash of its pod template.
    pub hash: String,
    /// Which revision.
    pub revision: Option<u64>,
    /// Pods wanted.
    pub desired: u32,
    /// Pods there.
    pub current: u32,
    /// Pods ready.
    pub ready: u32,
    /// Pods available.
    pub available: u32,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Its images.
    pub images: Vec<ContainerImage>,
    /// Its pod template as it stands there, with the hash label: what an undo goes back to.
    pub template: serde_json::Value,
}

impl ReplicaSet {
    /// Which part it plays in `rollout`.
    #[must_use]
    pub fn role(&self, rollout: &Rollout) -> Role {
        if self.hash == rollout.stable_hash {
            Role::Stable
        } else if self.hash == rollout.current_hash {
            Role::Canary
        } else {
            Role::Old
        }
    }
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// Hash of its template: which `ReplicaSet` it is of.
    pub hash: String,
    /// `Running`, `Pending`, or why it does not run, such as `CrashLoopBackOff`.
    pub status: String,
    /// Containers ready.
    pub ready: u32,
    /// Containers in all.
    pub containers: u32,
    /// Restarts of all containers.
    pub restarts: u32,
    /// Where it runs.
    pub node: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Whether it is on its way out.
    pub terminating: bool,
}

/// How an analysis run, one of its metrics or one measurement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunPhase {
    /// Not begun.
    Pending,
    /// Under way.
    Running,
    /// Passed.
    Successful,
    /// Did not pass.
    Failed,
    /// Could not be measured.
    Error,
    /// Neither passed nor failed.
    Inconclusive,
}

impl RunPhase {
    /// The word.
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

    /// Whether it came to an end.
    #[must_use]
    pub const fn is_done(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

/// Why an analysis was started (label `rollout-type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnalysisKind {
    /// By a step, the one of that index.
    Step(Option<usize>),
    /// Beside all steps.
    Background,
    /// Before a blue-green switch.
    PrePromotion,
    /// After it.
    PostPromotion,
    /// It does not say.
    Unknown,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// The value, as the provider gave it.
    pub value: String,
    /// How it was judged.
    pub phase: RunPhase,
    /// When it was finished, or else begun.
    pub at: Option<Timestamp>,
    /// In words, if there is anything to say.
    pub message: String,
}

/// What a measurement is held against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Threshold {
    /// Holds when the measurement passed, such as `result[0] < 0.35`.
    pub success: Option<String>,
    /// Holds when it failed.
    pub failure: Option<String>,
    /// Failures allowed; one more fails the run.
    pub failures_max: u32,
    /// Inconclusive measurements allowed.
    pub inconclusive_max: u32,
    /// Measurements wanted in all; `None` for as long as the run lasts.
    pub count: Option<u32>,
    /// Whether it is only watched: it cannot fail the run.
    pub dry_run: bool,
}

/// One metric of an analysis run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub phase: RunPhase,
    /// In words.
    pub message: String,
    /// What measurements are held against.
    pub threshold: Threshold,
    /// The measurements that the controller kept, oldest first.
    pub measurements: Vec<Measurement>,
    /// Measurements that passed, those no longer kept included.
    pub successful: u32,
    /// Measurements that failed.
    pub failed: u32,
    /// Measurements that were neither.
    pub inconclusive: u32,
    /// Measurements that could not be made.
    pub errors: u32,
}

impl Metric {
    /// Measurements made.
    #[must_use]
    pub fn measured(&self) -> u32 {
        self.successful
            .saturating_add(self.failed)
            .saturating_add(self.inconclusive)
    }
}

/// An analysis run of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalysisRun {
    /// Its name.
    pub name: String,
    /// Kubernetes' name for it.
    pub uid: String,
    /// Names this state of it.
    pub resource_version: String,
    /// Why it was started.
    pub kind: AnalysisKind,
    /// Hash of the template it measures.
    pub hash: String,
    /// The revision it belongs to.
    pub revision: Option<u64>,
    /// How it stands.
    pub phase: RunPhase,
    /// In words.
    pub message: String,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// What it measures.
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
        let judged = metrics().any(|metric| metric.measured() > 0);
        let none_passed = metrics().all(|metric| metric.successful == 0);
        (self.phase == RunPhase::Successful && judged && none_passed)
            .then_some("Successful, yet no measurement passed")
    }
}

/// An experiment of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Experiment {
    /// Its name.
    pub name: String,
    /// Names this state of it.
    pub resource_version: String,
    /// How it stands.
    pub phase: RunPhase,
    /// In words.
    pub message: String,
    /// The revision it belongs to.
    pub revision: Option<u64>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
}

/// Everything that belongs to a rollout, as far as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Related {
    /// `ReplicaSets`, newest revision first.
    pub replica_sets: Vec<ReplicaSet>,
    /// Pods; `None` when they were not asked for.
    pub pods: Option<Vec<Pod>>,
    /// Analysis runs, newest first.
    pub analysis_runs: Vec<AnalysisRun>,
    /// Experiments, newest first.
    pub experiments: Vec<Experiment>,
}

impl Related {
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
