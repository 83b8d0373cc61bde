//! One rollout and the tree of what belongs to it.

use payops_core::Timestamp;
use payops_core::domain::rollout::{ReplicaSet, RolloutAction};
use payops_core::port::Depth;

use super::controller::{Controller, next_second};
use super::rollout_tree::tree_nodes;
use super::{rights, rollout_explanation};
use crate::effect::{Effect, Request};
use crate::fault::Fault;
use crate::keymap::Command;
use crate::model::{Model, RolloutId, RolloutState, Route, TreeNode};

/// Something that belongs to a rollout changed, or the watch of it was cut.
pub(crate) fn handle_related_change(
    model: &mut Model,
    id: &RolloutId,
    fault: Option<Fault>,
) -> Vec<Effect> {
    if model.rollout.id.as_ref() == Some(id) {
        if fault.is_none() {
            model.rollout.related.refresh();
        }
        model.rollout.watch_fault = fault.map(|fault| (fault, model.now));
    }
    Vec::new()
}

/// Stops watching what belongs to a rollout that is no longer on screen.
pub(crate) fn stop_watching(model: &mut Model) -> Option<Effect> {
    let (id, _) = model.rollout.watched.as_ref()?;
    if model.route() == &Route::Rollout(id.clone()) {
        return None;
    }
    model.rollout = RolloutState::default();
    Some(Effect::UnwatchRelated)
}

/// The selected revision, unless it is the current one.
pub(crate) fn selected_revision(model: &Model) -> Option<u64> {
    let (Route::Rollout(id), Some(TreeNode::Revision(place))) =
        (model.route(), model.rollout.selected())
    else {
        return None;
    };
    let set = model.rollout.related.value()?.replica_sets.get(*place)?;
    let current = model.find_rollout(id)?.current_hash == set.hash;
    set.revision.filter(|_| !current)
}

/// The action that terminates the selected analysis or experiment.
pub(crate) fn selected_run(model: &Model) -> Option<RolloutAction> {
    let Route::Rollout(_) = model.route() else {
        return None;
    };
    let related = model.rollout.related.value()?;
    match model.rollout.selected()? {
        TreeNode::Metric { run, .. } | TreeNode::Chart { run, .. } => {
            let run = related
                .analysis_runs
                .get(*run)
                .filter(|run| !run.phase.is_done())?;
            Some(RolloutAction::TerminateAnalysis {
                name: run.name.clone(),
            })
        }
        TreeNode::Experiment(place) => {
            let run = related
                .experiments
                .get(*place)
                .filter(|run| !run.phase.is_done())?;
            Some(RolloutAction::TerminateExperiment {
                name: run.name.clone(),
            })
        }
        TreeNode::Revision(_)
        | TreeNode::Pod(_)
        | TreeNode::Unreadable(_)
        | TreeNode::NoPods { .. } => None,
    }
}

fn needed_depth(state: &RolloutState) -> Depth {
    let Some(related) = state.related.value() else {
        return Depth::Runs;
    };
    let open =
        |set: &ReplicaSet| set.desired > 0 && state.unfolded.contains(&*format!("rs:{}", set.name));
    if related.replica_sets.iter().any(open) {
        Depth::Pods
    } else {
        Depth::Runs
    }
}

pub(super) struct RolloutController;

impl Controller for RolloutController {
    fn run(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some(id) = model.rollout_route().cloned() else {
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
            (Command::Why, _) => rollout_explanation::explain(model, &id),
            _ => {}
        }
        Vec::new()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        let Some(id) = model.rollout_route().cloned() else {
            return Vec::new();
        };
        if model.rollout.id.as_ref() != Some(&id) {
            model.rollout = RolloutState {
                id: Some(id.clone()),
                ..RolloutState::default()
            };
        }
        let Some(rollout) = model.find_rollout(&id) else {
            return Vec::new();
        };
        let (now, depth) = (model.now, needed_depth(&model.rollout));
        let mut effects = Vec::new();
        let (env, cluster) = (id.env.clone(), id.cluster.clone());
        let rollout = Box::new((*rollout).clone());
        let (id_of_rights, watched) = (id.clone(), Some((id, depth)));
        if model.rollout.watched != watched {
            if model.rollout.watched.is_some() && depth == Depth::Pods {
                model.rollout.related.refresh();
            }
            model.rollout.watched = watched;
            effects.push(Effect::WatchRelated {
                env: env.clone(),
                cluster: cluster.clone(),
                rollout: rollout.clone(),
                depth,
            });
        }
        effects.extend(rights::ask_once(model, &id_of_rights));
        if model.rollout.related.is_due(now, None) {
            let request_id = model.next_request();
            model.rollout.related.start(request_id);
            effects.push(Effect::request(
                request_id,
                env,
                Request::Related {
                    cluster,
                    rollout,
                    depth,
                },
            ));
        }
        effects
    }

    fn wake_at(&self, model: &Model) -> Option<Timestamp> {
        let moving = model.rollout.related.value().is_some()
            || model
                .rollout_route()
                .is_some_and(|id| model.find_rollout(id).is_some());
        moving.then(|| next_second(model))
    }

    fn refresh(&self, model: &mut Model) {
        model.rollout.related.refresh();
    }

    fn prepare(&self, model: &mut Model) {
        let rollout = model.rollout_route().and_then(|id| model.find_rollout(id));
        let nodes = match (&rollout, model.rollout.related.value()) {
            (Some(rollout), Some(related)) => tree_nodes(rollout, related, &model.rollout.unfolded),
            _ => Vec::new(),
        };
        model.rollout.nodes = nodes;
    }
}
