//! An Argo CD of one application, with the answers of a real one.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const TOKEN: &str = "argo-t0ken";

pub(crate) struct Held {
    version: &'static str,
    pub(crate) token: String,
    pub(crate) objects: Vec<Value>,
    asked: Vec<String>,
    posted: Vec<(String, Value)>,
    /// How the newer route of actions is missing, if it is.
    pub(crate) v2_missing: Option<u16>,
    pub(crate) action_code: u16,
    pub(crate) deaf: bool,
    pub(crate) deaf_after_action: bool,
    changes: u64,
}

#[derive(Clone)]
pub(crate) struct ArgoCd {
    pub(crate) url: String,
    held: Arc<Mutex<Held>>,
}

fn object(kind: &str, name: &str, owner: Option<&str>, rest: &Value) -> Value {
    let owners: Vec<Value> = owner
        .into_iter()
        .map(|uid| json!({"kind": "Rollout", "uid": uid}))
        .collect();
    let mut object = json!({
        "kind": kind,
        "metadata": {"name": name, "namespace": "payments", "uid": format!("{name}-uid"), "resourceVersion": "10", "generation": 1,
            "labels": {"rollouts-pod-template-hash": "new"}, "ownerReferences": owners}
    });
    for (key, value) in rest.as_object().expect("fields") {
        object[key] = value.clone();
    }
    object
}

fn rollout(name: &str) -> Value {
    object(
        "Rollout",
        name,
        None,
        &json!({
            "spec": {"replicas": 2, "strategy": {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]}}},
            "status": {"phase": "Paused", "observedGeneration": "1", "controllerPause": true, "currentStepIndex": 1, "currentPodHash": "new",
                "stableRS": "old", "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-11-22T06:10:00Z"}]}
        }),
    )
}

impl ArgoCd {
    pub(crate) async fn start(version: &'static str) -> Self {
        let running = || json!({"status": {"phase": "Running"}});
        let objects = vec![
            rollout("api"),
            rollout("web"),
            object("ReplicaSet", "api-new", Some("api-uid"), &json!({})),
            object("ReplicaSet", "web-new", Some("web-uid"), &json!({})),
            object("AnalysisRun", "api-run", Some("api-uid"), &running()),
            object("Pod", "api-new-1", Some("api-new-uid"), &running()),
            object("Pod", "web-new-1", Some("web-new-uid"), &running()),
        ];
        let held = Held {
            version,
            token: TOKEN.to_owned(),
            objects,
            asked: Vec::new(),
            posted: Vec::new(),
            v2_missing: None,
            action_code: 200,
            deaf: false,
            deaf_after_action: false,
            changes: 10,
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let argo = Self {
            url,
            held: Arc::new(Mutex::new(held)),
        };
        let router = Router::new().fallback(answer).with_state(argo.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        argo
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("a lock")
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut held = self.state();
        held.changes += 1;
        let version = held.changes.to_string();
        let object = held
            .objects
            .iter_mut()
            .find(|object| object["metadata"]["name"] == name)
            .expect("a rollout");
        change(object);
        object["metadata"]["resourceVersion"] = json!(version);
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    pub(crate) fn posted(&self) -> Vec<(String, Value)> {
        self.state().posted.clone()
    }
}

fn refuse(code: u16, grpc: u64, message: &str) -> Response {
    let status = StatusCode::from_u16(code).expect("a status");
    (
        status,
        Json(json!({"error": message, "code": grpc, "message": message})),
    )
        .into_response()
}

async fn answer(
    State(argo): State<ArgoCd>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    Query(query): Query<Vec<(String, String)>>,
    body: Bytes,
) -> Response {
    let target = uri.path_and_query().expect("a path").to_string();
    argo.state().asked.push(target.clone());
    if uri.path() == "/api/version" {
        return Json(json!({"Version": argo.state().version})).into_response();
    }
    if headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        != Some(&format!("Bearer {}", argo.state().token))
    {
        return refuse(401, 16, "no session information");
    }
    if argo.state().deaf {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let asked = |key: &str| {
        query
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.clone())
            .unwrap_or_default()
    };
    match (method.as_str(), uri.path()) {
        ("GET", "/api/v1/applications") => {
            let resource = |name: &str, kind: &str| json!({"group": "argoproj.io", "version": "v1alpha1", "kind": kind, "namespace": "payments", "name": name});
            let resources = [
                resource("web", "Rollout"),
                resource("api", "Rollout"),
                resource("new", "Rollout"),
                resource("errors", "AnalysisTemplate"),
            ];
            let app = |name: &str| json!({"metadata": {"name": name, "namespace": "argocd"}, "status": {"resources": resources}});
            Json(json!({"metadata": {}, "items": [app("payments"), app("second")]})).into_response()
        }
        ("GET", "/api/v1/applications/payments/resource") => {
            let held = argo.state();
            let found = held.objects.iter().find(|object| {
                object["kind"] == *asked("kind")
                    && object["metadata"]["name"] == *asked("resourceName")
            });
            match found {
                Some(object) => Json(json!({"manifest": object.to_string()})).into_response(),
                None => refuse(
                    400,
                    3,
                    &format!(
                        "{} argoproj.io {} not found as part of application payments",
                        asked("kind"),
                        asked("resourceName")
                    ),
                ),
            }
        }
        ("GET", "/api/v1/applications/payments/resource-tree") => {
            let node = |object: &Value| {
                let (kind, meta) = (&object["kind"], &object["metadata"]);
                json!({"kind": kind, "group": "any", "version": "v1", "namespace": "payments", "name": meta["name"], "uid": meta["uid"],
                    "parentRefs": meta["ownerReferences"]})
            };
            Json(json!({"nodes": argo.state().objects.iter().map(node).collect::<Vec<_>>()}))
                .into_response()
        }
        (
            "POST",
            path @ ("/api/v1/applications/payments/resource/actions"
            | "/api/v1/applications/payments/resource/actions/v2"),
        ) => {
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            argo.state().posted.push((target, body.clone()));
            let code = argo.state().action_code;
            if path.ends_with("/v2")
                && let Some(code) = argo.state().v2_missing
            {
                return if code == 404 {
                    refuse(404, 5, "Not Found")
                } else {
                    refuse(code, 12, "Method Not Allowed")
                };
            }
            if code != 200 {
                return refuse(code, if code == 403 { 7 } else { 13 }, "permission denied");
            }
            let action = body["action"]
                .as_str()
                .or_else(|| body.as_str())
                .expect("an action")
                .to_owned();
            argo.change("api", |object| {
                if action == "abort" {
                    object["status"]["abort"] = json!(true);
                }
            });
            let mut held = argo.state();
            held.deaf = held.deaf_after_action;
            Json(json!({})).into_response()
        }
        _ => refuse(404, 5, "Not Found"),
    }
}
