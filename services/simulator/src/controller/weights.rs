//! The traffic weight of a canary: what the steps ask for, and what is reached.

use serde_json::{Value, json};

use super::context::RolloutContext;
use super::json::{add_seconds, number};
use super::{conditions, replicas, sets};

/// The percentage of the last `setWeight` at or before the current step.
pub(super) fn desired(ctx: &RolloutContext) -> i64 {
    let (index, steps) = (ctx.step_index(), ctx.steps());
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

pub(super) fn routed_weight(ctx: &RolloutContext) -> i64 {
    number(ctx.status(), "/canary/weights/canary/weight").unwrap_or(0)
}

/// Whether the router, or else the pods, have reached `weight` percent.
pub(super) fn is_reached(ctx: &RolloutContext, weight: i64) -> bool {
    let (new, stable) = (
        ctx.find_set(ctx.current_hash()),
        ctx.find_set(ctx.stable_hash()),
    );
    let target = replicas::target_split(ctx, weight);
    if ctx.has_router() {
        let verified = ctx.status()["canary"]["weights"]["verified"].as_bool() != Some(false);
        return routed_weight(ctx) == weight
            && verified
            && sets::available_pods(ctx, new) >= target.canary;
    }
    let canary = sets::available_pods(ctx, new) >= target.canary
        && sets::desired_pods(ctx, new) == target.canary;
    canary
        && sets::desired_pods(ctx, stable) == target.stable
        && sets::current_pods(ctx, stable) <= target.stable
}

/// Sets the router's weight. An AWS load balancer verifies it a second later.
pub(super) fn set_weight(ctx: &mut RolloutContext, weight: i64) {
    if !ctx.has_router() {
        return ctx.set_strategy_status("canary", "weights", Value::Null);
    }
    let before = ctx.status()["canary"]["weights"]["canary"]["weight"].as_i64();
    let canary = &ctx.spec()["strategy"]["canary"];
    let mut weights = json!({
        "canary": {
            "weight": weight, "serviceName": canary["canaryService"],
            "podTemplateHash": ctx.current_hash(),
        },
        "stable": {
            "weight": 100 - weight, "serviceName": canary["stableService"],
            "podTemplateHash": ctx.stable_hash(),
        },
    });
    if canary["trafficRouting"]["alb"].is_object() {
        let verified_before = &ctx.status()["canary"]["weights"]["verified"];
        let verified = before == Some(weight)
            && (verified_before.as_bool() == Some(true)
                || conditions::is_progress_a_second_old(ctx));
        weights["verified"] = verified.into();
        if !verified {
            ctx.wake_at(add_seconds(ctx.now, 1));
        }
    }
    ctx.set_strategy_status("canary", "weights", weights);
    let from = before.unwrap_or(0);
    if from != weight {
        ctx.record_event(
            "TrafficWeightUpdated",
            format!("Traffic weight updated from {from} to {weight}"),
        );
    }
}
