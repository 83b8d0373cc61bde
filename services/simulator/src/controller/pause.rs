//! Pauses that the controller makes: `status.pauseConditions`, and `status.controllerPause`, which
//! stays behind when somebody takes the conditions away. That is how a promotion is noticed.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::json::{flag, list, stamp, text, time};
use super::scene::Scene;

pub(super) fn since(scene: &Scene, reason: &str) -> Option<Timestamp> {
    let found = list(scene.status(), "/pauseConditions")
        .iter()
        .find(|pause| text(pause, "/reason") == reason)?;
    Some(time(found, "/startTime").unwrap_or(scene.now))
}

pub(super) fn is_on(scene: &Scene) -> bool {
    !list(scene.status(), "/pauseConditions").is_empty()
}

pub(super) fn was_ended(scene: &Scene) -> bool {
    flag(scene.status(), "/controllerPause") && !is_on(scene)
}

pub(super) fn begin(scene: &mut Scene, reason: &str) {
    if since(scene, reason).is_some() {
        return;
    }
    let mut pauses = list(scene.status(), "/pauseConditions").to_vec();
    pauses.push(json!({"reason": reason, "startTime": stamp(scene.now)}));
    scene.set_status("pauseConditions", pauses);
    scene.set_status("controllerPause", true);
    scene.note("RolloutPaused", format!("Rollout is paused ({reason})"));
}

pub(super) fn end(scene: &mut Scene) {
    if flag(scene.status(), "/controllerPause") {
        scene.note("RolloutResumed", "Rollout is resumed".to_owned());
    }
    scene.set_status("pauseConditions", Value::Null);
    scene.set_status("controllerPause", Value::Null);
}
