//! Rollouts as the watches of their clusters report them.

use std::sync::Arc;

use payops_core::Timestamp;
use payops_core::domain::mask;
use payops_core::domain::rollout::{Rollout, RolloutKey};
use payops_core::port::Watched;

use crate::model::{ClusterState, Marks, Model, RolloutId, WatchStatus, after};

pub(crate) fn handle_watch(
    model: &mut Model,
    env_name: &str,
    cluster_name: &str,
    event: Watched<Rollout, RolloutKey>,
) {
    let now = model.now;
    let Some(env) = model.envs.iter_mut().find(|env| env.info.name == env_name) else {
        return;
    };
    let Some(cluster) = env
        .clusters
        .iter_mut()
        .find(|cluster| cluster.name == cluster_name)
    else {
        return;
    };
    match event {
        Watched::All(rollouts) => {
            cluster.rollouts = rollouts
                .into_iter()
                .map(|rollout| (rollout.key.clone(), Arc::new(rollout)))
                .collect();
            cluster.watch = WatchStatus::Live;
        }
        Watched::Changed(rollout) => {
            cluster.watch = WatchStatus::Live;
            replace_rollout(&mut model.marks, env_name, cluster, *rollout, now);
        }
        Watched::Gone(key) => {
            cluster.watch = WatchStatus::Live;
            cluster.rollouts.remove(&key);
        }
        Watched::Cut { why, retry_in } => {
            let since = if let WatchStatus::Cut { since, .. } = cluster.watch {
                since
            } else {
                now
            };
            cluster.watch = WatchStatus::Cut {
                why: mask::terminal(&why),
                since,
                retry_at: after(now, retry_in),
            };
        }
    }
    mark_changed(model);
}

/// Stores the newest state of a rollout, and marks what changed.
fn replace_rollout(
    marks: &mut Marks,
    env: &str,
    cluster: &mut ClusterState,
    rollout: Rollout,
    now: Timestamp,
) {
    if let Some(before) = cluster.rollouts.get(&rollout.key) {
        let item = RolloutId {
            env: env.to_owned(),
            cluster: cluster.name.clone(),
            key: rollout.key.clone(),
        }
        .item();
        let fields = [
            ("phase", before.phase().0 != rollout.phase().0),
            ("step", before.step_index != rollout.step_index),
            ("weight", before.weights() != rollout.weights()),
            ("image", before.images != rollout.images),
        ];
        for (field, _) in fields.into_iter().filter(|(_, differs)| *differs) {
            marks.mark(&item, field, now);
        }
    }
    cluster
        .rollouts
        .insert(rollout.key.clone(), Arc::new(rollout));
}

/// Stores the state that an action answered with, without waiting for the watch.
pub(super) fn store_rollout(model: &mut Model, id: &RolloutId, rollout: Rollout) {
    let now = model.now;
    let env = model.envs.iter_mut().find(|env| env.info.name == id.env);
    if let Some(cluster) = env.and_then(|env| {
        env.clusters
            .iter_mut()
            .find(|cluster| cluster.name == id.cluster)
    }) {
        replace_rollout(&mut model.marks, &id.env, cluster, rollout, now);
        mark_changed(model);
    }
}

/// Makes rows be computed anew.
pub(super) fn mark_changed(model: &mut Model) {
    model.rollouts.revision = model.rollouts.revision.wrapping_add(1);
}
