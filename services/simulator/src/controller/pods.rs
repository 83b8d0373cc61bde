//! Pods: what a kubelet, a scheduler and the controller of `ReplicaSets` would do.
//!
//! A pod is ready two seconds after it was made. One whose image has the tag `broken` never is: it
//! crashes, and is started again after pauses that double, as a kubelet does. Pods come and go a
//! fifth of their number each second, so that one can watch.

use serde_json::{Value, json};

use super::json::{later, list, number, part, stamp, text, time};
use super::scene::{Held, Scene};
use super::{hash, sets};
use crate::kinds::Kind;
use crate::store::{Key, letters};

/// Seconds from a pod's making until it is ready.
const READY_AFTER: i64 = 2;
const GRACE: i64 = 2;
/// Pods of a `ReplicaSet` that come or go in one second, at most.
const BATCH_MAX: usize = 100;
/// The first pause before a crashed container is started again; each next one is twice as long.
const BACK_OFF: i64 = 10;

fn is_leaving(pod: &Value) -> bool {
    !pod["metadata"]["deletionTimestamp"].is_null()
}

fn is_ready(pod: &Value) -> bool {
    list(pod, "/status/conditions").iter().any(|condition| {
        text(condition, "/type") == "Ready" && text(condition, "/status") == "True"
    })
}

fn of_set<'a>(scene: &'a Scene, set: &'a Held) -> impl Iterator<Item = (usize, &'a Held)> {
    let uid = text(set.get(), "/metadata/uid");
    scene
        .pods
        .iter()
        .enumerate()
        .filter(move |(_, pod)| text(pod.get(), "/metadata/ownerReferences/0/uid") == uid)
}

/// Moves pods on in their lives, and counts them into the status of their `ReplicaSets`.
pub(super) fn live(scene: &mut Scene) {
    for at in 0..scene.pods.len() {
        let pod = scene.pods[at].get();
        if let Some(leaving_at) = time(pod, "/metadata/deletionTimestamp") {
            let gone_at = later(leaving_at, GRACE);
            if gone_at <= scene.now {
                let key = Key::new(Kind::Pod, scene.namespace(), scene.pods[at].name());
                scene.removed.push(key);
            } else {
                scene.wake_at(gone_at);
            }
            continue;
        }
        let made_at = time(pod, "/metadata/creationTimestamp").unwrap_or(scene.now);
        let ready_at = later(made_at, READY_AFTER);
        if ready_at > scene.now {
            scene.wake_at(ready_at);
        } else if sets::images(pod)
            .iter()
            .any(|image| image.ends_with(":broken"))
        {
            crash(scene, at, ready_at);
        } else if !is_ready(pod) {
            let status = running(pod, &stamp(ready_at), true, 0);
            part(scene.pods[at].edit(), "status").extend(status);
        }
    }
    count(scene);
}

/// A pod that crashed `n` times has waited 10 s + 20 s + … before each start.
fn crash(scene: &mut Scene, at: usize, since: jiff::Timestamp) {
    let lived = scene.now.duration_since(since).as_secs();
    let (mut restarts, mut next) = (0, BACK_OFF);
    while next <= lived && restarts < 16 {
        restarts += 1;
        next += BACK_OFF << restarts;
    }
    scene.wake_at(later(since, next));
    let pod = scene.pods[at].get();
    let known = number(pod, "/status/containerStatuses/0/restartCount");
    let waits = text(pod, "/status/containerStatuses/0/state/waiting/reason") == "CrashLoopBackOff";
    if !waits || known != Some(restarts) {
        let status = running(pod, &stamp(since), false, restarts);
        part(scene.pods[at].edit(), "status").extend(status);
    }
}

fn running(
    pod: &Value,
    since: &Value,
    ready: bool,
    restarts: i64,
) -> serde_json::Map<String, Value> {
    let name = text(pod, "/metadata/name");
    let seen = list(pod, "/spec/containers").iter().map(|container| {
        let state = if ready {
            json!({"running": {"startedAt": since}})
        } else {
            let message = format!("back-off restarting failed container={} pod={name}", text(container, "/name"));
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}})
        };
        json!({
            "name": container["name"], "image": container["image"], "ready": ready, "started": ready, "restartCount": restarts, "state": state,
        })
    });
    let containers: Vec<Value> = seen.collect();
    let truth = if ready { "True" } else { "False" };
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(|class| {
        let truth = if class.ends_with("Ready") {
            truth
        } else {
            "True"
        };
        json!({"type": class, "status": truth, "lastTransitionTime": since})
    });
    let status = json!({"phase": "Running", "startTime": pod["metadata"]["creationTimestamp"], "podIP": address(name),
        "containerStatuses": containers, "conditions": conditions});
    status.as_object().cloned().unwrap_or_default()
}

/// An address inside the cluster, the same for the same pod.
fn address(name: &str) -> String {
    let sum = name.bytes().fold(7_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    format!(
        "10.{}.{}.{}",
        32 + sum % 3,
        (sum >> 8) % 256,
        (sum >> 16) % 254 + 1
    )
}

fn count(scene: &mut Scene) {
    for at in 0..scene.sets.len() {
        let staying: Vec<&Held> = of_set(scene, &scene.sets[at])
            .map(|(_, pod)| pod)
            .filter(|pod| !is_leaving(pod.get()))
            .collect();
        let ready = staying.iter().filter(|pod| is_ready(pod.get())).count();
        let generation = scene.sets[at].get()["metadata"]["generation"].clone();
        let status = json!({
            "replicas": staying.len(), "fullyLabeledReplicas": staying.len(), "readyReplicas": ready, "availableReplicas": ready,
            "observedGeneration": generation,
        });
        if scene.sets[at].get()["status"] != status {
            scene.sets[at].edit()["status"] = status;
        }
    }
}

/// Makes and ends pods until there are as many as each `ReplicaSet` wants.
pub(super) fn scale(scene: &mut Scene) {
    for at in 0..scene.sets.len() {
        let want = usize::try_from(sets::wanted(scene, Some(at))).unwrap_or(0);
        let staying: Vec<(usize, &Held)> = of_set(scene, &scene.sets[at])
            .filter(|(_, pod)| !is_leaving(pod.get()))
            .collect();
        let have = staying.len();
        let batch = want.max(have).div_ceil(5).clamp(1, BATCH_MAX);
        if have < want {
            let newest = staying
                .iter()
                .filter_map(|(_, pod)| time(pod.get(), "/metadata/creationTimestamp"))
                .max();
            if wait(scene, newest) {
                continue;
            }
            let made: Vec<Value> = (0..batch.min(want - have))
                .map(|number| make(scene, at, number))
                .collect();
            scene.created.extend(made);
        } else if have > want {
            let leaving = of_set(scene, &scene.sets[at])
                .filter_map(|(_, pod)| time(pod.get(), "/metadata/deletionTimestamp"))
                .max();
            let mut order: Vec<(bool, usize)> = staying
                .iter()
                .map(|(place, pod)| (is_ready(pod.get()), *place))
                .collect();
            // Those that do no work go first, then the newest.
            order.sort_by_key(|(ready, place)| (*ready, std::cmp::Reverse(*place)));
            if wait(scene, leaving) {
                continue;
            }
            for (_, place) in order.into_iter().take(batch.min(have - want)) {
                end(scene, place);
            }
        }
    }
}

/// Whether the last batch was this very second, so that the next has to wait.
fn wait(scene: &mut Scene, last: Option<jiff::Timestamp>) -> bool {
    let Some(last) = last.filter(|last| last.as_second() >= scene.now.as_second()) else {
        return false;
    };
    scene.wake_at(later(last, 1));
    true
}

pub(super) fn end(scene: &mut Scene, at: usize) {
    let now = stamp(scene.now);
    let meta = part(scene.pods[at].edit(), "metadata");
    meta.insert("deletionTimestamp".to_owned(), now);
    meta.insert("deletionGracePeriodSeconds".to_owned(), GRACE.into());
    scene.wake_at(later(scene.now, GRACE));
}

fn make(scene: &Scene, at: usize, number: usize) -> Value {
    let set = scene.sets[at].get();
    // The set changes with each batch, so that no name comes twice.
    let seed = format!(
        "{}/{}/{}/{number}",
        scene.sets[at].name(),
        text(set, "/metadata/uid"),
        scene.now.as_millisecond()
    );
    let name = format!("{}-{}", scene.sets[at].name(), letters(&seed, 5));
    let mut spec = set["spec"]["template"]["spec"].clone();
    let place = seed.bytes().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(byte))
    });
    let node = place
        .checked_rem(scene.nodes.len())
        .and_then(|index| scene.nodes.get(index))
        .map_or("node-1", String::as_str);
    part_of(&mut spec).insert("nodeName".to_owned(), node.into());
    let containers = list(set, "/spec/template/spec/containers").iter().map(|container| {
        json!({
            "name": container["name"], "image": container["image"], "ready": false, "started": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ContainerCreating"}},
        })
    });
    let containers: Vec<Value> = containers.collect();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": scene.namespace(), "generateName": format!("{}-", scene.sets[at].name()),
            "labels": set["spec"]["template"]["metadata"]["labels"], "annotations": set["spec"]["template"]["metadata"]["annotations"],
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": scene.sets[at].name(), "uid": set["metadata"]["uid"],
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": spec,
        "status": {
            "phase": "Pending", "containerStatuses": containers,
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp(scene.now)}],
        },
    })
}

fn part_of(spec: &mut Value) -> &mut serde_json::Map<String, Value> {
    super::json::map(spec)
}

/// Replaces pods from before `spec.restartAt`, as many at a time as may be unavailable.
pub(super) fn restart(scene: &mut Scene) {
    let Some(at) = time(scene.spec(), "/restartAt") else {
        return;
    };
    if at > scene.now {
        return scene.wake_at(at);
    }
    if time(scene.status(), "/restartedAt") == Some(at) {
        return;
    }
    let staying = |held: &&(usize, &Held)| !is_leaving(held.1.get());
    let pods: Vec<(usize, &Held)> = scene.pods.iter().enumerate().collect();
    let staying: Vec<&(usize, &Held)> = pods.iter().filter(staying).collect();
    let old: Vec<usize> = staying
        .iter()
        .filter(|(_, pod)| sets::made_before(pod.get(), at))
        .map(|(place, _)| *place)
        .collect();
    if old.is_empty() {
        let restarted = scene.spec()["restartAt"].clone();
        scene.set_status("restartedAt", restarted);
        return;
    }
    let wanted: i64 = (0..scene.sets.len())
        .map(|set| sets::wanted(scene, Some(set)))
        .sum();
    let ready = staying
        .iter()
        .filter(|(_, pod)| is_ready(pod.get()))
        .count();
    let (_, unavailable_max) = super::replicas::limits(scene);
    let free = unavailable_max.max(1) - (wanted - i64::try_from(ready).unwrap_or(i64::MAX));
    for place in old.into_iter().take(usize::try_from(free).unwrap_or(0)) {
        end(scene, place);
    }
}

/// The label that all that belongs to one template carries.
pub(super) fn label(hash: &str) -> Value {
    json!({(hash::LABEL): hash})
}
