//! The tree: what is measured, then revision by revision its `ReplicaSet` and pods.

use payops_core::domain::display::{age_since, count, countdown};
use payops_core::domain::mask;
use payops_core::domain::rollout::{AnalysisRun, Metric, Pod, Related, ReplicaSet, Role, Rollout};
use ratatui::text::{Line, Span};

use crate::model::{Model, TreeNode};
use crate::signs::run_sign;
use crate::text::{clip, short_images, sparkline};
use crate::theme::Tone;

const MEASUREMENTS_SHOWN: usize = 6;

const CHART_WIDTH: usize = 40;

pub(super) fn line(
    model: &Model,
    rollout: &Rollout,
    related: &Related,
    node: &TreeNode,
    folded: bool,
) -> Line<'static> {
    let line = match node {
        TreeNode::Metric { run, metric } => related
            .analysis_runs
            .get(*run)
            .and_then(|run| Some(self::metric(model, run, run.metrics.get(*metric)?, folded))),
        TreeNode::Chart { run, metric } => related
            .analysis_runs
            .get(*run)
            .and_then(|run| run.metrics.get(*metric))
            .map(|metric| chart(model, metric)),
        TreeNode::Experiment(place) => related.experiments.get(*place).map(|experiment| {
            let (glyph, tone) = run_sign(experiment.phase);
            let text = format!("   experiment {}   ", experiment.name);
            let state = Span::styled(
                format!("{glyph} {}", experiment.phase.as_str()),
                model.theme.style(tone),
            );
            Line::from(vec![
                Span::raw(text),
                state,
                Span::raw(format!("   {}", mask::terminal(&experiment.message))),
            ])
        }),
        TreeNode::Revision(place) => related
            .replica_sets
            .get(*place)
            .map(|set| revision(model, rollout, set, folded)),
        TreeNode::Pod(place) => related
            .pods
            .iter()
            .flatten()
            .nth(*place)
            .map(|found| pod(model, found)),
        TreeNode::Unreadable(place) => related.unreadable.get(*place).map(|what| {
            Line::styled(
                format!("   not readable: {}", mask::terminal(what)),
                model.theme.style(Tone::Warn),
            )
        }),
        TreeNode::NoPods { loading } => {
            let words = if *loading {
                "     ◌ pods: loading…"
            } else {
                "     no pods"
            };
            Some(Line::styled(words, model.theme.style(Tone::Dim)))
        }
    };
    line.unwrap_or_default()
}

fn fold_sign(folded: bool) -> &'static str {
    if folded { " + " } else { " - " }
}

fn metric(model: &Model, run: &AnalysisRun, metric: &Metric, folded: bool) -> Line<'static> {
    let theme = model.theme;
    let (glyph, tone) = run_sign(metric.phase);
    let mut spans = vec![
        Span::raw(fold_sign(folded).to_owned()),
        Span::styled(format!("{glyph} "), theme.style(tone)),
        Span::raw(format!("{:<21} ", format!("analysis {}", metric.name))),
    ];
    let first = metric.measurements.len().saturating_sub(MEASUREMENTS_SHOWN);
    for measurement in metric.measurements.iter().skip(first) {
        let (glyph, tone) = run_sign(measurement.phase);
        spans.push(Span::styled(
            format!("{glyph} {}  ", short_value(&measurement.value)),
            theme.style(tone),
        ));
    }
    if metric.measurements.is_empty() {
        spans.push(Span::styled(
            "no measurements yet  ",
            theme.style(Tone::Dim),
        ));
    }
    spans.push(Span::styled(
        format!(" {}  ", metric_threshold(metric)),
        theme.style(Tone::Strong),
    ));
    let allowed = metric.threshold.failures_max;
    let (failed, tone) = match metric.failed {
        0 => (String::new(), Tone::Dim),
        failed if failed > allowed => (format!("{failed} failed, {allowed} allowed"), Tone::Bad),
        failed => (
            format!(
                "{failed} of {} allowed",
                count(usize::try_from(allowed).unwrap_or(usize::MAX), "failure")
            ),
            Tone::Warn,
        ),
    };
    spans.push(Span::styled(failed, theme.style(tone)));
    if metric.errors > 0 {
        spans.push(Span::styled(
            format!(
                "  {}",
                count(
                    usize::try_from(metric.errors).unwrap_or(usize::MAX),
                    "error"
                )
            ),
            theme.style(Tone::Bad),
        ));
    }
    if metric.threshold.dry_run {
        spans.push(Span::styled("  dry run", theme.style(Tone::Dim)));
    }
    if let Some(suspicion) = run.suspicion() {
        spans.push(Span::styled(
            format!("  ⚠ {suspicion}"),
            theme.style(Tone::Warn),
        ));
    }
    Line::from(spans)
}

fn chart(model: &Model, metric: &Metric) -> Line<'static> {
    let values: Vec<f64> = metric
        .measurements
        .iter()
        .filter_map(|measurement| parse_number(&measurement.value))
        .collect();
    let of = metric
        .threshold
        .count
        .map(|count| format!(" of {count}"))
        .unwrap_or_default();
    let last = metric
        .measurements
        .last()
        .and_then(|measurement| measurement.at)
        .map(|at| format!(", last {} ago", age_since(at, model.now)))
        .unwrap_or_default();
    Line::from(vec![
        Span::raw("     "),
        Span::styled(
            sparkline(&values, CHART_WIDTH),
            model.theme.style(Tone::Accent),
        ),
        Span::styled(
            format!(
                "  {}{of} measured{last}  {}",
                metric.count_measurements(),
                mask::terminal(&metric.message)
            ),
            model.theme.style(Tone::Dim),
        ),
    ])
}

fn revision(model: &Model, rollout: &Rollout, set: &ReplicaSet, folded: bool) -> Line<'static> {
    let theme = model.theme;
    let roles = set.roles(rollout);
    let role = format!("{:<6}", Role::list(&roles));
    let tone = match roles.first() {
        Some(Role::Stable) => Tone::Good,
        Some(Role::Old) | None => Tone::Dim,
        Some(_) => Tone::Accent,
    };
    let stands = set
        .scale_down_at
        .filter(|at| set.desired > 0 && *at > model.now)
        .map(|at| {
            format!(
                "   pods stand for {}",
                countdown(at.duration_since(model.now))
            )
        })
        .unwrap_or_default();
    let number = set
        .revision
        .map_or_else(|| "?".to_owned(), |revision| revision.to_string());
    let ready = if set.ready < set.desired {
        Tone::Warn
    } else {
        Tone::Plain
    };
    let images = short_images(&set.images);
    Line::from(vec![
        Span::raw(fold_sign(folded).to_owned()),
        Span::raw(format!("revision {number} ")),
        Span::styled(role, theme.style(tone)),
        Span::styled(
            format!("   {}/{} ready", set.ready, set.desired),
            theme.style(ready),
        ),
        Span::raw(format!("   {images}")),
        Span::styled(stands, theme.style(Tone::Warn)),
        Span::styled(
            format!("   ReplicaSet {}", set.name),
            theme.style(Tone::Dim),
        ),
    ])
}

fn pod(model: &Model, pod: &Pod) -> Line<'static> {
    let good = pod.status == "Running" && pod.ready == pod.containers;
    let (glyph, tone) = match (good, pod.terminating) {
        (_, true) => ("◌", Tone::Dim),
        (true, _) => ("□", Tone::Good),
        (false, _) => ("✖", Tone::Bad),
    };
    let status = if pod.terminating {
        "Terminating"
    } else {
        pod.status.as_str()
    };
    let restarts = if pod.restarts > 0 {
        format!("  {} restarts", pod.restarts)
    } else {
        String::new()
    };
    let since = pod
        .created_at
        .map(|at| age_since(at, model.now))
        .unwrap_or_default();
    Line::from(vec![
        Span::styled(format!("     {glyph} "), model.theme.style(tone)),
        Span::raw(format!("{}  ", pod.name)),
        Span::styled(
            format!("{status} {}/{}", pod.ready, pod.containers),
            model.theme.style(tone),
        ),
        Span::raw(format!("  {since}{restarts}")),
        Span::styled(
            format!("  {}", pod.node.as_deref().unwrap_or("not scheduled")),
            model.theme.style(Tone::Dim),
        ),
    ])
}

/// The threshold of a metric, in few characters: `< 0.35`.
pub(crate) fn metric_threshold(metric: &Metric) -> String {
    let short = |text: &str| {
        mask::terminal(text)
            .replace("result[0] ", "")
            .replace("result ", "")
    };
    match (&metric.threshold.success, &metric.threshold.failure) {
        (Some(success), _) => short(success),
        (None, Some(failure)) => format!("not {}", short(failure)),
        (None, None) => "no threshold".to_owned(),
    }
}

/// A measured value without the brackets of a list of one, and with at most three decimals.
fn short_value(text: &str) -> String {
    match parse_number(text) {
        Some(number) => {
            let text = format!("{number:.3}");
            let short = text.trim_end_matches('0').trim_end_matches('.');
            short.to_owned()
        }
        None => clip(&mask::terminal(text), 12),
    }
}

fn parse_number(text: &str) -> Option<f64> {
    text.trim_matches(|c| matches!(c, '[' | ']' | ' '))
        .parse()
        .ok()
}
