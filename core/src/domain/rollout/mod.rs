//! A rollout: a progressive delivery of one workload, as Argo Rollouts describes it.
//!
//! Values are read from the objects of the `argoproj.io/v1alpha1` API by an adapter; here is what
//! they mean: which phase to show, what each weight is, whether a human is waited for, and what an
//! action will do. Facts about the controller are those of Argo Rollouts 1.9.

mod action;
mod plan;
mod related;
mod steps;

pub use action::{ImageChange, RolloutAction, RolloutRefusal};
pub use plan::{RolloutChange, RolloutPlan, plan};
pub use related::{
    AnalysisKind, AnalysisRun, Experiment, Measurement, Metric, Pod, Related, ReplicaSet, Role,
    RunPhase, Threshold,
};
pub use steps::{PauseLength, Step, StepState};

use jiff::SignedDuration;

use crate::Timestamp;

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
    BlueGreen { auto_promotion: bool },
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

/// Weights that the controller has told the traffic router, in percent.
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
    /// Whether the pod template is that of another workload (`spec.workloadRef`).
    pub workload_ref: bool,
    pub observed: bool,
    /// Whether it has seen the newest spec of the other workload.
    pub workload_observed: bool,
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
    pub router: Option<RouterWeights>,
    pub step_analysis: Option<CurrentRun>,
    pub background_analysis: Option<CurrentRun>,
    /// When its pods were last restarted on purpose.
    pub restarted_at: Option<Timestamp>,
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
        why: &'static str,
        since: Option<Timestamp>,
    },
}

impl Rollout {
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        match &self.strategy {
            Strategy::Canary { steps, .. } => steps,
            Strategy::BlueGreen { .. } => &[],
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
        if !self.observed {
            return (
                Phase::Progressing,
                "waiting for rollout spec update to be observed",
            );
        }
        if self.controller_pause && self.pauses.is_empty() {
            return (Phase::Progressing, "waiting for rollout to unpause");
        }
        if self.workload_ref && !self.workload_observed {
            return (
                Phase::Progressing,
                "waiting for rollout spec update to be observed for the reference workload",
            );
        }
        (self.told_phase, &self.told_message)
    }

    #[must_use]
    pub fn weights(&self) -> Weights {
        let desired = self.desired_weight().saturating_mul(10);
        let set = match (&self.router, self.has_router()) {
            // Once the newest version is the stable one, the router's canary weight is back at
            // nothing.
            (Some(router), true) if !self.is_fully_promoted() => router.canary.saturating_mul(10),
            _ => desired,
        };
        Weights {
            desired,
            set,
            observed: self.observed_weight(),
        }
    }

    /// Percent that the steps ask for: the last `setWeight` at or before the current step.
    fn desired_weight(&self) -> u32 {
        if self.aborted {
            return 0;
        }
        let (Some(index), Some(_)) = (self.step_index, self.current_step()) else {
            return 100;
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

    fn observed_weight(&self) -> Option<u32> {
        if self.is_fully_promoted() {
            return Some(1000);
        }
        if self.has_router() {
            let router = self.router?;
            return (router.verified != Some(false)).then(|| router.canary.saturating_mul(10));
        }
        // The status counts updated pods, ready or not; more than are available cannot be.
        let updated = self.replicas.updated.min(self.replicas.available);
        updated
            .saturating_mul(1000)
            .checked_div(self.replicas.available)
    }

    #[must_use]
    pub fn resumes_at(&self) -> Option<Timestamp> {
        let since = self
            .pauses
            .iter()
            .find(|pause| pause.reason == "CanaryPauseStep")?
            .since?;
        match self.current_step()? {
            Step::Pause(PauseLength::For(length)) => since.checked_add(*length).ok(),
            _ => None,
        }
    }

    #[must_use]
    pub fn wait_state(&self) -> Waiting {
        let human = |why, since| Waiting::Human { why, since };
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
                if self.strategy
                    == (Strategy::BlueGreen {
                        auto_promotion: true,
                    }) =>
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
        changed(
            "phase",
            self.phase().0.as_str().to_owned(),
            later.phase().0.as_str().to_owned(),
        );
        changed("step", step(self), step(later));
        changed("pause", pauses(self), pauses(later));
        changed(
            "set weight",
            self.weights().set.to_string(),
            later.weights().set.to_string(),
        );
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
