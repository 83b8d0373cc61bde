//! What speaks against going on with a replay: rollouts that failed, or that are under way.

use payops_core::domain::rollout::{Phase, Rollout};

use crate::clusters;
use crate::settings::EnvTarget;

async fn rollouts(target: &EnvTarget) -> Vec<Rollout> {
    let Ok(clusters) = clusters::of(target).await else { return Vec::new() };
    let mut out = Vec::new();
    for cluster in clusters {
        out.extend(cluster.list().await.unwrap_or_default());
    }
    out
}

/// A consumer's rollout, by its name.
fn consumes(rollout: &Rollout) -> bool {
    rollout.key.name.contains("worker")
}

/// Alarms: consumers whose rollouts failed. A cluster that does not answer raises none.
pub(super) async fn of_rollouts(target: &EnvTarget) -> Vec<String> {
    let failed = |rollout: &Rollout| rollout.phase().0 == Phase::Degraded && !rollout.aborted;
    let rollouts = rollouts(target).await;
    rollouts.iter().filter(|rollout| consumes(rollout) && failed(rollout)).map(|rollout| format!("{} is degraded", rollout.key)).collect()
}

/// Consumers that are in the middle of a canary: which of their versions takes a message, nobody says.
pub(super) async fn canaries(target: &EnvTarget) -> Vec<String> {
    let rollouts = rollouts(target).await;
    let moving = rollouts.iter().filter(|rollout| consumes(rollout) && !rollout.is_fully_promoted() && !rollout.aborted);
    moving.map(|rollout| rollout.key.to_string()).collect()
}
