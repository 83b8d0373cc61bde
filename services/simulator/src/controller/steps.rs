//! The steps of a canary, one after the other.

use serde_json::Value;

use super::analysis::{self, Cause};
use super::json::{flag, list, number, text};
use super::measure::is_done;
use super::scene::Scene;
use super::{canary, experiment, pause, replicas, sets};

const INCONCLUSIVE: &str = "InconclusiveAnalysisRun";
const INCONCLUSIVE_EXPERIMENT: &str = "InconclusiveExperiment";

/// Does what the current step asks for, and goes on to the next when it is done. One step at a
/// time, so that whoever watches sees each.
pub(super) fn advance(scene: &mut Scene) {
    let (index, count) = (scene.step_index(), scene.steps().len());
    if flag(scene.status(), "/promoteFull") && index < count {
        pause::end(scene);
        leave(scene);
        analysis::leave(scene, Cause::Background);
        scene.set_status("currentStepIndex", count);
        scene.note(
            "RolloutStepCompleted",
            "Rollout fully promoted: all steps are passed over".to_owned(),
        );
        return;
    }
    // Somebody may have passed over the step that a run belongs to.
    let entry = text(
        &scene.status()["canary"]["currentStepAnalysisRunStatus"],
        "/name",
    )
    .to_owned();
    let of_step = scene
        .runs
        .iter()
        .find(|run| run.name() == entry)
        .map(|run| &run.get()["metadata"]["labels"]["step-index"]);
    if of_step.is_some_and(|step| step.as_str() != Some(&index.to_string())) {
        analysis::leave(scene, Cause::Step(index));
    }
    if !background(scene, index, count) {
        return;
    }
    let Some(step) = scene.steps().get(index).cloned() else {
        return pause::end(scene);
    };
    if is_done_with(scene, index, &step) {
        pause::end(scene);
        leave(scene);
        scene.set_status("currentStepIndex", index + 1);
        scene.note(
            "RolloutStepCompleted",
            format!(
                "Rollout step {}/{count} completed ({})",
                index + 1,
                in_words(&step)
            ),
        );
        // Whatever the next step needs is begun at the next look, which is at once.
    }
}

fn leave(scene: &mut Scene) {
    analysis::leave(scene, Cause::Step(0));
    scene.set_strategy_status("canary", "currentExperiment", Value::Null);
}

fn in_words(step: &Value) -> String {
    let Some((name, value)) = step.as_object().and_then(|fields| fields.iter().next()) else {
        return "nothing".to_owned();
    };
    match (name.as_str(), value) {
        ("setWeight", weight) => format!("setWeight: {weight}"),
        ("pause", pause) if !pause["duration"].is_null() => {
            format!("pause: {}", pause["duration"].to_string().trim_matches('"'))
        }
        (name, _) => name.to_owned(),
    }
}

/// The analysis beside the steps. `false` when the steps have to wait, or it failed.
fn background(scene: &mut Scene, index: usize, count: usize) -> bool {
    let wanted = scene.spec()["strategy"]["canary"]["analysis"].clone();
    let starting = number(&wanted, "/startingStep")
        .and_then(|step| usize::try_from(step).ok())
        .unwrap_or(0);
    if list(&wanted, "/templates").is_empty()
        || index < starting
        || flag(scene.status(), "/promoteFull")
        || (index >= count && count > 0)
    {
        return true;
    }
    follow(scene, Cause::Background, &wanted).is_some() || !is_waiting(scene)
}

/// Whether the roll-out was given up, or waits for somebody's verdict.
fn is_waiting(scene: &Scene) -> bool {
    scene.is_aborted() || pause::since(scene, INCONCLUSIVE).is_some()
}

/// Follows a run; `Some` once it has passed. A failure aborts, and without a verdict it pauses.
pub(super) fn follow(scene: &mut Scene, cause: Cause, wanted: &Value) -> Option<()> {
    match analysis::follow(scene, cause, wanted).as_str() {
        "Successful" => Some(()),
        "Failed" | "Error" => {
            let why = analysis::failure(scene, cause);
            canary::abort(scene, &why);
            None
        }
        "Inconclusive" if pause::was_ended(scene) => {
            // Somebody wants to go on, which takes another run.
            pause::end(scene);
            analysis::leave(scene, cause);
            analysis::follow(scene, cause, wanted);
            None
        }
        "Inconclusive" => {
            pause::begin(scene, INCONCLUSIVE);
            None
        }
        _ => None,
    }
}

fn is_done_with(scene: &mut Scene, index: usize, step: &Value) -> bool {
    if let Some(weight) = number(step, "/setWeight") {
        return canary::is_at(scene, weight.clamp(0, 100));
    }
    if step.get("pause").is_some() {
        return is_pause_over(scene, step);
    }
    if step["analysis"].is_object() {
        let wanted = step["analysis"].clone();
        return follow(scene, Cause::Step(index), &wanted).is_some();
    }
    if step["experiment"].is_object() {
        return is_experiment_over(scene, index, step);
    }
    if step["setCanaryScale"].is_object() {
        let target = replicas::target(scene, canary::desired_weight(scene));
        return sets::available(scene, scene.set_of(scene.current_hash())) >= target.canary;
    }
    // Header and mirror routes take effect at once here, and there are no plug-ins to wait for.
    true
}

fn is_pause_over(scene: &mut Scene, step: &Value) -> bool {
    if pause::was_ended(scene) {
        return true;
    }
    let Some(since) = pause::since(scene, "CanaryPauseStep") else {
        pause::begin(scene, "CanaryPauseStep");
        if let Some(end) = canary::pause_end(step, scene.now) {
            scene.wake_at(end);
        }
        return false;
    };
    let Some(end) = canary::pause_end(step, since) else {
        return false;
    };
    scene.wake_at(end);
    end <= scene.now
}

fn is_experiment_over(scene: &mut Scene, index: usize, step: &Value) -> bool {
    let phase = experiment::follow(scene, index, &step["experiment"]);
    match phase.as_str() {
        "Successful" => true,
        "Failed" | "Error" => {
            canary::abort(scene, "Experiment phase error/failed");
            false
        }
        "Inconclusive" => {
            pause::begin(scene, INCONCLUSIVE_EXPERIMENT);
            pause::was_ended(scene)
        }
        phase => is_done(phase),
    }
}
