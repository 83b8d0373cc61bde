//! Pauses by the controller: `status.pauseConditions`, and `status.controllerPause`, which remains
//! when somebody removes the conditions. That is how the controller notices a promotion.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::context::RolloutContext;
use super::json::{flag, list, text, time, to_rfc3339};

pub(super) fn started_at(ctx: &RolloutContext, reason: &str) -> Option<Timestamp> {
    let condition = list(ctx.status(), "/pauseConditions")
        .iter()
        .find(|pause| text(pause, "/reason") == reason)?;
    Some(time(condition, "/startTime").unwrap_or(ctx.now))
}

pub(super) fn is_paused(ctx: &RolloutContext) -> bool {
    !list(ctx.status(), "/pauseConditions").is_empty()
}

pub(super) fn is_resumed_by_user(ctx: &RolloutContext) -> bool {
    flag(ctx.status(), "/controllerPause") && !is_paused(ctx)
}

pub(super) fn begin(ctx: &mut RolloutContext, reason: &str) {
    if started_at(ctx, reason).is_some() {
        return;
    }
    let mut pauses = list(ctx.status(), "/pauseConditions").to_vec();
    pauses.push(json!({"reason": reason, "startTime": to_rfc3339(ctx.now)}));
    ctx.set_status("pauseConditions", pauses);
    ctx.set_status("controllerPause", true);
    ctx.record_event("RolloutPaused", format!("Rollout is paused ({reason})"));
}

pub(super) fn end(ctx: &mut RolloutContext) {
    if flag(ctx.status(), "/controllerPause") {
        ctx.record_event("RolloutResumed", "Rollout is resumed".to_owned());
    }
    ctx.set_status("pauseConditions", Value::Null);
    ctx.set_status("controllerPause", Value::Null);
}
