//! Conditions of a rollout: `status.conditions`.

use serde_json::{Value, json};

use super::context::RolloutContext;
use super::json::{add_seconds, list, text, time, to_rfc3339};

pub(super) fn find<'a>(ctx: &'a RolloutContext, class: &str) -> &'a Value {
    list(ctx.status(), "/conditions")
        .iter()
        .find(|condition| text(condition, "/type") == class)
        .unwrap_or(&Value::Null)
}

/// Sets a condition. Keeps its transition time if its status stays the same.
pub(super) fn set(ctx: &mut RolloutContext, class: &str, truth: &str, reason: &str, message: &str) {
    let now = to_rfc3339(ctx.now);
    let mut conditions = list(ctx.status(), "/conditions").to_vec();
    let mut condition = json!({
        "type": class, "status": truth, "reason": reason, "message": message,
        "lastTransitionTime": now, "lastUpdateTime": now,
    });
    if let Some(existing) = conditions
        .iter_mut()
        .find(|existing| text(existing, "/type") == class)
    {
        if existing["status"] == condition["status"] {
            if existing["reason"] == condition["reason"]
                && existing["message"] == condition["message"]
            {
                return;
            }
            condition["lastTransitionTime"] = existing["lastTransitionTime"].clone();
        }
        *existing = condition;
    } else {
        conditions.push(condition);
    }
    ctx.set_status("conditions", conditions);
}

pub(super) fn remove(ctx: &mut RolloutContext, class: &str) {
    let others = list(ctx.status(), "/conditions")
        .iter()
        .filter(|existing| text(existing, "/type") != class)
        .cloned();
    let others: Vec<Value> = others.collect();
    ctx.set_status("conditions", others);
}

/// Whether the last progress, including a change of the weight, was at least a second ago.
pub(super) fn is_progress_a_second_old(ctx: &RolloutContext) -> bool {
    time(find(ctx, "Progressing"), "/lastUpdateTime").is_none_or(|at| add_seconds(at, 1) <= ctx.now)
}
