//! What belongs to a rollout, found by labels and owners.
//!
//! `ReplicaSets`, analysis runs and experiments are selected by the bare label
//! `rollouts-pod-template-hash` in the rollout's namespace and kept only if the rollout owns them;
//! pods by the hashes of its `ReplicaSets`, and kept only if one of those owns them.

use std::collections::BTreeSet;

use futures::future::try_join3;
use payops_core::domain::rollout::{AnalysisRun, Experiment, Pod, Related, ReplicaSet, Rollout};
use payops_core::port::Depth;
use payops_core::port::PortResult;
use serde_json::Value;

use crate::api::Api;
use crate::api::fail::Failure;
use crate::api::path::Kind;
use crate::wire::{self, HASH_LABEL, text};

pub(crate) async fn related(api: &Api, rollout: &Rollout, depth: Depth) -> PortResult<Related> {
    let (sets, runs, experiments) = try_join3(
        list_owned(api, rollout, Kind::ReplicaSets),
        list_owned(api, rollout, Kind::AnalysisRuns),
        list_owned(api, rollout, Kind::Experiments),
    )
    .await?;
    let pods = match depth {
        Depth::Runs => None,
        Depth::Pods => Some(pods(api, rollout, &sets).await?),
    };
    Ok(sort(Related {
        replica_sets: sets.iter().map(wire::replica_set).collect(),
        pods,
        analysis_runs: runs.iter().map(wire::analysis_run).collect(),
        experiments: experiments.iter().map(wire::experiment).collect(),
    }))
}

pub(crate) fn sort(mut related: Related) -> Related {
    related.replica_sets.sort_by(|a: &ReplicaSet, b| {
        (b.revision, b.created_at, &b.name).cmp(&(a.revision, a.created_at, &a.name))
    });
    related
        .analysis_runs
        .sort_by(|a: &AnalysisRun, b| (b.created_at, &b.name).cmp(&(a.created_at, &a.name)));
    related
        .experiments
        .sort_by(|a: &Experiment, b| (b.created_at, &b.name).cmp(&(a.created_at, &a.name)));
    if let Some(pods) = &mut related.pods {
        pods.sort_by(|a: &Pod, b| a.name.cmp(&b.name));
    }
    related
}

async fn list_owned(api: &Api, rollout: &Rollout, kind: Kind) -> Result<Vec<Value>, Failure> {
    let verb = format!("list {} of rollout {}", kind.plural(), rollout.key);
    match api
        .list(
            &verb,
            &kind.collection(Some(&rollout.key.namespace)),
            Some(HASH_LABEL),
        )
        .await
    {
        Ok(listed) => Ok(listed
            .items
            .into_iter()
            .filter(|item| wire::is_owned_by(item, &rollout.uid))
            .collect()),
        // A cluster without the kind has none of it.
        Err(failure) if failure.code() == Some(404) => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}

async fn pods(api: &Api, rollout: &Rollout, sets: &[Value]) -> Result<Vec<Pod>, Failure> {
    let hashes: Vec<String> = sets.iter().map(|set| wire::replica_set(set).hash).collect();
    let Some(selector) = pods_selector(hashes.iter()) else {
        return Ok(Vec::new());
    };
    let verb = format!("list pods of rollout {}", rollout.key);
    let listed = api
        .list(
            &verb,
            &Kind::Pods.collection(Some(&rollout.key.namespace)),
            Some(&selector),
        )
        .await?;
    let uids: BTreeSet<&str> = sets.iter().map(|set| text(set, "/metadata/uid")).collect();
    let ours = |item: &&Value| wire::owners(item).any(|owner| uids.contains(text(owner, "/uid")));
    Ok(listed.items.iter().filter(ours).map(wire::pod).collect())
}

/// The selector of pods with those hashes; `None` when there is no hash.
pub(crate) fn pods_selector<'a>(hashes: impl Iterator<Item = &'a String>) -> Option<String> {
    // What is no label value would turn the selector into another one.
    let is_value = |hash: &&String| {
        !hash.is_empty()
            && hash
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let hashes: BTreeSet<&str> = hashes.filter(is_value).map(String::as_str).collect();
    let hashes: Vec<&str> = hashes.into_iter().collect();
    (!hashes.is_empty()).then(|| format!("{HASH_LABEL} in ({})", hashes.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hashes: &[&str], expected: Option<&str>) {
        let hashes: Vec<String> = hashes.iter().map(|hash| (*hash).to_owned()).collect();
        assert_eq!(pods_selector(hashes.iter()).as_deref(), expected);
    }

    #[test]
    fn pods_are_selected_by_hashes() {
        check(
            &["6c5f", "5b4d", "6c5f"],
            Some("rollouts-pod-template-hash in (5b4d,6c5f)"),
        );
        check(&["", "a,b)"], None);
        check(&[], None);
    }
}
