//! A `Rollout` of `argoproj.io/v1alpha1`.

use std::cell::RefCell;

use payops_core::domain::rollout::{
    ContainerImage, CurrentRun, PauseCondition, PauseLength, Phase, Replicas, Rollout, RolloutKey,
    RouterWeights, RunPhase, Step, Strategy,
};
use serde_json::Value;

use super::duration;
use super::fields::{Damage, Fields, Meta};

/// The rollout in `value`, whatever is in there. What cannot be read is told as phase `Unknown`.
pub(crate) fn rollout(value: &Value) -> Rollout {
    let damage: Damage = RefCell::default();
    let mut rollout = read(value, &damage);
    let damage = damage.into_inner();
    if !damage.is_empty() {
        // Nothing that is derived from a half-read object may pass for the controller's word.
        rollout.told_phase = Phase::Unknown;
        rollout.told_message = format!("cannot be read: {}", damage.join(", "));
        rollout.observed = true;
        rollout.workload_observed = true;
        rollout.controller_pause = false;
    }
    rollout
}

fn read(value: &Value, damage: &Damage) -> Rollout {
    let object = Fields::new("object", value, damage);
    let meta = Meta::new(object);
    let (spec, status) = (object.child("spec"), object.child("status"));
    let canary = status.child("canary");
    let generation = meta.fields.number("generation").unwrap_or_default();
    let workload_ref = spec.has("workloadRef");
    Rollout {
        key: RolloutKey {
            namespace: meta.fields.string("namespace"),
            name: meta.name(),
        },
        uid: meta.fields.string("uid"),
        resource_version: meta.fields.string("resourceVersion"),
        generation: u64::try_from(generation).unwrap_or_default(),
        created_at: meta.fields.time("creationTimestamp"),
        revision: meta.revision(),
        strategy: strategy(spec.child("strategy")),
        images: images(spec.child("template")),
        spec_paused: spec.is_set("paused"),
        workload_ref,
        observed: is_observed(status.text("observedGeneration"), Some(generation)),
        workload_observed: !workload_ref
            || is_observed(
                status.text("workloadObservedGeneration"),
                meta.annotations
                    .text("rollout.argoproj.io/workload-generation")
                    .parse()
                    .ok(),
            ),
        told_phase: Phase::from_name(status.text("phase")),
        told_message: status.string("message"),
        aborted: status.is_set("abort"),
        aborted_at: status.time("abortedAt"),
        promoting_full: status.is_set("promoteFull"),
        controller_pause: status.is_set("controllerPause"),
        pauses: status
            .objects("pauseConditions")
            .map(|pause| PauseCondition {
                reason: pause.string("reason"),
                since: pause.time("startTime"),
            })
            .collect(),
        step_index: status
            .number("currentStepIndex")
            .and_then(|index| usize::try_from(index).ok()),
        current_hash: status.string("currentPodHash"),
        stable_hash: status.string("stableRS"),
        replicas: replicas(spec, status),
        router: router(canary.child("weights")),
        step_analysis: current_run(canary.child("currentStepAnalysisRunStatus")),
        background_analysis: current_run(canary.child("currentBackgroundAnalysisRunStatus")),
        restarted_at: status.time("restartedAt"),
    }
}

/// Whether the controller has seen generation `wanted`. What it saw is a text; one that is no
/// number, or beyond the wanted one, counts as seen, as it does in the controller's own tools.
fn is_observed(seen: &str, wanted: Option<i64>) -> bool {
    match (seen.parse::<i64>(), wanted) {
        (Ok(seen), Some(wanted)) => seen >= wanted,
        _ => true,
    }
}

fn replicas(spec: Fields<'_>, status: Fields<'_>) -> Replicas {
    let count = |key| status.count(key).unwrap_or_default();
    Replicas {
        // The API server fills nothing in for a custom resource: absent means 1.
        desired: spec.count("replicas").unwrap_or(1),
        current: count("replicas"),
        updated: count("updatedReplicas"),
        ready: count("readyReplicas"),
        available: count("availableReplicas"),
    }
}

fn strategy(strategy: Fields<'_>) -> Strategy {
    if strategy.has("blueGreen") {
        let auto_promotion = strategy
            .child("blueGreen")
            .flag("autoPromotionEnabled")
            .unwrap_or(true);
        return Strategy::BlueGreen { auto_promotion };
    }
    let canary = strategy.child("canary");
    let steps = canary.objects("steps").map(step).collect();
    Strategy::Canary {
        steps,
        traffic_routing: canary.has("trafficRouting"),
    }
}

fn step(step: Fields<'_>) -> Step {
    if let Some(weight) = step.count("setWeight") {
        return Step::SetWeight(weight);
    }
    match step.first_key() {
        Some("pause") => pause(step.child("pause")),
        Some("analysis") => {
            let templates = step
                .child("analysis")
                .objects("templates")
                .map(|template| template.string("templateName"));
            Step::Analysis(templates.filter(|name| !name.is_empty()).collect())
        }
        Some("experiment") => Step::Experiment,
        Some("setCanaryScale") => Step::SetCanaryScale,
        Some("setHeaderRoute") => Step::SetHeaderRoute,
        Some("setMirrorRoute") => Step::SetMirrorRoute,
        Some("plugin") => Step::Plugin(step.child("plugin").string("name")),
        Some(other) => Step::Other(other.to_owned()),
        None => Step::Other(String::new()),
    }
}

fn pause(pause: Fields<'_>) -> Step {
    match pause.value("duration") {
        None => Step::Pause(PauseLength::UntilPromoted),
        // A length that nobody can read is neither a time nor a human that is waited for.
        Some(length) => duration::parse_value(length).map_or_else(
            || Step::Other("pause of unreadable length".to_owned()),
            |length| Step::Pause(PauseLength::For(length)),
        ),
    }
}

/// The images of a pod template: containers first, then init containers.
pub(super) fn images(template: Fields<'_>) -> Vec<ContainerImage> {
    let spec = template.child("spec");
    spec.objects("containers")
        .chain(spec.objects("initContainers"))
        .map(image)
        .collect()
}

fn image(container: Fields<'_>) -> ContainerImage {
    ContainerImage {
        container: container.string("name"),
        image: container.string("image"),
    }
}

fn router(weights: Fields<'_>) -> Option<RouterWeights> {
    let canary = weights.child("canary").count("weight").unwrap_or_default();
    weights.is_present().then(|| RouterWeights {
        canary,
        verified: weights.flag("verified"),
    })
}

fn current_run(run: Fields<'_>) -> Option<CurrentRun> {
    run.is_present().then(|| CurrentRun {
        name: run.string("name"),
        phase: RunPhase::from_name(run.text("status")),
        message: run.string("message"),
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use payops_core::domain::rollout::Waiting;
    use serde_json::json;

    use super::*;
    use crate::wire::fixture;

    #[test]
    fn a_canary_at_a_pause() {
        let rollout = rollout(&fixture::rollout());
        assert_eq!(rollout.key.to_string(), "payments/payments-api");
        assert_eq!(
            (
                rollout.uid.as_str(),
                rollout.resource_version.as_str(),
                rollout.generation
            ),
            ("ro-1", "88412", 14)
        );
        assert_eq!(rollout.revision, Some(7));
        assert_eq!(rollout.phase(), (Phase::Paused, "CanaryPauseStep"));
        assert_eq!(
            rollout.steps()[2],
            Step::Analysis(vec!["error-rate".to_owned(), "latency".to_owned()])
        );
        assert_eq!(
            rollout.steps()[1],
            Step::Pause(PauseLength::For(SignedDuration::from_mins(5)))
        );
        assert_eq!(rollout.steps()[3], Step::Pause(PauseLength::UntilPromoted));
        assert_eq!(
            rollout.steps()[4],
            Step::Plugin("argoproj-labs/step-exec".to_owned())
        );
        assert_eq!(
            rollout.steps()[5],
            Step::Other("setQuantumRoute".to_owned())
        );
        assert!(rollout.has_router());
        assert_eq!(
            rollout.router,
            Some(RouterWeights {
                canary: 25,
                verified: Some(true)
            })
        );
        assert_eq!(
            (rollout.weights().set, rollout.weights().observed),
            (250, Some(250))
        );
        assert_eq!(
            rollout.replicas,
            Replicas {
                desired: 8,
                current: 10,
                updated: 2,
                ready: 10,
                available: 10
            }
        );
        assert_eq!(rollout.pauses[0].since, "2026-11-22T06:10:00Z".parse().ok());
        assert_eq!(
            rollout.wait_state(),
            Waiting::Time {
                until: "2026-11-22T06:15:00Z".parse().expect("a time")
            }
        );
        let run = rollout.step_analysis.expect("a run");
        assert_eq!(
            (run.name.as_str(), run.phase, run.message.as_str()),
            ("payments-api-7-2", RunPhase::Inconclusive, "no verdict")
        );
        assert_eq!(rollout.background_analysis, None);
        let images: Vec<String> = rollout
            .images
            .iter()
            .map(|image| format!("{}={}", image.container, image.image))
            .collect();
        assert_eq!(
            images,
            [
                "api=registry/payments:1.8.0",
                "proxy=registry/proxy:3",
                "migrate=registry/migrate:1.8.0"
            ]
        );
    }

    #[track_caller]
    fn check_observed(seen: &Value, generation: i64, expected: bool) {
        let read = rollout(
            &json!({"metadata": {"name": "x", "generation": generation}, "status": {"observedGeneration": seen}}),
        );
        assert_eq!(read.observed, expected, "{seen} of {generation}");
    }

    #[test]
    fn the_observed_generation_is_a_text() {
        check_observed(&json!("13"), 14, false);
        check_observed(&json!("14"), 14, true);
        check_observed(&json!("15"), 14, true);
        check_observed(&json!("7d9f8c"), 14, true);
        check_observed(&json!(""), 14, true);
        check_observed(&Value::Null, 14, true);
    }

    #[track_caller]
    fn check_workload(annotation: &Value, seen: &Value, expected: bool) {
        let read = rollout(&json!({
            "metadata": {"annotations": {"rollout.argoproj.io/workload-generation": annotation}},
            "spec": {"workloadRef": {"kind": "Deployment", "name": "api"}},
            "status": {"workloadObservedGeneration": seen, "phase": "Healthy"}
        }));
        assert_eq!(read.workload_observed, expected, "{seen} of {annotation}");
        assert!(read.workload_ref && read.images.is_empty());
    }

    #[test]
    fn so_is_that_of_another_workload() {
        check_workload(&json!("3"), &json!("2"), false);
        check_workload(&json!("3"), &json!("3"), true);
        check_workload(&json!("3"), &Value::Null, true);
        check_workload(&Value::Null, &json!("2"), true);
    }

    #[test]
    fn a_blue_green() {
        let read =
            |spec: Value| rollout(&json!({"spec": {"strategy": {"blueGreen": spec}}})).strategy;
        assert_eq!(
            read(json!({"activeService": "a"})),
            Strategy::BlueGreen {
                auto_promotion: true
            }
        );
        assert_eq!(
            read(json!({"autoPromotionEnabled": false})),
            Strategy::BlueGreen {
                auto_promotion: false
            }
        );
    }

    #[test]
    fn a_new_one_has_no_status() {
        let read = rollout(
            &json!({"metadata": {"name": "x", "namespace": "n", "generation": 1}, "spec": {"replicas": 2}}),
        );
        assert_eq!(
            (read.phase(), read.replicas.desired, read.step_index),
            ((Phase::Unknown, ""), 2, None)
        );
        assert_eq!((read.router, read.step_analysis), (None, None));
    }

    #[test]
    fn a_short_pause_may_be_written_in_many_ways() {
        let read = |duration: Value| step_of(&json!({"pause": {"duration": duration}}));
        let for_seconds =
            |seconds| Step::Pause(PauseLength::For(SignedDuration::from_secs(seconds)));
        assert_eq!(read(json!(30)), for_seconds(30));
        assert_eq!(read(json!("30")), for_seconds(30));
        assert_eq!(read(json!("1h")), for_seconds(3600));
        assert_eq!(read(Value::Null), Step::Pause(PauseLength::UntilPromoted));
        assert_eq!(
            step_of(&json!({"pause": null})),
            Step::Pause(PauseLength::UntilPromoted)
        );
        assert_eq!(
            read(json!("soon")).to_string(),
            "pause of unreadable length"
        );
    }

    fn step_of(step: &Value) -> Step {
        rollout(&json!({"spec": {"strategy": {"canary": {"steps": [step]}}}})).steps()[0].clone()
    }

    #[track_caller]
    fn check_damage(value: &Value, message: &str) {
        let read = rollout(value);
        assert_eq!(read.phase(), (Phase::Unknown, message));
    }

    #[test]
    fn damage_is_told_and_hides_nothing_else() {
        check_damage(&json!("a rollout"), "cannot be read: object");
        check_damage(&json!([1, 2]), "cannot be read: object");
        check_damage(&json!({"status": "Healthy"}), "cannot be read: status");
        check_damage(
            &json!({"status": {"phase": 3, "observedGeneration": "1"}, "metadata": {"generation": 9}}),
            "cannot be read: status.phase",
        );
        check_damage(
            &json!({"spec": {"strategy": {"canary": {"steps": {}}}}, "status": {"phase": "Healthy"}}),
            "cannot be read: canary.steps",
        );
        check_damage(
            &json!({"spec": {"strategy": {"canary": {"steps": ["pause"]}}}, "status": {"phase": "Healthy"}}),
            "cannot be read: steps",
        );
        let mut damaged = fixture::rollout();
        damaged["status"]["pauseConditions"] = json!(7);
        let read = rollout(&damaged);
        assert_eq!(
            (read.key.name.as_str(), read.step_index, read.told_phase),
            ("payments-api", Some(1), Phase::Unknown)
        );
        assert_eq!(rollout(&json!({})).key.name, "(unnamed)");
    }
}
