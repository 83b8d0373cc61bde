//! Planning an action: what it will do, what it costs, and the changes that do it.

use serde_json::Value;

use super::blue_green::revision;
use super::{
    ImageChange, PauseLength, Phase, Related, ReplicaSet, Rollout, RolloutAction, RolloutKey,
    RolloutRefusal, RunPhase, Step, Workload,
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
    /// Aborts the version under way, whatever its step is by then.
    Abort {
        /// The version that is aborted: another one is not.
        current_hash: String,
        /// The version that users go back to; once the new one is in its place, an abort would lie
        /// in wait for the next.
        stable_hash: String,
    },
    ClearAbort,
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
    /// The state that was looked at: if anything has moved since, nothing is done. An abort is bound
    /// to the versions under way instead: it lands whatever the step is by then.
    pub resource_version: String,
    /// The spec that was looked at ([`Rollout::generation`]): a change that replaces the pod
    /// template, and changes after the first, go on when only the status has moved.
    pub generation: u64,
    /// The object whose pod template is changed, where it is not the rollout's own; the plan is
    /// bound to this version of it.
    pub workload: Option<Workload>,
    pub now: String,
    pub after: String,
    pub warnings: Vec<String>,
    /// Whether it is to be confirmed even where nothing is protected.
    pub dangerous: bool,
    /// In the order in which they are made; never empty.
    pub changes: Vec<RolloutChange>,
}

/// Whether an action is planned although the controller has not taken the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Insist {
    #[default]
    No,
    Yes,
}

/// Plans `action` on `rollout`, or refuses it. `related` makes warnings exact: without it nothing
/// can be said of measurements, and an undo is refused.
pub fn plan(
    action: RolloutAction,
    rollout: &Rollout,
    related: Option<&Related>,
) -> Result<RolloutPlan, RolloutRefusal> {
    plan_insisting(action, rollout, related, Insist::No)
}

/// [`plan`], and with [`Insist::Yes`] also where the controller has not taken the last action.
pub fn plan_insisting(
    action: RolloutAction,
    rollout: &Rollout,
    related: Option<&Related>,
    insist: Insist,
) -> Result<RolloutPlan, RolloutRefusal> {
    if insist == Insist::No {
        check_taken(&action, rollout, related)?;
    }
    check_taken_up(&action, rollout)?;
    let (changes, after) = changes(&action, rollout, related)?;
    let workload = match action {
        RolloutAction::Undo { .. } | RolloutAction::SetImage(_) => find_workload(rollout, related)?,
        _ => None,
    };
    let mut warnings = warnings(&action, rollout, related);
    if let (Insist::Yes, Some(field)) = (insist, untaken(rollout, related)) {
        warnings.push(format!(
            "the controller has not taken the last change ({field})"
        ));
    }
    Ok(RolloutPlan {
        now: describe(rollout, related),
        after,
        warnings,
        key: rollout.key.clone(),
        uid: rollout.uid.clone(),
        resource_version: rollout.resource_version.clone(),
        generation: rollout.generation,
        workload: workload.cloned(),
        dangerous: rollout.aborted && action == RolloutAction::PromoteFull,
        changes,
        action,
    })
}

/// [`Rollout::untaken`], with what the other workload says itself.
fn untaken(rollout: &Rollout, related: Option<&Related>) -> Option<String> {
    let workload = || {
        let is = related?.workload.as_ref()?.generation;
        let seen = rollout.workload_generation?;
        (seen < is).then(|| format!("workloadObservedGeneration {seen} of {is}"))
    };
    rollout.untaken().or_else(workload)
}

/// Refuses what would be built on a state that the controller has not made yet. Stopping is
/// always possible.
fn check_taken(
    action: &RolloutAction,
    rollout: &Rollout,
    related: Option<&Related>,
) -> Result<(), RolloutRefusal> {
    if matches!(action, RolloutAction::Abort | RolloutAction::Pause) {
        return Ok(());
    }
    let Some(field) = untaken(rollout, related) else {
        return Ok(());
    };
    Err(RolloutRefusal::new(
        format!(
            "the controller has not taken the last change ({field}), so what follows is unknown"
        ),
        format!(
            "wait a few seconds, then {}; add --force to act all the same",
            suggest_get(&rollout.key)
        ),
    ))
}

/// Refuses what only a controller can do where there is none.
fn check_taken_up(action: &RolloutAction, rollout: &Rollout) -> Result<(), RolloutRefusal> {
    let on_spec = matches!(
        action,
        RolloutAction::Pause
            | RolloutAction::Resume
            | RolloutAction::Restart { .. }
            | RolloutAction::Undo { .. }
            | RolloutAction::SetImage(_)
    );
    if rollout.taken_up || on_spec {
        return Ok(());
    }
    Err(RolloutRefusal::new(
        "no controller has taken it up, so there is nothing to act on",
        format!(
            "check that a rollouts controller runs for its namespace and instance id, then {}",
            suggest_get(&rollout.key)
        ),
    ))
}

/// The object that holds the pod template; `None` when the rollout does.
fn find_workload<'a>(
    rollout: &Rollout,
    related: Option<&'a Related>,
) -> Result<Option<&'a Workload>, RolloutRefusal> {
    let Some(reference) = &rollout.workload_ref else {
        return Ok(None);
    };
    let held = related.and_then(|related| related.workload.as_ref());
    if held.is_some() {
        return Ok(held);
    }
    let denied = related.and_then(|related| related.is_unreadable(&reference.resource()));
    let why = denied.map_or_else(
        || format!("its pod template is that of {reference}, which does not exist"),
        |denied| {
            format!("its pod template is that of {reference}, which is not readable: {denied}")
        },
    );
    Err(RolloutRefusal::new(why, suggest_get(&rollout.key)))
}

type Planned = Result<(Vec<RolloutChange>, String), RolloutRefusal>;

fn changes(action: &RolloutAction, rollout: &Rollout, related: Option<&Related>) -> Planned {
    match action {
        RolloutAction::Promote => promote(rollout, related),
        RolloutAction::Skip => skip(rollout),
        RolloutAction::PromoteFull => promote_full(rollout, related),
        RolloutAction::Abort => abort(rollout, related),
        RolloutAction::Retry if !rollout.aborted => Err(RolloutRefusal::new(
            "the rollout is not aborted, so there is nothing to retry",
            suggest_get(&rollout.key),
        )),
        RolloutAction::Retry => Ok((
            vec![RolloutChange::ClearAbort],
            format!(
                "begins {} again: {}",
                revision(rollout, related, &rollout.current_hash),
                describe_start(
                    rollout,
                    related,
                    &revision(rollout, related, &rollout.current_hash)
                )
            ),
        )),
        RolloutAction::Pause if rollout.spec_paused => Err(RolloutRefusal::new(
            "the rollout is already paused manually",
            format!("run payops rollout resume {} to end the pause", rollout.key),
        )),
        RolloutAction::Pause => Ok((
            vec![RolloutChange::SetPaused(true)],
            "stays at the current step until resumed".to_owned(),
        )),
        RolloutAction::Resume => resume(rollout, related),
        RolloutAction::Restart { at } => Ok((
            vec![RolloutChange::RestartAt(*at)],
            format!(
                "all {} pods are replaced gradually",
                rollout.replicas.desired
            ),
        )),
        RolloutAction::Undo { revision } => undo(rollout, related, *revision),
        RolloutAction::SetImage(images) => set_image(rollout, related, images),
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

fn check_not_aborted(rollout: &Rollout) -> Result<(), RolloutRefusal> {
    if !rollout.aborted {
        return Ok(());
    }
    Err(RolloutRefusal::new(
        "the rollout is aborted; a promotion does nothing until it is retried",
        format!(
            "run payops rollout retry {0} to begin again at step 1, or payops rollout promote {0} \
                --full to bring the aborted version to 100 % at once",
            rollout.key
        ),
    ))
}

fn set_step(index: usize, end_controller_pause: bool) -> RolloutChange {
    RolloutChange::SetCurrentStep {
        index,
        end_controller_pause,
    }
}

fn promote(rollout: &Rollout, related: Option<&Related>) -> Planned {
    check_not_aborted(rollout)?;
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
        after = match (rollout.blue_green(), rollout.step_index) {
            (Some(blue_green), _)
                if !blue_green.is_switched(rollout) && !rollout.pauses.is_empty() =>
            {
                let when = if blue_green.preview_replicas.is_some() {
                    " once all of its pods are ready"
                } else {
                    " at once"
                };
                blue_green.describe_switch(rollout, related, when, true)
            }
            (None, Some(index)) if at_pause => describe_step(rollout, index.saturating_add(1)),
            _ => describe_resume(rollout, related),
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
    check_not_aborted(rollout)?;
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
        _ if rollout.blue_green().is_some() => Err(RolloutRefusal::new(
            "the rollout is not paused, and a blue-green rollout has no steps to skip",
            format!(
                "run payops rollout wait {0} to wait for the pause, or payops rollout promote {0} \
                    --full to switch without it",
                rollout.key
            ),
        )),
        _ => Err(RolloutRefusal::new(
            "there is no step left to skip",
            format!(
                "run payops rollout wait {} to wait until it is healthy",
                rollout.key
            ),
        )),
    }
}

fn promote_full(rollout: &Rollout, related: Option<&Related>) -> Planned {
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
    let newest = revision(rollout, related, &rollout.current_hash);
    let after = match rollout.blue_green() {
        Some(blue_green) if !blue_green.is_switched(rollout) => {
            let when = " as soon as its pods are ready, without pause or analysis";
            blue_green.describe_switch(rollout, related, when, false)
        }
        Some(_) => format!("{newest} becomes the stable one, without analysis"),
        None if rollout.aborted => format!(
            "brings the aborted {newest} to 100 %, without steps or analysis, as soon as its pods \
                are ready"
        ),
        None => format!("100 % on {newest}, as soon as its pods are ready"),
    };
    Ok((changes, after))
}

fn abort(rollout: &Rollout, related: Option<&Related>) -> Planned {
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
    let after = match rollout.blue_green() {
        Some(blue_green) => blue_green.describe_abort(rollout, related),
        None => format!(
            "0 % on {}, 100 % on {}",
            revision(rollout, related, &rollout.current_hash),
            revision(rollout, related, &rollout.stable_hash)
        ),
    };
    let abort = RolloutChange::Abort {
        current_hash: rollout.current_hash.clone(),
        stable_hash: rollout.stable_hash.clone(),
    };
    Ok((vec![abort], after))
}

fn resume(rollout: &Rollout, related: Option<&Related>) -> Planned {
    if rollout.spec_paused {
        return Ok((
            vec![RolloutChange::SetPaused(false)],
            describe_resume(rollout, related),
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
    let Some(related) = related else {
        return Err(RolloutRefusal::new(
            "its older revisions are not loaded",
            format!(
                "run payops rollout history {} to see them, then undo again",
                rollout.key
            ),
        ));
    };
    if let Some(denied) = related.is_unreadable("replicasets") {
        return Err(RolloutRefusal::new(
            format!("its older revisions are not readable: {denied}"),
            "ask for the right to list ReplicaSets, or set the image instead",
        ));
    }
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
    let images = images.join(", ");
    let after = if target.hash == rollout.stable_hash && !rollout.is_fully_promoted() {
        format!("back to the stable revision{number} at once, without steps: {images}")
    } else if is_within_rollback_window(rollout, related, target) {
        format!(
            "back to revision{number} without steps, as it is within the rollback window: {images}"
        )
    } else if let (Some(blue_green), Some(until)) = (
        // With fewer pods in preview it is scaled down first, and pauses as any other.
        rollout
            .blue_green()
            .filter(|blue_green| blue_green.preview_replicas.is_none()),
        target.scale_down_at,
    ) {
        format!(
            "active service {} switches to revision{number} at once, whose pods stand until \
                {until}: {images}",
            blue_green.active_service
        )
    } else {
        let name = format!("revision{number}");
        format!(
            "a new rollout of {name}: {images}; {}",
            describe_start(rollout, Some(related), &name)
        )
    };
    Ok((
        vec![RolloutChange::ReplaceTemplate(target.template.clone())],
        with_workload(rollout, after),
    ))
}

/// Whether the controller passes over steps and pauses on the way back to `target`: between it and
/// the stable version there are fewer versions than the window has.
fn is_within_rollback_window(rollout: &Rollout, related: &Related, target: &ReplicaSet) -> bool {
    let stable = related
        .replica_sets
        .iter()
        .find(|set| set.hash == rollout.stable_hash)
        .and_then(|set| set.created_at);
    let (Some(window), Some(stable), Some(at)) =
        (rollout.rollback_window, stable, target.created_at)
    else {
        return false;
    };
    let between = related.replica_sets.iter().filter(|set| {
        set.created_at
            .is_some_and(|created| at < created && created < stable)
    });
    at < stable && u32::try_from(between.count()).is_ok_and(|count| count < window)
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

fn set_image(rollout: &Rollout, related: Option<&Related>, images: &[ImageChange]) -> Planned {
    let workload = find_workload(rollout, related)?;
    let all = workload.map_or(&rollout.images, |workload| &workload.images);
    let held = |change: &ImageChange| {
        change.container == "*" || all.iter().any(|held| held.container == change.container)
    };
    if let Some(unknown) = images.iter().find(|change| !held(change)) {
        let names: Vec<&str> = all.iter().map(|image| image.container.as_str()).collect();
        return Err(RolloutRefusal::new(
            format!("container {} not found", unknown.container),
            format!("containers are {}", names.join(", ")),
        ));
    }
    let same = |change: &ImageChange| {
        all.iter()
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
    let after = format!(
        "a new rollout of {}: {}",
        pairs.join(", "),
        describe_start(rollout, related, "it")
    );
    Ok((
        vec![RolloutChange::SetImages(images.to_vec())],
        with_workload(rollout, after),
    ))
}

/// `after`, with the object that is changed in place of the rollout.
fn with_workload(rollout: &Rollout, after: String) -> String {
    match &rollout.workload_ref {
        Some(reference) => format!("changes {reference}: {after}"),
        None => after,
    }
}

/// What becomes of a new version, up to where it comes to rest.
fn describe_start(rollout: &Rollout, related: Option<&Related>, name: &str) -> String {
    match rollout.blue_green() {
        Some(blue_green) => blue_green.describe_start(rollout, related, name),
        None if rollout.steps().is_empty() => "all pods are replaced gradually".to_owned(),
        None => describe_step(rollout, 0),
    }
}

/// Where a rollout stands, in words: `step 2 of 7 (pause), 25.0 % set, 23.8 % observed`.
fn describe(rollout: &Rollout, related: Option<&Related>) -> String {
    let (phase, message) = rollout.phase();
    let message = if message.is_empty() {
        String::new()
    } else {
        format!(" ({message})")
    };
    let head = format!("{}{message}", phase.as_str());
    let Some(weights) = rollout.weights() else {
        return head;
    };
    if let Some(blue_green) = rollout.blue_green() {
        return format!("{head}, {}", blue_green.describe(rollout, related));
    }
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
    format!(
        "{head}, {place}, {} set, {observed} observed",
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
            weight = Some(percent(*next));
        }
    }
    let then = match (weight, rest) {
        (_, None) if waits(step) => "; then 100 %".to_owned(),
        (None, None) if *step == Step::SetWeight(1000) => String::new(),
        (_, None) => "; no pause follows, then 100 %".to_owned(),
        (Some(weight), Some(rest)) => format!("; then {weight} and {rest}"),
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
fn describe_resume(rollout: &Rollout, related: Option<&Related>) -> String {
    if let Some(blue_green) = rollout.blue_green() {
        let newest = revision(rollout, related, &rollout.current_hash);
        return if rollout.is_fully_promoted() {
            "continues; nothing is being rolled out".to_owned()
        } else if blue_green.is_switched(rollout) {
            format!("continues: {newest} is active and becomes the stable one")
        } else {
            format!(
                "continues: {}",
                blue_green.describe_start(rollout, related, &newest)
            )
        };
    }
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
        RolloutAction::PromoteFull if rollout.aborted => out.push(
            "it was aborted: nobody has found it good, and no step or analysis checks it"
                .to_owned(),
        ),
        RolloutAction::PromoteFull | RolloutAction::Retry if rollout.blue_green().is_some() => {}
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
            if rollout
                .blue_green()
                .is_none_or(|blue_green| blue_green.is_switched(rollout))
            {
                out.push(
                    "the stable pods get all traffic at once, even if they are cold or scaled down"
                        .to_owned(),
                );
            }
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
