//! A rollout: a progressive delivery of one workload, as Argo Rollouts describes it.
//!
//! Values are read from the objects of the `argoproj.io/v1alpha1` API by an adapter; here is what
//! they mean: which phase to show, what each weight is, whether a human is waited for, and what an
//! action will do. Facts about the controller are those of Argo Rollouts 1.9.

mod action;
mod blue_green;
mod plan;
mod related;
mod steps;

pub use action::{ImageChange, RolloutAction, RolloutRefusal};
pub use blue_green::BlueGreen;
pub use plan::{Insist, RolloutChange, RolloutPlan, plan, plan_insisting};
pub use related::{
    AnalysisKind, AnalysisRun, Experiment, Measurement, Metric, Pod, Related, ReplicaSet, Role,
    RunPhase, Threshold, Workload,
};
pub use steps::{PauseLength, Step, StepState};

use std::borrow::Cow;

use jiff::SignedDuration;

use crate::Timestamp;
use crate::domain::display::percent;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RolloutKey {
    pub namespace: String,
    pub name: String,
}

impl std::fmt::Display for RolloutKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What stands where the controller's word would, while there is none.
const NOT_TAKEN_UP: &str = "no controller has taken it up";

/// How a rollout stands, in the controller's own four words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    Healthy,
    Progressing,
    Paused,
    Degraded,
    /// The controller has not said yet.
    Unknown,
}

impl Phase {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Progressing => "Progressing",
            Self::Paused => "Paused",
            Self::Degraded => "Degraded",
            Self::Unknown => "Unknown",
        }
    }

    /// The phase of that word; anything else is [`Phase::Unknown`].
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let all = [
            Self::Healthy,
            Self::Progressing,
            Self::Paused,
            Self::Degraded,
        ];
        all.into_iter()
            .find(|phase| phase.as_str() == name)
            .unwrap_or(Self::Unknown)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseCondition {
    /// `CanaryPauseStep`, `BlueGreenPause`, `InconclusiveAnalysisRun` or `InconclusiveExperiment`.
    pub reason: String,
    pub since: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    Canary {
        /// The steps, in order; empty when it is one go.
        steps: Vec<Step>,
        /// Whether a traffic router splits requests, so that weights are not those of pod counts.
        traffic_routing: bool,
    },
    /// All at once, behind a preview.
    BlueGreen(BlueGreen),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerImage {
    pub container: String,
    pub image: String,
}

/// What a rollout says of an analysis run that is its current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentRun {
    pub name: String,
    pub phase: RunPhase,
    pub message: String,
}

/// Weights that the controller has told the traffic router, in thousandths of all traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterWeights {
    pub canary: u32,
    /// Whether the router was seen to follow; `None` when that is not checked.
    pub verified: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replicas {
    pub desired: u32,
    pub current: u32,
    pub updated: u32,
    pub ready: u32,
    pub available: u32,
}

/// The object whose pod template a rollout uses in place of one of its own (`spec.workloadRef`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadRef {
    pub api_version: String,
    pub kind: String,
    pub name: String,
}

impl WorkloadRef {
    /// The resource that it is of, as refusals of the API name it: `deployments.apps`.
    #[must_use]
    pub fn resource(&self) -> String {
        let plural = format!("{}s", self.kind.to_lowercase());
        match self.api_version.split_once('/') {
            Some((group, _)) => format!("{plural}.{group}"),
            None => plural,
        }
    }
}

impl std::fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a field of the object, and they are independent of each other"
)]
pub struct Rollout {
    pub key: RolloutKey,
    pub uid: String,
    /// Names this state of the object; a decision is bound to it.
    pub resource_version: String,
    /// Counts changes of its spec; 0 when that is not known.
    pub generation: u64,
    pub created_at: Option<Timestamp>,
    pub revision: Option<u64>,
    pub strategy: Strategy,
    /// Images of its pod template; empty when the template is another workload's.
    pub images: Vec<ContainerImage>,
    /// Paused by hand (`spec.paused`).
    pub spec_paused: bool,
    /// Whose pod template it uses, if not its own.
    pub workload_ref: Option<WorkloadRef>,
    /// Whether a controller has ever looked at it.
    pub taken_up: bool,
    pub observed: bool,
    /// Generation of its spec that the controller has seen, as it says itself.
    pub observed_generation: Option<u64>,
    /// Whether it has seen the newest spec of the other workload.
    pub workload_observed: bool,
    /// Generation of the other workload that the controller has seen.
    pub workload_generation: Option<u64>,
    /// When somebody other than the controller last wrote it, as far as the object says.
    pub written_at: Option<Timestamp>,
    /// Why its spec cannot be rolled out (condition `InvalidSpec`).
    pub invalid: Option<String>,
    pub told_phase: Phase,
    pub told_message: String,
    /// Aborted: the stable version gets everything, and the new one waits for a retry.
    pub aborted: bool,
    pub aborted_at: Option<Timestamp>,
    /// A full promotion is under way: steps, pauses and analysis are passed over.
    pub promoting_full: bool,
    pub controller_pause: bool,
    pub pauses: Vec<PauseCondition>,
    /// The step it is at, counted from 0; the number of steps when all are done.
    pub step_index: Option<usize>,
    pub current_hash: String,
    pub stable_hash: String,
    pub replicas: Replicas,
    /// Available pods of the newest version. The status does not count them apart: `None` until its
    /// `ReplicaSet` was looked at.
    pub canary_available: Option<u32>,
    pub router: Option<RouterWeights>,
    pub step_analysis: Option<CurrentRun>,
    pub background_analysis: Option<CurrentRun>,
    /// When its pods were last restarted on purpose.
    pub restarted_at: Option<Timestamp>,
    /// How many versions an undo may go back without steps and pauses (`spec.rollbackWindow`).
    pub rollback_window: Option<u32>,
}

/// The weights of the canary, in thousandths of all traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    pub desired: u32,
    /// What the traffic router was told; without one, what the steps ask for.
    pub set: u32,
    /// What there is: the router's weight once it was seen to follow, or the canary's share of the
    /// available pods; `None` while nobody can say.
    pub observed: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    No,
    Time {
        until: Timestamp,
    },
    Human {
        why: Cow<'static, str>,
        since: Option<Timestamp>,
    },
}

impl Rollout {
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        match &self.strategy {
            Strategy::Canary { steps, .. } => steps,
            Strategy::BlueGreen(_) => &[],
        }
    }

    #[must_use]
    pub fn blue_green(&self) -> Option<&BlueGreen> {
        match &self.strategy {
            Strategy::BlueGreen(blue_green) => Some(blue_green),
            Strategy::Canary { .. } => None,
        }
    }

    #[must_use]
    pub fn has_router(&self) -> bool {
        matches!(
            self.strategy,
            Strategy::Canary {
                traffic_routing: true,
                ..
            }
        )
    }

    /// Whether the newest version is the stable one: nothing is being rolled out.
    #[must_use]
    pub fn is_fully_promoted(&self) -> bool {
        !self.stable_hash.is_empty() && self.current_hash == self.stable_hash
    }

    #[must_use]
    pub fn current_step(&self) -> Option<&Step> {
        self.steps().get(self.step_index?)
    }

    /// The phase to show, and why. The controller's own word is believed only when it is about
    /// the newest spec.
    #[must_use]
    pub fn phase(&self) -> (Phase, &str) {
        if !self.taken_up && self.told_phase == Phase::Unknown && self.told_message.is_empty() {
            return (Phase::Unknown, NOT_TAKEN_UP);
        }
        if !self.observed {
            return (
                Phase::Progressing,
                "waiting for rollout spec update to be observed",
            );
        }
        if self.controller_pause && self.pauses.is_empty() {
            return (Phase::Progressing, "waiting for rollout to unpause");
        }
        if self.workload_ref.is_some() && !self.workload_observed {
            return (
                Phase::Progressing,
                "waiting for rollout spec update to be observed for the reference workload",
            );
        }
        (self.told_phase, &self.told_message)
    }

    /// `None` where no weight is a fact: no controller has taken it up, or its spec cannot be
    /// rolled out. [`Rollout::phase`] says why.
    #[must_use]
    pub fn weights(&self) -> Option<Weights> {
        if !self.taken_up || self.invalid.is_some() {
            return None;
        }
        if let Strategy::BlueGreen(blue_green) = &self.strategy {
            return blue_green.weights(self);
        }
        let desired = self.desired_weight();
        let set = match (&self.router, self.has_router()) {
            // Once the newest version is the stable one, the router's canary weight is back at
            // nothing.
            (Some(router), true) if !self.is_fully_promoted() => router.canary,
            _ => desired,
        };
        Some(Weights {
            desired,
            set,
            observed: self.observed_weight(set),
        })
    }

    /// What the steps ask for: the last `setWeight` at or before the current step.
    fn desired_weight(&self) -> u32 {
        if self.aborted {
            return 0;
        }
        let (Some(index), Some(_)) = (self.step_index, self.current_step()) else {
            return 1000;
        };
        let weight = |step: &Step| {
            if let Step::SetWeight(weight) = step {
                Some(*weight)
            } else {
                None
            }
        };
        self.steps()
            .iter()
            .take(index.saturating_add(1))
            .rev()
            .find_map(weight)
            .unwrap_or(0)
    }

    fn observed_weight(&self, set: u32) -> Option<u32> {
        if self.is_fully_promoted() {
            return Some(1000);
        }
        if self.has_router() {
            return match self.router {
                Some(router) => (router.verified != Some(false)).then_some(router.canary),
                // A router that answers nothing is taken at its word, as the plugin does.
                None if self.replicas.available > 0 => Some(set),
                None => None,
            };
        }
        self.count_canary_available()?
            .saturating_mul(1000)
            .checked_div(self.replicas.available)
    }

    /// Available pods of the newest version: counted, or else what the counts of the status leave
    /// no doubt about. The status counts updated pods whether they are available or not.
    fn count_canary_available(&self) -> Option<u32> {
        if self.canary_available.is_some() {
            return self.canary_available;
        }
        let Replicas {
            current,
            updated,
            available,
            ..
        } = self.replicas;
        let most = updated.min(available);
        let least = available.saturating_sub(current.saturating_sub(updated));
        (least == most).then_some(most)
    }

    /// Whether the observed weight needs a look at the `ReplicaSet` of the newest version.
    #[must_use]
    pub fn needs_canary_count(&self) -> bool {
        matches!(
            self.strategy,
            Strategy::Canary {
                traffic_routing: false,
                ..
            }
        ) && self.weights().is_some()
            && !self.is_fully_promoted()
            && self.replicas.available > 0
            && self.count_canary_available().is_none()
    }

    /// With the pods of the newest version counted, where `related` has its `ReplicaSet`.
    #[must_use]
    pub fn count_canary(mut self, related: &Related) -> Self {
        let newest = related
            .replica_sets
            .iter()
            .find(|set| set.hash == self.current_hash);
        if let Some(newest) = newest {
            self.canary_available = Some(newest.available);
        }
        self
    }

    /// What was written and the controller has not taken yet, by the fields that say so. `None`
    /// when it has taken everything, and when there is no controller at all.
    #[must_use]
    pub fn untaken(&self) -> Option<String> {
        if !self.taken_up {
            return None;
        }
        if !self.observed {
            let seen = self
                .observed_generation
                .map_or_else(|| "none".to_owned(), |seen| seen.to_string());
            return Some(format!("observedGeneration {seen} of {}", self.generation));
        }
        let skipped = self
            .step_analysis
            .as_ref()
            .is_some_and(|run| !run.phase.is_done())
            && self
                .current_step()
                .is_some_and(|step| !matches!(step, Step::Analysis(_)));
        let field = if self.controller_pause && self.pauses.is_empty() {
            "pause conditions"
        } else if self.workload_ref.is_some() && !self.workload_observed {
            "workloadObservedGeneration"
        } else if self.aborted && self.aborted_at.is_none() {
            "abort"
        } else if !self.aborted
            && self.aborted_at.is_some()
            && self.told_phase == Phase::Degraded
            && self.told_message.starts_with("RolloutAborted")
        {
            "retry"
        } else if self.promoting_full && (self.aborted || !self.pauses.is_empty()) {
            "promoteFull"
        } else if skipped {
            "currentStepIndex"
        } else {
            return None;
        };
        Some(field.to_owned())
    }

    #[must_use]
    pub fn resumes_at(&self) -> Option<Timestamp> {
        let began = |reason| {
            let mut pauses = self.pauses.iter();
            pauses.find(|pause| pause.reason == reason)?.since
        };
        if let Strategy::BlueGreen(blue_green) = &self.strategy {
            let length = blue_green.auto_promotion_after?;
            return began("BlueGreenPause")?.checked_add(length).ok();
        }
        let since = began("CanaryPauseStep")?;
        match self.current_step()? {
            Step::Pause(PauseLength::For(length)) => since.checked_add(*length).ok(),
            _ => None,
        }
    }

    #[must_use]
    pub fn wait_state(&self) -> Waiting {
        let human = |why: &'static str, since| Waiting::Human {
            why: Cow::Borrowed(why),
            since,
        };
        if let Some(why) = &self.invalid {
            return Waiting::Human {
                why: Cow::Owned(format!("invalid spec: {why}")),
                since: None,
            };
        }
        if self.aborted {
            return human("aborted", self.aborted_at);
        }
        if self.phase().0 == Phase::Degraded {
            return human("degraded", None);
        }
        if self.spec_paused {
            return human("paused manually", None);
        }
        let Some(pause) = self.pauses.first() else {
            return Waiting::No;
        };
        match pause.reason.as_str() {
            "InconclusiveAnalysisRun" => human("inconclusive analysis", pause.since),
            "InconclusiveExperiment" => human("inconclusive experiment", pause.since),
            "BlueGreenPause"
                if self.resumes_at().is_none()
                    && self
                        .blue_green()
                        .is_some_and(|blue_green| blue_green.auto_promotion) =>
            {
                Waiting::No
            }
            _ => match self.resumes_at() {
                Some(until) => Waiting::Time { until },
                None => human("waiting for promotion", pause.since),
            },
        }
    }

    #[must_use]
    pub fn waits_for_human(&self) -> bool {
        matches!(self.wait_state(), Waiting::Human { .. })
    }

    #[must_use]
    pub fn step_states(&self) -> Vec<StepState> {
        let index = self.step_index.unwrap_or(0);
        let state = |place: usize| {
            if self.is_fully_promoted() || place < index {
                StepState::Done
            } else if place > index {
                StepState::Ahead
            } else if self.aborted || self.phase().0 == Phase::Degraded {
                StepState::Failed
            } else {
                StepState::Current
            }
        };
        (0..self.steps().len()).map(state).collect()
    }

    /// How much of the current pause is left at `now`.
    #[must_use]
    pub fn pause_left(&self, now: Timestamp) -> Option<SignedDuration> {
        Some(
            self.resumes_at()?
                .duration_since(now)
                .max(SignedDuration::ZERO),
        )
    }
}

impl Rollout {
    /// What else is different in `later`, the answer to an abort.
    #[must_use]
    pub fn changes_besides_abort(&self, later: &Self) -> Vec<String> {
        // The abort itself sets no other field: the controller follows later.
        let before = Self {
            aborted: self.aborted,
            aborted_at: self.aborted_at,
            ..later.clone()
        };
        self.changes(&before)
    }

    /// What is different in `later`, in words that tell an operator what somebody else did.
    #[must_use]
    pub fn changes(&self, later: &Self) -> Vec<String> {
        let mut out = Vec::new();
        let mut changed = |name: &str, was: String, is: String| {
            if was != is {
                out.push(format!("{name} {was} → {is}"));
            }
        };
        let step = |rollout: &Self| {
            rollout.step_index.map_or_else(
                || "none".to_owned(),
                |index| index.saturating_add(1).to_string(),
            )
        };
        let or_none = |text: &str| {
            if text.is_empty() {
                "none".to_owned()
            } else {
                text.to_owned()
            }
        };
        let pauses = |rollout: &Self| {
            or_none(
                &rollout
                    .pauses
                    .iter()
                    .map(|pause| pause.reason.as_str())
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        };
        let images = |rollout: &Self| {
            or_none(
                &rollout
                    .images
                    .iter()
                    .map(|image| image.image.as_str())
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        };
        let set = |rollout: &Self| {
            rollout
                .weights()
                .map_or_else(|| "none".to_owned(), |weights| percent(weights.set))
        };
        let active = |rollout: &Self| {
            let blue_green = rollout.blue_green();
            or_none(blue_green.map_or("", |blue_green| &blue_green.active_hash))
        };
        changed(
            "phase",
            self.phase().0.as_str().to_owned(),
            later.phase().0.as_str().to_owned(),
        );
        changed("step", step(self), step(later));
        changed("pause", pauses(self), pauses(later));
        changed("set weight", set(self), set(later));
        changed("active version", active(self), active(later));
        changed("images", images(self), images(later));
        changed(
            "aborted",
            self.aborted.to_string(),
            later.aborted.to_string(),
        );
        changed(
            "full promotion",
            self.promoting_full.to_string(),
            later.promoting_full.to_string(),
        );
        changed(
            "paused manually",
            self.spec_paused.to_string(),
            later.spec_paused.to_string(),
        );
        let pods = |rollout: &Self| {
            format!(
                "{} updated {} available",
                rollout.replicas.updated, rollout.replicas.available
            )
        };
        changed("pods", pods(self), pods(later));
        out
    }
}
