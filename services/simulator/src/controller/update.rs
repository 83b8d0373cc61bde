//! Aborting, retrying and completing an update, for canary and blue-green.

use serde_json::{Value, json};

use super::analysis::{self, AnalysisKind};
use super::analysis_run::is_completed;
use super::context::RolloutContext;
use super::json::{flag, text};
use super::{conditions, pause, sets, weights};

/// Restarts the steps, with new analysis runs, if somebody has cleared an abort. A full promotion
/// ends an abort.
pub(super) fn restart_if_retried(ctx: &mut RolloutContext) {
    if ctx.is_aborted() && flag(ctx.status(), "/promoteFull") {
        ctx.set_status("abort", Value::Null);
        ctx.set_status("abortedAt", Value::Null);
    }
    if ctx.is_aborted() || ctx.status()["abortedAt"].is_null() {
        return;
    }
    let promote_full = flag(ctx.status(), "/promoteFull");
    sets::restart_steps(ctx);
    ctx.set_status(
        "promoteFull",
        if promote_full {
            json!(true)
        } else {
            Value::Null
        },
    );
    conditions::set(
        ctx,
        "Progressing",
        "True",
        "RolloutRetry",
        "Retrying Rollout after abort",
    );
    ctx.record_event("RolloutRetry", "Retrying Rollout after abort".to_owned());
}

/// Aborts the update. `why` is empty if a user asked for it.
pub(super) fn abort(ctx: &mut RolloutContext, why: &str) {
    let revision = ctx.revision();
    let mut message = format!("Rollout aborted update to revision {revision}");
    if !why.is_empty() {
        message = format!("{message}: {why}");
    }
    ctx.set_status("abort", true);
    ctx.set_status("abortedAt", super::json::to_rfc3339(ctx.now));
    for field in ["pauseConditions", "controllerPause"] {
        ctx.set_status(field, Value::Null);
    }
    for kind in AnalysisKind::NAMED_IN_STATUS {
        let (strategy, field) = kind.status_field();
        if !is_completed(text(&ctx.status()[strategy][field], "/status")) {
            analysis::clear_status(ctx, kind);
        }
    }
    ctx.set_strategy_status("canary", "currentExperiment", Value::Null);
    if !ctx.is_blue_green() {
        ctx.set_status("currentStepIndex", 0);
    }
    conditions::set(ctx, "Progressing", "False", "RolloutAborted", &message);
    ctx.record_warning("RolloutAborted", message);
}

/// Makes the new version the stable one.
pub(super) fn promote(ctx: &mut RolloutContext, why: &str) {
    let (hash, old) = (ctx.current_hash().to_owned(), ctx.stable_hash().to_owned());
    ctx.set_status("stableRS", hash.clone());
    ctx.set_status("promoteFull", Value::Null);
    pause::end(ctx);
    if ctx.has_router() || ctx.is_blue_green() {
        sets::schedule_scale_down(ctx, &old);
    }
    for kind in [AnalysisKind::Step(0), AnalysisKind::Background] {
        analysis::clear_status(ctx, kind);
    }
    if !ctx.is_blue_green() {
        weights::set_weight(ctx, 0);
    }
    ctx.record_event(
        "RolloutCompleted",
        format!(
            "Rollout completed update to revision {} ({hash}): {why}",
            ctx.revision()
        ),
    );
}
