//! What a rollout says of itself: counts, conditions, phase and message.

use serde_json::{Map, Value, json};

use super::json::{flag, later, list, number, seconds, stamp, text, time};
use super::scene::Scene;
use super::{canary, pause, sets};

/// Seconds without progress after which a rollout is degraded, when the spec does not say.
const DEADLINE_SECONDS: i64 = 600;

pub(super) fn count(scene: &mut Scene) {
    let new = scene.set_of(scene.current_hash());
    let sum = |field: &str| {
        scene
            .sets
            .iter()
            .map(|set| number(set.get(), field).unwrap_or(0))
            .sum::<i64>()
    };
    let all = sum("/status/replicas");
    let (ready, available) = if scene.is_blue_green() {
        // Only the version that serves counts.
        let active = scene
            .set_of(text(scene.status(), "/blueGreen/activeSelector"))
            .or(new);
        (
            sets::available(scene, active),
            sets::available(scene, active),
        )
    } else {
        (
            sum("/status/readyReplicas"),
            sum("/status/availableReplicas"),
        )
    };
    let updated = sets::present(scene, new);
    for (field, value) in [
        ("replicas", all),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", available),
        ("HPAReplicas", all),
    ] {
        scene.set_status(field, value);
    }
    let labels = scene.spec()["selector"]["matchLabels"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let selector: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    scene.set_status("selector", selector.join(","));
    if let Some(generation) = scene.rollout.get()["metadata"]["generation"].as_i64() {
        scene.set_status("observedGeneration", generation.to_string());
    }
}

/// Sets a condition; its time of transition is kept while its status stays.
pub(super) fn set_condition(
    scene: &mut Scene,
    class: &str,
    truth: &str,
    reason: &str,
    message: &str,
) {
    let now = stamp(scene.now);
    let mut conditions = list(scene.status(), "/conditions").to_vec();
    let mut condition = json!({
        "type": class, "status": truth, "reason": reason, "message": message, "lastTransitionTime": now, "lastUpdateTime": now,
    });
    if let Some(known) = conditions
        .iter_mut()
        .find(|known| text(known, "/type") == class)
    {
        if known["status"] == condition["status"] {
            if known["reason"] == condition["reason"] && known["message"] == condition["message"] {
                return;
            }
            condition["lastTransitionTime"] = known["lastTransitionTime"].clone();
        }
        *known = condition;
    } else {
        conditions.push(condition);
    }
    scene.set_status("conditions", conditions);
}

fn condition<'a>(scene: &'a Scene, class: &str) -> &'a Value {
    list(scene.status(), "/conditions")
        .iter()
        .find(|condition| text(condition, "/type") == class)
        .unwrap_or(&Value::Null)
}

fn forget_condition(scene: &mut Scene, class: &str) {
    let others = list(scene.status(), "/conditions")
        .iter()
        .filter(|known| text(known, "/type") != class)
        .cloned();
    let others: Vec<Value> = others.collect();
    scene.set_status("conditions", others);
}

fn is_complete(scene: &Scene) -> bool {
    let status = |field: &str| number(scene.status(), field).unwrap_or(0);
    let pods = status("/updatedReplicas") == scene.replicas()
        && status("/availableReplicas") >= scene.replicas();
    scene.is_fully_promoted() && pods
}

fn progress(status: &Value) -> Value {
    let fields = [
        "currentPodHash",
        "stableRS",
        "currentStepIndex",
        "updatedReplicas",
        "availableReplicas",
        "readyReplicas",
        "restartedAt",
    ];
    let picked: Map<String, Value> = fields
        .iter()
        .map(|field| ((*field).to_owned(), status[*field].clone()))
        .collect();
    json!([
        picked,
        status["canary"]["weights"],
        status["blueGreen"]["activeSelector"]
    ])
}

/// Whether a second went by since it last made progress, a change of the weight included.
pub(super) fn has_rested(scene: &Scene) -> bool {
    time(condition(scene, "Progressing"), "/lastUpdateTime")
        .is_none_or(|at| later(at, 1) <= scene.now)
}

/// Fills in conditions, phase and message. `before` is the status as it was.
pub(super) fn finish(scene: &mut Scene, before: &Value) {
    if let Some(why) = scene.invalid.clone() {
        set_condition(scene, "InvalidSpec", "True", "InvalidSpec", &why);
        scene.set_status("phase", "Degraded");
        return scene.set_status("message", format!("InvalidSpec: {why}"));
    }
    forget_condition(scene, "InvalidSpec");
    let moved = progress(before) != progress(scene.status());
    progressing(scene, moved);
    let (healthy, complete) = (is_complete(scene), scene.is_fully_promoted());
    let paused = flag(scene.spec(), "/paused") || pause::is_on(scene);
    let available = number(scene.status(), "/availableReplicas").unwrap_or(0)
        >= super::replicas::minimum(scene);
    let truth = |is: bool| if is { "True" } else { "False" };
    let (reason, message) = if available {
        ("AvailableReason", "Rollout has minimum availability")
    } else {
        (
            "AvailableReason",
            "Rollout does not have minimum availability",
        )
    };
    set_condition(scene, "Available", truth(available), reason, message);
    let (reason, message) = if paused {
        ("RolloutPaused", "Rollout is paused")
    } else {
        ("RolloutResumed", "Rollout is not paused")
    };
    set_condition(scene, "Paused", truth(paused), reason, message);
    let message = if healthy {
        "Rollout is healthy"
    } else {
        "Rollout is not healthy"
    };
    set_condition(scene, "Healthy", truth(healthy), "RolloutHealthy", message);
    let unfinished = format!(
        "Rollout not completed, started update to revision {} with {}",
        scene.revision(),
        scene.current_hash()
    );
    let message = if complete {
        "RolloutCompleted"
    } else {
        &unfinished
    };
    set_condition(
        scene,
        "Completed",
        truth(complete),
        "RolloutCompleted",
        message,
    );
    let (phase, message) = phase(scene);
    scene.set_status("phase", phase);
    scene.set_status(
        "message",
        if message.is_empty() {
            Value::Null
        } else {
            message.into()
        },
    );
}

/// The condition `Progressing`, and the deadline for it.
fn progressing(scene: &mut Scene, moved: bool) {
    let reason = text(condition(scene, "Progressing"), "/reason").to_owned();
    if scene.is_aborted() && reason == "RolloutAborted" {
        return;
    }
    let name = format!("ReplicaSet \"{}-{}\"", scene.name(), scene.current_hash());
    if is_complete(scene) {
        return set_condition(
            scene,
            "Progressing",
            "True",
            "NewReplicaSetAvailable",
            &format!("{name} has successfully progressed."),
        );
    }
    if flag(scene.spec(), "/paused") || pause::is_on(scene) {
        return set_condition(
            scene,
            "Progressing",
            "Unknown",
            "RolloutPaused",
            "Rollout is paused",
        );
    }
    let message = format!("{name} is progressing.");
    let since = time(condition(scene, "Progressing"), "/lastUpdateTime").unwrap_or(scene.now);
    let limit = later(
        since,
        seconds(&scene.spec()["progressDeadlineSeconds"]).unwrap_or(DEADLINE_SECONDS),
    );
    let counted = matches!(
        reason.as_str(),
        "ReplicaSetUpdated" | "ProgressDeadlineExceeded"
    ) && !waits_in_a_step(scene);
    if moved || !counted {
        if moved || reason != "ReplicaSetUpdated" {
            // Another time is another progress, so the condition is made anew.
            forget_condition(scene, "Progressing");
            set_condition(scene, "Progressing", "True", "ReplicaSetUpdated", &message);
        }
        let limit = seconds(&scene.spec()["progressDeadlineSeconds"]).unwrap_or(DEADLINE_SECONDS);
        scene.wake_at(later(scene.now, limit));
    } else if limit <= scene.now && reason != "ProgressDeadlineExceeded" {
        let message = format!("{name} has timed out progressing.");
        scene.warn("ProgressDeadlineExceeded", message.clone());
        if flag(scene.spec(), "/progressDeadlineAbort")
            && !scene.stable_hash().is_empty()
            && !scene.is_fully_promoted()
        {
            return canary::abort(scene, &message);
        }
        set_condition(
            scene,
            "Progressing",
            "False",
            "ProgressDeadlineExceeded",
            &message,
        );
    } else {
        scene.wake_at(limit);
    }
}

/// Whether the current step takes as long as it takes: the deadline does not run.
fn waits_in_a_step(scene: &Scene) -> bool {
    let step = scene
        .steps()
        .get(scene.step_index())
        .unwrap_or(&Value::Null);
    !scene.is_fully_promoted()
        && ["pause", "analysis", "experiment"]
            .iter()
            .any(|name| step.get(name).is_some())
}

fn phase(scene: &Scene) -> (&'static str, String) {
    let progressing = condition(scene, "Progressing");
    let reason = text(progressing, "/reason");
    if matches!(reason, "RolloutAborted" | "ProgressDeadlineExceeded") {
        return (
            "Degraded",
            format!("{reason}: {}", text(progressing, "/message")),
        );
    }
    if flag(scene.spec(), "/paused") {
        return ("Paused", "manually paused".to_owned());
    }
    if let Some(pause) = list(scene.status(), "/pauseConditions").first() {
        return ("Paused", text(pause, "/reason").to_owned());
    }
    let count = |field: &str| number(scene.status(), field).unwrap_or(0);
    let (all, updated, available) = (
        count("/replicas"),
        count("/updatedReplicas"),
        count("/availableReplicas"),
    );
    let waits = if updated < scene.replicas() {
        "more replicas need to be updated"
    } else if available < updated {
        "updated replicas are still becoming available"
    } else if scene.is_blue_green()
        && text(scene.status(), "/blueGreen/activeSelector") != scene.current_hash()
    {
        "active service cutover pending"
    } else if scene.is_blue_green() && !scene.is_fully_promoted() {
        "waiting for analysis to complete"
    } else if !scene.is_blue_green() && !scene.has_router() && all > updated {
        "old replicas are pending termination"
    } else if !scene.is_fully_promoted() {
        "waiting for all steps to complete"
    } else {
        return ("Healthy", String::new());
    };
    ("Progressing", waits.to_owned())
}
