//! What speaks against going on with a replay: rollouts that failed, or that are under way.

use payops_core::domain::rollout::{Phase, Rollout};

use crate::clusters;
use crate::context::Caller;
use crate::settings::EnvTarget;

async fn rollouts(target: &EnvTarget, caller: &Caller) -> Vec<Rollout> {
    let Ok(clusters) = clusters::of(target, caller).await else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for cluster in clusters {
        out.extend(cluster.list().await.unwrap_or_default());
    }
    out
}

fn consumes(rollout: &Rollout) -> bool {
    rollout.key.name.contains("worker")
}

/// Alarms: consumers whose rollouts failed. A cluster that does not answer raises none.
pub(crate) async fn of_rollouts(target: &EnvTarget, caller: &Caller) -> Vec<String> {
    let failed = |rollout: &Rollout| rollout.phase().0 == Phase::Degraded && !rollout.aborted;
    let rollouts = rollouts(target, caller).await;
    rollouts
        .iter()
        .filter(|rollout| consumes(rollout) && failed(rollout))
        .map(|rollout| format!("{} is degraded", rollout.key))
        .collect()
}

/// Consumers that are in the middle of a canary: which of their versions takes a message, nobody
/// says.
pub(crate) async fn canaries(target: &EnvTarget, caller: &Caller) -> Vec<String> {
    let rollouts = rollouts(target, caller).await;
    let moving = rollouts
        .iter()
        .filter(|rollout| consumes(rollout) && !rollout.is_fully_promoted() && !rollout.aborted);
    moving.map(|rollout| rollout.key.to_string()).collect()
}
