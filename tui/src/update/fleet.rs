//! What clusters tell of their rollouts.

use std::sync::Arc;

use payops_core::domain::rollout::{Rollout, RolloutKey};
use payops_core::port::Watched;

use crate::model::{ClusterState, Feed, Marks, Model, RolloutId, after};

pub(crate) fn told(
    model: &mut Model,
    env_name: &str,
    cluster_name: &str,
    told: Watched<Rollout, RolloutKey>,
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
    match told {
        Watched::All(rollouts) => {
            cluster.rollouts = rollouts
                .into_iter()
                .map(|rollout| (rollout.key.clone(), Arc::new(rollout)))
                .collect();
            cluster.feed = Feed::Live;
        }
        Watched::Changed(rollout) => {
            cluster.feed = Feed::Live;
            changed(&mut model.marks, env_name, cluster, *rollout, now);
        }
        Watched::Gone(key) => {
            cluster.feed = Feed::Live;
            cluster.rollouts.remove(&key);
        }
        Watched::Cut { why, retry_in } => {
            let since = if let Feed::Cut { since, .. } = cluster.feed {
                since
            } else {
                now
            };
            cluster.feed = Feed::Cut {
                why: payops_core::domain::mask::terminal(&why),
                since,
                retry_at: after(now, retry_in),
            };
        }
    }
    touch(model);
}

/// Takes one rollout as it is now, and marks what is new about it.
fn changed(
    marks: &mut Marks,
    env: &str,
    cluster: &mut ClusterState,
    rollout: Rollout,
    now: payops_core::Timestamp,
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

/// Takes the state of a rollout that an action answered, without waiting for the watch.
pub(crate) fn learn(model: &mut Model, id: &RolloutId, rollout: Rollout) {
    let now = model.now;
    let env = model.envs.iter_mut().find(|env| env.info.name == id.env);
    if let Some(cluster) = env.and_then(|env| {
        env.clusters
            .iter_mut()
            .find(|cluster| cluster.name == id.cluster)
    }) {
        changed(&mut model.marks, &id.env, cluster, rollout, now);
        touch(model);
    }
}

pub(crate) fn touch(model: &mut Model) {
    model.rollouts.revision = model.rollouts.revision.wrapping_add(1);
}

pub(crate) fn rollout(model: &Model, id: &RolloutId) -> Option<Arc<Rollout>> {
    cluster(model, id)?.rollouts.get(&id.key).cloned()
}

pub(crate) fn cluster<'a>(model: &'a Model, id: &RolloutId) -> Option<&'a ClusterState> {
    model
        .env_named(&id.env)?
        .clusters
        .iter()
        .find(|cluster| cluster.name == id.cluster)
}
