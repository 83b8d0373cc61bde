//! Discovery of groups, versions and resources, and everything else that does not change.

use http::StatusCode;
use serde_json::{Value, json};

use super::{ApiReply, ApiRequest};
use crate::kinds::Kind;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const VERBS: [&str; 7] = [
    "create", "delete", "get", "list", "patch", "update", "watch",
];
/// Groups and their versions. The last one serves only `kubectl auth can-i`.
const GROUPS: [(&str, &str); 3] = [
    ("apps", "v1"),
    ("argoproj.io", "v1alpha1"),
    ("authorization.k8s.io", "v1"),
];
const REVIEW: &str = "authorization.k8s.io";

pub(crate) fn handle(request: &ApiRequest, path: &str) -> Option<ApiReply> {
    let ok = |value: Value| Some(ApiReply::Json(StatusCode::OK, value));
    let aggregated = request.accepts("g=apidiscovery.k8s.io;v=v2;")
        || request.accepts("v=v2;g=apidiscovery.k8s.io");
    match path {
        "/healthz" | "/livez" | "/readyz" => Some(ApiReply::Text("ok")),
        "/version" => ok(version()),
        "/api" if aggregated => Some(ApiReply::Typed(
            AGGREGATED,
            json!({
                "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
                "metadata": {}, "items": [group_discovery("", "v1")],
            }),
        )),
        "/apis" if aggregated => {
            let items: Vec<Value> = GROUPS
                .into_iter()
                .map(|(group, version)| group_discovery(group, version))
                .collect();
            let list = json!({
                "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
                "metadata": {}, "items": items,
            });
            Some(ApiReply::Typed(AGGREGATED, list))
        }
        "/api" => {
            ok(json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}))
        }
        "/apis" => {
            let groups: Vec<Value> = GROUPS
                .into_iter()
                .map(|(group, version)| api_group(group, version, false))
                .collect();
            ok(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        "/api/v1" => ok(resource_list("", "v1")),
        "/openapi/v3" => ok(openapi_index()),
        _ => {
            if let Some(rest) = path.strip_prefix("/openapi/v3/") {
                let (group, version) = rest
                    .strip_prefix("apis/")
                    .and_then(|rest| rest.split_once('/'))
                    .unwrap_or(("", "v1"));
                return (rest == "api/v1" || GROUPS.contains(&(group, version)))
                    .then(|| openapi(group, version))
                    .and_then(ok);
            }
            let rest = path.strip_prefix("/apis/")?;
            let known = |wanted: &str| GROUPS.into_iter().find(|(group, _)| *group == wanted);
            match rest.split_once('/') {
                None => {
                    known(rest).and_then(|(group, version)| ok(api_group(group, version, true)))
                }
                Some((group, version)) => known(group)
                    .filter(|(_, has)| *has == version)
                    .and_then(|_| ok(resource_list(group, version))),
            }
        }
    }
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "37", "emulationMajor": "1", "emulationMinor": "37",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "36",
        "gitVersion": concat!("v1.37.0+payops.", env!("CARGO_PKG_VERSION")), "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc",
        "platform": "linux/amd64",
    })
}

fn kinds_of(group: &str) -> impl Iterator<Item = Kind> {
    Kind::ALL
        .into_iter()
        .filter(move |kind| kind.info().group == group)
}

fn categories(kind: Kind) -> Vec<&'static str> {
    match kind {
        Kind::Pod | Kind::Service | Kind::ReplicaSet | Kind::Deployment | Kind::Rollout => {
            vec!["all"]
        }
        _ => vec![],
    }
}

fn api_group(group: &str, version: &str, alone: bool) -> Value {
    let one = json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let mut value = json!({"name": group, "versions": [one.clone()], "preferredVersion": one});
    if alone {
        value["kind"] = "APIGroup".into();
        value["apiVersion"] = "v1".into();
    }
    value
}

fn resource_list(group: &str, version: &str) -> Value {
    let mut list = Vec::new();
    if group == REVIEW {
        list.push(json!({
            "name": "selfsubjectaccessreviews", "singularName": "selfsubjectaccessreview",
            "namespaced": false,
            "kind": "SelfSubjectAccessReview", "verbs": ["create"],
        }));
    }
    for kind in kinds_of(group) {
        let info = kind.info();
        list.push(json!({
            "name": info.plural, "singularName": info.singular, "namespaced": info.namespaced,
            "kind": info.name, "verbs": VERBS,
            "shortNames": info.short, "categories": categories(kind),
        }));
        if info.status {
            list.push(json!({
                "name": format!("{}/status", info.plural), "singularName": "",
                "namespaced": info.namespaced, "kind": info.name,
                "verbs": ["get", "patch", "update"],
            }));
        }
        if info.scale {
            list.push(json!({
                "name": format!("{}/scale", info.plural), "singularName": "",
                "namespaced": info.namespaced,
                "group": "autoscaling", "version": "v1", "kind": "Scale",
                "verbs": ["get", "patch", "update"],
            }));
        }
    }
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version,
        "resources": list,
    })
}

fn group_discovery(group: &str, version: &str) -> Value {
    let scope = |namespaced: bool| if namespaced { "Namespaced" } else { "Cluster" };
    let mut list = Vec::new();
    if group == REVIEW {
        list.push(json!({
            "resource": "selfsubjectaccessreviews", "singularResource": "selfsubjectaccessreview",
            "scope": "Cluster", "verbs": ["create"],
            "responseKind": {"group": group, "version": version, "kind": "SelfSubjectAccessReview"},
        }));
    }
    for kind in kinds_of(group) {
        let info = kind.info();
        let own = json!({"group": group, "version": version, "kind": info.name});
        let mut subresources = Vec::new();
        if info.status {
            subresources.push(json!({
                "subresource": "status", "responseKind": own, "verbs": ["get", "patch", "update"],
            }));
        }
        if info.scale {
            let scale = json!({"group": "autoscaling", "version": "v1", "kind": "Scale"});
            subresources.push(json!({
                "subresource": "scale", "responseKind": scale, "verbs": ["get", "patch", "update"],
            }));
        }
        list.push(json!({
            "resource": info.plural, "responseKind": own, "scope": scope(info.namespaced),
            "singularResource": info.singular, "verbs": VERBS,
            "shortNames": info.short, "categories": categories(kind), "subresources": subresources,
        }));
    }
    json!({
        "metadata": {"name": group},
        "versions": [{"version": version, "resources": list, "freshness": "Current"}],
    })
}

fn openapi_index() -> Value {
    let mut paths = json!({"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1"}});
    for (group, version) in GROUPS {
        let path = format!("apis/{group}/{version}");
        paths[&path] = json!({"serverRelativeURL": format!("/openapi/v3/{path}")});
    }
    json!({"paths": paths})
}

/// Describes each kind only as an object. That is enough for kubectl, which looks up here whether
/// it may ask for field validation.
fn openapi(group: &str, version: &str) -> Value {
    let (mut paths, mut schemas) = (json!({}), json!({}));
    let root = if group.is_empty() {
        "/api/v1".to_owned()
    } else {
        format!("/apis/{group}/{version}")
    };
    for kind in kinds_of(group) {
        let info = kind.info();
        let gvk = json!({"group": group, "version": version, "kind": info.name});
        let scope = if info.namespaced {
            "/namespaces/{namespace}"
        } else {
            ""
        };
        let parameters =
            json!([{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}]);
        let operation = |action: &str| {
            json!({
                "x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk,
                "parameters": parameters,
                "responses": {"200": {"description": "OK"}},
            })
        };
        paths[format!("{root}{scope}/{}", info.plural)] = json!({"post": operation("post")});
        paths[format!("{root}{scope}/{}/{{name}}", info.plural)] =
            json!({"patch": operation("patch"), "put": operation("put")});
        schemas[format!(
            "{}.{version}.{}",
            if group.is_empty() { "core" } else { group },
            info.name
        )] = json!({
            "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            "x-kubernetes-group-version-kind": [gvk],
        });
    }
    json!({
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.37.0"}, "paths": paths,
        "components": {"schemas": schemas},
    })
}
