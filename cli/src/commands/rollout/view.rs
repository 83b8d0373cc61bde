//! What programs read of a rollout, and how people see it.
use jiff::Timestamp;
use payops_core::domain::display::age;
use payops_core::domain::rollout::{
    AnalysisKind, AnalysisRun, Metric, Phase, Pod, Related, ReplicaSet, Role, Rollout, RunPhase,
    StepState, Waiting,
};
use serde::Serialize;

use crate::output::{Cell, Column, Row, Style, Tone};

/// A rollout in a list. Weights are percent of all traffic; `step` is the controller's
/// `currentStepIndex`: the number of steps that are done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RolloutRow {
    pub(super) cluster: String,
    pub(super) namespace: String,
    pub(super) name: String,
    /// `Healthy`, `Progressing`, `Paused`, `Degraded` or `Unknown`.
    pub(super) phase: &'static str,
    pub(super) message: String,
    pub(super) step: Option<usize>,
    pub(super) steps: usize,
    /// `null` where no weight is a fact; `message` says why.
    pub(super) weight_desired: Option<f64>,
    /// What the traffic router was told; without one, what the steps ask for.
    pub(super) weight_set: Option<f64>,
    /// What there is; `null` while nobody can say.
    pub(super) weight_observed: Option<f64>,
    pub(super) waiting_for_human: bool,
    pub(super) waiting_why: Option<String>,
    pub(super) waiting_since: Option<Timestamp>,
    pub(super) resumes_at: Option<Timestamp>,
    pub(super) revision: Option<u64>,
    pub(super) aborted: bool,
    pub(super) replicas: u32,
    pub(super) updated: u32,
    pub(super) ready: u32,
    pub(super) available: u32,
    pub(super) images: Vec<String>,
    /// The analysis that is its current one: name and how it stands.
    pub(super) analysis: Option<String>,
}

pub(super) fn percent(thousandths: u32) -> f64 {
    f64::from(thousandths) / 10.0
}

impl RolloutRow {
    pub(super) fn new(cluster: &str, rollout: &Rollout) -> Self {
        let (phase, message) = rollout.phase();
        let weights = rollout.weights();
        let (why, since) = match rollout.wait_state() {
            Waiting::Human { why, since } => (Some(why.into_owned()), since),
            _ => (None, None),
        };
        let run = rollout
            .step_analysis
            .as_ref()
            .or(rollout.background_analysis.as_ref());
        Self {
            cluster: cluster.to_owned(),
            namespace: rollout.key.namespace.clone(),
            name: rollout.key.name.clone(),
            phase: phase.as_str(),
            message: message.to_owned(),
            step: rollout.step_index,
            steps: rollout.steps().len(),
            weight_desired: weights.map(|weights| percent(weights.desired)),
            weight_set: weights.map(|weights| percent(weights.set)),
            weight_observed: weights.and_then(|weights| weights.observed).map(percent),
            waiting_for_human: why.is_some(),
            waiting_why: why,
            waiting_since: since,
            resumes_at: rollout.resumes_at(),
            revision: rollout.revision,
            aborted: rollout.aborted,
            replicas: rollout.replicas.desired,
            updated: rollout.replicas.updated,
            ready: rollout.replicas.ready,
            available: rollout.replicas.available,
            images: rollout
                .images
                .iter()
                .map(|image| image.image.clone())
                .collect(),
            analysis: run.map(|run| format!("{} {}", run.name, run.phase.as_str())),
        }
    }

    /// `paused by hand 4m`, `12m left`, or nothing.
    fn waits(&self, style: &Style) -> Option<String> {
        if let Some(why) = &self.waiting_why {
            let since = self
                .waiting_since
                .map(|since| format!(" {}", style.ago(since)))
                .unwrap_or_default();
            return Some(format!("{why}{since}"));
        }
        let left = self.resumes_at?.duration_since(style.now);
        Some(format!("{} left", age(left)))
    }
}

/// A phase with its glyph: the word says it too.
pub(super) fn phase_cell(phase: &str) -> Cell {
    let (glyph, tone) = match Phase::from_name(phase) {
        Phase::Healthy => ("✔", Tone::Good),
        Phase::Progressing => ("◌", Tone::Warn),
        Phase::Paused => ("‖", Tone::Warn),
        Phase::Degraded => ("✖", Tone::Bad),
        Phase::Unknown => ("?", Tone::Plain),
    };
    Cell::toned(format!("{glyph} {phase}"), tone)
}

/// `3/7` as people count, from 1; `7/7` when all are done.
pub(super) fn step_text(step: Option<usize>, steps: usize) -> Option<String> {
    let step = step.filter(|_| steps > 0)?;
    Some(format!("{}/{steps}", step.saturating_add(1).min(steps)))
}

pub(super) fn number(percent: f64) -> String {
    if percent.fract() == 0.0 {
        format!("{percent:.0}")
    } else {
        format!("{percent:.1}")
    }
}

impl Row for RolloutRow {
    const FIELDS: &'static [&'static str] = &[
        "cluster",
        "namespace",
        "name",
        "phase",
        "message",
        "step",
        "steps",
        "weight_desired",
        "weight_set",
        "weight_observed",
        "waiting_for_human",
        "waiting_why",
        "waiting_since",
        "resumes_at",
        "revision",
        "aborted",
        "replicas",
        "updated",
        "ready",
        "available",
        "images",
        "analysis",
    ];
    const COLUMNS: &'static [Column] = &[
        Column::text("CLUSTER").wide(),
        Column::text("NAMESPACE"),
        Column::text("NAME"),
        Column::text("PHASE"),
        Column::number("STEP"),
        Column::number("SET %"),
        Column::number("OBSERVED %"),
        Column::number("READY"),
        Column::text("WAITS FOR"),
        Column::text("MESSAGE").wide(),
        Column::text("IMAGES").wide(),
        Column::text("ANALYSIS").wide(),
    ];

    fn cells(&self, style: &Style) -> Vec<Cell> {
        let waits = self.waits(style).map(|waits| {
            Cell::toned(
                waits,
                if self.waiting_for_human {
                    Tone::Bad
                } else {
                    Tone::Plain
                },
            )
        });
        vec![
            Cell::from(&self.cluster),
            Cell::from(&self.namespace),
            Cell::from(&self.name),
            phase_cell(self.phase),
            Cell::maybe(step_text(self.step, self.steps)),
            Cell::maybe(self.weight_set.map(number)),
            Cell::maybe(self.weight_observed.map(number)),
            Cell::from(format!("{}/{}", self.ready, self.replicas)),
            waits.unwrap_or_else(|| Cell::maybe(None::<&str>)),
            Cell::from(&self.message),
            Cell::from(self.images.join(" ")),
            Cell::maybe(self.analysis.as_ref()),
        ]
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct StepView {
    pub(super) index: usize,
    /// In words: `25 %`, `pause 15m`, `analysis latency`.
    pub(super) step: String,
    /// `done`, `current`, `failed` or `ahead`.
    pub(super) state: &'static str,
}

pub(super) fn steps(rollout: &Rollout) -> Vec<StepView> {
    let word = |state: StepState| match state {
        StepState::Done => "done",
        StepState::Current => "current",
        StepState::Failed => "failed",
        StepState::Ahead => "ahead",
    };
    let states = rollout.step_states();
    let view =
        |(index, (step, state)): (usize, (&payops_core::domain::rollout::Step, StepState))| {
            StepView {
                index,
                step: step.to_string(),
                state: word(state),
            }
        };
    rollout
        .steps()
        .iter()
        .zip(states)
        .enumerate()
        .map(view)
        .collect()
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ReplicaSetView {
    pub(super) name: String,
    pub(super) revision: Option<u64>,
    /// `canary`, `stable` or `old`; of a blue-green rollout `stable`, `active`, `preview`, `new` or
    /// `old`, and several with a comma between.
    pub(super) role: String,
    /// Until when its pods stand although it serves nobody any more.
    pub(super) scale_down_at: Option<Timestamp>,
    pub(super) hash: String,
    pub(super) desired: u32,
    pub(super) ready: u32,
    pub(super) available: u32,
    pub(super) created_at: Option<Timestamp>,
    pub(super) images: Vec<String>,
    pub(super) pods: Vec<PodView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct PodView {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) ready: u32,
    pub(super) containers: u32,
    pub(super) restarts: u32,
    pub(super) node: Option<String>,
    pub(super) created_at: Option<Timestamp>,
}

impl ReplicaSetView {
    pub(super) fn new(set: &ReplicaSet, rollout: &Rollout, pods: Option<&Vec<Pod>>) -> Self {
        let pods = pods
            .into_iter()
            .flatten()
            .filter(|pod| pod.hash == set.hash)
            .map(PodView::new)
            .collect();
        Self {
            name: set.name.clone(),
            revision: set.revision,
            role: Role::list(&set.roles(rollout)),
            scale_down_at: set.scale_down_at,
            hash: set.hash.clone(),
            desired: set.desired,
            ready: set.ready,
            available: set.available,
            created_at: set.created_at,
            images: set.images.iter().map(|image| image.image.clone()).collect(),
            pods,
        }
    }
}

impl PodView {
    fn new(pod: &Pod) -> Self {
        Self {
            name: pod.name.clone(),
            status: pod.status.clone(),
            ready: pod.ready,
            containers: pod.containers,
            restarts: pod.restarts,
            node: pod.node.clone(),
            created_at: pod.created_at,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct AnalysisView {
    pub(super) name: String,
    /// `step`, `background`, `pre-promotion`, `post-promotion` or `unknown`.
    pub(super) kind: &'static str,
    pub(super) step_index: Option<usize>,
    pub(super) revision: Option<u64>,
    pub(super) phase: &'static str,
    pub(super) message: String,
    /// Why its verdict should not be believed.
    pub(super) suspicion: Option<&'static str>,
    pub(super) created_at: Option<Timestamp>,
    pub(super) metrics: Vec<MetricView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct MetricView {
    pub(super) name: String,
    pub(super) phase: &'static str,
    pub(super) success_condition: Option<String>,
    pub(super) failure_condition: Option<String>,
    pub(super) failures: u32,
    pub(super) failures_max: u32,
    pub(super) measured: u32,
    /// Measurements wanted; `null` for as long as the run lasts.
    pub(super) count: Option<u32>,
    pub(super) dry_run: bool,
    pub(super) measurements: Vec<MeasurementView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct MeasurementView {
    pub(super) value: String,
    pub(super) phase: &'static str,
    pub(super) at: Option<Timestamp>,
}

impl AnalysisView {
    pub(super) fn new(run: &AnalysisRun) -> Self {
        let (kind, step_index) = match run.kind {
            AnalysisKind::Step(index) => ("step", index),
            AnalysisKind::Background => ("background", None),
            AnalysisKind::PrePromotion => ("pre-promotion", None),
            AnalysisKind::PostPromotion => ("post-promotion", None),
            AnalysisKind::Unknown => ("unknown", None),
        };
        Self {
            name: run.name.clone(),
            kind,
            step_index,
            revision: run.revision,
            phase: run.phase.as_str(),
            message: run.message.clone(),
            suspicion: run.suspicion(),
            created_at: run.created_at,
            metrics: run.metrics.iter().map(MetricView::new).collect(),
        }
    }
}

impl MetricView {
    fn new(metric: &Metric) -> Self {
        let measurement = |taken: &payops_core::domain::rollout::Measurement| MeasurementView {
            value: taken.value.clone(),
            phase: taken.phase.as_str(),
            at: taken.at,
        };
        Self {
            name: metric.name.clone(),
            phase: metric.phase.as_str(),
            success_condition: metric.threshold.success.clone(),
            failure_condition: metric.threshold.failure.clone(),
            failures: metric.failed,
            failures_max: metric.threshold.failures_max,
            measured: metric.count_measurements(),
            count: metric.threshold.count,
            dry_run: metric.threshold.dry_run,
            measurements: metric.measurements.iter().map(measurement).collect(),
        }
    }
}

/// How an analysis or a measurement stands, as a glyph.
pub(super) fn run_glyph(phase: &str) -> (&'static str, Tone) {
    match RunPhase::from_name(phase) {
        RunPhase::Successful => ("✔", Tone::Good),
        RunPhase::Failed => ("✖", Tone::Bad),
        RunPhase::Error => ("!", Tone::Bad),
        RunPhase::Inconclusive => ("?", Tone::Warn),
        RunPhase::Running => ("◌", Tone::Warn),
        RunPhase::Pending => ("○", Tone::Plain),
    }
}

/// Everything of one rollout: the members of a list's row, and what belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct RolloutView {
    pub(super) env: String,
    #[serde(flatten)]
    pub(super) row: RolloutRow,
    /// Which service of a blue-green rollout serves which revision, in words.
    pub(super) services: Option<String>,
    /// The object whose pod template it uses: `Deployment web`.
    pub(super) workload: Option<String>,
    /// What may not be read, and is missing here: `replicasets.apps in team-a`.
    pub(super) unreadable: Vec<String>,
    pub(super) stable_hash: String,
    pub(super) current_hash: String,
    pub(super) resource_version: String,
    pub(super) steps_detail: Vec<StepView>,
    pub(super) replica_sets: Vec<ReplicaSetView>,
    pub(super) analysis_runs: Vec<AnalysisView>,
    pub(super) experiments: Vec<ExperimentView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct ExperimentView {
    pub(super) name: String,
    pub(super) phase: &'static str,
    pub(super) message: String,
    pub(super) revision: Option<u64>,
}

impl RolloutView {
    pub(super) fn new(env: &str, cluster: &str, rollout: &Rollout, related: &Related) -> Self {
        let rollout = &rollout.clone().count_canary(related);
        let pods = related.pods.as_ref();
        let mut row = RolloutRow::new(cluster, rollout);
        if let Some(workload) = &related.workload {
            row.images = workload
                .images
                .iter()
                .map(|image| image.image.clone())
                .collect();
        }
        let experiment = |run: &payops_core::domain::rollout::Experiment| ExperimentView {
            name: run.name.clone(),
            phase: run.phase.as_str(),
            message: run.message.clone(),
            revision: run.revision,
        };
        Self {
            env: env.to_owned(),
            row,
            services: rollout
                .blue_green()
                .filter(|_| rollout.taken_up && rollout.invalid.is_none())
                .map(|blue_green| blue_green.describe(rollout, Some(related))),
            workload: rollout.workload_ref.as_ref().map(ToString::to_string),
            unreadable: related.unreadable.clone(),
            stable_hash: rollout.stable_hash.clone(),
            current_hash: rollout.current_hash.clone(),
            resource_version: rollout.resource_version.clone(),
            steps_detail: steps(rollout),
            replica_sets: related
                .replica_sets
                .iter()
                .map(|set| ReplicaSetView::new(set, rollout, pods))
                .collect(),
            analysis_runs: related
                .analysis_runs
                .iter()
                .map(AnalysisView::new)
                .collect(),
            experiments: related.experiments.iter().map(experiment).collect(),
        }
    }
}
