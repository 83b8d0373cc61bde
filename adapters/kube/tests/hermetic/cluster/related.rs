//! What belongs to a rollout, listed and watched.

use std::time::Duration;

use futures::StreamExt;
use payops_core::domain::rollout::{Role, Rollout, RunPhase};
use payops_core::port::{Depth, ErrorKind, Rollouts};
use payops_kube::KubeRollouts;
use payops_simulator::{Cluster, Key, Kind};
use serde_json::json;
use tokio::time::timeout;

use super::support::{change, cluster, owned, rollout, rollouts, seen};

/// Two rollouts of the same hashes, each with two sets, pods, an analysis run and an experiment.
async fn scene() -> (Cluster, KubeRollouts, Rollout) {
    let cluster = cluster();
    for name in ["api", "web"] {
        cluster.put(rollout(name, json!({}))).expect("put");
        let owner = (*cluster
            .get(Kind::Rollout, "payments", name)
            .expect("a rollout"))
        .clone();
        for (hash, revision) in [("old", "6"), ("new", "7")] {
            let set = format!("{name}-{hash}");
            let mut object = owned(
                Kind::ReplicaSet,
                &set,
                &owner,
                hash,
                json!({"spec": {"replicas": 1}, "status": {"replicas": 1}}),
            );
            object["metadata"]["annotations"] = json!({"rollout.argoproj.io/revision": revision});
            let object = cluster.put(object).expect("put");
            cluster
                .put(owned(
                    Kind::Pod,
                    &format!("{set}-1"),
                    &object,
                    hash,
                    json!({"status": {"phase": "Running"}}),
                ))
                .expect("put");
        }
        let running = || json!({"status": {"phase": "Running"}});
        cluster
            .put(owned(
                Kind::AnalysisRun,
                &format!("{name}-run"),
                &owner,
                "new",
                running(),
            ))
            .expect("put");
        cluster
            .put(owned(
                Kind::Experiment,
                &format!("{name}-try"),
                &owner,
                "new",
                running(),
            ))
            .expect("put");
    }
    let rollouts = rollouts(&cluster);
    let api = seen(&rollouts, "api").await;
    (cluster, rollouts, api)
}

#[tokio::test(start_paused = true)]
async fn only_what_it_owns_and_pods_only_when_asked_for() {
    let (cluster, rollouts, api) = scene().await;
    let related = rollouts.related(&api, Depth::Runs).await.expect("related");
    let sets: Vec<(&str, Vec<Role>)> = related
        .replica_sets
        .iter()
        .map(|set| (set.name.as_str(), set.roles(&api)))
        .collect();
    assert_eq!(
        sets,
        [
            ("api-new", vec![Role::Canary]),
            ("api-old", vec![Role::Stable])
        ]
    );
    assert_eq!(
        (
            related.analysis_runs.len(),
            related.analysis_runs[0].name.as_str()
        ),
        (1, "api-run")
    );
    assert_eq!(
        (related.experiments.len(), related.experiments[0].phase),
        (1, RunPhase::Running)
    );
    assert_eq!(
        (related.pods, cluster.faults().count("list", "pods")),
        (None, 0)
    );
    let pods = rollouts
        .related(&api, Depth::Pods)
        .await
        .expect("related")
        .pods
        .expect("pods");
    assert_eq!(
        pods.iter().map(|pod| pod.name.as_str()).collect::<Vec<_>>(),
        ["api-new-1", "api-old-1"]
    );
    assert_eq!(cluster.faults().count("list", "pods"), 1);
}

/// Whether it fires within a minute.
async fn fires(
    watch: &mut (impl futures::Stream<Item = payops_core::port::PortResult<()>> + Unpin),
) -> bool {
    timeout(Duration::from_mins(1), watch.next())
        .await
        .is_ok_and(|told| told.expect("no end").is_ok())
}

#[tokio::test(start_paused = true)]
async fn a_change_of_its_own_fires_and_one_of_another_does_not() {
    let (cluster, rollouts, api) = scene().await;
    let mut watch = rollouts.watch_related(&api, Depth::Pods);
    assert!(fires(&mut watch).await, "once at the beginning");
    while fires(&mut watch).await {}
    let ready = |object: &mut serde_json::Value| object["status"]["readyReplicas"] = json!(1);
    change(&cluster, Kind::ReplicaSet, "api-new", ready);
    assert!(fires(&mut watch).await && !fires(&mut watch).await, "once");
    change(&cluster, Kind::ReplicaSet, "web-new", ready);
    change(&cluster, Kind::Pod, "web-new-1", |pod| {
        pod["status"]["phase"] = json!("Failed");
    });
    assert!(!fires(&mut watch).await, "another's");
    change(&cluster, Kind::Pod, "api-new-1", |pod| {
        pod["status"]["phase"] = json!("Failed");
    });
    assert!(fires(&mut watch).await, "a pod");
    change(&cluster, Kind::AnalysisRun, "api-run", |run| {
        run["status"]["phase"] = json!("Failed");
    });
    cluster.remove_object(&Key::new(Kind::Experiment, "payments", "api-try"));
    assert!(
        fires(&mut watch).await && !fires(&mut watch).await,
        "a burst is told once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_sets_pods_are_followed() {
    let (cluster, rollouts, api) = scene().await;
    let mut watch = rollouts.watch_related(&api, Depth::Pods);
    while fires(&mut watch).await {}
    let owner = (*cluster
        .get(Kind::Rollout, "payments", "api")
        .expect("a rollout"))
    .clone();
    let set = cluster
        .put(owned(
            Kind::ReplicaSet,
            "api-next",
            &owner,
            "next",
            json!({"spec": {"replicas": 1}}),
        ))
        .expect("put");
    assert!(fires(&mut watch).await);
    while fires(&mut watch).await {}
    cluster
        .put(owned(
            Kind::Pod,
            "api-next-1",
            &set,
            "next",
            json!({"status": {"phase": "Pending"}}),
        ))
        .expect("put");
    assert!(fires(&mut watch).await, "a pod of the new set");
}

#[tokio::test(start_paused = true)]
async fn no_pods_are_asked_for_without_need_and_nothing_when_nobody_looks() {
    let (cluster, rollouts, api) = scene().await;
    let mut watch = rollouts.watch_related(&api, Depth::Runs);
    while fires(&mut watch).await {}
    let asked = |verb: &str| cluster.faults().count(verb, "pods");
    assert_eq!((asked("list"), asked("watch")), (0, 0));
    assert!(cluster.faults().count("watch", "replicasets") >= 1);
    drop(watch);
    let before = cluster.faults().requests();
    change(&cluster, Kind::ReplicaSet, "api-new", |object| {
        object["status"]["readyReplicas"] = json!(1);
    });
    tokio::time::advance(Duration::from_mins(10)).await;
    tokio::task::yield_now().await;
    assert_eq!(cluster.faults().requests(), before);
}

#[tokio::test(start_paused = true)]
async fn a_cut_is_a_failure_and_then_time_to_ask_again() {
    let (cluster, rollouts, api) = scene().await;
    let mut watch = rollouts.watch_related(&api, Depth::Runs);
    while fires(&mut watch).await {}
    cluster.faults().cut_watches();
    let mut failures = 0;
    loop {
        match timeout(Duration::from_hours(1), watch.next())
            .await
            .expect("told within an hour")
            .expect("no end")
        {
            Ok(()) => break,
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
                failures += 1;
            }
        }
    }
    assert!(
        (1..=3).contains(&failures),
        "{failures} failures of three watches"
    );
}
