//! `ReplicaSets`: one for each pod template that a rollout has had, with its revision.

use serde_json::{Value, json};

use super::context::{RolloutContext, WorkingCopy};
use super::json::{add_seconds, into_object, list, number, object_mut, text, time, to_rfc3339};
use super::{conditions, hash, revision, rollback};
use crate::kinds::Kind;
use crate::store::Key;

/// Annotation with the time at which an old `ReplicaSet` is scaled down.
const DEADLINE: &str = "scale-down-deadline";
/// Old `ReplicaSets` kept if the spec does not say.
const HISTORY_DEFAULT: i64 = 10;
/// How long pods stay after traffic moved away from them, so that routers can follow.
const SCALE_DOWN_DELAY_SECONDS: i64 = 30;

/// What became of the pod template and the steps since the last pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Followed {
    Unchanged,
    /// The steps begin anew; the versions are scaled from the next pass on.
    Changed,
    /// A `ReplicaSet` was created: all that this pass does.
    Created,
}

/// Finds or creates the `ReplicaSet` of the current template. A changed template restarts the
/// steps.
pub(super) fn follow_template(ctx: &mut RolloutContext) -> Followed {
    let template = ctx.spec()["template"].clone();
    if !template.is_object() {
        ctx.invalid = Some(format!(
            "The Rollout {:?} is invalid: spec.template: Required value",
            ctx.name()
        ));
        return Followed::Unchanged;
    }
    let hash = hash::of_template(&template);
    let newest = ctx
        .sets
        .iter()
        .map(|set| revision::of(set.get()))
        .max()
        .unwrap_or(0);
    let revision_now = match ctx.find_set(&hash) {
        Some(at) if revision::of(ctx.sets[at].get()) == newest => newest,
        Some(at) => {
            annotate(
                &mut ctx.sets[at],
                revision::ANNOTATION,
                &(newest + 1).to_string(),
            );
            newest + 1
        }
        None => {
            let set = build_set(ctx, &hash, &template, newest + 1);
            ctx.record_event(
                "NewReplicaSetCreated",
                format!(
                    "Created ReplicaSet {} (revision {})",
                    text(&set, "/metadata/name"),
                    newest + 1
                ),
            );
            ctx.created.push(set);
            newest + 1
        }
    };
    if ctx.revision() != revision_now {
        annotate(
            &mut ctx.rollout,
            revision::ANNOTATION,
            &revision_now.to_string(),
        );
        ctx.record_event(
            "RolloutUpdated",
            format!("Rollout updated to revision {revision_now}"),
        );
    }
    if !ctx.created.is_empty() {
        let message = format!("Created new replica set \"{}-{hash}\"", ctx.name());
        conditions::set(ctx, "Progressing", "True", "NewReplicaSetCreated", &message);
        return Followed::Created;
    }
    let steps_hash = hash::of_steps(ctx.steps());
    let (template_changed, steps_changed) = (
        ctx.current_hash() != hash,
        text(ctx.status(), "/currentStepHash") != steps_hash && !ctx.is_blue_green(),
    );
    if template_changed || steps_changed {
        ctx.set_status("currentPodHash", hash.clone());
        restart_steps(ctx);
    }
    if !ctx.is_blue_green() {
        ctx.set_status("currentStepHash", steps_hash);
    }
    if let Some(at) = ctx.find_set(&hash)
        && !ctx.is_blue_green()
        && !ctx.is_aborted()
    {
        // It is in use again: cancel its scale-down.
        cancel_scale_down(&mut ctx.sets[at]);
    }
    if template_changed || steps_changed {
        Followed::Changed
    } else {
        Followed::Unchanged
    }
}

/// Goes back to the first step; clears pauses, an abort and analysis runs from the status.
pub(super) fn restart_steps(ctx: &mut RolloutContext) {
    for field in [
        "pauseConditions",
        "controllerPause",
        "abort",
        "abortedAt",
        "promoteFull",
        "message",
    ] {
        ctx.set_status(field, Value::Null);
    }
    for field in [
        "currentStepAnalysisRunStatus",
        "currentBackgroundAnalysisRunStatus",
        "currentExperiment",
    ] {
        ctx.set_strategy_status("canary", field, Value::Null);
    }
    for field in [
        "prePromotionAnalysisRunStatus",
        "postPromotionAnalysisRunStatus",
    ] {
        ctx.set_strategy_status("blueGreen", field, Value::Null);
    }
    if !ctx.is_blue_green() {
        // The stable version skips all steps, and so does one within the rollback window.
        let skips = ctx.is_fully_promoted()
            || (rollback::is_within_rollback_window(ctx)
                && available_pods(ctx, ctx.find_set(ctx.current_hash())) > 0);
        let index = if skips { ctx.steps().len() } else { 0 };
        ctx.set_status("currentStepIndex", index);
    }
}

fn build_set(ctx: &RolloutContext, hash: &str, template: &Value, revision: i64) -> Value {
    let mut template = template.clone();
    let meta = object_mut(&mut template, "metadata");
    into_object(meta.entry("labels").or_insert(Value::Null))
        .insert(hash::LABEL.to_owned(), hash.into());
    let mut selector = ctx.spec()["selector"].clone();
    object_mut(&mut selector, "matchLabels").insert(hash::LABEL.to_owned(), hash.into());
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", ctx.name()), "namespace": ctx.namespace(),
            "labels": template["metadata"]["labels"],
            "annotations": {(revision::ANNOTATION): revision.to_string()},
            "ownerReferences": ctx.owner_references(),
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
        "status": {"replicas": 0},
    })
}

fn annotate(object: &mut WorkingCopy, name: &str, value: &str) {
    let meta = object_mut(object.edit(), "metadata");
    into_object(meta.entry("annotations").or_insert(Value::Null))
        .insert(name.to_owned(), value.into());
}

pub(super) fn cancel_scale_down(set: &mut WorkingCopy) {
    if !set.get()["metadata"]["annotations"][DEADLINE].is_null() {
        into_object(&mut set.edit()["metadata"]["annotations"]).shift_remove(DEADLINE);
    }
}

pub(super) fn desired_pods(ctx: &RolloutContext, at: Option<usize>) -> i64 {
    at.and_then(|at| number(ctx.sets[at].get(), "/spec/replicas"))
        .unwrap_or(0)
}

pub(super) fn available_pods(ctx: &RolloutContext, at: Option<usize>) -> i64 {
    at.and_then(|at| number(ctx.sets[at].get(), "/status/availableReplicas"))
        .unwrap_or(0)
}

/// Pods that are not terminating.
pub(super) fn current_pods(ctx: &RolloutContext, at: Option<usize>) -> i64 {
    at.and_then(|at| number(ctx.sets[at].get(), "/status/replicas"))
        .unwrap_or(0)
}

pub(super) fn scale(ctx: &mut RolloutContext, at: usize, to: i64) {
    let from = desired_pods(ctx, Some(at));
    if from == to {
        return;
    }
    object_mut(ctx.sets[at].edit(), "spec").insert("replicas".to_owned(), to.into());
    let (set, word) = (ctx.sets[at].get(), if to > from { "up" } else { "down" });
    let message = format!(
        "Scaled {word} ReplicaSet {} (revision {}) from {from} to {to}",
        text(set, "/metadata/name"),
        revision::of(set)
    );
    ctx.record_event("ScalingReplicaSet", message);
}

/// When the pods of a `ReplicaSet` go that serves nobody any more.
pub(super) fn scale_down_at(ctx: &RolloutContext, at: usize) -> Option<jiff::Timestamp> {
    ctx.sets[at].get()["metadata"]["annotations"][DEADLINE]
        .as_str()
        .and_then(|text| text.parse().ok())
}

/// Lets the pods of an aborted version stand for a while once the stable one can serve everybody,
/// and then go.
pub(super) fn scale_down_aborted(ctx: &mut RolloutContext, new: usize, delay_s: i64) {
    if delay_s <= 0 || desired_pods(ctx, Some(new)) == 0 {
        return;
    }
    let stable = ctx.find_set(ctx.stable_hash());
    match scale_down_at(ctx, new) {
        Some(deadline) if deadline > ctx.now => ctx.wake_at(deadline),
        Some(_) => {
            cancel_scale_down(&mut ctx.sets[new]);
            scale(ctx, new, 0);
        }
        None if available_pods(ctx, stable) >= ctx.replicas() => {
            let deadline = add_seconds(ctx.now, delay_s);
            if let Some(text) = to_rfc3339(deadline).as_str() {
                annotate(&mut ctx.sets[new], DEADLINE, text);
            }
            ctx.wake_at(deadline);
        }
        None => {}
    }
}

/// Schedules the scale-down of the `ReplicaSet` of `hash`.
pub(super) fn schedule_scale_down(ctx: &mut RolloutContext, hash: &str) {
    let strategy = if ctx.is_blue_green() {
        "blueGreen"
    } else {
        "canary"
    };
    let delay = number(
        ctx.spec(),
        &format!("/strategy/{strategy}/scaleDownDelaySeconds"),
    )
    .unwrap_or(SCALE_DOWN_DELAY_SECONDS);
    let at = add_seconds(ctx.now, delay);
    if let (Some(set), Some(deadline)) = (ctx.find_set(hash), to_rfc3339(at).as_str()) {
        annotate(&mut ctx.sets[set], DEADLINE, deadline);
    }
}

/// Scales down all `ReplicaSets` but those of the hashes `kept`, once their time is up.
pub(super) fn scale_down_old(ctx: &mut RolloutContext, kept: &[&str]) {
    for at in 0..ctx.sets.len() {
        if kept.contains(&ctx.sets[at].hash()) || desired_pods(ctx, Some(at)) == 0 {
            continue;
        }
        match scale_down_at(ctx, at) {
            Some(deadline) if deadline > ctx.now => ctx.wake_at(deadline),
            _ => {
                cancel_scale_down(&mut ctx.sets[at]);
                scale(ctx, at, 0);
            }
        }
    }
}

/// Deletes the oldest `ReplicaSets` without pods beyond the history limit.
pub(super) fn delete_old(ctx: &mut RolloutContext) {
    let limit =
        usize::try_from(number(ctx.spec(), "/revisionHistoryLimit").unwrap_or(HISTORY_DEFAULT))
            .unwrap_or(0);
    let idle = |set: &&WorkingCopy| {
        let pods = number(set.get(), "/spec/replicas").unwrap_or(0)
            + number(set.get(), "/status/replicas").unwrap_or(0);
        set.hash() != ctx.current_hash() && set.hash() != ctx.stable_hash() && pods == 0
    };
    let mut old: Vec<&WorkingCopy> = ctx.sets.iter().filter(idle).collect();
    old.sort_by_key(|set| std::cmp::Reverse(revision::of(set.get())));
    let keys: Vec<Key> = old
        .into_iter()
        .skip(limit)
        .map(|set| Key::new(Kind::ReplicaSet, ctx.namespace(), set.name()))
        .collect();
    ctx.removed.extend(keys);
}

pub(super) fn is_created_before(object: &Value, at: jiff::Timestamp) -> bool {
    time(object, "/metadata/creationTimestamp").is_some_and(|created_at| created_at < at)
}

pub(super) fn images(template: &Value) -> Vec<&str> {
    list(template, "/spec/containers")
        .iter()
        .map(|container| text(container, "/image"))
        .collect()
}
