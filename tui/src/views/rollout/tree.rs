//! The tree: what is measured, then revision by revision its `ReplicaSet` and pods.

use std::collections::BTreeSet;

use payops_core::domain::mask;
use payops_core::domain::rollout::{Metric, Related, Role, Rollout};
use ratatui::text::{Line, Span};

use super::run_sign;
use crate::model::{ItemKey, Model};
use crate::theme::Tone;
use crate::widgets::words::{age, image, sparkline};

/// A row of the tree: numbers are places in [`Related`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Metric {
        run: usize,
        metric: usize,
    },
    Measured {
        run: usize,
        metric: usize,
    },
    Experiment(usize),
    /// A revision and its `ReplicaSet`.
    Revision(usize),
    Pod(usize),
    /// In the place of pods that are not known yet, or of which there are none.
    NoPods {
        loading: bool,
    },
}

const MEASURED: usize = 6;
const CHART: usize = 40;

/// The rows. Metrics of the newest revision come first; those of older ones are below theirs.
pub(super) fn nodes(
    rollout: &Rollout,
    related: &Related,
    unfolded: &BTreeSet<ItemKey>,
) -> Vec<(ItemKey, Node)> {
    let mut out = Vec::new();
    runs(&mut out, related, unfolded, &|hash| {
        hash == rollout.current_hash
    });
    for (place, experiment) in related
        .experiments
        .iter()
        .enumerate()
        .filter(|(_, held)| held.revision == rollout.revision)
    {
        out.push((
            ItemKey::from(format!("experiment:{}", experiment.name)),
            Node::Experiment(place),
        ));
    }
    for (place, set) in related.replica_sets.iter().enumerate() {
        let item = ItemKey::from(format!("rs:{}", set.name));
        let open = unfolded.contains(&item);
        out.push((item, Node::Revision(place)));
        if !open {
            continue;
        }
        let before = out.len();
        let pods = related
            .pods
            .iter()
            .flatten()
            .enumerate()
            .filter(|(_, pod)| pod.hash == set.hash);
        out.extend(
            pods.map(|(place, pod)| (ItemKey::from(format!("pod:{}", pod.name)), Node::Pod(place))),
        );
        if out.len() == before {
            let loading = related.pods.is_none() && set.desired > 0;
            out.push((
                ItemKey::from(format!("pods:{}", set.name)),
                Node::NoPods { loading },
            ));
        }
        if set.hash != rollout.current_hash {
            runs(&mut out, related, unfolded, &|hash| hash == set.hash);
        }
    }
    out
}

fn runs(
    out: &mut Vec<(ItemKey, Node)>,
    related: &Related,
    unfolded: &BTreeSet<ItemKey>,
    of: &dyn Fn(&str) -> bool,
) {
    for (run, held) in related
        .analysis_runs
        .iter()
        .enumerate()
        .filter(|(_, held)| of(&held.hash))
    {
        for (metric, measured) in held.metrics.iter().enumerate() {
            let item = ItemKey::from(format!("metric:{}/{}", held.name, measured.name));
            let open = unfolded.contains(&item);
            out.push((item, Node::Metric { run, metric }));
            if open {
                let chart = ItemKey::from(format!("chart:{}/{}", held.name, measured.name));
                out.push((chart, Node::Measured { run, metric }));
            }
        }
    }
}

pub(super) fn line(
    model: &Model,
    rollout: &Rollout,
    related: &Related,
    node: &Node,
    folded: bool,
) -> Line<'static> {
    let line = match node {
        Node::Metric { run, metric } => related
            .analysis_runs
            .get(*run)
            .and_then(|run| Some(self::metric(model, run, run.metrics.get(*metric)?, folded))),
        Node::Measured { run, metric } => related
            .analysis_runs
            .get(*run)
            .and_then(|run| run.metrics.get(*metric))
            .map(|metric| chart(model, metric)),
        Node::Experiment(place) => related.experiments.get(*place).map(|held| {
            let (glyph, tone) = run_sign(held.phase);
            let text = format!("   experiment {}   ", held.name);
            let state = Span::styled(
                format!("{glyph} {}", held.phase.as_str()),
                model.theme.style(tone),
            );
            Line::from(vec![
                Span::raw(text),
                state,
                Span::raw(format!("   {}", mask::terminal(&held.message))),
            ])
        }),
        Node::Revision(place) => related
            .replica_sets
            .get(*place)
            .map(|set| revision(model, rollout, set, folded)),
        Node::Pod(place) => related
            .pods
            .iter()
            .flatten()
            .nth(*place)
            .map(|held| pod(model, held)),
        Node::NoPods { loading } => {
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

fn fold(folded: bool) -> &'static str {
    if folded { " + " } else { " - " }
}

fn metric(
    model: &Model,
    run: &payops_core::domain::rollout::AnalysisRun,
    metric: &Metric,
    folded: bool,
) -> Line<'static> {
    let theme = model.theme;
    let (glyph, tone) = run_sign(metric.phase);
    let mut spans = vec![
        Span::raw(fold(folded).to_owned()),
        Span::styled(format!("{glyph} "), theme.style(tone)),
        Span::raw(format!("{:<21} ", format!("analysis {}", metric.name))),
    ];
    let first = metric.measurements.len().saturating_sub(MEASURED);
    for measurement in metric.measurements.iter().skip(first) {
        let (glyph, tone) = run_sign(measurement.phase);
        spans.push(Span::styled(
            format!("{glyph} {}  ", value(&measurement.value)),
            theme.style(tone),
        ));
    }
    if metric.measurements.is_empty() {
        spans.push(Span::styled("not measured yet  ", theme.style(Tone::Dim)));
    }
    spans.push(Span::styled(
        format!(" {}  ", threshold(metric)),
        theme.style(Tone::Strong),
    ));
    let allowed = metric.threshold.failures_max;
    let (failed, tone) = match metric.failed {
        0 => (String::new(), Tone::Dim),
        failed if failed > allowed => (format!("{failed} failed, {allowed} allowed"), Tone::Bad),
        failed => (
            format!(
                "{failed} of {} allowed",
                crate::widgets::words::count(
                    usize::try_from(allowed).unwrap_or(usize::MAX),
                    "failure"
                )
            ),
            Tone::Warn,
        ),
    };
    spans.push(Span::styled(failed, theme.style(tone)));
    if metric.errors > 0 {
        spans.push(Span::styled(
            format!("  {} not measurable", metric.errors),
            theme.style(Tone::Bad),
        ));
    }
    if metric.threshold.dry_run {
        spans.push(Span::styled("  only watched", theme.style(Tone::Dim)));
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
        .filter_map(|held| number(&held.value))
        .collect();
    let of = metric
        .threshold
        .count
        .map(|count| format!(" of {count}"))
        .unwrap_or_default();
    let last = metric
        .measurements
        .last()
        .and_then(|held| held.at)
        .map(|at| format!(", last {} ago", age(at, model.now)))
        .unwrap_or_default();
    Line::from(vec![
        Span::raw("     "),
        Span::styled(sparkline(&values, CHART), model.theme.style(Tone::Accent)),
        Span::styled(
            format!(
                "  {}{of} measured{last}  {}",
                metric.measured(),
                mask::terminal(&metric.message)
            ),
            model.theme.style(Tone::Dim),
        ),
    ])
}

fn revision(
    model: &Model,
    rollout: &Rollout,
    set: &payops_core::domain::rollout::ReplicaSet,
    folded: bool,
) -> Line<'static> {
    let theme = model.theme;
    let (role, tone) = match set.role(rollout) {
        Role::Canary => ("canary", Tone::Accent),
        Role::Stable => ("stable", Tone::Good),
        Role::Old => ("old   ", Tone::Dim),
    };
    let number = set
        .revision
        .map_or_else(|| "?".to_owned(), |revision| revision.to_string());
    let ready = if set.ready < set.desired {
        Tone::Warn
    } else {
        Tone::Plain
    };
    let images = set
        .images
        .iter()
        .map(|held| image(&held.image))
        .collect::<Vec<_>>()
        .join(" ");
    Line::from(vec![
        Span::raw(fold(folded).to_owned()),
        Span::raw(format!("revision {number} ")),
        Span::styled(role, theme.style(tone)),
        Span::styled(
            format!("   {}/{} ready", set.ready, set.desired),
            theme.style(ready),
        ),
        Span::raw(format!("   {images}")),
        Span::styled(
            format!("   ReplicaSet {}", set.name),
            theme.style(Tone::Dim),
        ),
    ])
}

fn pod(model: &Model, pod: &payops_core::domain::rollout::Pod) -> Line<'static> {
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
        .map(|at| age(at, model.now))
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
            format!("  {}", pod.node.as_deref().unwrap_or("not placed")),
            model.theme.style(Tone::Dim),
        ),
    ])
}

/// What a metric is held against, in few characters: `< 0.35`.
pub(super) fn threshold(metric: &Metric) -> String {
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
fn value(text: &str) -> String {
    match number(text) {
        Some(number) => {
            let text = format!("{number:.3}");
            let short = text.trim_end_matches('0').trim_end_matches('.');
            short.to_owned()
        }
        None => crate::widgets::words::clip(&mask::terminal(text), 12),
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim_matches(|c| matches!(c, '[' | ']' | ' '))
        .parse()
        .ok()
}
