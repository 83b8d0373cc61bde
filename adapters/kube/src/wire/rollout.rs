//! A `Rollout` of `argoproj.io/v1alpha1`.

use std::cell::RefCell;

use jiff::SignedDuration;
use payops_core::Timestamp;
use payops_core::domain::rollout::{
    BlueGreen, ContainerImage, CurrentRun, PauseCondition, PauseLength, Phase, Replicas, Rollout,
    RolloutKey, RouterWeights, RunPhase, Step, Strategy, WorkloadRef,
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
    let workload_ref = workload_ref(spec.child("workloadRef"));
    let observed = status.text("observedGeneration");
    let workload_seen = status.text("workloadObservedGeneration");
    let scale = max_weight(spec);
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
        strategy: strategy(spec.child("strategy"), status.child("blueGreen"), scale),
        images: images(spec.child("template")),
        spec_paused: spec.is_set("paused"),
        taken_up: status.first_key().is_some(),
        observed: is_observed(observed, Some(generation)),
        observed_generation: observed.parse().ok(),
        workload_observed: workload_ref.is_none()
            || is_observed(
                workload_seen,
                meta.annotations
                    .text("rollout.argoproj.io/workload-generation")
                    .parse()
                    .ok(),
            ),
        workload_generation: workload_seen.parse().ok(),
        workload_ref,
        written_at: written_at(meta.fields),
        invalid: invalid(status, meta.fields.text("name")),
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
        canary_available: None,
        router: router(canary.child("weights"), scale),
        step_analysis: current_run(canary.child("currentStepAnalysisRunStatus")),
        background_analysis: current_run(canary.child("currentBackgroundAnalysisRunStatus")),
        restarted_at: status.time("restartedAt"),
        rollback_window: spec.child("rollbackWindow").count("revisions"),
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

/// What a router's weights are out of: `maxTrafficWeight`, or else 100.
fn max_weight(spec: Fields<'_>) -> u32 {
    let canary = spec.child("strategy").child("canary");
    let max = canary.child("trafficRouting").count("maxTrafficWeight");
    max.filter(|max| *max > 0).unwrap_or(100)
}

/// A weight out of `scale`, in thousandths of all traffic; what is more than nothing stays so.
fn thousandths(weight: u32, scale: u32) -> u32 {
    let exact = u64::from(weight).saturating_mul(1000);
    let rounded = exact
        .saturating_add(u64::from(scale) / 2)
        .checked_div(u64::from(scale))
        .unwrap_or_default();
    u32::try_from(rounded)
        .unwrap_or(u32::MAX)
        .max(u32::from(weight > 0))
}

fn workload_ref(reference: Fields<'_>) -> Option<WorkloadRef> {
    reference.is_present().then(|| WorkloadRef {
        api_version: reference.string("apiVersion"),
        kind: reference.string("kind"),
        name: reference.string("name"),
    })
}

/// Why the spec cannot be rolled out. The controller's sentence begins with the rollout's name,
/// which everybody who reads it knows.
fn invalid(status: Fields<'_>, name: &str) -> Option<String> {
    let condition = status.objects("conditions").find(|condition| {
        condition.text("type") == "InvalidSpec" && condition.text("status") == "True"
    })?;
    let message = condition.text("message");
    let head = format!("The Rollout \"{name}\" is invalid: ");
    Some(message.strip_prefix(&head).unwrap_or(message).to_owned())
}

/// The latest write by anybody but the controller. A write that only takes fields away leaves no
/// trace.
fn written_at(meta: Fields<'_>) -> Option<Timestamp> {
    meta.objects("managedFields")
        .filter(|entry| entry.text("manager") != "rollouts-controller")
        .filter_map(|entry| entry.time("time"))
        .max()
}

fn blue_green(spec: Fields<'_>, status: Fields<'_>) -> BlueGreen {
    let seconds = |key| {
        spec.count(key)
            .map(|seconds| SignedDuration::from_secs(seconds.into()))
    };
    let delay = SignedDuration::from_secs(30);
    let preview = spec.string("previewService");
    BlueGreen {
        auto_promotion: spec.flag("autoPromotionEnabled").unwrap_or(true),
        auto_promotion_after: seconds("autoPromotionSeconds").filter(|after| !after.is_zero()),
        active_service: spec.string("activeService"),
        preview_service: Some(preview).filter(|name| !name.is_empty()),
        active_hash: status.string("activeSelector"),
        preview_hash: status.string("previewSelector"),
        preview_replicas: spec.count("previewReplicaCount"),
        scale_down_delay: seconds("scaleDownDelaySeconds").unwrap_or(delay),
        abort_scale_down_delay: match seconds("abortScaleDownDelaySeconds") {
            Some(never) if never.is_zero() => None,
            some => Some(some.unwrap_or(delay)),
        },
        pre_promotion_analysis: spec.has("prePromotionAnalysis"),
        post_promotion_analysis: spec.has("postPromotionAnalysis"),
    }
}

fn strategy(strategy: Fields<'_>, status: Fields<'_>, scale: u32) -> Strategy {
    if strategy.has("blueGreen") {
        return Strategy::BlueGreen(blue_green(strategy.child("blueGreen"), status));
    }
    let canary = strategy.child("canary");
    let steps = canary
        .objects("steps")
        .map(|fields| step(fields, scale))
        .collect();
    Strategy::Canary {
        steps,
        traffic_routing: canary.has("trafficRouting"),
    }
}

fn step(step: Fields<'_>, scale: u32) -> Step {
    if let Some(weight) = step.count("setWeight") {
        return Step::SetWeight(thousandths(weight, scale));
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

fn router(weights: Fields<'_>, scale: u32) -> Option<RouterWeights> {
    let canary = weights.child("canary").count("weight").unwrap_or_default();
    weights.is_present().then(|| RouterWeights {
        canary: thousandths(canary, scale),
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
                canary: 250,
                verified: Some(true)
            })
        );
        assert_eq!(
            rollout
                .weights()
                .map(|weights| (weights.set, weights.observed)),
            Some((250, Some(250)))
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
            "spec": {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}},
            "status": {"workloadObservedGeneration": seen, "phase": "Healthy"}
        }));
        assert_eq!(read.workload_observed, expected, "{seen} of {annotation}");
        assert_eq!(
            read.workload_ref.map(|of| of.resource()),
            Some("deployments.apps".to_owned())
        );
        assert!(read.images.is_empty());
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
        let read = |spec: Value| {
            let object = json!({
                "spec": {"strategy": {"blueGreen": spec}},
                "status": {"blueGreen": {"activeSelector": "a", "previewSelector": "b"}},
            });
            rollout(&object)
                .blue_green()
                .cloned()
                .expect("a blue-green")
        };
        let seconds = SignedDuration::from_secs;
        let plain = read(json!({"activeService": "api"}));
        assert!(plain.auto_promotion && plain.preview_service.is_none());
        assert_eq!(
            (plain.active_hash.as_str(), plain.preview_hash.as_str()),
            ("a", "b")
        );
        assert_eq!(plain.scale_down_delay, seconds(30));
        assert_eq!(plain.abort_scale_down_delay, Some(seconds(30)));
        let full = read(json!({
            "activeService": "api", "previewService": "api-preview",
            "autoPromotionEnabled": false, "autoPromotionSeconds": 90, "previewReplicaCount": 1,
            "scaleDownDelaySeconds": 600, "abortScaleDownDelaySeconds": 0,
            "prePromotionAnalysis": {"templates": []}, "postPromotionAnalysis": {"templates": []},
        }));
        assert!(
            !full.auto_promotion && full.pre_promotion_analysis && full.post_promotion_analysis
        );
        assert_eq!(full.auto_promotion_after, Some(seconds(90)));
        assert_eq!(full.preview_service.as_deref(), Some("api-preview"));
        assert_eq!(
            (full.scale_down_delay, full.abort_scale_down_delay),
            (seconds(600), None)
        );
    }

    #[track_caller]
    fn check_weight(weight: u32, max: Option<u32>, expected: &str) {
        let mut routing = json!({"nginx": {}});
        if let Some(max) = max {
            routing["maxTrafficWeight"] = json!(max);
        }
        let read = rollout(&json!({
            "spec": {"strategy": {"canary": {
                "trafficRouting": routing, "steps": [{"setWeight": weight}, {"pause": {}}],
            }}},
            "status": {
                "currentStepIndex": 1, "currentPodHash": "b", "stableRS": "a",
                "canary": {"weights": {"canary": {"weight": weight}}},
            },
        }));
        let weights = read.weights().expect("weights");
        let show = payops_core::domain::display::percent;
        let told = [
            weights.desired,
            weights.set,
            weights.observed.expect("known"),
        ]
        .map(show);
        assert_eq!(told, [expected, expected, expected], "{weight} of {max:?}");
        assert_eq!(read.steps()[0].to_string(), expected);
    }

    #[test]
    fn weights_are_shares_of_the_largest_weight() {
        check_weight(5, Some(1000), "0.5 %");
        check_weight(500, Some(1000), "50 %");
        check_weight(25, None, "25 %");
        check_weight(25, Some(0), "25 %");
        check_weight(1, Some(3), "33.3 %");
        check_weight(1, Some(100_000), "0.1 %");
    }

    #[test]
    fn a_spec_that_cannot_be_rolled_out_has_no_weights_and_a_reason() {
        let message = "The Rollout \"api\" is invalid: deployments.apps \"n/api\" not found";
        let read = rollout(&json!({
            "metadata": {"name": "api", "generation": 1},
            "spec": {"strategy": {"canary": {"steps": [{"setWeight": 50}]}}},
            "status": {
                "phase": "Degraded", "message": format!("InvalidSpec: {message}"),
                "observedGeneration": "1",
                "conditions": [{"type": "InvalidSpec", "status": "True", "message": message}],
            },
        }));
        assert_eq!(read.weights(), None);
        let Waiting::Human { why, .. } = read.wait_state() else {
            panic!("it waits for a person");
        };
        assert_eq!(why, "invalid spec: deployments.apps \"n/api\" not found");
    }

    #[test]
    fn a_new_one_has_no_status() {
        let read = rollout(
            &json!({"metadata": {"name": "x", "namespace": "n", "generation": 1}, "spec": {"replicas": 2}}),
        );
        assert_eq!(
            (read.phase(), read.replicas.desired, read.step_index),
            ((Phase::Unknown, "no controller has taken it up"), 2, None)
        );
        assert_eq!((read.weights(), read.untaken()), (None, None));
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
