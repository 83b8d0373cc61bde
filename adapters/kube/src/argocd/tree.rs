//! What belongs to a rollout, out of an application's tree of objects.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use payops_core::domain::rollout::{Related, Rollout};
use payops_core::port::Depth;
use serde_json::Value;

use super::CONCURRENT_READS;
use super::api::{App, ArgoCdApi, Object};
use crate::api::fail::Failure;
use crate::related::sort;
use crate::wire::{self, text};

/// Reads the tree, and then each object of it that belongs to `rollout`.
pub(super) async fn related(
    api: &ArgoCdApi,
    app: &App,
    rollout: &Rollout,
    depth: Depth,
) -> Result<Related, Failure> {
    let tree = api.tree(app).await?;
    let nodes: Vec<&Value> = tree
        .get("nodes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    let owned = children(&nodes, &BTreeSet::from([rollout.uid.as_str()]));
    let of_kind = |kind: &'static str| {
        owned
            .iter()
            .copied()
            .filter(move |node| text(node, "/kind") == kind)
    };
    let sets = objects(api, app, of_kind("ReplicaSet")).await?;
    let runs = objects(api, app, of_kind("AnalysisRun")).await?;
    let experiments = objects(api, app, of_kind("Experiment")).await?;
    let pods = match depth {
        Depth::Runs => None,
        Depth::Pods => {
            let set_uids: BTreeSet<&str> = of_kind("ReplicaSet")
                .map(|node| text(node, "/uid"))
                .collect();
            let pods = children(&nodes, &set_uids)
                .into_iter()
                .filter(|node| text(node, "/kind") == "Pod");
            Some(
                objects(api, app, pods)
                    .await?
                    .iter()
                    .map(wire::pod)
                    .collect(),
            )
        }
    };
    Ok(sort(Related {
        replica_sets: sets.iter().map(wire::replica_set).collect(),
        pods,
        analysis_runs: runs.iter().map(wire::analysis_run).collect(),
        experiments: experiments.iter().map(wire::experiment).collect(),
        // Argo CD can neither undo nor set an image, which are what it is read for.
        workload: None,
        unreadable: Vec::new(),
    }))
}

/// The nodes that one of `parents` owns.
fn children<'a>(nodes: &[&'a Value], parents: &BTreeSet<&str>) -> Vec<&'a Value> {
    let owned = |node: &&&Value| {
        let refs = node.get("parentRefs").and_then(Value::as_array);
        refs.into_iter()
            .flatten()
            .any(|parent| parents.contains(text(parent, "/uid")))
    };
    nodes.iter().filter(owned).copied().collect()
}

async fn objects<'a>(
    api: &ArgoCdApi,
    app: &App,
    nodes: impl Iterator<Item = &'a Value>,
) -> Result<Vec<Value>, Failure> {
    let wanted: Vec<Object> = nodes
        .map(|node| Object {
            group: text(node, "/group").to_owned(),
            version: text(node, "/version").to_owned(),
            kind: text(node, "/kind").to_owned(),
            namespace: text(node, "/namespace").to_owned(),
            name: text(node, "/name").to_owned(),
        })
        .collect();
    let found: Vec<Option<Value>> = stream::iter(wanted)
        .map(|object| async move { api.object(app, &object).await })
        .buffered(CONCURRENT_READS)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}
