//! States and watch streams of a real cluster with Argo Rollouts 1.10, held against what its own
//! plugin said of the very same objects. `recorded/SCENARIO.json.gz` has `states` (`objects`, and
//! `plugin` by rollout) and `watch`, each change of a rollout in order.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests say what they expect by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use flate2::read::GzDecoder;
use futures::StreamExt as _;
use payops_core::domain::rollout::{Phase, ReplicaSet, Role, Rollout};
use payops_core::port::{Depth, Rollouts as _, Watched};
use serde_json::{Value, json};

use crate::kube::server::{Answer, Server};

const SCENARIOS: [(&str, &[u8]); 8] = [
    ("alb", include_bytes!("recorded/alb.json.gz")),
    ("analysis", include_bytes!("recorded/analysis.json.gz")),
    ("bluegreen", include_bytes!("recorded/bluegreen.json.gz")),
    ("broken", include_bytes!("recorded/broken.json.gz")),
    ("canary", include_bytes!("recorded/canary.json.gz")),
    ("experiment", include_bytes!("recorded/experiment.json.gz")),
    ("nginx", include_bytes!("recorded/nginx.json.gz")),
    (
        "workloadref",
        include_bytes!("recorded/workloadref.json.gz"),
    ),
];

/// Where the plugin's weights say less than the truth, by scenario and rollout.
const WEIGHTS_OF_OUR_OWN: [(&str, &str, &str); 4] = [
    ("broken", "bothers", "a spec that is invalid has no weight"),
    ("broken", "invalid", "a spec that is invalid has no weight"),
    ("broken", "noreplicas", "no pods are no share of anything"),
    (
        "broken",
        "nosteps",
        "an update without steps has the share of its pods, and not 100",
    ),
];

fn scenario(packed: &[u8]) -> Value {
    let mut text = String::new();
    GzDecoder::new(packed)
        .read_to_string(&mut text)
        .expect("gzip");
    serde_json::from_str(&text).expect("JSON")
}

/// A server that holds `objects`, and selects nothing: what belongs to a rollout is told by owners.
fn serve(objects: &[Value]) -> Server {
    let objects = objects.to_vec();
    Server::new(move |asked| {
        let path = asked.path.split('?').next().unwrap_or_default();
        let of_kind = |plural: &str| {
            objects
                .iter()
                .filter(|object| {
                    let kind = object["kind"].as_str().unwrap_or_default();
                    format!("{}s", kind.to_lowercase()) == plural
                })
                .cloned()
                .collect::<Vec<Value>>()
        };
        let mut parts = path.rsplit('/');
        let last = parts.next().unwrap_or_default();
        let before = parts.next().unwrap_or_default();
        if matches!(before, "rollouts" | "deployments") {
            let held = of_kind(before);
            let found = held
                .iter()
                .find(|object| object["metadata"]["name"] == last);
            return found.map_or_else(|| Answer::status(404), |object| Answer::json(200, object));
        }
        Answer::json(
            200,
            &json!({"metadata": {"resourceVersion": "1"}, "items": of_kind(last)}),
        )
    })
}

/// The versions that have pods, by image: which parts they play. The plugin says nothing of those
/// that play none.
fn roles(rollout: &Rollout, sets: &[ReplicaSet]) -> BTreeMap<String, BTreeSet<String>> {
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for set in sets.iter().filter(|set| set.current > 0) {
        for image in &set.images {
            let roles = set.roles(rollout);
            let told = roles
                .iter()
                .filter(|role| !matches!(role, Role::Old | Role::New));
            out.entry(image.image.clone())
                .or_default()
                .extend(told.map(|role| role.as_str().to_owned()));
        }
    }
    out
}

/// The same in the plugin's words: `shop/web:2.0 (stable, active)`. Roles in experiments (`Σ:`) are
/// of other `ReplicaSets`.
fn plugin_roles(told: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let line = |line: &Value| {
        let line = line.as_str().expect("a text").to_owned();
        let (image, roles) = line.split_once(" (").unwrap_or((&line, ""));
        let roles: Vec<String> = roles
            .trim_end_matches(')')
            .split(", ")
            .filter(|role| !role.is_empty())
            .map(str::to_owned)
            .collect();
        let of_rollout: BTreeSet<String> = roles
            .iter()
            .filter(|role| !role.starts_with('Σ'))
            .cloned()
            .collect();
        (roles.is_empty() || !of_rollout.is_empty()).then(|| (image.to_owned(), of_rollout))
    };
    told["images"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(line)
        .collect()
}

fn check_weights(place: &str, rollout: &Rollout, object: &Value, told: &Value) {
    let max = object
        .pointer("/spec/strategy/canary/trafficRouting/maxTrafficWeight")
        .and_then(Value::as_u64)
        .unwrap_or(100);
    let weights = rollout
        .weights()
        .unwrap_or_else(|| panic!("{place}: weights"));
    let share = |field: &str| told[field].as_u64().map(|weight| weight * 1000 / max);
    assert_eq!(
        Some(u64::from(weights.desired)),
        share("set_weight"),
        "{place}: set"
    );
    // The plugin rounds down to whole weights.
    let observed = weights
        .observed
        .map(|observed| u64::from(observed) * max / 1000);
    assert_eq!(
        observed,
        told["actual_weight"].as_u64(),
        "{place}: observed"
    );
}

#[tokio::test]
async fn what_is_read_is_what_the_plugin_says() {
    let mut compared = 0;
    for (name, packed) in SCENARIOS {
        for state in scenario(packed)["states"].as_array().expect("states") {
            let objects = state["objects"].as_array().expect("objects");
            let cluster = serve(objects).rollouts();
            let listed = cluster.list().await.expect("a list");
            let plugin = state["plugin"].as_object().expect("the plugin's words");
            assert_eq!(listed.len(), plugin.len());
            for rollout in listed {
                let place = format!("{name}/{}/{}", state["state"], rollout.key.name);
                let told = &plugin[&rollout.key.name];
                let got = cluster.get(&rollout.key).await.expect("an answer");
                assert_eq!(
                    got.as_ref(),
                    Some(&rollout),
                    "{place}: a list and a get agree"
                );
                let (phase, message) = rollout.phase();
                let said = told["message"].as_str().unwrap_or_default();
                assert_eq!(
                    (phase.as_str(), message),
                    (told["phase"].as_str().expect("a phase"), said),
                    "{place}"
                );
                let step = rollout
                    .step_index
                    .filter(|_| !rollout.steps().is_empty())
                    .map(|index| format!("{index}/{}", rollout.steps().len()));
                assert_eq!(step.as_deref(), told["step"].as_str(), "{place}");
                let replicas = rollout.replicas;
                let counts = [
                    ("desired", replicas.desired),
                    ("current", replicas.current),
                    ("updated", replicas.updated),
                    ("ready", replicas.ready),
                    ("available", replicas.available),
                ];
                for (field, count) in counts {
                    assert_eq!(told[field], json!(count), "{place}: {field}");
                }
                let related = cluster
                    .related(&rollout, Depth::Pods)
                    .await
                    .expect("related");
                assert_eq!(
                    roles(&rollout, &related.replica_sets),
                    plugin_roles(told),
                    "{place}"
                );
                let object = objects
                    .iter()
                    .find(|object| {
                        object["kind"] == "Rollout"
                            && object["metadata"]["name"] == *rollout.key.name
                    })
                    .expect("the object");
                let ours = WEIGHTS_OF_OUR_OWN
                    .iter()
                    .any(|(scenario, of, _)| *scenario == name && *of == rollout.key.name);
                if !ours && told["set_weight"].is_u64() {
                    check_weights(&place, &rollout, object, told);
                }
                assert_eq!(
                    rollout.untaken(),
                    None,
                    "{place}: nothing waits to be taken"
                );
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 77);
}

#[tokio::test]
async fn weights_that_are_known_better_than_the_plugin_says() {
    let (_, packed) = SCENARIOS[3];
    for state in scenario(packed)["states"].as_array().expect("states") {
        let objects = state["objects"].as_array().expect("objects");
        for rollout in serve(objects).rollouts().list().await.expect("a list") {
            let observed = rollout.weights().map(|weights| weights.observed);
            match rollout.key.name.as_str() {
                "bothers" | "invalid" => assert_eq!(observed, None),
                "noreplicas" if !rollout.is_fully_promoted() => assert_eq!(observed, Some(None)),
                // It crashes: its one pod is not available.
                "nosteps" if !rollout.is_fully_promoted() => assert_eq!(observed, Some(Some(0))),
                _ => {}
            }
        }
    }
}

/// What the phase must be after an event, from the controller's own rules.
fn expected_phase(object: &Value) -> Phase {
    let status = &object["status"];
    let Some(told) = status["phase"].as_str() else {
        return Phase::Unknown;
    };
    let seen: u64 = status["observedGeneration"]
        .as_str()
        .and_then(|seen| seen.parse().ok())
        .unwrap_or(u64::MAX);
    let unseen = object["metadata"]["generation"].as_u64() > Some(seen);
    let resumed = status["controllerPause"] == true
        && status["pauseConditions"]
            .as_array()
            .is_none_or(Vec::is_empty);
    let workload = object["metadata"]["annotations"]["rollout.argoproj.io/workload-generation"]
        .as_str()
        .and_then(|wanted| wanted.parse::<u64>().ok());
    let workload_seen = status["workloadObservedGeneration"]
        .as_str()
        .and_then(|seen| seen.parse::<u64>().ok());
    let workload_unseen = object["spec"]["workloadRef"].is_object()
        && workload
            .zip(workload_seen)
            .is_some_and(|(wanted, seen)| wanted > seen);
    if unseen || resumed || workload_unseen {
        Phase::Progressing
    } else {
        Phase::from_name(told)
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_replayed_loses_no_row_and_shows_no_wrong_phase() {
    let mut events = 0;
    for (name, packed) in SCENARIOS {
        let scenario = scenario(packed);
        let watch = scenario["watch"].as_array().expect("a watch").clone();
        let lines = watch.clone();
        let server = Server::new(move |asked| {
            if asked.path.contains("watch=1") {
                return Answer::lines(&lines, false);
            }
            Answer::json(
                200,
                &json!({"metadata": {"resourceVersion": "0"}, "items": []}),
            )
        });
        let told: Vec<_> = server
            .rollouts()
            .watch()
            .take(watch.len() + 1)
            .collect()
            .await;
        let mut rows: BTreeMap<String, Rollout> = BTreeMap::new();
        for (place, (event, told)) in watch.iter().zip(&told[1..]).enumerate() {
            let object = &event["object"];
            let row = object["metadata"]["name"].as_str().expect("a name");
            let at = format!("{name} event {place} of {row}");
            match told {
                Watched::Changed(rollout) => {
                    assert_ne!(event["type"], "DELETED", "{at}");
                    assert_eq!(rollout.phase().0, expected_phase(object), "{at}");
                    if let Some(weights) = rollout.weights() {
                        let most = [Some(weights.desired), Some(weights.set), weights.observed];
                        assert!(
                            most.into_iter().flatten().all(|weight| weight <= 1000),
                            "{at}"
                        );
                    }
                    rows.insert(row.to_owned(), (**rollout).clone());
                }
                Watched::Gone(key) => {
                    assert_eq!(
                        (event["type"].as_str(), key.name.as_str()),
                        (Some("DELETED"), row),
                        "{at}"
                    );
                    rows.remove(row);
                }
                other => panic!("{at}: {other:?}"),
            }
            events += 1;
        }
        let last = scenario["states"]
            .as_array()
            .and_then(|states| states.last())
            .expect("a state");
        let held: BTreeSet<&str> = rows.keys().map(String::as_str).collect();
        let there: BTreeSet<&str> = last["plugin"]
            .as_object()
            .expect("rollouts")
            .keys()
            .map(String::as_str)
            .collect();
        assert!(
            held.is_superset(&there) || held.is_empty(),
            "{name}: {held:?} of {there:?}"
        );
    }
    assert!(events > 400, "{events}");
}
