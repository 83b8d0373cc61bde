//! The blue-green strategy: the new version serves a preview until the active service switches to
//! it.

use serde_json::{Value, json};

use super::analysis::{self, AnalysisKind};
use super::context::RolloutContext;
use super::json::{add_seconds, flag, list, number, text};
use super::{pause, rollback, sets, steps, update};

const PAUSE: &str = "BlueGreenPause";
/// Seconds that the pods of an aborted preview stay if the spec does not say.
const ABORT_DELAY_SECONDS: i64 = 30;

pub(super) fn reconcile(ctx: &mut RolloutContext) {
    update::restart_if_retried(ctx);
    let hash = ctx.current_hash().to_owned();
    let Some(new) = ctx.find_set(&hash) else {
        return;
    };
    let replicas = ctx.replicas();
    if let Some(stable) = ctx.find_set(ctx.stable_hash()) {
        sets::scale(ctx, stable, replicas);
    }
    if ctx.is_fully_promoted() {
        reconcile_promoted(ctx, new, &hash);
    } else if ctx.is_aborted() {
        reconcile_aborted(ctx, new);
    } else if !flag(ctx.spec(), "/paused") {
        reconcile_update(ctx, new, &hash);
        if ctx.is_aborted() {
            reconcile_aborted(ctx, new);
        }
    }
    analysis::terminate_others(ctx);
}

/// What is done at once when the pod template has changed.
pub(super) fn follow_template(ctx: &mut RolloutContext) {
    let hash = ctx.current_hash().to_owned();
    set_selector(ctx, "previewSelector", &hash);
    if ctx.stable_hash().is_empty() {
        update::promote(ctx, "Initial deploy");
    }
}

fn strategy(ctx: &RolloutContext) -> &Value {
    &ctx.spec()["strategy"]["blueGreen"]
}

fn set_selector(ctx: &mut RolloutContext, which: &str, hash: &str) {
    ctx.set_strategy_status("blueGreen", which, hash.into());
}

fn reconcile_promoted(ctx: &mut RolloutContext, new: usize, hash: &str) {
    sets::cancel_scale_down(&mut ctx.sets[new]);
    if sets::available_pods(ctx, Some(new)) >= ctx.replicas() {
        set_selector(ctx, "activeSelector", hash);
    }
    set_selector(ctx, "previewSelector", hash);
    ctx.set_strategy_status("blueGreen", "scaleUpPreviewCheckPoint", Value::Null);
    for field in ["promoteFull", "pauseConditions", "controllerPause", "abort"] {
        ctx.set_status(field, Value::Null);
    }
    sets::scale_down_old(ctx, &[hash]);
}

fn reconcile_aborted(ctx: &mut RolloutContext, new: usize) {
    if ctx.status()["abortedAt"].is_null() {
        update::abort(ctx, "");
    }
    let stable = ctx.stable_hash().to_owned();
    set_selector(ctx, "activeSelector", &stable);
    let delay = number(strategy(ctx), "/abortScaleDownDelaySeconds").unwrap_or(ABORT_DELAY_SECONDS);
    sets::scale_down_aborted(ctx, new, delay);
}

/// Whether the update goes back to an older version whose pods still stand, or within the rollback
/// window: without pause and analysis.
fn is_fast_rollback(ctx: &RolloutContext, new: usize) -> bool {
    let stands = sets::scale_down_at(ctx, new).is_some_and(|deadline| deadline > ctx.now);
    (stands && rollback::is_rollback(ctx)) || rollback::is_within_rollback_window(ctx)
}

fn reconcile_update(ctx: &mut RolloutContext, new: usize, hash: &str) {
    let fast = is_fast_rollback(ctx, new);
    sets::cancel_scale_down(&mut ctx.sets[new]);
    set_selector(ctx, "previewSelector", hash);
    let kept = [hash.to_owned(), ctx.stable_hash().to_owned()];
    sets::scale_down_old(ctx, &[&kept[0], &kept[1]]);
    let promoting = flag(ctx.status(), "/promoteFull")
        || flag(ctx.status(), "/blueGreen/scaleUpPreviewCheckPoint");
    let preview = number(strategy(ctx), "/previewReplicaCount").filter(|_| !promoting);
    let wanted = preview.unwrap_or_else(|| ctx.replicas());
    sets::scale(ctx, new, wanted);
    if sets::available_pods(ctx, Some(new)) < wanted {
        return;
    }
    if text(ctx.status(), "/blueGreen/activeSelector") != hash {
        if !fast && !promoting && !may_switch(ctx) {
            return;
        }
        pause::end(ctx);
        if sets::available_pods(ctx, Some(new)) < ctx.replicas() {
            // The preview was smaller; it grows before it serves.
            ctx.set_strategy_status("blueGreen", "scaleUpPreviewCheckPoint", json!(true));
            let replicas = ctx.replicas();
            return sets::scale(ctx, new, replicas);
        }
        set_selector(ctx, "activeSelector", hash);
        ctx.record_event(
            "SwitchService",
            format!("Switched selector for the active service to '{hash}'"),
        );
    }
    let after = strategy(ctx)["postPromotionAnalysis"].clone();
    let is_skipped =
        fast || list(&after, "/templates").is_empty() || flag(ctx.status(), "/promoteFull");
    if is_skipped || steps::has_analysis_passed(ctx, AnalysisKind::PostPromotion, &after) {
        update::promote(ctx, "Completed blue-green update");
    }
}

/// Whether the analysis and the pause before the switch are over.
fn may_switch(ctx: &mut RolloutContext) -> bool {
    let before = strategy(ctx)["prePromotionAnalysis"].clone();
    if !list(&before, "/templates").is_empty()
        && !steps::has_analysis_passed(ctx, AnalysisKind::PrePromotion, &before)
    {
        return false;
    }
    let automatic = strategy(ctx)["autoPromotionEnabled"].as_bool() != Some(false);
    let after = number(strategy(ctx), "/autoPromotionSeconds");
    if (automatic && after.is_none()) || pause::is_resumed_by_user(ctx) {
        return true;
    }
    let Some(since) = pause::started_at(ctx, PAUSE) else {
        pause::begin(ctx, PAUSE);
        if let Some(after) = after {
            ctx.wake_at(add_seconds(ctx.now, after));
        }
        return false;
    };
    let Some(end) = after.map(|after| add_seconds(since, after)) else {
        return false;
    };
    ctx.wake_at(end);
    end <= ctx.now
}
