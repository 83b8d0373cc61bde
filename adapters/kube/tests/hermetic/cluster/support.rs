//! A cluster with a rollout in the midst of a canary, and what belongs to it.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use payops_core::domain::rollout::{
    Insist, Rollout, RolloutAction, RolloutKey, RolloutPlan, plan_insisting,
};
use payops_core::port::{Executed, RolloutActions, RolloutWatch, Rollouts};
use payops_kube::{KubeRollouts, Timing};
use payops_simulator::api::{ApiBody, ApiService};
use payops_simulator::{Cluster, ClusterOptions, Kind};
use serde_json::{Value, json};
use tower::Service;

use crate::told::line;

/// Limits that make a paused clock go fast and leave the order of things as it is.
pub(crate) const TIMING: Timing = Timing {
    call: Duration::from_secs(2),
    watch: Duration::from_secs(20),
    watch_grace: Duration::from_secs(2),
    gather: Duration::from_millis(100),
    backoff_min: Duration::from_millis(200),
    backoff_max: Duration::from_secs(4),
    poll: Duration::from_secs(1),
};

pub(crate) fn cluster() -> Cluster {
    let now = "2026-11-22T06:12:18Z".parse().expect("a time");
    Cluster::with_options(
        "prod",
        Arc::new(move || now),
        ClusterOptions {
            history_max: 20_000,
            ..ClusterOptions::default()
        },
    )
}

/// A rollout at step 2 of 5, a pause without end; `status` is laid over its status.
pub(crate) fn rollout(name: &str, status: Value) -> Value {
    let mut object = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {"name": name, "namespace": "payments", "labels": {"app": name}},
        "spec": {
            "replicas": 4, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {
                "containers": [{"name": "api", "image": "api:2"}, {"name": "proxy", "image": "proxy:1"}],
                "initContainers": [{"name": "migrate", "image": "api:2"}]
            }},
            "strategy": {"canary": {"steps": [
                {"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"analysis": {"templates": [{"templateName": "errors"}]}}, {"pause": {}}
            ]}}
        },
        "status": {
            "phase": "Paused", "message": "CanaryPauseStep", "observedGeneration": "1", "controllerPause": true,
            "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-11-22T06:10:00Z"}],
            "currentStepIndex": 1, "currentPodHash": "new", "stableRS": "old", "replicas": 4, "availableReplicas": 4, "updatedReplicas": 1
        }
    });
    lay(&mut object["status"], status);
    object
}

/// Lays the fields of `over` on `value`; null takes one away.
pub(crate) fn lay(value: &mut Value, over: Value) {
    let (Value::Object(fields), Value::Object(over)) = (value, over) else {
        panic!("no objects")
    };
    for (key, value) in over {
        if value.is_null() {
            fields.shift_remove(&key)
        } else {
            fields.insert(key, value)
        };
    }
}

/// Something that `owner` owns, with the label of `hash`.
pub(crate) fn owned(kind: Kind, name: &str, owner: &Value, hash: &str, rest: Value) -> Value {
    let (api, word) = match kind {
        Kind::ReplicaSet => ("apps/v1", "ReplicaSet"),
        Kind::Pod => ("v1", "Pod"),
        Kind::AnalysisRun => ("argoproj.io/v1alpha1", "AnalysisRun"),
        _ => ("argoproj.io/v1alpha1", "Experiment"),
    };
    let owner = json!({"kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"], "controller": true});
    let mut object = json!({
        "apiVersion": api, "kind": word,
        "metadata": {"name": name, "namespace": "payments", "labels": {"rollouts-pod-template-hash": hash}, "ownerReferences": [owner]}
    });
    lay(&mut object, rest);
    object
}

pub(crate) fn change(cluster: &Cluster, kind: Kind, name: &str, change: impl FnOnce(&mut Value)) {
    let mut object = (*cluster.get(kind, "payments", name).expect("an object")).clone();
    change(&mut object);
    cluster.put(object).expect("written");
}

/// A status that moves as a controller moves it: the spec stays.
pub(crate) fn tick(cluster: &Cluster, name: &str) {
    change(cluster, Kind::Rollout, name, |object| {
        let count = object["status"]["availableReplicas"]
            .as_u64()
            .unwrap_or_default();
        object["status"]["availableReplicas"] = json!(count + 1);
    });
}

pub(crate) fn key(name: &str) -> RolloutKey {
    RolloutKey {
        namespace: "payments".to_owned(),
        name: name.to_owned(),
    }
}

pub(crate) async fn seen(rollouts: &KubeRollouts, name: &str) -> Rollout {
    rollouts
        .get(&key(name))
        .await
        .expect("an answer")
        .expect("a rollout")
}

pub(crate) async fn planned(
    rollouts: &KubeRollouts,
    name: &str,
    action: RolloutAction,
) -> RolloutPlan {
    // No controller takes what these tests write.
    plan_insisting(action, &seen(rollouts, name).await, None, Insist::Yes).expect("a plan")
}

pub(crate) async fn done(rollouts: &KubeRollouts, plan: &RolloutPlan) -> Rollout {
    match rollouts.execute(plan).await.expect("an answer") {
        Executed::Done(rollout) => *rollout,
        other => panic!("not done: {other:?}"),
    }
}

/// A write as it came over the wire: method, path, content type, body.
pub(crate) type Write = (Method, String, String, Value);

type Before = dyn FnMut(&Write) + Send;

/// The API, with a record of its writes and something that happens just before each.
#[derive(Clone)]
pub(crate) struct Tap {
    api: ApiService,
    writes: Arc<Mutex<Vec<Write>>>,
    before: Arc<Mutex<Before>>,
}

impl Tap {
    pub(crate) fn on(cluster: &Cluster, before: impl FnMut(&Write) + Send + 'static) -> Self {
        Self {
            api: cluster.service(),
            writes: Arc::default(),
            before: Arc::new(Mutex::new(before)),
        }
    }

    pub(crate) fn rollouts(&self) -> KubeRollouts {
        KubeRollouts::from_service(self.clone(), "prod").with_timing(TIMING)
    }

    pub(crate) fn writes(&self) -> Vec<Write> {
        self.writes.lock().expect("a lock").clone()
    }
}

impl Service<Request<Body>> for Tap {
    type Response = Response<ApiBody>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut tap = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            if parts.method != Method::GET {
                let content = parts.headers["content-type"]
                    .to_str()
                    .expect("a text")
                    .to_owned();
                let write = (
                    parts.method.clone(),
                    parts.uri.path().to_owned(),
                    content,
                    serde_json::from_slice(&body).expect("JSON"),
                );
                (tap.before.lock().expect("a lock"))(&write);
                tap.writes.lock().expect("a lock").push(write);
            }
            tap.api
                .call(Request::from_parts(parts, Body::from(body.to_vec())))
                .await
        })
    }
}

pub(crate) fn rollouts(cluster: &Cluster) -> KubeRollouts {
    KubeRollouts::from_service(cluster.service(), "prod").with_timing(TIMING)
}

pub(crate) async fn told(watch: &mut RolloutWatch) -> String {
    let told = tokio::time::timeout(Duration::from_hours(1), watch.next()).await;
    let line = line(&told.expect("told within an hour").expect("no end"));
    line.replacen("cut cluster prod: ", "cut ", 1)
}
