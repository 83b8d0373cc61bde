//! Pods: stands in for the kubelet, the scheduler and the controller of `ReplicaSets`.
//!
//! A pod is ready two seconds after it is created. One whose image has the tag `broken` or `crash` never is:
//! it crashes and is restarted with a back-off that doubles, as a kubelet does. Each second a fifth
//! of the pods is created or deleted, so that a rollout can be watched.

use serde_json::{Value, json};

use super::context::{RolloutContext, WorkingCopy};
use super::json::{add_seconds, list, number, object_mut, text, time, to_rfc3339};
use super::{hash, sets};
use crate::kinds::Kind;
use crate::store::{Key, random_characters};

/// Seconds from a pod's creation until it is ready.
const READY_SECONDS: i64 = 2;
const GRACE_SECONDS: i64 = 2;
/// Most pods of a `ReplicaSet` that are created or deleted in one second.
const BATCH_MAX: usize = 100;
/// Back-off before the first restart of a crashed container; it doubles with each restart.
const BACK_OFF_SECONDS: i64 = 10;

fn is_terminating(pod: &Value) -> bool {
    !pod["metadata"]["deletionTimestamp"].is_null()
}

fn is_ready(pod: &Value) -> bool {
    list(pod, "/status/conditions").iter().any(|condition| {
        text(condition, "/type") == "Ready" && text(condition, "/status") == "True"
    })
}

fn pods_of<'a>(
    ctx: &'a RolloutContext,
    set: &'a WorkingCopy,
) -> impl Iterator<Item = (usize, &'a WorkingCopy)> {
    let uid = text(set.get(), "/metadata/uid");
    ctx.pods
        .iter()
        .enumerate()
        .filter(move |(_, pod)| text(pod.get(), "/metadata/ownerReferences/0/uid") == uid)
}

/// Advances the life of each pod, and counts the pods into the status of their `ReplicaSets`.
pub(super) fn advance(ctx: &mut RolloutContext) {
    for at in 0..ctx.pods.len() {
        let pod = ctx.pods[at].get();
        if let Some(terminating_at) = time(pod, "/metadata/deletionTimestamp") {
            let gone_at = add_seconds(terminating_at, GRACE_SECONDS);
            if gone_at <= ctx.now {
                let key = Key::new(Kind::Pod, ctx.namespace(), ctx.pods[at].name());
                ctx.removed.push(key);
            } else {
                ctx.wake_at(gone_at);
            }
            continue;
        }
        let created_at = time(pod, "/metadata/creationTimestamp").unwrap_or(ctx.now);
        let ready_at = add_seconds(created_at, READY_SECONDS);
        if ready_at > ctx.now {
            ctx.wake_at(ready_at);
        } else if sets::images(pod)
            .iter()
            .any(|image| image.ends_with(":broken") || image.ends_with(":crash"))
        {
            crash_loop(ctx, at, ready_at);
        } else if !is_ready(pod) {
            let status = build_status(pod, &to_rfc3339(ready_at), true, 0);
            object_mut(ctx.pods[at].edit(), "status").extend(status);
        }
    }
    update_set_status(ctx);
}

/// A pod that crashed `n` times has waited 10 s + 20 s + … before each start.
fn crash_loop(ctx: &mut RolloutContext, at: usize, since: jiff::Timestamp) {
    let lived_s = ctx.now.duration_since(since).as_secs();
    let (mut restarts, mut next) = (0, BACK_OFF_SECONDS);
    while next <= lived_s && restarts < 16 {
        restarts += 1;
        next += BACK_OFF_SECONDS << restarts;
    }
    ctx.wake_at(add_seconds(since, next));
    let pod = ctx.pods[at].get();
    let restarts_before = number(pod, "/status/containerStatuses/0/restartCount");
    let waits = text(pod, "/status/containerStatuses/0/state/waiting/reason") == "CrashLoopBackOff";
    if !waits || restarts_before != Some(restarts) {
        let status = build_status(pod, &to_rfc3339(since), false, restarts);
        object_mut(ctx.pods[at].edit(), "status").extend(status);
    }
}

fn build_status(
    pod: &Value,
    since: &Value,
    ready: bool,
    restarts: i64,
) -> serde_json::Map<String, Value> {
    let name = text(pod, "/metadata/name");
    let containers = list(pod, "/spec/containers").iter().map(|container| {
        let state = if ready {
            json!({"running": {"startedAt": since}})
        } else {
            let message = format!(
                "back-off restarting failed container={} pod={name}",
                text(container, "/name")
            );
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}})
        };
        json!({
            "name": container["name"], "image": container["image"], "ready": ready,
            "started": ready, "restartCount": restarts, "state": state,
        })
    });
    let containers: Vec<Value> = containers.collect();
    let truth = if ready { "True" } else { "False" };
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(|class| {
        let truth = if class.ends_with("Ready") {
            truth
        } else {
            "True"
        };
        json!({"type": class, "status": truth, "lastTransitionTime": since})
    });
    let status = json!({
        "phase": "Running", "startTime": pod["metadata"]["creationTimestamp"], "podIP": pod_ip(name),
        "containerStatuses": containers, "conditions": conditions});
    status.as_object().cloned().unwrap_or_default()
}

/// Derives the pod's IP address from its name.
fn pod_ip(name: &str) -> String {
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

fn update_set_status(ctx: &mut RolloutContext) {
    for at in 0..ctx.sets.len() {
        let staying: Vec<&WorkingCopy> = pods_of(ctx, &ctx.sets[at])
            .map(|(_, pod)| pod)
            .filter(|pod| !is_terminating(pod.get()))
            .collect();
        let ready = staying.iter().filter(|pod| is_ready(pod.get())).count();
        let generation = ctx.sets[at].get()["metadata"]["generation"].clone();
        let status = json!({
            "replicas": staying.len(), "fullyLabeledReplicas": staying.len(),
            "readyReplicas": ready, "availableReplicas": ready,
            "observedGeneration": generation,
        });
        if ctx.sets[at].get()["status"] != status {
            ctx.sets[at].edit()["status"] = status;
        }
    }
}

/// Creates and deletes pods toward what each `ReplicaSet` wants.
pub(super) fn scale(ctx: &mut RolloutContext) {
    for at in 0..ctx.sets.len() {
        let want = usize::try_from(sets::desired_pods(ctx, Some(at))).unwrap_or(0);
        let staying: Vec<(usize, &WorkingCopy)> = pods_of(ctx, &ctx.sets[at])
            .filter(|(_, pod)| !is_terminating(pod.get()))
            .collect();
        let have = staying.len();
        let batch = want.max(have).div_ceil(5).clamp(1, BATCH_MAX);
        if have < want {
            let newest = staying
                .iter()
                .filter_map(|(_, pod)| time(pod.get(), "/metadata/creationTimestamp"))
                .max();
            if must_wait(ctx, newest) {
                continue;
            }
            let pods: Vec<Value> = (0..batch.min(want - have))
                .map(|number| build_pod(ctx, at, number))
                .collect();
            ctx.created.extend(pods);
        } else if have > want {
            let newest_deletion = pods_of(ctx, &ctx.sets[at])
                .filter_map(|(_, pod)| time(pod.get(), "/metadata/deletionTimestamp"))
                .max();
            let mut order: Vec<(bool, usize)> = staying
                .iter()
                .map(|(place, pod)| (is_ready(pod.get()), *place))
                .collect();
            // Pods that are not ready first, then the newest.
            order.sort_by_key(|(ready, place)| (*ready, std::cmp::Reverse(*place)));
            if must_wait(ctx, newest_deletion) {
                continue;
            }
            for (_, place) in order.into_iter().take(batch.min(have - want)) {
                terminate(ctx, place);
            }
        }
    }
}

/// Whether the last batch was in this second, so that the next one has to wait.
fn must_wait(ctx: &mut RolloutContext, last: Option<jiff::Timestamp>) -> bool {
    let Some(last) = last.filter(|last| last.as_second() >= ctx.now.as_second()) else {
        return false;
    };
    ctx.wake_at(add_seconds(last, 1));
    true
}

fn terminate(ctx: &mut RolloutContext, at: usize) {
    let now = to_rfc3339(ctx.now);
    let meta = object_mut(ctx.pods[at].edit(), "metadata");
    meta.insert("deletionTimestamp".to_owned(), now);
    meta.insert(
        "deletionGracePeriodSeconds".to_owned(),
        GRACE_SECONDS.into(),
    );
    ctx.wake_at(add_seconds(ctx.now, GRACE_SECONDS));
}

fn build_pod(ctx: &RolloutContext, at: usize, number: usize) -> Value {
    let set = ctx.sets[at].get();
    // The set changes with each batch, so that no name is used twice.
    let seed = format!(
        "{}/{}/{}/{number}",
        ctx.sets[at].name(),
        text(set, "/metadata/uid"),
        ctx.now.as_millisecond()
    );
    let name = format!("{}-{}", ctx.sets[at].name(), random_characters(&seed, 5));
    let mut spec = set["spec"]["template"]["spec"].clone();
    let place = seed.bytes().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(byte))
    });
    let node = place
        .checked_rem(ctx.nodes.len())
        .and_then(|index| ctx.nodes.get(index))
        .map_or("node-1", String::as_str);
    super::json::into_object(&mut spec).insert("nodeName".to_owned(), node.into());
    let containers = list(set, "/spec/template/spec/containers")
        .iter()
        .map(|container| {
            json!({
                "name": container["name"], "image": container["image"], "ready": false,
                "started": false, "restartCount": 0,
                "state": {"waiting": {"reason": "ContainerCreating"}},
            })
        });
    let containers: Vec<Value> = containers.collect();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": ctx.namespace(),
            "generateName": format!("{}-", ctx.sets[at].name()),
            "labels": set["spec"]["template"]["metadata"]["labels"],
            "annotations": set["spec"]["template"]["metadata"]["annotations"],
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": ctx.sets[at].name(),
                "uid": set["metadata"]["uid"],
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": spec,
        "status": {
            "phase": "Pending", "containerStatuses": containers,
            "conditions": [
                {
                    "type": "PodScheduled", "status": "True",
                    "lastTransitionTime": to_rfc3339(ctx.now),
                },
            ],
        },
    })
}

/// Replaces pods created before `spec.restartAt`, as many at a time as may be unavailable.
/// Returns whether it did.
pub(super) fn restart(ctx: &mut RolloutContext) -> bool {
    let Some(at) = time(ctx.spec(), "/restartAt") else {
        return false;
    };
    if at > ctx.now {
        ctx.wake_at(at);
        return false;
    }
    if time(ctx.status(), "/restartedAt") == Some(at) {
        return false;
    }
    let is_staying = |pod: &&(usize, &WorkingCopy)| !is_terminating(pod.1.get());
    let pods: Vec<(usize, &WorkingCopy)> = ctx.pods.iter().enumerate().collect();
    let staying: Vec<&(usize, &WorkingCopy)> = pods.iter().filter(is_staying).collect();
    let old: Vec<usize> = staying
        .iter()
        .filter(|(_, pod)| sets::is_created_before(pod.get(), at))
        .map(|(place, _)| *place)
        .collect();
    if old.is_empty() {
        let restarted = ctx.spec()["restartAt"].clone();
        ctx.set_status("restartedAt", restarted);
        return false;
    }
    let wanted: i64 = (0..ctx.sets.len())
        .map(|set| sets::desired_pods(ctx, Some(set)))
        .sum();
    let ready = staying
        .iter()
        .filter(|(_, pod)| is_ready(pod.get()))
        .count();
    let (_, unavailable_max) = super::replicas::surge_and_unavailable(ctx);
    let free = unavailable_max.max(1) - (wanted - i64::try_from(ready).unwrap_or(i64::MAX));
    let free = usize::try_from(free).unwrap_or(0);
    for place in old.into_iter().take(free) {
        terminate(ctx, place);
    }
    free > 0
}

/// The label on all objects of one pod template.
pub(super) fn hash_label(hash: &str) -> Value {
    json!({(hash::LABEL): hash})
}
