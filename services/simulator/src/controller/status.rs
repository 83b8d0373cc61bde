//! The status of a rollout: counts, conditions, phase and message.

use serde_json::{Map, Value, json};

use super::context::RolloutContext;
use super::json::{add_seconds, flag, list, number, seconds, text, time};
use super::{conditions, pause, sets, update};

/// Seconds without progress after which a rollout is degraded, if the spec does not say.
const DEADLINE_SECONDS: i64 = 600;

pub(super) fn update_counts(ctx: &mut RolloutContext) {
    let new = ctx.find_set(ctx.current_hash());
    let sum = |field: &str| {
        ctx.sets
            .iter()
            .map(|set| number(set.get(), field).unwrap_or(0))
            .sum::<i64>()
    };
    let all = sum("/status/replicas");
    let (ready, available) = if ctx.is_blue_green() {
        // Only the active version counts.
        let active = ctx
            .find_set(text(ctx.status(), "/blueGreen/activeSelector"))
            .or(new);
        (
            sets::available_pods(ctx, active),
            sets::available_pods(ctx, active),
        )
    } else {
        (
            sum("/status/readyReplicas"),
            sum("/status/availableReplicas"),
        )
    };
    let updated = sets::current_pods(ctx, new);
    for (field, value) in [
        ("replicas", all),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", available),
        ("HPAReplicas", all),
    ] {
        ctx.set_status(field, value);
    }
    let labels = ctx.spec()["selector"]["matchLabels"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let selector: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    ctx.set_status("selector", selector.join(","));
    observe(ctx);
}

/// Says in the conditions that somebody paused, resumed or retried the rollout. That is all that a
/// pass does then. Returns whether it did.
pub(super) fn note_pause(ctx: &mut RolloutContext) -> bool {
    let reason = text(conditions::find(ctx, "Progressing"), "/reason").to_owned();
    let paused = flag(ctx.spec(), "/paused") || pause::is_paused(ctx);
    let (was_paused, was_aborted) = (reason == "RolloutPaused", reason == "RolloutAborted");
    let retried = was_aborted && !ctx.is_aborted();
    let changed =
        paused != was_paused && !was_aborted && !reason.is_empty() && !ctx.is_fully_promoted();
    if retried {
        let message = "Retrying Rollout after abort";
        conditions::set(ctx, "Progressing", "Unknown", "RolloutRetry", message);
    } else if changed {
        let (reason, message) = if paused {
            ("RolloutPaused", "Rollout is paused")
        } else {
            ("RolloutResumed", "Rollout is resumed")
        };
        conditions::set(ctx, "Progressing", "Unknown", reason, message);
    } else {
        return false;
    }
    observe(ctx);
    tell_phase(ctx);
    true
}

/// Says which spec was seen.
fn observe(ctx: &mut RolloutContext) {
    if let Some(generation) = ctx.rollout.get()["metadata"]["generation"].as_i64() {
        ctx.set_status("observedGeneration", generation.to_string());
    }
}

fn tell_phase(ctx: &mut RolloutContext) {
    let (phase, message) = phase_and_message(ctx);
    ctx.set_status("phase", phase);
    ctx.set_status(
        "message",
        if message.is_empty() {
            Value::Null
        } else {
            message.into()
        },
    );
}

fn is_complete(ctx: &RolloutContext) -> bool {
    let status = |field: &str| number(ctx.status(), field).unwrap_or(0);
    let pods = status("/updatedReplicas") == ctx.replicas()
        && status("/availableReplicas") >= ctx.replicas();
    ctx.is_fully_promoted() && pods
}

fn progress_fields(status: &Value) -> Value {
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

/// Sets conditions, phase and message. `before` is the status at the start of the pass.
pub(super) fn update_conditions(ctx: &mut RolloutContext, before: &Value) {
    if let Some(why) = ctx.invalid.clone() {
        conditions::set(ctx, "InvalidSpec", "True", "InvalidSpec", &why);
        ctx.set_status("phase", "Degraded");
        return ctx.set_status("message", format!("InvalidSpec: {why}"));
    }
    conditions::remove(ctx, "InvalidSpec");
    let moved = progress_fields(before) != progress_fields(ctx.status());
    update_progressing(ctx, moved);
    let (healthy, complete) = (is_complete(ctx), ctx.is_fully_promoted());
    let paused = flag(ctx.spec(), "/paused") || pause::is_paused(ctx);
    let available = number(ctx.status(), "/availableReplicas").unwrap_or(0)
        >= super::replicas::minimum_available(ctx);
    let truth = |is: bool| if is { "True" } else { "False" };
    let (reason, message) = if available {
        ("AvailableReason", "Rollout has minimum availability")
    } else {
        (
            "AvailableReason",
            "Rollout does not have minimum availability",
        )
    };
    conditions::set(ctx, "Available", truth(available), reason, message);
    let (reason, message) = if paused {
        ("RolloutPaused", "Rollout is paused")
    } else {
        ("RolloutResumed", "Rollout is not paused")
    };
    conditions::set(ctx, "Paused", truth(paused), reason, message);
    let message = if healthy {
        "Rollout is healthy"
    } else {
        "Rollout is not healthy"
    };
    conditions::set(ctx, "Healthy", truth(healthy), "RolloutHealthy", message);
    let unfinished = format!(
        "Rollout not completed, started update to revision {} with {}",
        ctx.revision(),
        ctx.current_hash()
    );
    let message = if complete {
        "RolloutCompleted"
    } else {
        &unfinished
    };
    conditions::set(
        ctx,
        "Completed",
        truth(complete),
        "RolloutCompleted",
        message,
    );
    tell_phase(ctx);
}

/// Updates the condition `Progressing` and its deadline.
fn update_progressing(ctx: &mut RolloutContext, moved: bool) {
    let reason = text(conditions::find(ctx, "Progressing"), "/reason").to_owned();
    if ctx.is_aborted() && reason == "RolloutAborted" {
        return;
    }
    let name = format!("ReplicaSet \"{}-{}\"", ctx.name(), ctx.current_hash());
    if is_complete(ctx) {
        return conditions::set(
            ctx,
            "Progressing",
            "True",
            "NewReplicaSetAvailable",
            &format!("{name} has successfully progressed."),
        );
    }
    if flag(ctx.spec(), "/paused") || pause::is_paused(ctx) {
        return conditions::set(
            ctx,
            "Progressing",
            "Unknown",
            "RolloutPaused",
            "Rollout is paused",
        );
    }
    let message = format!("{name} is progressing.");
    let since = time(conditions::find(ctx, "Progressing"), "/lastUpdateTime").unwrap_or(ctx.now);
    let limit = add_seconds(
        since,
        seconds(&ctx.spec()["progressDeadlineSeconds"]).unwrap_or(DEADLINE_SECONDS),
    );
    let counted = matches!(
        reason.as_str(),
        "ReplicaSetUpdated" | "ProgressDeadlineExceeded"
    ) && !is_deadline_suspended(ctx);
    if moved || !counted {
        if moved || reason != "ReplicaSetUpdated" {
            // Recreated, so that its times say when it last made progress.
            conditions::remove(ctx, "Progressing");
            conditions::set(ctx, "Progressing", "True", "ReplicaSetUpdated", &message);
        }
        let limit = seconds(&ctx.spec()["progressDeadlineSeconds"]).unwrap_or(DEADLINE_SECONDS);
        ctx.wake_at(add_seconds(ctx.now, limit));
    } else if limit <= ctx.now && reason != "ProgressDeadlineExceeded" {
        let message = format!("{name} has timed out progressing.");
        ctx.record_warning("ProgressDeadlineExceeded", message.clone());
        if flag(ctx.spec(), "/progressDeadlineAbort")
            && !ctx.stable_hash().is_empty()
            && !ctx.is_fully_promoted()
        {
            return update::abort(ctx, &message);
        }
        conditions::set(
            ctx,
            "Progressing",
            "False",
            "ProgressDeadlineExceeded",
            &message,
        );
    } else {
        ctx.wake_at(limit);
    }
}

/// Whether the current step may take any time, so that the deadline does not apply.
fn is_deadline_suspended(ctx: &RolloutContext) -> bool {
    let step = ctx.steps().get(ctx.step_index()).unwrap_or(&Value::Null);
    !ctx.is_fully_promoted()
        && ["pause", "analysis", "experiment"]
            .iter()
            .any(|name| step.get(name).is_some())
}

fn phase_and_message(ctx: &RolloutContext) -> (&'static str, String) {
    let progressing = conditions::find(ctx, "Progressing");
    let reason = text(progressing, "/reason");
    if matches!(reason, "RolloutAborted" | "ProgressDeadlineExceeded") {
        return (
            "Degraded",
            format!("{reason}: {}", text(progressing, "/message")),
        );
    }
    if flag(ctx.spec(), "/paused") {
        return ("Paused", "manually paused".to_owned());
    }
    if let Some(pause) = list(ctx.status(), "/pauseConditions").first() {
        return ("Paused", text(pause, "/reason").to_owned());
    }
    let restart = time(ctx.spec(), "/restartAt");
    if restart.is_some() && restart != time(ctx.status(), "/restartedAt") {
        return ("Progressing", "rollout is restarting".to_owned());
    }
    let count = |field: &str| number(ctx.status(), field).unwrap_or(0);
    let (all, updated, available) = (
        count("/replicas"),
        count("/updatedReplicas"),
        count("/availableReplicas"),
    );
    let waits = if updated < ctx.replicas() {
        "more replicas need to be updated"
    } else if available < updated {
        "updated replicas are still becoming available"
    } else if ctx.is_blue_green()
        && text(ctx.status(), "/blueGreen/activeSelector") != ctx.current_hash()
    {
        "active service cutover pending"
    } else if ctx.is_blue_green() && !ctx.is_fully_promoted() {
        "waiting for analysis to complete"
    } else if !ctx.is_blue_green() && !ctx.has_router() && all > updated {
        "old replicas are pending termination"
    } else if !ctx.is_fully_promoted() {
        "waiting for all steps to complete"
    } else {
        return ("Healthy", String::new());
    };
    ("Progressing", waits.to_owned())
}
