//! What the tests of the cluster share.
#![allow(dead_code, unreachable_pub, reason = "each test target uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test says what it expects by panicking"
)]

pub mod play;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use jiff::Timestamp;
use payops_simulator::api::ApiBody;
use payops_simulator::{Clock, Cluster};
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub const ROLLOUTS: &str = "/apis/argoproj.io/v1alpha1/namespaces/payments/rollouts";

/// A clock that stands still until it is told otherwise.
#[derive(Clone)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    pub fn new() -> Self {
        let start: Timestamp = "2026-11-22T06:12:18Z".parse().unwrap();
        Self(Arc::new(AtomicI64::new(start.as_second())))
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }

    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn clock(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

pub fn cluster() -> Cluster {
    Cluster::new("test", TestClock::new().clock())
}

pub fn rollout(name: &str, image: &str, strategy: &Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {"name": name, "namespace": "payments", "labels": {"app": name}},
        "spec": {
            "replicas": 10, "selector": {"matchLabels": {"app": name}}, "strategy": strategy,
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app", "image": image}]}},
        },
    })
}

/// Steps 20 %, pause, 60 %, pause 5 min.
pub fn canary() -> Value {
    json!({"canary": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": "5m"}}]}})
}

pub async fn send(cluster: &Cluster, request: Request<Full<bytes::Bytes>>) -> Response<ApiBody> {
    cluster.service().oneshot(request).await.unwrap()
}

/// Sends a request and reads the whole answer as JSON.
pub async fn call(
    cluster: &Cluster,
    method: &str,
    path: &str,
    content_type: &str,
    body: &Value,
) -> (u16, Value) {
    let bytes = if body.is_null() {
        Vec::new()
    } else {
        body.to_string().into_bytes()
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", content_type)
        .body(Full::new(bytes.into()))
        .unwrap();
    let response = send(cluster, request).await;
    let code = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap())
}

pub async fn get(cluster: &Cluster, path: &str) -> (u16, Value) {
    call(cluster, "GET", path, "application/json", &Value::Null).await
}

pub async fn merge(cluster: &Cluster, path: &str, body: Value) -> (u16, Value) {
    call(
        cluster,
        "PATCH",
        path,
        "application/merge-patch+json",
        &body,
    )
    .await
}

pub struct Watch {
    body: ApiBody,
    buffer: Vec<u8>,
}

impl Watch {
    pub async fn open(cluster: &Cluster, path: &str) -> Self {
        Self::open_as(cluster, path, "application/json").await
    }

    pub async fn open_as(cluster: &Cluster, path: &str, accept: &str) -> Self {
        let request = Request::builder()
            .uri(path)
            .header("accept", accept)
            .body(Full::default())
            .unwrap();
        let response = send(cluster, request).await;
        assert_eq!(response.status(), 200, "{path}");
        Self {
            body: response.into_body(),
            buffer: Vec::new(),
        }
    }

    /// The next event; `None` at the proper end, `Err` when it was cut.
    pub async fn next(&mut self) -> Result<Option<Value>, String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line).unwrap()));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.buffer.extend_from_slice(&frame.into_data().unwrap()),
                Some(Err(error)) => return Err(error.to_string()),
                None => return Ok(None),
            }
        }
    }

    /// The next event as its type and the object's name.
    pub async fn told(&mut self) -> (String, String) {
        let event = self.next().await.unwrap().unwrap();
        let text = |pointer: &str| {
            event
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        (text("/type"), text("/object/metadata/name"))
    }
}
