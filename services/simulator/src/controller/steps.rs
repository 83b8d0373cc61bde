//! The steps of a canary, one after the other.

use serde_json::Value;

use super::analysis::{self, AnalysisKind};
use super::analysis_run::is_completed;
use super::context::RolloutContext;
use super::json::{add_seconds, flag, list, number, seconds, text};
use super::{experiment, pause, replicas, rollback, sets, update, weights};

const INCONCLUSIVE: &str = "InconclusiveAnalysisRun";
const INCONCLUSIVE_EXPERIMENT: &str = "InconclusiveExperiment";

/// Runs the current step, and moves on when it is complete. It completes one step at a time, so
/// that watches see each.
pub(super) fn advance(ctx: &mut RolloutContext) {
    let (index, count) = (ctx.step_index(), ctx.steps().len());
    let passes_over =
        flag(ctx.status(), "/promoteFull") || rollback::is_within_rollback_window(ctx);
    if passes_over && index < count {
        pause::end(ctx);
        clear_step_status(ctx);
        analysis::clear_status(ctx, AnalysisKind::Background);
        ctx.set_status("currentStepIndex", count);
        ctx.record_event(
            "RolloutStepCompleted",
            "Rollout fully promoted: all steps are passed over".to_owned(),
        );
        return;
    }
    // A user may have skipped the step that the run belongs to.
    let entry = text(
        &ctx.status()["canary"]["currentStepAnalysisRunStatus"],
        "/name",
    )
    .to_owned();
    let of_step = ctx
        .runs
        .iter()
        .find(|run| run.name() == entry)
        .map(|run| &run.get()["metadata"]["labels"]["step-index"]);
    if of_step.is_some_and(|step| step.as_str() != Some(&index.to_string())) {
        analysis::clear_status(ctx, AnalysisKind::Step(index));
    }
    if !may_proceed_by_background_analysis(ctx, index, count) {
        return;
    }
    let Some(step) = ctx.steps().get(index).cloned() else {
        return pause::end(ctx);
    };
    if is_step_complete(ctx, index, &step) {
        pause::end(ctx);
        clear_step_status(ctx);
        ctx.set_status("currentStepIndex", index + 1);
        ctx.record_event(
            "RolloutStepCompleted",
            format!(
                "Rollout step {}/{count} completed ({})",
                index + 1,
                describe(&step)
            ),
        );
        // The next pass, which is due at once, starts the next step.
    }
}

fn clear_step_status(ctx: &mut RolloutContext) {
    analysis::clear_status(ctx, AnalysisKind::Step(0));
    ctx.set_strategy_status("canary", "currentExperiment", Value::Null);
}

fn describe(step: &Value) -> String {
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

/// Syncs the background analysis. Returns `false` if it failed or the steps have to wait for it.
fn may_proceed_by_background_analysis(
    ctx: &mut RolloutContext,
    index: usize,
    count: usize,
) -> bool {
    let wanted = ctx.spec()["strategy"]["canary"]["analysis"].clone();
    let starting = number(&wanted, "/startingStep")
        .and_then(|step| usize::try_from(step).ok())
        .unwrap_or(0);
    if list(&wanted, "/templates").is_empty()
        || index < starting
        || flag(ctx.status(), "/promoteFull")
        || (index >= count && count > 0)
    {
        return true;
    }
    has_analysis_passed(ctx, AnalysisKind::Background, &wanted) || !is_blocked(ctx)
}

/// Whether the update is aborted, or waits for a user after an inconclusive analysis.
fn is_blocked(ctx: &RolloutContext) -> bool {
    ctx.is_aborted() || pause::started_at(ctx, INCONCLUSIVE).is_some()
}

/// Syncs an analysis run. A failed run aborts the update; an inconclusive one pauses it.
pub(super) fn has_analysis_passed(
    ctx: &mut RolloutContext,
    kind: AnalysisKind,
    wanted: &Value,
) -> bool {
    match analysis::sync_run(ctx, kind, wanted).as_str() {
        "Successful" => true,
        "Failed" | "Error" => {
            let why = analysis::failure_message(ctx, kind);
            update::abort(ctx, &why);
            false
        }
        "Inconclusive" if pause::is_resumed_by_user(ctx) => {
            // A user resumed the rollout: another run decides.
            pause::end(ctx);
            analysis::clear_status(ctx, kind);
            analysis::sync_run(ctx, kind, wanted);
            false
        }
        "Inconclusive" => {
            pause::begin(ctx, INCONCLUSIVE);
            false
        }
        _ => false,
    }
}

fn is_step_complete(ctx: &mut RolloutContext, index: usize, step: &Value) -> bool {
    if let Some(weight) = number(step, "/setWeight") {
        return weights::is_reached(ctx, weight.clamp(0, 100));
    }
    if step.get("pause").is_some() {
        return is_pause_over(ctx, step);
    }
    if step["analysis"].is_object() {
        let wanted = step["analysis"].clone();
        return has_analysis_passed(ctx, AnalysisKind::Step(index), &wanted);
    }
    if step["experiment"].is_object() {
        return is_experiment_over(ctx, index, step);
    }
    if step["setCanaryScale"].is_object() {
        let target = replicas::target_split(ctx, weights::desired(ctx));
        return sets::available_pods(ctx, ctx.find_set(ctx.current_hash())) >= target.canary;
    }
    // Header and mirror routes take effect at once; there are no plug-ins to wait for.
    true
}

fn is_pause_over(ctx: &mut RolloutContext, step: &Value) -> bool {
    if pause::is_resumed_by_user(ctx) {
        return true;
    }
    let Some(since) = pause::started_at(ctx, "CanaryPauseStep") else {
        pause::begin(ctx, "CanaryPauseStep");
        if let Some(end) = pause_end(step, ctx.now) {
            ctx.wake_at(end);
        }
        return false;
    };
    let Some(end) = pause_end(step, since) else {
        return false;
    };
    ctx.wake_at(end);
    end <= ctx.now
}

fn is_experiment_over(ctx: &mut RolloutContext, index: usize, step: &Value) -> bool {
    let phase = experiment::sync_step(ctx, index, &step["experiment"]);
    match phase.as_str() {
        "Successful" => true,
        "Failed" | "Error" => {
            update::abort(ctx, "Experiment phase error/failed");
            false
        }
        "Inconclusive" => {
            pause::begin(ctx, INCONCLUSIVE_EXPERIMENT);
            pause::is_resumed_by_user(ctx)
        }
        phase => is_completed(phase),
    }
}

/// When a pause that began at `since` ends; `None` if it has no duration.
fn pause_end(step: &Value, since: jiff::Timestamp) -> Option<jiff::Timestamp> {
    seconds(&step["pause"]["duration"]).map(|length| add_seconds(since, length))
}
