//! Planning an action: what it will do, what it costs, and the changes that do it.

use serde_json::Value;

use super::{
    ImageChange, PauseLength, Phase, Related, ReplicaSet, Rollout, RolloutAction, RolloutKey,
    RolloutRefusal, RunPhase, Step,
};
use crate::Timestamp;
use crate::domain::display::percent;

/// One change of a rollout, in the rollout's own terms. Whoever reaches the cluster turns it into
/// calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolloutChange {
    /// Ends the pauses of steps and of analyses.
    ClearPauseConditions,
    /// Goes to the step of that index, and ends pauses as
    /// [`RolloutChange::ClearPauseConditions`] does.
    SetCurrentStep {
        index: usize,
        /// Whether the controller's own pause ends too, as after an inconclusive analysis.
        end_controller_pause: bool,
    },
    PromoteFull,
    SetAbort(bool),
    /// Sets or ends the pause by hand.
    SetPaused(bool),
    RestartAt(Timestamp),
    /// Puts a pod template, as an older replica set holds it, in the place of the current one.
    ReplaceTemplate(Value),
    SetImages(Vec<ImageChange>),
    TerminateAnalysis {
        name: String,
    },
    TerminateExperiment {
        name: String,
    },
}

/// What an action will do, to be shown before it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutPlan {
    pub action: RolloutAction,
    pub key: RolloutKey,
    /// Of which object of that name ([`Rollout::uid`]).
    pub uid: String,
    /// The state that was looked at: if anything has moved since, nothing is done.
    pub resource_version: String,
    /// The spec that was looked at ([`Rollout::generation`]): a change that replaces the pod
    /// template, and changes after the first, go on when only the status has moved.
    pub generation: u64,
    pub now: String,
    pub after: String,
    pub warnings: Vec<String>,
    /// In the order in which they are made; never empty.
    pub changes: Vec<RolloutChange>,
}

/// Plans `action` on `rollout`, or refuses it. `related` makes warnings exact: without it nothing
/// can be said of measurements, and an undo is refused.
pub fn plan(
    action: RolloutAction,
    rollout: &Rollout,
    related: Option<&Related>,
) -> Result<RolloutPlan, RolloutRefusal> {
    let (changes, after) = changes(&action, rollout, related)?;
    Ok(RolloutPlan {
        now: describe(rollout),
        after,
        warnings: warnings(&action, rollout, related),
        key: rollout.key.clone(),
        uid: rollout.uid.clone(),
        resource_version: rollout.resource_version.clone(),
        generation: rollout.generation,
        changes,
        action,
    })
}

type Planned = Result<(Vec<RolloutChange>, String), RolloutRefusal>;

fn changes(action: &RolloutAction, rollout: &Rollout, related: Option<&Related>) -> Planned {
    match action {
        RolloutAction::Promote => promote(rollout),
        RolloutAction::Skip => skip(rollout),
        RolloutAction::PromoteFull => promote_full(rollout),
        RolloutAction::Abort => abort(rollout),
        RolloutAction::Retry if !rollout.aborted => Err(RolloutRefusal::new(
            "the rollout is not aborted, so there is nothing to retry",
            suggest_get(&rollout.key),
        )),
        RolloutAction::Retry => Ok((
            vec![RolloutChange::SetAbort(false)],
            "restarts at step 1 with the newest version".to_owned(),
        )),
        RolloutAction::Pause if rollout.spec_paused => Err(RolloutRefusal::new(
            "the rollout is already paused manually",
            format!("run payops rollout resume {} to end the pause", rollout.key),
        )),
        RolloutAction::Pause => Ok((
            vec![RolloutChange::SetPaused(true)],
            "stays at the current step until resumed".to_owned(),
        )),
        RolloutAction::Resume => resume(rollout),
        RolloutAction::Restart { at } => Ok((
            vec![RolloutChange::RestartAt(*at)],
            format!(
                "all {} pods are replaced gradually",
                rollout.replicas.desired
            ),
        )),
        RolloutAction::Undo { revision } => undo(rollout, related, *revision),
        RolloutAction::SetImage(images) => set_image(rollout, images),
        RolloutAction::TerminateAnalysis { name } => {
            check_runs(
                &rollout.key,
                related,
                related.is_some_and(|related| {
                    related
                        .analysis_runs
                        .iter()
                        .any(|run| run.name == *name && !run.phase.is_done())
                }),
                "analysis",
                name,
            )?;
            Ok((
                vec![RolloutChange::TerminateAnalysis { name: name.clone() }],
                format!("analysis {name} ends with the measurements so far"),
            ))
        }
        RolloutAction::TerminateExperiment { name } => {
            check_runs(
                &rollout.key,
                related,
                related.is_some_and(|related| {
                    related
                        .experiments
                        .iter()
                        .any(|run| run.name == *name && !run.phase.is_done())
                }),
                "experiment",
                name,
            )?;
            Ok((
                vec![RolloutChange::TerminateExperiment { name: name.clone() }],
                format!("experiment {name} ends"),
            ))
        }
    }
}

/// How to see the rollout as it is now.
fn suggest_get(key: &RolloutKey) -> String {
    format!("run payops rollout get {key} to see its current state")
}

fn check_runs(
    key: &RolloutKey,
    related: Option<&Related>,
    runs: bool,
    what: &str,
    name: &str,
) -> Result<(), RolloutRefusal> {
    if related.is_none() || runs {
        return Ok(());
    }
    Err(RolloutRefusal::new(
        format!("{what} {name} is not running"),
        suggest_get(key),
    ))
}

fn check_can_advance(rollout: &Rollout) -> Result<(), RolloutRefusal> {
    if !rollout.observed {
        return Err(RolloutRefusal::new(
            "the controller has not processed the newest spec yet, so its steps may differ from \
                those shown",
            format!("wait a few seconds, then {}", suggest_get(&rollout.key)),
        ));
    }
    if rollout.aborted {
        return Err(RolloutRefusal::new(
            "the rollout is aborted; a promotion would have no effect now, but would apply to \
                the next retry",
            format!(
                "run payops rollout retry {} first, then promote it",
                rollout.key
            ),
        ));
    }
    Ok(())
}

fn set_step(index: usize, end_controller_pause: bool) -> RolloutChange {
    RolloutChange::SetCurrentStep {
        index,
        end_controller_pause,
    }
}

fn promote(rollout: &Rollout) -> Planned {
    check_can_advance(rollout)?;
    if rollout.is_fully_promoted() && !rollout.spec_paused && rollout.pauses.is_empty() {
        return Err(RolloutRefusal::new(
            "the rollout is fully promoted; there is nothing to promote",
            format!(
                "run payops rollout set-image {} CONTAINER=IMAGE to start a new rollout",
                rollout.key
            ),
        ));
    }
    let inconclusive = rollout
        .step_analysis
        .as_ref()
        .is_some_and(|run| run.phase == RunPhase::Inconclusive);
    let paused = !rollout.pauses.is_empty() || rollout.spec_paused;
    let mut changes = Vec::new();
    let after;
    if inconclusive && !rollout.pauses.is_empty() && rollout.controller_pause {
        let next = next_index(rollout)?;
        changes.push(set_step(next, true));
        after = describe_step(rollout, next);
    } else if paused {
        if !rollout.pauses.is_empty() {
            changes.push(RolloutChange::ClearPauseConditions);
        }
        let at_pause =
            matches!(rollout.current_step(), Some(Step::Pause(_))) && !rollout.pauses.is_empty();
        after = match rollout.step_index {
            Some(index) if at_pause => describe_step(rollout, index.saturating_add(1)),
            _ => describe_resume(rollout),
        };
    } else {
        let next = next_index(rollout)?;
        changes.push(set_step(next, false));
        after = describe_step(rollout, next);
    }
    if rollout.spec_paused {
        changes.push(RolloutChange::SetPaused(false));
    }
    Ok((changes, after))
}

fn skip(rollout: &Rollout) -> Planned {
    check_can_advance(rollout)?;
    let next = next_index(rollout)?;
    let mut changes = vec![set_step(next, false)];
    if rollout.spec_paused {
        changes.push(RolloutChange::SetPaused(false));
    }
    Ok((changes, describe_step(rollout, next)))
}

fn next_index(rollout: &Rollout) -> Result<usize, RolloutRefusal> {
    let count = rollout.steps().len();
    match rollout.step_index {
        Some(index) if index < count => Ok(index.saturating_add(1).min(count)),
        _ => Err(RolloutRefusal::new(
            "there is no step left to skip",
            format!(
                "run payops rollout wait {} to wait until it is healthy",
                rollout.key
            ),
        )),
    }
}

fn promote_full(rollout: &Rollout) -> Planned {
    check_can_advance(rollout)?;
    if rollout.is_fully_promoted() {
        return Err(RolloutRefusal::new(
            "the newest version is already stable; a full promotion would have no effect",
            format!(
                "run payops rollout set-image {} CONTAINER=IMAGE to start a new rollout",
                rollout.key
            ),
        ));
    }
    let mut changes = vec![RolloutChange::PromoteFull];
    if rollout.spec_paused {
        changes.push(RolloutChange::SetPaused(false));
    }
    Ok((
        changes,
        "100 % on the newest version, as soon as its pods are ready".to_owned(),
    ))
}

fn abort(rollout: &Rollout) -> Planned {
    if rollout.aborted {
        return Err(RolloutRefusal::new(
            "the rollout is already aborted",
            format!(
                "run payops rollout retry {0} to try again, or payops rollout undo {0} to go back \
                    to an older revision",
                rollout.key
            ),
        ));
    }
    if rollout.is_fully_promoted() && rollout.observed {
        return Err(RolloutRefusal::new(
            "nothing is being rolled out; an abort would have no effect now, but would apply to \
                the next version",
            format!(
                "run payops rollout undo {} to go back to an older revision",
                rollout.key
            ),
        ));
    }
    Ok((
        vec![RolloutChange::SetAbort(true)],
        "0 % on the newest version, 100 % on the stable one".to_owned(),
    ))
}

fn resume(rollout: &Rollout) -> Planned {
    if rollout.spec_paused {
        return Ok((
            vec![RolloutChange::SetPaused(false)],
            describe_resume(rollout),
        ));
    }
    let instead = if rollout.pauses.is_empty() {
        suggest_get(&rollout.key)
    } else {
        format!(
            "run payops rollout promote {} to end the pause of a step",
            rollout.key
        )
    };
    Err(RolloutRefusal::new(
        "the rollout is not paused manually",
        instead,
    ))
}

fn undo(rollout: &Rollout, related: Option<&Related>, revision: Option<u64>) -> Planned {
    if rollout.workload_ref {
        return Err(RolloutRefusal::new(
            "its pod template belongs to another workload",
            "undo that workload",
        ));
    }
    let Some(related) = related else {
        return Err(RolloutRefusal::new(
            "its older revisions are not loaded",
            format!(
                "run payops rollout history {} to see them, then undo again",
                rollout.key
            ),
        ));
    };
    let target = target(rollout, related, revision)?;
    let number = target
        .revision
        .map(|revision| format!(" {revision}"))
        .unwrap_or_default();
    let images: Vec<&str> = target
        .images
        .iter()
        .map(|image| image.image.as_str())
        .collect();
    Ok((
        vec![RolloutChange::ReplaceTemplate(target.template.clone())],
        format!("a new rollout of revision{number}: {}", images.join(", ")),
    ))
}

fn target<'a>(
    rollout: &Rollout,
    related: &'a Related,
    revision: Option<u64>,
) -> Result<&'a ReplicaSet, RolloutRefusal> {
    let known = || {
        related
            .replica_sets
            .iter()
            .filter(|set| set.revision.is_some() && set.template.is_object())
    };
    let numbers = || {
        let numbers: Vec<String> = known()
            .filter(|set| set.hash != rollout.current_hash)
            .filter_map(|set| Some(set.revision?.to_string()))
            .collect();
        if numbers.is_empty() {
            "there are no older revisions".to_owned()
        } else {
            format!("revisions are {}", numbers.join(", "))
        }
    };
    let found = match revision {
        Some(revision) => known().find(|set| set.revision == Some(revision)),
        None => known()
            .filter(|set| set.hash != rollout.current_hash)
            .max_by_key(|set| set.revision),
    };
    let found = found.ok_or_else(|| match revision {
        Some(revision) => RolloutRefusal::new(format!("revision {revision} not found"), numbers()),
        None => RolloutRefusal::new("there is no older revision to go back to", numbers()),
    })?;
    if found.hash == rollout.current_hash {
        return Err(RolloutRefusal::new(
            "that revision is the current one",
            numbers(),
        ));
    }
    Ok(found)
}

fn set_image(rollout: &Rollout, images: &[ImageChange]) -> Planned {
    if rollout.workload_ref {
        return Err(RolloutRefusal::new(
            "its pod template belongs to another workload",
            "set the image of that workload",
        ));
    }
    let held = |change: &ImageChange| {
        change.container == "*"
            || rollout
                .images
                .iter()
                .any(|held| held.container == change.container)
    };
    if let Some(unknown) = images.iter().find(|change| !held(change)) {
        let names: Vec<&str> = rollout
            .images
            .iter()
            .map(|image| image.container.as_str())
            .collect();
        return Err(RolloutRefusal::new(
            format!("container {} not found", unknown.container),
            format!("containers are {}", names.join(", ")),
        ));
    }
    let same = |change: &ImageChange| {
        rollout
            .images
            .iter()
            .filter(|held| change.container == "*" || held.container == change.container)
            .all(|held| held.image == change.image)
    };
    if images.is_empty() || images.iter().all(same) {
        return Err(RolloutRefusal::new(
            "the rollout already has these images",
            format!(
                "run payops rollout restart {} to replace the pods",
                rollout.key
            ),
        ));
    }
    let pairs: Vec<String> = images
        .iter()
        .map(|change| format!("{}={}", change.container, change.image))
        .collect();
    Ok((
        vec![RolloutChange::SetImages(images.to_vec())],
        format!("a new rollout of {}, from step 1", pairs.join(", ")),
    ))
}

/// Where a rollout stands, in words: `step 2 of 7 (pause), 25.0 % set, 23.8 % observed`.
fn describe(rollout: &Rollout) -> String {
    let (phase, message) = rollout.phase();
    let weights = rollout.weights();
    let place = match (rollout.step_index, rollout.current_step()) {
        (Some(index), Some(step)) => format!(
            "step {} of {} ({step})",
            index.saturating_add(1),
            rollout.steps().len()
        ),
        _ if rollout.is_fully_promoted() => "fully promoted".to_owned(),
        _ => "no step left".to_owned(),
    };
    let observed = weights
        .observed
        .map_or_else(|| "unknown".to_owned(), percent);
    let message = if message.is_empty() {
        String::new()
    } else {
        format!(" ({message})")
    };
    format!(
        "{}{message}, {place}, {} set, {observed} observed",
        phase.as_str(),
        percent(weights.set)
    )
}

/// Where the rollout goes when step `index` is next, and where it comes to rest after that.
fn describe_step(rollout: &Rollout, index: usize) -> String {
    let Some(step) = rollout.steps().get(index) else {
        return "all steps done: 100 % on the newest version".to_owned();
    };
    let mut weight = None;
    let mut rest = None;
    for ahead in rollout.steps().iter().skip(index.saturating_add(1)) {
        if waits(ahead) {
            rest = Some(ahead);
            break;
        }
        if let Step::SetWeight(next) = ahead {
            weight = Some(*next);
        }
    }
    let then = match (weight, rest) {
        (_, None) if waits(step) => "; then 100 %".to_owned(),
        (None, None) if *step == Step::SetWeight(100) => String::new(),
        (_, None) => "; no pause follows, then 100 %".to_owned(),
        (Some(weight), Some(_)) if waits(step) => format!("; then {weight} %"),
        (Some(weight), Some(rest)) => format!("; then {weight} % and {rest}"),
        (None, Some(rest)) => format!("; then {rest}"),
    };
    format!(
        "step {} of {} ({step}){then}",
        index.saturating_add(1),
        rollout.steps().len()
    )
}

/// Whether a rollout may stay at a step. One that this version does not know may hold it too.
fn waits(step: &Step) -> bool {
    match step {
        Step::Pause(_)
        | Step::Analysis(_)
        | Step::Experiment
        | Step::Plugin(_)
        | Step::Other(_) => true,
        Step::SetWeight(_) | Step::SetCanaryScale | Step::SetHeaderRoute | Step::SetMirrorRoute => {
            false
        }
    }
}

/// Where the rollout goes on when a pause of the whole rollout ends.
fn describe_resume(rollout: &Rollout) -> String {
    match rollout.step_index {
        Some(index) if index < rollout.steps().len() => {
            format!("continues at {}", describe_step(rollout, index))
        }
        _ => "continues from the current step".to_owned(),
    }
}

fn warnings(action: &RolloutAction, rollout: &Rollout, related: Option<&Related>) -> Vec<String> {
    let mut out = Vec::new();
    let passes_over = matches!(
        action,
        RolloutAction::Promote | RolloutAction::Skip | RolloutAction::PromoteFull
    );
    if passes_over {
        out.extend(list_skipped_analyses(action, rollout, related));
    }
    match action {
        RolloutAction::PromoteFull => {
            let left = rollout.steps().iter().skip(rollout.step_index.unwrap_or(0));
            let (pauses, analyses) =
                left.fold((0_u32, 0_u32), |(pauses, analyses), step| match step {
                    Step::Pause(_) => (pauses.saturating_add(1), analyses),
                    Step::Analysis(_) | Step::Experiment => (pauses, analyses.saturating_add(1)),
                    _ => (pauses, analyses),
                });
            out.push(format!(
                "a full promotion skips {pauses} remaining pauses and {analyses} remaining \
                    analyses"
            ));
        }
        RolloutAction::Abort => {
            out.push(
                "the new version stays in the spec and in Git, so a retry or an Argo CD sync \
                    brings it back"
                    .to_owned(),
            );
            out.push(
                "the stable pods get all traffic at once, even if they are cold or scaled down"
                    .to_owned(),
            );
        }
        RolloutAction::Retry => out.push(
            "the aborted version gets traffic again from step 1, and its analysis starts again"
                .to_owned(),
        ),
        RolloutAction::Undo { .. } | RolloutAction::SetImage(_) => {
            out.push(
                "this is not in Git: Argo CD with self-heal reverts it at the next sync".to_owned(),
            );
        }
        RolloutAction::Pause if rollout.phase().0 == Phase::Healthy => {
            out.push(
                "nothing is being rolled out; the pause will hold back the next version".to_owned(),
            );
        }
        RolloutAction::Promote
            if matches!(
                rollout.current_step(),
                Some(Step::Pause(PauseLength::For(_)))
            ) && !rollout.pauses.is_empty() =>
        {
            out.push("the pause would end by itself".to_owned());
        }
        _ => {}
    }
    let suspicious = related
        .into_iter()
        .flat_map(|related| &related.analysis_runs)
        .filter(|run| run.hash == rollout.current_hash);
    if passes_over {
        out.extend(
            suspicious
                .filter_map(|run| Some(format!("analysis {}: {}", run.name, run.suspicion()?))),
        );
    }
    out
}

/// What an action passes over that is being measured: `SKIPS running analysis latency, 3 of 5
/// measured`.
fn list_skipped_analyses(
    action: &RolloutAction,
    rollout: &Rollout,
    related: Option<&Related>,
) -> Vec<String> {
    let cut_off = |kind: &super::AnalysisKind| match action {
        // A pause in a step does not end the analysis beside it.
        RolloutAction::Promote if !rollout.pauses.is_empty() => {
            matches!(kind, super::AnalysisKind::Step(_))
        }
        RolloutAction::PromoteFull => true,
        _ => matches!(kind, super::AnalysisKind::Step(_)),
    };
    let Some(related) = related else {
        let running = rollout
            .step_analysis
            .iter()
            .filter(|run| !run.phase.is_done());
        return running
            .map(|run| format!("SKIPS running analysis {}", run.name))
            .collect();
    };
    let runs = related
        .running_analyses(rollout)
        .filter(|run| cut_off(&run.kind));
    let metrics = runs.flat_map(|run| run.metrics.iter().map(move |metric| (run, metric)));
    metrics
        .map(|(run, metric)| {
            let of = metric
                .threshold
                .count
                .map(|count| format!(" of {count}"))
                .unwrap_or_default();
            let failed = if metric.failed > 0 {
                format!(", {} failed", metric.failed)
            } else {
                String::new()
            };
            format!(
                "SKIPS running analysis {} ({}), {}{of} measured{failed}",
                metric.name,
                run.name,
                metric.count_measurements()
            )
        })
        .collect()
}

#[cfg(test)]
mod tests;
