//! A `Pod` of `v1`, with the status that `kubectl get pods` shows.

use std::cell::RefCell;

use payops_core::domain::rollout::Pod;
use serde_json::Value;

use super::fields::{Damage, Fields, Meta};

/// The pod in `value`, whatever is in there.
pub(crate) fn pod(value: &Value) -> Pod {
    let damage: Damage = RefCell::default();
    let object = Fields::new("object", value, &damage);
    let meta = Meta::new(object);
    let (spec, status) = (object.child("spec"), object.child("status"));
    let terminating = meta.fields.has("deletionTimestamp");
    let sidecars = || {
        spec.objects("initContainers")
            .filter(|container| is_sidecar(*container))
            .count()
    };
    let summary = read_status(spec, status, terminating);
    let node = spec.string("nodeName");
    Pod {
        name: meta.name(),
        hash: meta.hash(),
        status: summary.reason,
        ready: summary.ready,
        containers: saturate(spec.list("containers").len().saturating_add(sidecars())),
        restarts: summary.restarts,
        node: (!node.is_empty()).then_some(node),
        created_at: meta.fields.time("creationTimestamp"),
        terminating,
    }
}

struct PodStatus {
    reason: String,
    ready: u32,
    restarts: u32,
}

fn saturate(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn is_sidecar(container: Fields<'_>) -> bool {
    container.text("restartPolicy") == "Always"
}

fn is_true(status: Fields<'_>, kind: &str) -> bool {
    status
        .objects("conditions")
        .any(|condition| condition.text("type") == kind && condition.text("status") == "True")
}

/// What kubectl says of it (`printPod` in its printers).
fn read_status(spec: Fields<'_>, status: Fields<'_>, terminating: bool) -> PodStatus {
    let phase = if status.has("phase") {
        status.text("phase")
    } else {
        "Unknown"
    };
    let mut summary = PodStatus {
        reason: phase.to_owned(),
        ready: 0,
        restarts: 0,
    };
    if status.has("reason") {
        summary.reason = status.string("reason");
    }
    let gated = |condition: Fields<'_>| {
        condition.text("type") == "PodScheduled" && condition.text("reason") == "SchedulingGated"
    };
    if status.objects("conditions").any(gated) {
        "SchedulingGated".clone_into(&mut summary.reason);
    }
    let (initializing, sidecar_restarts) = read_init_containers(spec, status, &mut summary);
    if !initializing || is_true(status, "Initialized") {
        summary.restarts = sidecar_restarts;
        read_containers(status, &mut summary);
    }
    if terminating {
        let ended = summary.reason == "Succeeded"
            || summary.reason == "Failed"
            || summary.reason == "Completed" && phase == "Succeeded";
        if status.text("reason") == "NodeLost" {
            "Unknown".clone_into(&mut summary.reason);
        } else if !ended {
            "Terminating".clone_into(&mut summary.reason);
        }
    }
    summary
}

/// The init containers: whether one is still at work, and how often sidecars were restarted.
fn read_init_containers(
    spec: Fields<'_>,
    status: Fields<'_>,
    summary: &mut PodStatus,
) -> (bool, u32) {
    let sidecar = |name: &str| {
        spec.objects("initContainers")
            .any(|container| container.text("name") == name && is_sidecar(container))
    };
    let mut sidecar_restarts = 0_u32;
    for (place, container) in status.objects("initContainerStatuses").enumerate() {
        let restarts = container.count("restartCount").unwrap_or_default();
        summary.restarts = summary.restarts.saturating_add(restarts);
        let is_sidecar = sidecar(container.text("name"));
        if is_sidecar {
            sidecar_restarts = sidecar_restarts.saturating_add(restarts);
        }
        let state = container.child("state");
        let (ended, waiting) = (
            state.child("terminated"),
            state.child("waiting").text("reason"),
        );
        if ended.is_present() && ended.number("exitCode").unwrap_or_default() == 0 {
            continue;
        }
        if is_sidecar && container.is_set("started") {
            summary.ready = summary
                .ready
                .saturating_add(u32::from(container.is_set("ready")));
            continue;
        }
        summary.reason = if ended.is_present() {
            format!("Init:{}", exit_reason(ended))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{place}/{}", spec.list("initContainers").len())
        };
        return (true, sidecar_restarts);
    }
    (false, sidecar_restarts)
}

fn read_containers(status: Fields<'_>, summary: &mut PodStatus) {
    let mut running = false;
    let mut containers: Vec<Fields<'_>> = status.objects("containerStatuses").collect();
    containers.reverse();
    for container in containers {
        summary.restarts = summary
            .restarts
            .saturating_add(container.count("restartCount").unwrap_or_default());
        let state = container.child("state");
        let (ended, waiting) = (
            state.child("terminated"),
            state.child("waiting").text("reason"),
        );
        if !waiting.is_empty() {
            waiting.clone_into(&mut summary.reason);
        } else if ended.is_present() {
            summary.reason = exit_reason(ended);
        } else if container.is_set("ready") && state.has("running") {
            running = true;
            summary.ready = summary.ready.saturating_add(1);
        }
    }
    if summary.reason == "Completed" && running {
        (if is_true(status, "Ready") {
            "Running"
        } else {
            "NotReady"
        })
        .clone_into(&mut summary.reason);
    }
}

/// How a container ended: its reason, or else its signal or exit code.
fn exit_reason(ended: Fields<'_>) -> String {
    let reason = ended.text("reason");
    let signal = ended.number("signal").unwrap_or_default();
    if !reason.is_empty() {
        reason.to_owned()
    } else if signal != 0 {
        format!("Signal:{signal}")
    } else {
        format!("ExitCode:{}", ended.number("exitCode").unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse_pod(status: &Value, init: usize) -> Pod {
        let init: Vec<Value> = (0..init)
            .map(|place| json!({"name": format!("init-{place}")}))
            .collect();
        pod(&json!({
            "metadata": {"name": "p", "labels": {"rollouts-pod-template-hash": "6c5f"}, "creationTimestamp": "2026-11-22T06:00:00Z"},
            "spec": {"nodeName": "ip-10-0-3-7", "containers": [{"name": "api"}, {"name": "proxy"}], "initContainers": init},
            "status": status
        }))
    }

    #[track_caller]
    fn check(status: &Value, init: usize, expected: &str) {
        let pod = parse_pod(status, init);
        assert_eq!(
            format!(
                "{} {}/{} {}",
                pod.status, pod.ready, pod.containers, pod.restarts
            ),
            expected
        );
    }

    fn running(restarts: u32) -> Value {
        json!({"ready": true, "restartCount": restarts, "state": {"running": {"startedAt": "2026-11-22T06:00:05Z"}}})
    }

    fn waiting(reason: &str, restarts: u32) -> Value {
        json!({"ready": false, "restartCount": restarts, "state": {"waiting": {"reason": reason}}})
    }

    fn terminated(terminated: &Value) -> Value {
        json!({"ready": false, "restartCount": 1, "state": {"terminated": terminated}})
    }

    #[test]
    fn the_status_is_what_kubectl_shows() {
        check(
            &json!({"phase": "Running", "containerStatuses": [running(0), running(2)]}),
            0,
            "Running 2/2 2",
        );
        check(
            &json!({"phase": "Running", "containerStatuses": [running(0), waiting("CrashLoopBackOff", 9)]}),
            0,
            "CrashLoopBackOff 1/2 9",
        );
        check(
            &json!({"phase": "Pending", "containerStatuses": [waiting("ImagePullBackOff", 0)]}),
            0,
            "ImagePullBackOff 0/2 0",
        );
        check(&json!({"phase": "Pending"}), 0, "Pending 0/2 0");
        check(
            &json!({"phase": "Failed", "reason": "Evicted"}),
            0,
            "Evicted 0/2 0",
        );
        let done = terminated(&json!({"reason": "Completed", "exitCode": 0}));
        check(
            &json!({"phase": "Succeeded", "containerStatuses": [done, done]}),
            0,
            "Completed 0/2 2",
        );
        check(
            &json!({"phase": "Running", "containerStatuses": [running(0), done]}),
            0,
            "NotReady 1/2 1",
        );
        let ready = json!([{"type": "Ready", "status": "True"}]);
        check(
            &json!({"phase": "Running", "conditions": ready, "containerStatuses": [running(0), done]}),
            0,
            "Running 1/2 1",
        );
        check(
            &json!({"phase": "Failed", "containerStatuses": [terminated(&json!({"signal": 9}))]}),
            0,
            "Signal:9 0/2 1",
        );
        check(
            &json!({"phase": "Failed", "containerStatuses": [terminated(&json!({"exitCode": 137}))]}),
            0,
            "ExitCode:137 0/2 1",
        );
        let gated =
            json!([{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]);
        check(
            &json!({"phase": "Pending", "conditions": gated}),
            0,
            "SchedulingGated 0/2 0",
        );
    }

    #[test]
    fn init_containers_come_first() {
        let waits = json!([waiting("PodInitializing", 0), waiting("PodInitializing", 0)]);
        check(
            &json!({"phase": "Pending", "initContainerStatuses": waits}),
            2,
            "Init:0/2 0/2 0",
        );
        let second = json!([
            terminated(&json!({"exitCode": 0})),
            waiting("PodInitializing", 0)
        ]);
        check(
            &json!({"phase": "Pending", "initContainerStatuses": second}),
            2,
            "Init:1/2 0/2 1",
        );
        let loops = json!([waiting("CrashLoopBackOff", 4)]);
        check(
            &json!({"phase": "Pending", "initContainerStatuses": loops}),
            1,
            "Init:CrashLoopBackOff 0/2 4",
        );
        let failed = json!([terminated(&json!({"exitCode": 2, "reason": "Error"}))]);
        check(
            &json!({"phase": "Pending", "initContainerStatuses": failed}),
            1,
            "Init:Error 0/2 1",
        );
    }

    #[test]
    fn a_sidecar_counts_as_a_container() {
        let read = pod(&json!({
            "spec": {"containers": [{"name": "api"}], "initContainers": [{"name": "mesh", "restartPolicy": "Always"}]},
            "status": {"phase": "Running", "containerStatuses": [running(1)],
                "initContainerStatuses": [{"name": "mesh", "started": true, "ready": true, "restartCount": 3, "state": {"running": {}}}]}
        }));
        assert_eq!(
            (
                read.status.as_str(),
                read.ready,
                read.containers,
                read.restarts
            ),
            ("Running", 2, 2, 4)
        );
    }

    #[test]
    fn a_deleted_pod_is_terminating_until_it_has_ended() {
        let dying = |status: Value| {
            let read = pod(
                &json!({"metadata": {"deletionTimestamp": "2026-11-22T06:00:00Z"}, "status": status}),
            );
            (read.status, read.terminating)
        };
        assert_eq!(
            dying(json!({"phase": "Running", "containerStatuses": [running(0)]})),
            ("Terminating".to_owned(), true)
        );
        assert_eq!(
            dying(json!({"phase": "Running", "reason": "NodeLost"})),
            ("Unknown".to_owned(), true)
        );
        assert_eq!(
            dying(json!({"phase": "Succeeded"})),
            ("Succeeded".to_owned(), true)
        );
    }

    #[test]
    fn damage_is_unknown() {
        let read = pod(&json!({"metadata": {"name": "p"}, "status": [1]}));
        assert_eq!(
            (read.status.as_str(), read.hash.as_str(), read.node),
            ("Unknown", "", None)
        );
        assert_eq!(pod(&json!(null)).name, "(unnamed)");
        assert_eq!(
            parse_pod(&json!({"phase": "Running"}), 0).node.as_deref(),
            Some("ip-10-0-3-7")
        );
    }
}
