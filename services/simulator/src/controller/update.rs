//! Aborting, retrying and completing an update, for canary and blue-green.

use serde_json::{Value, json};

use super::analysis::{self, AnalysisKind};
use super::analysis_run::is_completed;
use super::context::{RolloutContext, WorkingCopy};
use super::json::{flag, number, text, time};
use super::{conditions, pause, sets, weights};

/// Whether the new version is older than the stable one.
pub(super) fn is_rollback(ctx: &RolloutContext) -> bool {
    let created = |hash| {
        let set = ctx.find_set(hash)?;
        time(ctx.sets[set].get(), "/metadata/creationTimestamp")
    };
    match (created(ctx.current_hash()), created(ctx.stable_hash())) {
        (Some(new), Some(stable)) => new < stable,
        _ => false,
    }
}

/// Whether the update goes back by no more versions than `spec.rollbackWindow` allows.
pub(super) fn is_within_rollback_window(ctx: &RolloutContext) -> bool {
    let Some(revisions) = number(ctx.spec(), "/rollbackWindow/revisions") else {
        return false;
    };
    let created = |set: &WorkingCopy| time(set.get(), "/metadata/creationTimestamp");
    let of = |hash| ctx.find_set(hash).and_then(|at| created(&ctx.sets[at]));
    let (new, stable) = (of(ctx.current_hash()), of(ctx.stable_hash()));
    let between = ctx.sets.iter().filter(|set| {
        let at = created(set);
        new < at && at < stable
    });
    is_rollback(ctx) && i64::try_from(between.count()).is_ok_and(|count| count < revisions)
}

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
