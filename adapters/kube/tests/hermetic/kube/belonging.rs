//! What belongs to a rollout: selected by labels, kept by owners.

use std::time::Duration;

use futures::StreamExt;
use payops_core::port::{Depth, ErrorKind, Rollouts};
use payops_kube::KubeRollouts;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::server::{Answer, Asked, Server, read_rollout};

fn owned(name: &str, owner: &str) -> Value {
    json!({"metadata": {"name": name, "uid": format!("{name}-uid"), "labels": {"rollouts-pod-template-hash": "6c5f"},
        "ownerReferences": [{"kind": "Any", "uid": owner}]}})
}

/// A namespace with objects of two rollouts; watches of analysis runs tell `events`.
fn namespace(events: Vec<Value>) -> impl FnMut(&Asked) -> Answer {
    move |asked| {
        if asked.path.contains("watch=1") {
            return if asked.path.contains("/analysisruns") {
                Answer::lines(&events, false)
            } else {
                Answer::lines(&[], false)
            };
        }
        let list = |items: Value| {
            Answer::json(
                200,
                &json!({"metadata": {"resourceVersion": "1"}, "items": items}),
            )
        };
        match asked.path.split('?').next().unwrap_or_default() {
            "/apis/apps/v1/namespaces/pay/replicasets" => {
                list(json!([owned("rs", "u1"), owned("other", "u2")]))
            }
            "/apis/argoproj.io/v1alpha1/namespaces/pay/analysisruns" => {
                list(json!([owned("run", "u1"), owned("other", "u2")]))
            }
            "/api/v1/namespaces/pay/pods" => {
                list(json!([owned("pod", "rs-uid"), owned("other", "other-uid")]))
            }
            "/apis/argoproj.io/v1alpha1/namespaces/pay/rollouts/api" => Answer::json(
                200,
                &json!({"metadata": {"name": "api", "namespace": "pay", "uid": "u1"}}),
            ),
            _ => Answer::status(404),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_it_owns() {
    let server = Server::new(namespace(Vec::new()));
    let rollouts = server.rollouts();
    let rollout = read_rollout(&rollouts).await;
    let related = rollouts
        .related(&rollout, Depth::Runs)
        .await
        .expect("an answer");
    assert_eq!(
        (
            related.replica_sets.len(),
            related.analysis_runs.len(),
            related.experiments.len()
        ),
        (1, 1, 0)
    );
    assert_eq!(
        (related.replica_sets[0].name.as_str(), related.pods),
        ("rs", None)
    );
    assert!(
        server
            .asked()
            .iter()
            .all(|asked| !asked.path.contains("/pods")),
        "pods are not asked for"
    );
    let pods = rollouts
        .related(&rollout, Depth::Pods)
        .await
        .expect("an answer")
        .pods
        .expect("pods");
    assert_eq!(
        pods.iter().map(|pod| pod.name.as_str()).collect::<Vec<_>>(),
        ["pod"]
    );
    let last = server.asked().pop().expect("a request").path;
    assert!(
        last.ends_with("labelSelector=rollouts-pod-template-hash%20in%20%286c5f%29"),
        "{last}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_changes_is_told_once_and_those_of_others_never() {
    let event = |name: &str, owner: &str| json!({"type": "MODIFIED", "object": owned(name, owner)});
    let server = Server::new(namespace(vec![
        event("run", "u1"),
        event("run", "u1"),
        event("other", "u2"),
    ]));
    let rollouts = server.rollouts();
    let rollout = read_rollout(&rollouts).await;
    let begun = Instant::now();
    let mut watch = rollouts.watch_related(&rollout, Depth::Pods);
    watch.next().await.expect("told").expect("no failure");
    assert_eq!(begun.elapsed().as_millis(), 200);
    assert!(
        timeout(Duration::from_secs(30), watch.next())
            .await
            .is_err(),
        "once"
    );
    assert!(
        server
            .asked()
            .iter()
            .any(|asked| asked.path.contains("/pods?watch=1"))
    );
    let before = server.asked().len();
    drop(watch);
    tokio::time::advance(Duration::from_mins(5)).await;
    assert_eq!(server.asked().len(), before);
}

#[tokio::test]
async fn a_kubeconfig_that_is_not_right_says_so() {
    let temp = tempfile::tempdir().expect("a folder");
    let path = temp.path().join("config");
    let error = KubeRollouts::from_kubeconfig(Some(&path), "prod", "prod")
        .await
        .err()
        .expect("refused");
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(
        error
            .message
            .starts_with(&format!("cluster prod: file {} not found", path.display())),
        "{}",
        error.message
    );
    let text = "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n\
                users: [{name: u, user: {}}]\ncontexts: [{name: test, context: {cluster: c, user: u}}, {name: dev, context: {cluster: c, user: u}}]\n";
    std::fs::write(&path, text).expect("written");
    let error = KubeRollouts::from_kubeconfig(Some(&path), "prod", "prod")
        .await
        .err()
        .expect("refused");
    assert_eq!(
        error.message,
        format!(
            "cluster prod: context prod not found in {}; it has test, dev",
            path.display()
        )
    );
    let rollouts = KubeRollouts::from_kubeconfig(Some(&path), "test", "prod")
        .await
        .expect("a cluster");
    assert_eq!(
        (rollouts.cluster(), rollouts.driver().as_str()),
        ("prod", "kubeconfig context test")
    );
    let error = rollouts.list().await.expect_err("nobody listens there");
    assert_eq!(
        (error.kind, error.message.as_str()),
        (
            ErrorKind::Unavailable,
            "cluster prod: list rollouts: cannot connect to http://127.0.0.1:1: connection refused"
        )
    );
}
