//! Objects as a `Table`, which `kubectl get` asks for.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::kinds::Kind;

/// How much of each object a row includes; the parameter `includeObject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IncludeObject {
    None,
    Metadata,
    Object,
}

/// Renders a `Table`. In a watch only the first one has column definitions.
pub(crate) fn render_table(
    kind: Kind,
    objects: &[&Value],
    list_meta: &Value,
    include: IncludeObject,
    columns: bool,
    now: Timestamp,
) -> Value {
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| row(kind, object, include, now))
        .collect();
    let definitions: Vec<Value> = if columns {
        column_definitions(kind)
    } else {
        Vec::new()
    };
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": list_meta,
        "columnDefinitions": definitions, "rows": rows,
    })
}

pub(crate) fn partial_metadata(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"],
    })
}

fn row(kind: Kind, object: &Value, include: IncludeObject, now: Timestamp) -> Value {
    let mut row = json!({"cells": cells(kind, object, now)});
    match include {
        IncludeObject::None => {}
        IncludeObject::Metadata => row["object"] = partial_metadata(object),
        IncludeObject::Object => row["object"] = object.clone(),
    }
    row
}

/// Columns of a kind: name, type and priority; 0 is always shown, 1 with `-o wide`.
fn columns(kind: Kind) -> &'static [(&'static str, &'static str, u8)] {
    const AGE: (&str, &str, u8) = ("Age", "string", 0);
    match kind {
        Kind::Rollout => &[
            ("Desired", "integer", 0),
            ("Current", "integer", 0),
            ("Up-to-date", "integer", 0),
            ("Available", "integer", 0),
            AGE,
        ],
        Kind::AnalysisRun | Kind::Experiment | Kind::Namespace => &[("Status", "string", 0), AGE],
        Kind::AnalysisTemplate | Kind::ClusterAnalysisTemplate => &[AGE],
        Kind::ReplicaSet => &[
            ("Desired", "integer", 0),
            ("Current", "integer", 0),
            ("Ready", "integer", 0),
            AGE,
            ("Containers", "string", 1),
            ("Images", "string", 1),
            ("Selector", "string", 1),
        ],
        Kind::Deployment => &[
            ("Ready", "string", 0),
            ("Up-to-date", "integer", 0),
            ("Available", "integer", 0),
            AGE,
        ],
        Kind::Pod => &[
            ("Ready", "string", 0),
            ("Status", "string", 0),
            ("Restarts", "integer", 0),
            AGE,
            ("IP", "string", 1),
            ("Node", "string", 1),
        ],
        Kind::Service => &[
            ("Type", "string", 0),
            ("Cluster-IP", "string", 0),
            ("Port(s)", "string", 0),
            AGE,
            ("Selector", "string", 1),
        ],
        Kind::Node => &[("Status", "string", 0), AGE, ("Version", "string", 0)],
        Kind::Event => &[
            ("Last Seen", "string", 0),
            ("Type", "string", 0),
            ("Reason", "string", 0),
            ("Object", "string", 0),
            ("Message", "string", 0),
        ],
    }
}

fn column_definitions(kind: Kind) -> Vec<Value> {
    let definition = |name: &str, class: &str, format: &str, priority: u8| {
        json!({
            "name": name, "type": class, "format": format,
            "description": format!("{name} of the {}", kind.info().singular),
            "priority": priority,
        })
    };
    // `kubectl get events` shows names only with `-o wide`.
    let name_priority = u8::from(kind == Kind::Event);
    let mut all: Vec<Value> = columns(kind)
        .iter()
        .map(|(name, class, priority)| definition(name, class, "", *priority))
        .collect();
    let at = if kind == Kind::Event { all.len() } else { 0 };
    all.insert(at, definition("Name", "string", "name", name_priority));
    all
}

fn cells(kind: Kind, object: &Value, now: Timestamp) -> Vec<Value> {
    let count = |pointer: &str| {
        object
            .pointer(pointer)
            .cloned()
            .filter(Value::is_number)
            .unwrap_or_else(|| 0.into())
    };
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .cloned()
            .filter(Value::is_string)
            .unwrap_or_else(|| "".into())
    };
    let name = text("/metadata/name");
    let age = || {
        Value::from(format_age(
            object.pointer("/metadata/creationTimestamp"),
            now,
        ))
    };
    match kind {
        Kind::Rollout => {
            let status = [
                "/spec/replicas",
                "/status/replicas",
                "/status/updatedReplicas",
                "/status/availableReplicas",
            ];
            let counts =
                status.map(|pointer| object.pointer(pointer).cloned().unwrap_or(Value::Null));
            std::iter::once(name).chain(counts).chain([age()]).collect()
        }
        Kind::AnalysisRun | Kind::Experiment | Kind::Namespace => {
            vec![name, text("/status/phase"), age()]
        }
        Kind::AnalysisTemplate | Kind::ClusterAnalysisTemplate => vec![name, age()],
        Kind::ReplicaSet => vec![
            name,
            count("/spec/replicas"),
            count("/status/replicas"),
            count("/status/readyReplicas"),
            age(),
            containers(object, "name").into(),
            containers(object, "image").into(),
            labels(object.pointer("/spec/selector/matchLabels")).into(),
        ],
        Kind::Deployment => {
            let ready = format!(
                "{}/{}",
                count("/status/readyReplicas"),
                count("/spec/replicas")
            );
            vec![
                name,
                ready.into(),
                count("/status/updatedReplicas"),
                count("/status/availableReplicas"),
                age(),
            ]
        }
        Kind::Pod => pod_cells(object, name, age()),
        Kind::Service => {
            let ports = object.pointer("/spec/ports").and_then(Value::as_array);
            let ports: Vec<String> = ports
                .into_iter()
                .flatten()
                .map(|port| format!("{}/TCP", port["port"]))
                .collect();
            let selector = labels(object.pointer("/spec/selector"));
            vec![
                name,
                text("/spec/type"),
                text("/spec/clusterIP"),
                ports.join(",").into(),
                age(),
                selector.into(),
            ]
        }
        Kind::Node => vec![
            name,
            "Ready".into(),
            age(),
            text("/status/nodeInfo/kubeletVersion"),
        ],
        Kind::Event => {
            let involved = &object["involvedObject"];
            let of = format!(
                "{}/{}",
                involved["kind"].as_str().unwrap_or_default().to_lowercase(),
                involved["name"].as_str().unwrap_or_default()
            );
            let seen = format_age(object.get("lastTimestamp"), now);
            vec![
                seen.into(),
                text("/type"),
                text("/reason"),
                of.into(),
                text("/message"),
                name,
            ]
        }
    }
}

fn pod_cells(object: &Value, name: Value, age: Value) -> Vec<Value> {
    let statuses: Vec<&Value> = object
        .pointer("/status/containerStatuses")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    let ready = statuses
        .iter()
        .filter(|status| status["ready"] == true)
        .count();
    let all = object
        .pointer("/spec/containers")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let restarts: i64 = statuses
        .iter()
        .filter_map(|status| status["restartCount"].as_i64())
        .sum();
    let waiting = statuses.iter().find_map(|status| {
        status
            .pointer("/state/waiting/reason")
            .and_then(Value::as_str)
    });
    let phase = object
        .pointer("/status/phase")
        .and_then(Value::as_str)
        .unwrap_or("Pending");
    let status = if object.pointer("/metadata/deletionTimestamp").is_some() {
        "Terminating"
    } else {
        waiting.unwrap_or(phase)
    };
    let or_none = |pointer: &str| {
        object
            .pointer(pointer)
            .cloned()
            .unwrap_or_else(|| "<none>".into())
    };
    vec![
        name,
        format!("{ready}/{all}").into(),
        status.into(),
        restarts.into(),
        age,
        or_none("/status/podIP"),
        or_none("/spec/nodeName"),
    ]
}

fn containers(object: &Value, field: &str) -> String {
    let containers = object
        .pointer("/spec/template/spec/containers")
        .and_then(Value::as_array);
    let all: Vec<&str> = containers
        .into_iter()
        .flatten()
        .filter_map(|container| container[field].as_str())
        .collect();
    all.join(",")
}

fn labels(labels: Option<&Value>) -> String {
    let labels = labels.and_then(Value::as_object).into_iter().flatten();
    let all: Vec<String> = labels
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    all.join(",")
}

/// Formats the time since `then` as kubectl does.
fn format_age(then: Option<&Value>, now: Timestamp) -> String {
    let Some(then) = then
        .and_then(Value::as_str)
        .and_then(|then| then.parse::<Timestamp>().ok())
    else {
        return "<unknown>".to_owned();
    };
    let s = now.as_second() - then.as_second();
    let (m, h, d) = (s / 60, s / 3600, s / 86_400);
    let two = |large: i64, unit: char, small: i64, small_unit: char| {
        if small == 0 {
            format!("{large}{unit}")
        } else {
            format!("{large}{unit}{small}{small_unit}")
        }
    };
    match s {
        ..0 => "0s".to_owned(),
        0..120 => format!("{s}s"),
        120..600 => two(m, 'm', s % 60, 's'),
        600..10_800 => format!("{m}m"),
        10_800..28_800 => two(h, 'h', m % 60, 'm'),
        28_800..172_800 => format!("{h}h"),
        172_800..691_200 => two(d, 'd', h % 24, 'h'),
        691_200..63_072_000 => format!("{d}d"),
        _ => two(d / 365, 'y', d % 365, 'd'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: i64, expected: &str) {
        let then = Timestamp::from_second(1_000_000_000).unwrap();
        let now = Timestamp::from_second(1_000_000_000 + seconds).unwrap();
        assert_eq!(format_age(Some(&then.to_string().into()), now), expected);
    }

    #[test]
    fn ages() {
        check(-5, "0s");
        check(119, "119s");
        check(125, "2m5s");
        check(540, "9m");
        check(3600, "60m");
        check(11_100, "3h5m");
        check(100_000, "27h");
        check(200_000, "2d7h");
        check(900_000, "10d");
    }
}
