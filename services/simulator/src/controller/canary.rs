//! A canary: where it stands as a whole, the weights, and the numbers of pods that follow.

use serde_json::{Value, json};

use super::analysis::{self, Cause};
use super::json::{flag, later, number, seconds, text, time};
use super::measure::is_done;
use super::scene::Scene;
use super::{pause, replicas, sets, status, steps};

/// Seconds that the pods of an aborted canary stay behind a router when the spec does not say.
const ABORT_DELAY_SECONDS: i64 = 30;

pub(super) fn reconcile(scene: &mut Scene) {
    let stable_is_there = scene.set_of(scene.stable_hash()).is_some();
    notice_retry(scene);
    if !stable_is_there {
        first(scene);
    } else if scene.is_fully_promoted() {
        settled(scene);
    } else if scene.is_aborted() {
        aborted(scene);
    } else if flag(scene.spec(), "/paused") {
        // By hand: everything stays where it is.
    } else {
        steps::advance(scene);
        if scene.is_aborted() {
            aborted(scene)
        } else {
            under_way(scene)
        }
    }
    analysis::end_others(scene);
}

/// An abort that was taken back: the steps begin anew, with new analysis runs.
pub(super) fn notice_retry(scene: &mut Scene) {
    if scene.is_aborted() || scene.status()["abortedAt"].is_null() {
        return;
    }
    let promote_full = flag(scene.status(), "/promoteFull");
    sets::restart_steps(scene);
    scene.set_status(
        "promoteFull",
        if promote_full {
            json!(true)
        } else {
            Value::Null
        },
    );
    status::set_condition(
        scene,
        "Progressing",
        "True",
        "RolloutRetry",
        "Retrying Rollout after abort",
    );
    scene.note("RolloutRetry", "Retrying Rollout after abort".to_owned());
}

/// Gives up on the new version. `why` is empty when somebody said so.
pub(super) fn abort(scene: &mut Scene, why: &str) {
    let revision = scene.revision();
    let mut message = format!("Rollout aborted update to revision {revision}");
    if !why.is_empty() {
        message = format!("{message}: {why}");
    }
    scene.set_status("abort", true);
    scene.set_status("abortedAt", super::json::stamp(scene.now));
    for field in ["pauseConditions", "controllerPause"] {
        scene.set_status(field, Value::Null);
    }
    for cause in [
        Cause::Step(0),
        Cause::Background,
        Cause::PrePromotion,
        Cause::PostPromotion,
    ] {
        let (strategy, field) = cause.place();
        if !is_done(text(&scene.status()[strategy][field], "/status")) {
            analysis::leave(scene, cause);
        }
    }
    scene.set_strategy_status("canary", "currentExperiment", Value::Null);
    if !scene.is_blue_green() {
        scene.set_status("currentStepIndex", 0);
    }
    status::set_condition(scene, "Progressing", "False", "RolloutAborted", &message);
    scene.warn("RolloutAborted", message);
}

fn aborted(scene: &mut Scene) {
    if scene.status()["abortedAt"].is_null() {
        abort(scene, "");
    }
    route(scene, 0);
    let (Some(new), Some(stable)) = (
        scene.set_of(scene.current_hash()),
        scene.set_of(scene.stable_hash()),
    ) else {
        return;
    };
    let replicas = scene.replicas();
    if !scene.has_router() {
        return replicas::toward(scene, &[(stable, replicas), (new, 0)]);
    }
    sets::scale(scene, stable, replicas);
    let delay = number(scene.spec(), "/strategy/canary/abortScaleDownDelaySeconds")
        .unwrap_or(ABORT_DELAY_SECONDS);
    let over = time(scene.status(), "/abortedAt").map_or(scene.now, |at| later(at, delay));
    if over > scene.now {
        scene.wake_at(over);
    } else if delay > 0 {
        sets::scale(scene, new, 0);
    }
}

/// The first version: it has no steps to take.
fn first(scene: &mut Scene) {
    let (count, replicas) = (scene.steps().len(), scene.replicas());
    scene.set_status("currentStepIndex", count);
    let Some(new) = scene.set_of(scene.current_hash()) else {
        return;
    };
    sets::scale(scene, new, replicas);
    if sets::available(scene, Some(new)) >= replicas {
        promote(scene, "Initial deploy");
    }
}

/// Nothing is being rolled out: the stable version has all its pods, older ones go.
fn settled(scene: &mut Scene) {
    let (count, replicas) = (scene.steps().len(), scene.replicas());
    scene.set_status("currentStepIndex", count);
    for field in ["promoteFull", "pauseConditions", "controllerPause", "abort"] {
        scene.set_status(field, Value::Null);
    }
    analysis::leave(scene, Cause::Step(0));
    analysis::leave(scene, Cause::Background);
    route(scene, 0);
    let Some(stable) = scene.set_of(scene.stable_hash()) else {
        return;
    };
    if scene.has_router() {
        sets::scale(scene, stable, replicas);
        let hash = scene.stable_hash().to_owned();
        sets::scale_down_old(scene, &[&hash]);
    } else {
        let mut targets = vec![(stable, replicas)];
        targets.extend(
            (0..scene.sets.len())
                .filter(|at| *at != stable)
                .map(|at| (at, 0)),
        );
        replicas::toward(scene, &targets);
    }
}

/// The percent that the steps ask for: the last `setWeight` at or before the current step.
pub(super) fn desired_weight(scene: &Scene) -> i64 {
    let (index, steps) = (scene.step_index(), scene.steps());
    if index >= steps.len() {
        return 100;
    }
    steps
        .iter()
        .take(index + 1)
        .rev()
        .find_map(|step| number(step, "/setWeight"))
        .unwrap_or(0)
        .clamp(0, 100)
}

fn under_way(scene: &mut Scene) {
    let (Some(new), Some(stable)) = (
        scene.set_of(scene.current_hash()),
        scene.set_of(scene.stable_hash()),
    ) else {
        return;
    };
    let weight = desired_weight(scene);
    let split = replicas::target(scene, weight);
    if scene.has_router() {
        sets::scale(scene, new, split.canary);
        sets::scale(scene, stable, split.stable);
        let kept = [
            scene.current_hash().to_owned(),
            scene.stable_hash().to_owned(),
        ];
        sets::scale_down_old(scene, &[&kept[0], &kept[1]]);
        let lowered = weight < routed(scene);
        if lowered || sets::available(scene, Some(new)) >= split.canary {
            route(scene, weight);
        }
    } else {
        let mut targets = vec![(new, split.canary), (stable, split.stable)];
        targets.extend(
            (0..scene.sets.len())
                .filter(|at| *at != new && *at != stable)
                .map(|at| (at, 0)),
        );
        replicas::toward(scene, &targets);
    }
    let all = scene.step_index() >= scene.steps().len()
        && sets::available(scene, Some(new)) >= scene.replicas();
    if all && is_at(scene, 100) {
        promote(
            scene,
            &format!("Completed all {} canary steps", scene.steps().len()),
        );
    }
}

fn routed(scene: &Scene) -> i64 {
    number(scene.status(), "/canary/weights/canary/weight").unwrap_or(0)
}

/// Whether `weight` percent are reached: by the router, or by the pods.
pub(super) fn is_at(scene: &Scene, weight: i64) -> bool {
    let (new, stable) = (
        scene.set_of(scene.current_hash()),
        scene.set_of(scene.stable_hash()),
    );
    let target = replicas::target(scene, weight);
    if scene.has_router() {
        let verified = scene.status()["canary"]["weights"]["verified"].as_bool() != Some(false);
        return routed(scene) == weight && verified && sets::available(scene, new) >= target.canary;
    }
    let canary =
        sets::available(scene, new) >= target.canary && sets::wanted(scene, new) == target.canary;
    canary
        && sets::wanted(scene, stable) == target.stable
        && sets::present(scene, stable) <= target.stable
}

/// Tells the router a weight. Behind an AWS load balancer it is verified a second later.
fn route(scene: &mut Scene, weight: i64) {
    if !scene.has_router() {
        return scene.set_strategy_status("canary", "weights", Value::Null);
    }
    let before = scene.status()["canary"]["weights"]["canary"]["weight"].as_i64();
    let canary = &scene.spec()["strategy"]["canary"];
    let mut weights = json!({
        "canary": {"weight": weight, "serviceName": canary["canaryService"], "podTemplateHash": scene.current_hash()},
        "stable": {"weight": 100 - weight, "serviceName": canary["stableService"], "podTemplateHash": scene.stable_hash()},
    });
    if canary["trafficRouting"]["alb"].is_object() {
        let known = &scene.status()["canary"]["weights"]["verified"];
        let verified =
            before == Some(weight) && (known.as_bool() == Some(true) || status::has_rested(scene));
        weights["verified"] = verified.into();
        if !verified {
            scene.wake_at(later(scene.now, 1));
        }
    }
    scene.set_strategy_status("canary", "weights", weights);
    let from = before.unwrap_or(0);
    if from != weight {
        scene.note(
            "TrafficWeightUpdated",
            format!("Traffic weight updated from {from} to {weight}"),
        );
    }
}

pub(super) fn promote(scene: &mut Scene, why: &str) {
    let (hash, old) = (
        scene.current_hash().to_owned(),
        scene.stable_hash().to_owned(),
    );
    scene.set_status("stableRS", hash.clone());
    scene.set_status("promoteFull", Value::Null);
    pause::end(scene);
    if scene.has_router() || scene.is_blue_green() {
        sets::mark(scene, &old);
    }
    for cause in [Cause::Step(0), Cause::Background] {
        analysis::leave(scene, cause);
    }
    if !scene.is_blue_green() {
        route(scene, 0);
    }
    scene.note(
        "RolloutCompleted",
        format!(
            "Rollout completed update to revision {} ({hash}): {why}",
            scene.revision()
        ),
    );
}

/// When a pause that began at `since` ends; `None` for one without an end.
pub(super) fn pause_end(step: &Value, since: jiff::Timestamp) -> Option<jiff::Timestamp> {
    seconds(&step["pause"]["duration"]).map(|length| later(since, length))
}
