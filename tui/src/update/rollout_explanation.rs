//! Why a rollout is in its state, in words.

use payops_core::Timestamp;
use payops_core::domain::display::age_since;
use payops_core::domain::mask;
use payops_core::domain::rollout::{AnalysisRun, Related, Rollout, Waiting};

use crate::model::{Model, Overlay, RolloutId};
use crate::signs::{phase_sign, run_sign};
use crate::theme::Tone;
use crate::views::metric_threshold;

type Lines = Vec<(Tone, String)>;

pub(super) fn explain(model: &mut Model, id: &RolloutId) {
    let Some(rollout) = model.find_rollout(id) else {
        return;
    };
    let mut lines = describe_state(&rollout, model.now);
    if model.rollout.id.as_ref() == Some(id)
        && let Some(related) = model.rollout.related.value()
    {
        lines.extend(describe_analysis(&rollout, related));
    }
    let lines = lines
        .into_iter()
        .map(|(tone, text)| (tone, mask::terminal(&text)))
        .collect();
    model.overlay = Some(Overlay::Text {
        title: format!("Why {} is in this state", id.key),
        lines,
        top: 0,
    });
}

fn describe_state(rollout: &Rollout, now: Timestamp) -> Lines {
    let (phase, message) = rollout.phase();
    let (glyph, tone) = phase_sign(phase);
    let message = if message.is_empty() {
        "no message"
    } else {
        message
    };
    let mut lines = vec![(tone, format!("{glyph} {}: {message}", phase.as_str()))];
    lines.push(match rollout.wait_state() {
        Waiting::No => (Tone::Plain, "It is not waiting.".to_owned()),
        Waiting::Time { until } => (Tone::Plain, format!("It resumes at {until}.")),
        Waiting::Human { why, since } => {
            let since = since
                .map(|since| format!(", for {}", age_since(since, now)))
                .unwrap_or_default();
            let words = format!("It is waiting for a person: {why}{since}.");
            (Tone::Warn, words)
        }
    });
    for pause in &rollout.pauses {
        let since = pause
            .since
            .map(|since| format!(" since {since}"))
            .unwrap_or_default();
        let words = format!("Paused by the controller: {}{since}", pause.reason);
        lines.push((Tone::Plain, words));
    }
    let runs = rollout
        .step_analysis
        .iter()
        .chain(&rollout.background_analysis);
    lines.extend(runs.map(|run| {
        let (glyph, tone) = run_sign(run.phase);
        let phase = run.phase.as_str();
        let words = format!("{glyph} analysis {} {phase} {}", run.name, run.message);
        (tone, words)
    }));
    lines
}

/// What is suspicious about the analysis of the current revision, or failed.
fn describe_analysis(rollout: &Rollout, related: &Related) -> Lines {
    related
        .analysis_runs
        .iter()
        .filter(|run| run.hash == rollout.current_hash)
        .flat_map(describe_run)
        .collect()
}

fn describe_run(run: &AnalysisRun) -> Lines {
    let suspicion = run
        .suspicion()
        .map(|why| (Tone::Warn, format!("⚠ analysis {}: {why}", run.name)));
    let failed = run
        .metrics
        .iter()
        .filter(|metric| metric.failed > 0 || metric.errors > 0)
        .map(|metric| {
            let words = format!(
                "{}: {} failed, {} allowed; {} {}",
                metric.name,
                metric.failed,
                metric.threshold.failures_max,
                metric_threshold(metric),
                metric.message
            );
            (Tone::Warn, words)
        });
    suspicion.into_iter().chain(failed).collect()
}
