//! `ReplicaSets`: one for each pod template a rollout has had, and which revision each is.

use serde_json::{Value, json};

use super::hash;
use super::json::{later, list, map, number, part, stamp, text, time};
use super::scene::{Held, Scene};
use crate::kinds::Kind;
use crate::store::Key;

/// The annotation that counts revisions, on rollouts and what belongs to them.
pub(super) const REVISION: &str = "rollout.argoproj.io/revision";
/// The annotation that says when a `ReplicaSet` that is no longer wanted is scaled down.
const DEADLINE: &str = "scale-down-deadline";
/// Old `ReplicaSets` that are kept when the spec does not say.
const HISTORY_DEFAULT: i64 = 10;
/// How long pods stay that traffic was just taken from, so that routers can follow.
const SCALE_DOWN_DELAY_SECONDS: i64 = 30;

pub(super) fn revision(set: &Value) -> i64 {
    set["metadata"]["annotations"][REVISION]
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// Finds or makes the `ReplicaSet` of the present template. When the template is another than
/// before, all that was known of the old roll-out is forgotten and it begins anew.
pub(super) fn follow_template(scene: &mut Scene) {
    let template = scene.spec()["template"].clone();
    if !template.is_object() {
        scene.invalid = Some(format!(
            "The Rollout {:?} is invalid: spec.template: Required value",
            scene.name()
        ));
        return;
    }
    let hash = hash::of_template(&template);
    let newest = scene
        .sets
        .iter()
        .map(|set| revision(set.get()))
        .max()
        .unwrap_or(0);
    let revision_now = match scene.set_of(&hash) {
        Some(at) if revision(scene.sets[at].get()) == newest => newest,
        Some(at) => {
            annotate(&mut scene.sets[at], REVISION, &(newest + 1).to_string());
            newest + 1
        }
        None => {
            let set = make(scene, &hash, &template, newest + 1);
            scene.note(
                "NewReplicaSetCreated",
                format!(
                    "Created ReplicaSet {} (revision {})",
                    text(&set, "/metadata/name"),
                    newest + 1
                ),
            );
            scene.created.push(set);
            newest + 1
        }
    };
    if scene.revision() != revision_now {
        annotate(&mut scene.rollout, REVISION, &revision_now.to_string());
        scene.note(
            "RolloutUpdated",
            format!("Rollout updated to revision {revision_now}"),
        );
    }
    let steps_hash = hash::of_steps(scene.steps());
    let (template_changed, steps_changed) = (
        scene.current_hash() != hash,
        text(scene.status(), "/currentStepHash") != steps_hash && !scene.is_blue_green(),
    );
    if template_changed || steps_changed {
        scene.set_status("currentPodHash", hash.clone());
        restart_steps(scene);
    }
    if !scene.is_blue_green() {
        scene.set_status("currentStepHash", steps_hash);
    }
    if let Some(at) = scene.set_of(&hash) {
        // It is wanted again: whatever time it was given is no longer over.
        unmark(&mut scene.sets[at]);
    }
}

/// Forgets how far it had come, pauses and verdicts included.
pub(super) fn restart_steps(scene: &mut Scene) {
    for field in [
        "pauseConditions",
        "controllerPause",
        "abort",
        "abortedAt",
        "promoteFull",
        "message",
    ] {
        scene.set_status(field, Value::Null);
    }
    for field in [
        "currentStepAnalysisRunStatus",
        "currentBackgroundAnalysisRunStatus",
        "currentExperiment",
    ] {
        scene.set_strategy_status("canary", field, Value::Null);
    }
    for field in [
        "prePromotionAnalysisRunStatus",
        "postPromotionAnalysisRunStatus",
    ] {
        scene.set_strategy_status("blueGreen", field, Value::Null);
    }
    if !scene.is_blue_green() {
        // A first version and one that is stable already have no steps to take.
        let first = scene.stable_hash().is_empty();
        let index = if first || scene.is_fully_promoted() {
            scene.steps().len()
        } else {
            0
        };
        scene.set_status("currentStepIndex", index);
    }
}

fn make(scene: &Scene, hash: &str, template: &Value, revision: i64) -> Value {
    let mut template = template.clone();
    let meta = part(&mut template, "metadata");
    map(meta.entry("labels").or_insert(Value::Null)).insert(hash::LABEL.to_owned(), hash.into());
    let mut selector = scene.spec()["selector"].clone();
    part(&mut selector, "matchLabels").insert(hash::LABEL.to_owned(), hash.into());
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", scene.name()), "namespace": scene.namespace(), "labels": template["metadata"]["labels"],
            "annotations": {(REVISION): revision.to_string()}, "ownerReferences": scene.owner(),
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
        "status": {"replicas": 0},
    })
}

fn annotate(held: &mut Held, name: &str, value: &str) {
    let meta = part(held.edit(), "metadata");
    map(meta.entry("annotations").or_insert(Value::Null)).insert(name.to_owned(), value.into());
}

fn unmark(held: &mut Held) {
    if !held.get()["metadata"]["annotations"][DEADLINE].is_null() {
        map(&mut held.edit()["metadata"]["annotations"]).shift_remove(DEADLINE);
    }
}

/// Pods wanted of the `ReplicaSet` at that place.
pub(super) fn wanted(scene: &Scene, at: Option<usize>) -> i64 {
    at.and_then(|at| number(scene.sets[at].get(), "/spec/replicas"))
        .unwrap_or(0)
}

/// Pods available of the `ReplicaSet` at that place.
pub(super) fn available(scene: &Scene, at: Option<usize>) -> i64 {
    at.and_then(|at| number(scene.sets[at].get(), "/status/availableReplicas"))
        .unwrap_or(0)
}

/// Pods of the `ReplicaSet` at that place that are not on their way out.
pub(super) fn present(scene: &Scene, at: Option<usize>) -> i64 {
    at.and_then(|at| number(scene.sets[at].get(), "/status/replicas"))
        .unwrap_or(0)
}

/// Has the `ReplicaSet` at that place run so many pods.
pub(super) fn scale(scene: &mut Scene, at: usize, to: i64) {
    let from = wanted(scene, Some(at));
    if from == to {
        return;
    }
    part(scene.sets[at].edit(), "spec").insert("replicas".to_owned(), to.into());
    let (set, word) = (scene.sets[at].get(), if to > from { "up" } else { "down" });
    let message = format!(
        "Scaled {word} ReplicaSet {} (revision {}) from {from} to {to}",
        text(set, "/metadata/name"),
        revision(set)
    );
    scene.note("ScalingReplicaSet", message);
}

/// Gives the `ReplicaSet` of `hash` some time before it is scaled down.
pub(super) fn mark(scene: &mut Scene, hash: &str) {
    let strategy = if scene.is_blue_green() {
        "blueGreen"
    } else {
        "canary"
    };
    let delay = number(
        scene.spec(),
        &format!("/strategy/{strategy}/scaleDownDelaySeconds"),
    )
    .unwrap_or(SCALE_DOWN_DELAY_SECONDS);
    let at = later(scene.now, delay);
    if let (Some(set), Some(deadline)) = (scene.set_of(hash), stamp(at).as_str()) {
        annotate(&mut scene.sets[set], DEADLINE, deadline);
    }
}

/// Scales down all `ReplicaSets` but those of `kept`, once their time is over.
pub(super) fn scale_down_old(scene: &mut Scene, kept: &[&str]) {
    for at in 0..scene.sets.len() {
        if kept.contains(&scene.sets[at].hash()) || wanted(scene, Some(at)) == 0 {
            continue;
        }
        let deadline = scene.sets[at].get()["metadata"]["annotations"][DEADLINE]
            .as_str()
            .and_then(|text| text.parse().ok());
        match deadline {
            Some(deadline) if deadline > scene.now => scene.wake_at(deadline),
            _ => {
                unmark(&mut scene.sets[at]);
                scale(scene, at, 0);
            }
        }
    }
}

/// Removes the oldest `ReplicaSets` without pods, beyond what the history is to keep.
pub(super) fn forget_old(scene: &mut Scene) {
    let kept =
        usize::try_from(number(scene.spec(), "/revisionHistoryLimit").unwrap_or(HISTORY_DEFAULT))
            .unwrap_or(0);
    let idle = |set: &&Held| {
        let present = number(set.get(), "/spec/replicas").unwrap_or(0)
            + number(set.get(), "/status/replicas").unwrap_or(0);
        set.hash() != scene.current_hash() && set.hash() != scene.stable_hash() && present == 0
    };
    let mut old: Vec<&Held> = scene.sets.iter().filter(idle).collect();
    old.sort_by_key(|set| std::cmp::Reverse(revision(set.get())));
    let keys: Vec<Key> = old
        .into_iter()
        .skip(kept)
        .map(|set| Key::new(Kind::ReplicaSet, scene.namespace(), set.name()))
        .collect();
    scene.removed.extend(keys);
}

/// Whether an object of the rollout was made before `at`.
pub(super) fn made_before(object: &Value, at: jiff::Timestamp) -> bool {
    time(object, "/metadata/creationTimestamp").is_some_and(|made| made < at)
}

/// The images of a template, for messages and for what the kubelet does with them.
pub(super) fn images(template: &Value) -> Vec<&str> {
    list(template, "/spec/containers")
        .iter()
        .map(|container| text(container, "/image"))
        .collect()
}
