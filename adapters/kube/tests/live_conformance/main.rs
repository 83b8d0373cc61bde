//! What must be the same on the simulator and on a real cluster, held on the real one, which
//! `live/run` starts.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot run says so, and one that fails panics"
)]

#[path = "../conformance/common/mod.rs"]
mod common;
mod merge;

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use axum::extract::Path;
use axum::{Json, Router, routing};
use futures::stream::{self, StreamExt as _};
use payops_core::Timestamp;
use payops_kube::KubeRollouts;
use payops_testkit::fresh_salt;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use common::scenarios::{self, SCENARIOS, Scenario};
use common::{Ground, path, play, recorded, sequence};

/// How many scenarios run at the same time.
const AT_ONCE: usize = 12;
/// How often a scenario that differed is played again.
const AGAIN: usize = 2;

struct RealCluster {
    rollouts: KubeRollouts,
    kubectl: String,
    kubeconfig: String,
    metrics: String,
}

impl RealCluster {
    async fn find() -> Option<Self> {
        let get = |name: &str| {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty());
            if value.is_none() {
                println!("not run: {name} is unset (start with live/run)");
            }
            value
        };
        let (kubeconfig, kubectl) = (get("PAYOPS_LIVE_KUBECONFIG")?, get("PAYOPS_LIVE_KUBECTL")?);
        let path = std::path::Path::new(&kubeconfig);
        let rollouts = KubeRollouts::from_kubeconfig(Some(path), "admin", "real").await;
        Some(Self {
            rollouts: rollouts.expect("a client"),
            kubectl,
            kubeconfig,
            metrics: serve_metrics().await,
        })
    }

    async fn kubectl(&self, arguments: &[&str], input: &str) {
        let mut child = Command::new(&self.kubectl)
            .args(["--kubeconfig", &self.kubeconfig])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(input.as_bytes()).await.expect("written");
        drop(stdin);
        let output = child.wait_with_output().await.expect("ended");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {arguments:?}: {told}");
    }
}

/// A server that answers `/METRIC` with the next value of that metric.
async fn serve_metrics() -> String {
    let asked = Arc::new(AtomicU64::new(0));
    let answer = move |Path(metric): Path<String>| {
        let asked = Arc::clone(&asked);
        async move {
            // One scenario alone has a metric whose value depends on how often it was asked for.
            let number = if metric == "worsening" {
                asked.fetch_add(1, Ordering::SeqCst)
            } else {
                0
            };
            let value: Value =
                serde_json::from_str(scenarios::measure(&metric, number)).expect("JSON");
            Json(json!({"value": value}))
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().route("/{metric}", routing::get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

#[async_trait]
impl Ground for RealCluster {
    fn rollouts(&self) -> &KubeRollouts {
        &self.rollouts
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn metrics(&self) -> String {
        self.metrics.clone()
    }

    async fn create(&self, namespace: &str, objects: Vec<Value>) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        self.kubectl(&["-n", namespace, "create", "-f", "-"], &list.to_string())
            .await;
    }

    async fn scale(&self, namespace: &str, replicas: u32) {
        let patch = json!({"spec": {"replicas": replicas}}).to_string();
        let arguments = [
            "-n",
            namespace,
            "patch",
            "rollout",
            scenarios::NAME,
            "--type",
            "merge",
            "-p",
            &patch,
        ];
        self.kubectl(&arguments, "").await;
    }
}

/// Whether what is recorded is written anew instead of held.
fn is_update() -> bool {
    std::env::var("UPDATE_CONFORMANCE").is_ok_and(|value| !value.is_empty())
}

/// Holds a scenario against what is recorded, or records it. Gives what differs.
async fn hold(cluster: &RealCluster, scenario: &Scenario, namespace: &str) -> Option<String> {
    cluster
        .kubectl(&["create", "namespace", namespace], "")
        .await;
    let seen = play(scenario, cluster, namespace).await;
    cluster
        .kubectl(&["delete", "namespace", namespace, "--wait=false"], "")
        .await;
    let seen = match seen {
        Ok(seen) => seen,
        Err(why) => return Some(why),
    };
    if !is_update() {
        return sequence::difference(&recorded(scenario), &seen);
    }
    let text = match std::fs::read_to_string(path(scenario)) {
        Ok(recorded) => merge::merge(&recorded, &seen),
        Err(_) => format!("{}\n", seen.join("\n")),
    };
    std::fs::write(path(scenario), text).expect("written");
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_cluster_goes_the_recorded_ways() {
    let Some(cluster) = RealCluster::find().await else {
        return;
    };
    let run = format!("same-{:x}", fresh_salt());
    let (cluster, run) = (&cluster, &run);
    let hold = async |scenario: &'static Scenario, attempt: usize| {
        let namespace = format!("{run}-{attempt}-{}", scenario.name);
        let difference = hold(cluster, scenario, &namespace).await?;
        Some((scenario, format!("{}: {difference}", scenario.name)))
    };
    // All at once would make each so slow that its states run into each other. On a busy machine
    // some do all the same: what differs is played again, alone.
    let plays = SCENARIOS.iter().map(|scenario| hold(scenario, 0));
    let mut differences: Vec<(&Scenario, String)> = stream::iter(plays)
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    for attempt in 1..=AGAIN {
        let mut left = Vec::new();
        for (scenario, difference) in differences {
            println!("played again, because it differed: {difference}");
            left.extend(hold(scenario, attempt).await);
        }
        differences = left;
    }
    let differences: Vec<String> = differences.into_iter().map(|(_, words)| words).collect();
    println!("{} scenarios", SCENARIOS.len());
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}
