//! What belongs to a rollout, found by labels and owners.
//!
//! `ReplicaSets`, analysis runs and experiments are selected by the bare label
//! `rollouts-pod-template-hash` in the rollout's namespace and kept only if the rollout owns them;
//! pods by the hashes of its `ReplicaSets`, and kept only if one of those owns them. What may not be
//! read hides nothing else: it is named.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join4;
use payops_core::domain::rollout::{
    AnalysisRun, Experiment, Pod, Related, ReplicaSet, Rollout, Workload,
};
use payops_core::port::Depth;
use payops_core::port::PortResult;
use serde_json::Value;

use crate::api::fail::Failure;
use crate::api::path::{self, Kind};
use crate::api::{Api, ApiRequest};
use crate::wire::{self, HASH_LABEL, text};

/// How many hashes are asked for at once: a selector is part of a URL.
const HASHES_MAX: usize = 100;

/// What was listed, or what may not be.
type Listed<T> = Result<T, String>;

pub(crate) async fn related(api: &Api, rollout: &Rollout, depth: Depth) -> PortResult<Related> {
    let (sets, runs, experiments, workload) = try_join4(
        list_owned(api, rollout, Kind::ReplicaSets),
        list_owned(api, rollout, Kind::AnalysisRuns),
        list_owned(api, rollout, Kind::Experiments),
        workload(api, rollout),
    )
    .await?;
    let mut unreadable = Vec::new();
    let sets = or_name(sets, &mut unreadable);
    let pods = match depth {
        Depth::Runs => None,
        Depth::Pods if unreadable.is_empty() => {
            Some(or_name(pods(api, rollout, &sets).await?, &mut unreadable))
        }
        Depth::Pods => {
            unreadable.push(Kind::Pods.describe_in(&rollout.key.namespace));
            Some(Vec::new())
        }
    };
    Ok(sort(Related {
        replica_sets: sets.iter().map(wire::replica_set).collect(),
        pods,
        analysis_runs: or_name(runs, &mut unreadable)
            .iter()
            .map(wire::analysis_run)
            .collect(),
        experiments: or_name(experiments, &mut unreadable)
            .iter()
            .map(wire::experiment)
            .collect(),
        workload: or_name(workload, &mut unreadable),
        unreadable,
    }))
}

/// What was listed; else nothing, and what may not be read is named in `unreadable`.
fn or_name<T: Default>(listed: Listed<T>, unreadable: &mut Vec<String>) -> T {
    listed.unwrap_or_else(|what| {
        unreadable.push(what);
        T::default()
    })
}

/// A refusal to read is an answer: it says what may not be read.
fn or_denied<T>(
    answer: Result<T, Failure>,
    what: impl FnOnce() -> String,
) -> Result<Listed<T>, Failure> {
    match answer {
        Ok(listed) => Ok(Ok(listed)),
        Err(failure) if failure.code() == Some(403) => Ok(Err(what())),
        Err(failure) => Err(failure),
    }
}

/// The object whose pod template the rollout uses.
async fn workload(api: &Api, rollout: &Rollout) -> Result<Listed<Option<Workload>>, Failure> {
    let namespace = &rollout.key.namespace;
    let Some(reference) = &rollout.workload_ref else {
        return Ok(Ok(None));
    };
    let Some(path) = path::workload(namespace, reference) else {
        return Ok(Ok(None));
    };
    let verb = format!("get {reference} of rollout {}", rollout.key);
    let answer = match api.call(&verb, ApiRequest::Get, &path).await {
        Ok(value) => Ok(Some(wire::workload(reference, &value))),
        Err(failure) if failure.code() == Some(404) => Ok(None),
        Err(failure) => Err(failure),
    };
    or_denied(answer, || {
        format!("{} in {namespace}", reference.resource())
    })
}

/// Counts the available pods of the newest versions of `rollouts` where their status leaves it
/// open: the `ReplicaSets` of those versions, in one list a namespace. Who may not list them does
/// without.
pub(crate) async fn count_canaries(api: &Api, rollouts: &mut [Rollout]) -> Result<(), Failure> {
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for rollout in rollouts
        .iter()
        .filter(|rollout| rollout.needs_canary_count())
    {
        let hashes = wanted.entry(rollout.key.namespace.clone()).or_default();
        hashes.push(rollout.current_hash.clone());
    }
    for (namespace, hashes) in wanted {
        for hashes in hashes.chunks(HASHES_MAX) {
            let Some(selector) = pods_selector(hashes.iter()) else {
                continue;
            };
            let verb = format!("list replicasets in {namespace}");
            let path = Kind::ReplicaSets.collection(Some(&namespace));
            let listed = match api.list(&verb, &path, Some(&selector)).await {
                Ok(listed) => listed,
                Err(failure) if failure.code() == Some(403) => continue,
                Err(failure) => return Err(failure),
            };
            for rollout in rollouts.iter_mut().filter(|rollout| {
                rollout.key.namespace == namespace && rollout.needs_canary_count()
            }) {
                let newest = listed.items.iter().find(|set| {
                    wire::is_owned_by(set, &rollout.uid)
                        && wire::replica_set(set).hash == rollout.current_hash
                });
                if let Some(newest) = newest {
                    rollout.canary_available = Some(wire::replica_set(newest).available);
                }
            }
        }
    }
    Ok(())
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

async fn list_owned(
    api: &Api,
    rollout: &Rollout,
    kind: Kind,
) -> Result<Listed<Vec<Value>>, Failure> {
    let verb = format!("list {} of rollout {}", kind.plural(), rollout.key);
    let answer = match api
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
    };
    or_denied(answer, || kind.describe_in(&rollout.key.namespace))
}

async fn pods(api: &Api, rollout: &Rollout, sets: &[Value]) -> Result<Listed<Vec<Pod>>, Failure> {
    let hashes: Vec<String> = sets.iter().map(|set| wire::replica_set(set).hash).collect();
    let Some(selector) = pods_selector(hashes.iter()) else {
        return Ok(Ok(Vec::new()));
    };
    let verb = format!("list pods of rollout {}", rollout.key);
    let answer = api
        .list(
            &verb,
            &Kind::Pods.collection(Some(&rollout.key.namespace)),
            Some(&selector),
        )
        .await;
    let listed = match or_denied(answer, || Kind::Pods.describe_in(&rollout.key.namespace))? {
        Ok(listed) => listed,
        Err(denied) => return Ok(Err(denied)),
    };
    let uids: BTreeSet<&str> = sets.iter().map(|set| text(set, "/metadata/uid")).collect();
    let ours = |item: &&Value| wire::owners(item).any(|owner| uids.contains(text(owner, "/uid")));
    Ok(Ok(listed
        .items
        .iter()
        .filter(ours)
        .map(wire::pod)
        .collect()))
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
