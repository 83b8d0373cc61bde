//! The canary strategy: scales the versions, and sets the weight that the steps ask for.

use serde_json::Value;

use super::analysis::{self, AnalysisKind};
use super::context::RolloutContext;
use super::json::{flag, number};
use super::{replicas, sets, steps, update, weights};

/// Seconds that the pods of an aborted canary stay behind a router if the spec does not say.
const ABORT_DELAY_SECONDS: i64 = 30;

pub(super) fn reconcile(ctx: &mut RolloutContext) {
    let has_stable = ctx.find_set(ctx.stable_hash()).is_some();
    update::restart_if_retried(ctx);
    if !has_stable {
        update::promote(ctx, "Initial deploy");
        reconcile_promoted(ctx);
    } else if ctx.is_fully_promoted() {
        reconcile_promoted(ctx);
    } else if ctx.is_aborted() {
        if !ctx.status()["abortedAt"].is_null() {
            // The pass that aborted said which run failed; from the next one on there is none.
            analysis::clear_status(ctx, AnalysisKind::Step(0));
            analysis::clear_status(ctx, AnalysisKind::Background);
        }
        reconcile_aborted(ctx);
    } else if flag(ctx.spec(), "/paused") {
        // Paused by a user: nothing changes.
    } else {
        // Whether a step is complete depends on the weight that is set.
        route(ctx);
        steps::advance(ctx);
        if ctx.is_aborted() {
            reconcile_aborted(ctx);
        } else {
            reconcile_update(ctx);
        }
    }
    analysis::terminate_others(ctx);
}

fn reconcile_aborted(ctx: &mut RolloutContext) {
    if ctx.status()["abortedAt"].is_null() {
        update::abort(ctx, "");
    }
    weights::set_weight(ctx, 0);
    let (Some(new), Some(stable)) = (
        ctx.find_set(ctx.current_hash()),
        ctx.find_set(ctx.stable_hash()),
    ) else {
        return;
    };
    let replicas = ctx.replicas();
    if !ctx.has_router() {
        return replicas::scale_toward(ctx, &[(stable, replicas), (new, 0)]);
    }
    sets::scale(ctx, stable, replicas);
    let delay = number(ctx.spec(), "/strategy/canary/abortScaleDownDelaySeconds")
        .unwrap_or(ABORT_DELAY_SECONDS);
    sets::scale_down_aborted(ctx, new, delay);
}

/// No update is under way: the stable version has all its pods, older ones go.
fn reconcile_promoted(ctx: &mut RolloutContext) {
    let (count, replicas) = (ctx.steps().len(), ctx.replicas());
    ctx.set_status("currentStepIndex", count);
    for field in ["promoteFull", "pauseConditions", "controllerPause", "abort"] {
        ctx.set_status(field, Value::Null);
    }
    analysis::clear_status(ctx, AnalysisKind::Step(0));
    analysis::clear_status(ctx, AnalysisKind::Background);
    weights::set_weight(ctx, 0);
    let Some(stable) = ctx.find_set(ctx.stable_hash()) else {
        return;
    };
    if ctx.has_router() {
        sets::scale(ctx, stable, replicas);
        let hash = ctx.stable_hash().to_owned();
        sets::scale_down_old(ctx, &[&hash]);
    } else {
        let mut targets = vec![(stable, replicas)];
        targets.extend(
            (0..ctx.sets.len())
                .filter(|at| *at != stable)
                .map(|at| (at, 0)),
        );
        replicas::scale_toward(ctx, &targets);
    }
}

/// Tells the router the weight of the current step, once enough pods of the new version are there.
fn route(ctx: &mut RolloutContext) {
    let (true, Some(new)) = (ctx.has_router(), ctx.find_set(ctx.current_hash())) else {
        return;
    };
    let weight = weights::desired(ctx);
    let split = replicas::target_split(ctx, weight);
    let is_lowered = weight < weights::routed_weight(ctx);
    if is_lowered || sets::available_pods(ctx, Some(new)) >= split.canary {
        weights::set_weight(ctx, weight);
    }
}

fn reconcile_update(ctx: &mut RolloutContext) {
    let (Some(new), Some(stable)) = (
        ctx.find_set(ctx.current_hash()),
        ctx.find_set(ctx.stable_hash()),
    ) else {
        return;
    };
    let weight = weights::desired(ctx);
    let split = replicas::target_split(ctx, weight);
    if ctx.has_router() {
        sets::scale(ctx, new, split.canary);
        sets::scale(ctx, stable, split.stable);
        let kept = [ctx.current_hash().to_owned(), ctx.stable_hash().to_owned()];
        sets::scale_down_old(ctx, &[&kept[0], &kept[1]]);
    } else {
        let mut targets = vec![(new, split.canary), (stable, split.stable)];
        targets.extend(
            (0..ctx.sets.len())
                .filter(|at| *at != new && *at != stable)
                .map(|at| (at, 0)),
        );
        replicas::scale_toward(ctx, &targets);
    }
    let all = ctx.step_index() >= ctx.steps().len()
        && sets::available_pods(ctx, Some(new)) >= ctx.replicas();
    // Without a router, pods of the old version may still be on their way out.
    if all && (!ctx.has_router() || weights::is_reached(ctx, 100)) {
        update::promote(
            ctx,
            &format!("Completed all {} canary steps", ctx.steps().len()),
        );
    }
}
