//! Blue-green: the new version stands behind a preview until the service is cut over to it.

use serde_json::{Value, json};

use super::analysis::{self, Cause};
use super::json::{flag, later, list, number, text, time};
use super::scene::Scene;
use super::{canary, pause, sets, steps};

const PAUSE: &str = "BlueGreenPause";
/// Seconds that the pods of an aborted preview stay when the spec does not say.
const ABORT_DELAY_SECONDS: i64 = 30;

pub(super) fn reconcile(scene: &mut Scene) {
    canary::notice_retry(scene);
    let hash = scene.current_hash().to_owned();
    let Some(new) = scene.set_of(&hash) else {
        return;
    };
    let replicas = scene.replicas();
    let Some(stable) = scene.set_of(scene.stable_hash()) else {
        sets::scale(scene, new, replicas);
        if sets::available(scene, Some(new)) >= replicas {
            select(scene, "activeSelector", &hash);
            select(scene, "previewSelector", &hash);
            canary::promote(scene, "Initial deploy");
        }
        return;
    };
    sets::scale(scene, stable, replicas);
    if scene.is_fully_promoted() {
        settled(scene, &hash);
    } else if scene.is_aborted() {
        aborted(scene, new);
    } else if !flag(scene.spec(), "/paused") {
        under_way(scene, new, &hash);
        if scene.is_aborted() {
            aborted(scene, new);
        }
    }
    analysis::end_others(scene);
}

fn spec(scene: &Scene) -> &Value {
    &scene.spec()["strategy"]["blueGreen"]
}

fn select(scene: &mut Scene, which: &str, hash: &str) {
    scene.set_strategy_status("blueGreen", which, hash.into());
}

fn settled(scene: &mut Scene, hash: &str) {
    select(scene, "activeSelector", hash);
    select(scene, "previewSelector", hash);
    scene.set_strategy_status("blueGreen", "scaleUpPreviewCheckPoint", Value::Null);
    for field in ["promoteFull", "pauseConditions", "controllerPause", "abort"] {
        scene.set_status(field, Value::Null);
    }
    sets::scale_down_old(scene, &[hash]);
}

fn aborted(scene: &mut Scene, new: usize) {
    if scene.status()["abortedAt"].is_null() {
        canary::abort(scene, "");
    }
    let stable = scene.stable_hash().to_owned();
    select(scene, "activeSelector", &stable);
    let delay = number(spec(scene), "/abortScaleDownDelaySeconds").unwrap_or(ABORT_DELAY_SECONDS);
    let over = time(scene.status(), "/abortedAt").map_or(scene.now, |at| later(at, delay));
    if over > scene.now {
        scene.wake_at(over);
    } else if delay > 0 {
        sets::scale(scene, new, 0);
    }
}

fn under_way(scene: &mut Scene, new: usize, hash: &str) {
    select(scene, "previewSelector", hash);
    let kept = [hash.to_owned(), scene.stable_hash().to_owned()];
    sets::scale_down_old(scene, &[&kept[0], &kept[1]]);
    let promoting = flag(scene.status(), "/promoteFull")
        || flag(scene.status(), "/blueGreen/scaleUpPreviewCheckPoint");
    let preview = number(spec(scene), "/previewReplicaCount").filter(|_| !promoting);
    let wanted = preview.unwrap_or_else(|| scene.replicas());
    sets::scale(scene, new, wanted);
    if sets::available(scene, Some(new)) < wanted {
        return;
    }
    if text(scene.status(), "/blueGreen/activeSelector") != hash {
        if !promoting && !may_cut_over(scene) {
            return;
        }
        pause::end(scene);
        if sets::available(scene, Some(new)) < scene.replicas() {
            // The preview was smaller; it grows before it serves.
            scene.set_strategy_status("blueGreen", "scaleUpPreviewCheckPoint", json!(true));
            let replicas = scene.replicas();
            return sets::scale(scene, new, replicas);
        }
        select(scene, "activeSelector", hash);
        scene.note(
            "SwitchService",
            format!("Switched selector for the active service to '{hash}'"),
        );
    }
    let after = spec(scene)["postPromotionAnalysis"].clone();
    let verdict = list(&after, "/templates").is_empty() || flag(scene.status(), "/promoteFull");
    if verdict || steps::follow(scene, Cause::PostPromotion, &after).is_some() {
        canary::promote(scene, "Completed blue-green update");
    }
}

/// Whether analysis and pause before the cut-over are behind it.
fn may_cut_over(scene: &mut Scene) -> bool {
    let before = spec(scene)["prePromotionAnalysis"].clone();
    if !list(&before, "/templates").is_empty()
        && steps::follow(scene, Cause::PrePromotion, &before).is_none()
    {
        return false;
    }
    let automatic = spec(scene)["autoPromotionEnabled"].as_bool() != Some(false);
    let after = number(spec(scene), "/autoPromotionSeconds");
    if (automatic && after.is_none()) || pause::was_ended(scene) {
        return true;
    }
    let Some(since) = pause::since(scene, PAUSE) else {
        pause::begin(scene, PAUSE);
        if let Some(after) = after {
            scene.wake_at(later(scene.now, after));
        }
        return false;
    };
    let Some(end) = after.map(|after| later(since, after)) else {
        return false;
    };
    scene.wake_at(end);
    end <= scene.now
}
