//! One rollout: where it stands, its steps, what is measured, and the tree of what belongs to it.

mod head;
mod tree;

use std::collections::BTreeSet;

use payops_core::Timestamp;
use payops_core::domain::mask;
use payops_core::domain::rollout::{Related, RolloutAction, RunPhase, Waiting};
use payops_core::port::Depth;
use ratatui::Frame;
use ratatui::layout::Rect;

use super::{Freshness, View, rollouts};
use crate::effect::{Ask, Effect};
use crate::fault::Fault;
use crate::keymap::{Binding, Command};
use crate::model::{Cursor, ItemKey, Model, Overlay, Pane, RolloutId, Route};
use crate::theme::Tone;
use crate::update::fleet;
use crate::widgets::words::age;
use crate::widgets::{state, table};

pub(crate) use tree::Node;

#[cfg(test)]
pub(crate) const KEYS: &[Binding] = rollouts::ACTIONS;

#[derive(Debug, Default)]
pub(crate) struct State {
    id: Option<RolloutId>,
    pub(crate) related: Pane<Related>,
    watched: Option<(RolloutId, Depth)>,
    cut: Option<(Fault, Timestamp)>,
    unfolded: BTreeSet<ItemKey>,
    cursor: Cursor,
    nodes: Vec<(ItemKey, Node)>,
}

pub(crate) struct Detail;

/// Sign and tone of a run, a metric or a measurement.
pub(crate) fn run_sign(phase: RunPhase) -> (&'static str, Tone) {
    match phase {
        RunPhase::Pending => ("○", Tone::Dim),
        RunPhase::Running => ("◌", Tone::Accent),
        RunPhase::Successful => ("✔", Tone::Good),
        RunPhase::Failed => ("✖", Tone::Bad),
        RunPhase::Error => ("!", Tone::Bad),
        RunPhase::Inconclusive => ("?", Tone::Warn),
    }
}

/// Something that belongs to a rollout changed, or the watch of it was cut.
pub(crate) fn changed(model: &mut Model, id: &RolloutId, fault: Option<Fault>) -> Vec<Effect> {
    if model.rollout.id.as_ref() == Some(id) {
        if fault.is_none() {
            model.rollout.related.refresh();
        }
        model.rollout.cut = fault.map(|fault| (fault, model.now));
    }
    Vec::new()
}

/// Stops watching what belongs to a rollout that is no longer on screen.
pub(crate) fn leave(model: &mut Model) -> Option<Effect> {
    let (id, _) = model.rollout.watched.as_ref()?;
    if model.route() == &Route::Rollout(id.clone()) {
        return None;
    }
    model.rollout = State::default();
    Some(Effect::UnwatchRelated)
}

fn selected(model: &Model) -> Option<&Node> {
    model
        .rollout
        .nodes
        .get(model.rollout.cursor.row)
        .map(|(_, node)| node)
}

/// The revision that is selected, when it is one to go back to.
pub(crate) fn selected_revision(model: &Model) -> Option<u64> {
    let (Route::Rollout(id), Some(Node::Revision(place))) = (model.route(), selected(model)) else {
        return None;
    };
    let set = model.rollout.related.value()?.replica_sets.get(*place)?;
    let current = fleet::rollout(model, id)?.current_hash == set.hash;
    set.revision.filter(|_| !current)
}

/// The analysis or experiment that is selected, as the action that ends it.
pub(crate) fn selected_run(model: &Model) -> Option<RolloutAction> {
    let Route::Rollout(_) = model.route() else {
        return None;
    };
    let related = model.rollout.related.value()?;
    match selected(model)? {
        Node::Metric { run, .. } | Node::Measured { run, .. } => {
            let run = related
                .analysis_runs
                .get(*run)
                .filter(|run| !run.phase.is_done())?;
            Some(RolloutAction::TerminateAnalysis {
                name: run.name.clone(),
            })
        }
        Node::Experiment(place) => {
            let run = related
                .experiments
                .get(*place)
                .filter(|run| !run.phase.is_done())?;
            Some(RolloutAction::TerminateExperiment {
                name: run.name.clone(),
            })
        }
        Node::Revision(_) | Node::Pod(_) | Node::NoPods { .. } => None,
    }
}

pub(crate) fn why(model: &mut Model, id: &RolloutId) {
    let Some(rollout) = fleet::rollout(model, id) else {
        return;
    };
    let (phase, message) = rollout.phase();
    let (glyph, tone) = rollouts::sign(phase);
    let mut lines = vec![(
        tone,
        format!(
            "{glyph} {}: {}",
            phase.as_str(),
            if message.is_empty() {
                "nothing more is said"
            } else {
                message
            }
        ),
    )];
    match rollout.waiting() {
        Waiting::No => lines.push((Tone::Plain, "It waits for nobody.".to_owned())),
        Waiting::Time { until } => {
            lines.push((Tone::Plain, format!("It goes on by itself at {until}.")))
        }
        Waiting::Human { why, since } => {
            let since = since
                .map(|since| format!(", for {}", age(since, model.now)))
                .unwrap_or_default();
            lines.push((Tone::Warn, format!("It waits for a human: {why}{since}.")));
        }
    }
    for pause in &rollout.pauses {
        let since = pause
            .since
            .map(|since| format!(" since {since}"))
            .unwrap_or_default();
        lines.push((
            Tone::Plain,
            format!("The controller paused: {}{since}", pause.reason),
        ));
    }
    let runs = rollout
        .step_analysis
        .iter()
        .chain(&rollout.background_analysis);
    lines.extend(runs.map(|run| {
        let (glyph, tone) = run_sign(run.phase);
        (
            tone,
            format!(
                "{glyph} analysis {} {} {}",
                run.name,
                run.phase.as_str(),
                run.message
            ),
        )
    }));
    if model.rollout.id.as_ref() == Some(id)
        && let Some(related) = model.rollout.related.value()
    {
        for run in related
            .analysis_runs
            .iter()
            .filter(|run| run.hash == rollout.current_hash)
        {
            lines.extend(
                run.suspicion()
                    .map(|why| (Tone::Warn, format!("⚠ analysis {}: {why}", run.name))),
            );
            let failed = run
                .metrics
                .iter()
                .filter(|metric| metric.failed > 0 || metric.errors > 0);
            lines.extend(failed.map(|metric| {
                let allowed = metric.threshold.failures_max;
                let text = format!(
                    "{}: {} failed, {allowed} allowed; {} {}",
                    metric.name,
                    metric.failed,
                    tree::threshold(metric),
                    metric.message
                );
                (Tone::Warn, text)
            }));
        }
    }
    let lines = lines
        .into_iter()
        .map(|(tone, text)| (tone, mask::terminal(&text)))
        .collect();
    model.overlay = Some(Overlay::Text {
        title: format!("Why {} stands so", id.key),
        lines,
        top: 0,
    });
}

fn depth(state: &State) -> Depth {
    let Some(related) = state.related.value() else {
        return Depth::Runs;
    };
    let open = |set: &payops_core::domain::rollout::ReplicaSet| {
        set.desired > 0 && state.unfolded.contains(&*format!("rs:{}", set.name))
    };
    if related.replica_sets.iter().any(open) {
        Depth::Pods
    } else {
        Depth::Runs
    }
}

fn id(model: &Model) -> Option<&RolloutId> {
    if let Route::Rollout(id) = model.route() {
        Some(id)
    } else {
        None
    }
}

/// The lines above the tree, and where the tree is.
fn places(model: &Model, body: Rect) -> (Vec<ratatui::text::Line<'static>>, Rect) {
    let lines = head::lines(model, usize::from(body.width));
    let taken = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .min(body.height.saturating_sub(3));
    (
        lines,
        Rect {
            y: body.y + taken,
            height: body.height - taken,
            ..body
        },
    )
}

impl View for Detail {
    fn bindings(&self) -> &'static [Binding] {
        rollouts::ACTIONS
    }

    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some(id) = id(model).cloned() else {
            return Vec::new();
        };
        let item = model.rollout.cursor.key.clone();
        match (command, item) {
            (Command::Enter | Command::Fold, Some(item))
                if model.rollout.unfolded.contains(&item) =>
            {
                model.rollout.unfolded.remove(&item);
            }
            (Command::Enter | Command::Unfold, Some(item)) => {
                model.rollout.unfolded.insert(item);
            }
            (Command::Copy, _) => return vec![Effect::Copy(id.key.to_string())],
            (Command::Why, _) => why(model, &id),
            _ => {}
        }
        Vec::new()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        let Some(id) = id(model).cloned() else {
            return Vec::new();
        };
        if model.rollout.id.as_ref() != Some(&id) {
            model.rollout = State {
                id: Some(id.clone()),
                ..State::default()
            };
        }
        let Some(rollout) = fleet::rollout(model, &id) else {
            return Vec::new();
        };
        let (now, depth) = (model.now, depth(&model.rollout));
        let mut effects = Vec::new();
        let (env, cluster, held) = (
            id.env.clone(),
            id.cluster.clone(),
            Box::new((*rollout).clone()),
        );
        let wanted = Some((id, depth));
        if model.rollout.watched != wanted {
            if model.rollout.watched.is_some() && depth == Depth::Pods {
                model.rollout.related.refresh();
            }
            model.rollout.watched = wanted;
            effects.push(Effect::WatchRelated {
                env: env.clone(),
                cluster: cluster.clone(),
                rollout: held.clone(),
                depth,
            });
        }
        if model.rollout.related.is_due(now, None) {
            let request = model.next_request();
            model.rollout.related.ask(request);
            effects.push(Effect::Ask {
                request,
                env,
                ask: Box::new(Ask::Related {
                    cluster,
                    rollout: held,
                    depth,
                }),
            });
        }
        effects
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        let moving = model.rollout.related.value().is_some()
            || id(model).is_some_and(|id| fleet::rollout(model, id).is_some());
        moving.then(|| rollouts::next_second(model))
    }

    fn refresh(&self, model: &mut Model) {
        model.rollout.related.refresh();
    }

    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        let mut out = rollouts::freshness(model);
        if let Some((_, since)) = &model.rollout.cut {
            out.push(("tree", Freshness::Cut(*since)));
        }
        out
    }

    fn prepare(&self, model: &mut Model) {
        rollouts::prepare(model);
        let rollout = id(model).and_then(|id| fleet::rollout(model, id));
        let nodes = match (&rollout, model.rollout.related.value()) {
            (Some(rollout), Some(related)) => {
                tree::nodes(rollout, related, &model.rollout.unfolded)
            }
            _ => Vec::new(),
        };
        model.rollout.nodes = nodes;
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        let (_, area) = places(model, body);
        Some((
            state::rest(area, &model.rollout.related.look()),
            model.rollout.nodes.len(),
        ))
    }

    fn item(&self, model: &Model, row: usize) -> Option<ItemKey> {
        model
            .rollout
            .nodes
            .get(row)
            .map(|(item, _)| ItemKey::clone(item))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.rollout.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        let Some(rollout) = id(model).and_then(|id| fleet::rollout(model, id)) else {
            state::empty(
                model,
                frame,
                body,
                false,
                "this rollout is gone, or its cluster has not answered yet; Esc goes back",
            );
            return;
        };
        let (lines, area) = places(model, body);
        for (y, line) in (body.y..area.y).zip(&lines) {
            frame.render_widget(
                line,
                Rect {
                    y,
                    height: 1,
                    ..body
                },
            );
        }
        let Some((related, area)) = state::ready(
            model,
            frame,
            area,
            "analysis and pods",
            model.rollout.related.look(),
        ) else {
            return;
        };
        if model.rollout.nodes.is_empty() {
            state::empty(
                model,
                frame,
                area,
                false,
                "nothing belongs to it yet: the controller has made no ReplicaSet",
            );
            return;
        }
        let cursor = &model.rollout.cursor;
        let shown = model
            .rollout
            .nodes
            .iter()
            .enumerate()
            .skip(cursor.top)
            .take(usize::from(area.height));
        for (y, (row, (item, node))) in (area.y..).zip(shown) {
            let place = Rect {
                y,
                height: 1,
                ..area
            };
            let folded = !model.rollout.unfolded.contains(item);
            let line = tree::line(model, &rollout, related, node, folded);
            frame.render_widget(table::clipped(&line, usize::from(area.width)), place);
            if row == cursor.row {
                table::select(frame.buffer_mut(), place, model.theme.style(Tone::Selected));
            }
        }
    }
}
