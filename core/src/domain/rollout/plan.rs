//! Planning an action: what it will do, what it costs, and the exact calls that do it.

use serde_json::{Value, json};

use super::{
    ImageChange, PauseLength, Phase, Related, ReplicaSet, Rollout, RolloutAction, RolloutKey,
    RolloutRefusal, RunPhase, Step,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The status subresource; where the cluster has none (404), the object itself.
    Status,
    Main,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// A JSON merge patch (RFC 7386) of the rollout. The resource version that the plan is bound
    /// to, or that the call before answered, is added by who makes the call.
    Merge {
        part: Part,
        body: Value,
    },
    /// A JSON patch (RFC 6902) of the rollout, with a test of the resource version put in front.
    Json {
        body: Value,
    },
    /// Reads the rollout, changes images in `containers`, `initContainers` and
    /// `ephemeralContainers`, and puts it back; again from the start on a conflict.
    SetImages(Vec<ImageChange>),
    /// Merge patch `{"spec":{"terminate":true}}` of an analysis run.
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
    /// The spec that was looked at ([`Rollout::generation`]): a call that replaces the pod
    /// template, and calls after the first, go on when only the status has moved.
    pub generation: u64,
    pub now: String,
    pub after: String,
    pub warnings: Vec<String>,
    pub same_as: String,
    pub calls: Vec<Call>,
}

/// Plans `action` on `rollout`, or refuses it. `related` makes warnings exact: without it nothing
/// can be said of measurements, and an undo is refused.
pub fn plan(
    action: RolloutAction,
    rollout: &Rollout,
    related: Option<&Related>,
) -> Result<RolloutPlan, RolloutRefusal> {
    let (calls, after) = calls(&action, rollout, related)?;
    Ok(RolloutPlan {
        now: describe(rollout),
        after,
        warnings: warnings(&action, rollout, related),
        same_as: action.kubectl(&rollout.key),
        key: rollout.key.clone(),
        uid: rollout.uid.clone(),
        resource_version: rollout.resource_version.clone(),
        generation: rollout.generation,
        calls,
        action,
    })
}

fn status(body: &Value) -> Call {
    Call::Merge {
        part: Part::Status,
        body: json!({ "status": body }),
    }
}

fn spec(body: &Value) -> Call {
    Call::Merge {
        part: Part::Main,
        body: json!({ "spec": body }),
    }
}

type Planned = Result<(Vec<Call>, String), RolloutRefusal>;

fn calls(action: &RolloutAction, rollout: &Rollout, related: Option<&Related>) -> Planned {
    match action {
        RolloutAction::Promote => promote(rollout),
        RolloutAction::Skip => skip(rollout),
        RolloutAction::PromoteFull => promote_full(rollout),
        RolloutAction::Abort => abort(rollout),
        RolloutAction::Retry if !rollout.aborted => Err(RolloutRefusal::new(
            "it is not aborted: there is nothing to retry",
            "look at it again",
        )),
        RolloutAction::Retry => Ok((
            vec![status(&json!({"abort": false}))],
            "starts again at step 1 with the newest version".to_owned(),
        )),
        RolloutAction::Pause if rollout.spec_paused => Err(RolloutRefusal::new(
            "it is paused by hand already",
            "resume ends that pause",
        )),
        RolloutAction::Pause => Ok((
            vec![spec(&json!({"paused": true}))],
            "stays where it is until it is resumed".to_owned(),
        )),
        RolloutAction::Resume => resume(rollout),
        RolloutAction::Restart { at } => Ok((
            vec![spec(&json!({"restartAt": at.to_string()}))],
            format!(
                "all {} pods are replaced, a few at a time",
                rollout.replicas.desired
            ),
        )),
        RolloutAction::Undo { revision } => undo(rollout, related, *revision),
        RolloutAction::SetImage(images) => set_image(rollout, images),
        RolloutAction::TerminateAnalysis { name } => {
            known(
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
                vec![Call::TerminateAnalysis { name: name.clone() }],
                format!("analysis {name} ends with what it has measured"),
            ))
        }
        RolloutAction::TerminateExperiment { name } => {
            known(
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
                vec![Call::TerminateExperiment { name: name.clone() }],
                format!("experiment {name} ends"),
            ))
        }
    }
}

fn known(
    related: Option<&Related>,
    runs: bool,
    what: &str,
    name: &str,
) -> Result<(), RolloutRefusal> {
    if related.is_none() || runs {
        return Ok(());
    }
    Err(RolloutRefusal::new(
        format!("{what} {name} does not run"),
        "look at the rollout again",
    ))
}

fn forward(rollout: &Rollout) -> Result<(), RolloutRefusal> {
    if !rollout.observed {
        return Err(RolloutRefusal::new(
            "the controller has not seen the newest spec yet: its steps are not those shown",
            "wait a moment, and look again",
        ));
    }
    if rollout.aborted {
        return Err(RolloutRefusal::new(
            "it is aborted: a promotion would do nothing now and lie in wait for the next try",
            "retry first, then promote",
        ));
    }
    Ok(())
}

fn promote(rollout: &Rollout) -> Planned {
    forward(rollout)?;
    if rollout.is_fully_promoted() && !rollout.spec_paused && rollout.pauses.is_empty() {
        return Err(RolloutRefusal::new(
            "it is fully promoted: there is nothing to go on to",
            "a new image begins a new rollout",
        ));
    }
    let inconclusive = rollout
        .step_analysis
        .as_ref()
        .is_some_and(|run| run.phase == RunPhase::Inconclusive);
    let paused = !rollout.pauses.is_empty() || rollout.spec_paused;
    let mut calls = Vec::new();
    let after;
    if inconclusive && !rollout.pauses.is_empty() && rollout.controller_pause {
        let next = next_index(rollout)?;
        calls.push(status(
            &json!({"pauseConditions": null, "controllerPause": false, "currentStepIndex": next}),
        ));
        after = reached(rollout, next);
    } else if paused {
        if !rollout.pauses.is_empty() {
            calls.push(status(&json!({"pauseConditions": null})));
        }
        let at_pause =
            matches!(rollout.current_step(), Some(Step::Pause(_))) && !rollout.pauses.is_empty();
        after = match rollout.step_index {
            Some(index) if at_pause => reached(rollout, index.saturating_add(1)),
            _ => "goes on from where it is".to_owned(),
        };
    } else {
        let next = next_index(rollout)?;
        calls.push(status(
            &json!({"pauseConditions": null, "currentStepIndex": next}),
        ));
        after = reached(rollout, next);
    }
    if rollout.spec_paused {
        calls.push(spec(&json!({"paused": false})));
    }
    Ok((calls, after))
}

fn skip(rollout: &Rollout) -> Planned {
    forward(rollout)?;
    let next = next_index(rollout)?;
    let mut calls = vec![status(
        &json!({"pauseConditions": null, "currentStepIndex": next}),
    )];
    if rollout.spec_paused {
        calls.push(spec(&json!({"paused": false})));
    }
    Ok((calls, reached(rollout, next)))
}

fn next_index(rollout: &Rollout) -> Result<usize, RolloutRefusal> {
    let count = rollout.steps().len();
    match rollout.step_index {
        Some(index) if index < count => Ok(index.saturating_add(1).min(count)),
        _ => Err(RolloutRefusal::new(
            "no step is left to pass over",
            "wait until it is healthy, or promote it in full",
        )),
    }
}

fn promote_full(rollout: &Rollout) -> Planned {
    forward(rollout)?;
    if rollout.is_fully_promoted() {
        return Err(RolloutRefusal::new(
            "the newest version is the stable one: a full promotion would do nothing",
            "a new image begins a new rollout",
        ));
    }
    let mut calls = vec![status(&json!({"promoteFull": true}))];
    if rollout.spec_paused {
        calls.push(spec(&json!({"paused": false})));
    }
    Ok((
        calls,
        "100 % on the newest version, as fast as its pods come up".to_owned(),
    ))
}

fn abort(rollout: &Rollout) -> Planned {
    if rollout.aborted {
        return Err(RolloutRefusal::new(
            "it is aborted already",
            "retry tries again, undo goes back to an older template",
        ));
    }
    if rollout.is_fully_promoted() && rollout.observed {
        return Err(RolloutRefusal::new(
            "nothing is being rolled out: an abort would lie in wait for the next version",
            "undo goes back to an older revision",
        ));
    }
    Ok((
        vec![status(&json!({"abort": true}))],
        "0 % on the newest version, 100 % on the stable one".to_owned(),
    ))
}

fn resume(rollout: &Rollout) -> Planned {
    if rollout.spec_paused {
        return Ok((
            vec![spec(&json!({"paused": false}))],
            "goes on from where it is".to_owned(),
        ));
    }
    let instead = if rollout.pauses.is_empty() {
        "look at it again"
    } else {
        "promote ends the pause of a step"
    };
    Err(RolloutRefusal::new("it is not paused by hand", instead))
}

fn undo(rollout: &Rollout, related: Option<&Related>, revision: Option<u64>) -> Planned {
    if rollout.workload_ref {
        return Err(RolloutRefusal::new(
            "its pod template is another workload's",
            "undo that workload",
        ));
    }
    let Some(related) = related else {
        return Err(RolloutRefusal::new(
            "its older revisions are not loaded",
            "look at it again",
        ));
    };
    let target = target(rollout, related, revision)?;
    let mut template = target.template.clone();
    let mut unlabelled = false;
    if let Some(labels) = template
        .pointer_mut("/metadata/labels")
        .and_then(Value::as_object_mut)
    {
        labels.shift_remove("rollouts-pod-template-hash");
        unlabelled = true;
    }
    if !unlabelled && !template.is_object() {
        return Err(RolloutRefusal::new(
            format!("the pod template of {} is not known", target.name),
            "look at it again",
        ));
    }
    let body = json!([{"op": "replace", "path": "/spec/template", "value": template}]);
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
        vec![Call::Json { body }],
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
            "no older revision is kept".to_owned()
        } else {
            format!("revisions kept are {}", numbers.join(", "))
        }
    };
    let found = match revision {
        Some(revision) => known().find(|set| set.revision == Some(revision)),
        None => known()
            .filter(|set| set.hash != rollout.current_hash)
            .max_by_key(|set| set.revision),
    };
    let found = found.ok_or_else(|| match revision {
        Some(revision) => {
            RolloutRefusal::new(format!("there is no revision {revision}"), numbers())
        }
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
            "its pod template is another workload's",
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
            format!("there is no container {}", unknown.container),
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
            "its images are those already: nothing would change",
            "restart replaces the pods",
        ));
    }
    let told: Vec<String> = images
        .iter()
        .map(|change| format!("{}={}", change.container, change.image))
        .collect();
    Ok((
        vec![Call::SetImages(images.to_vec())],
        format!("a new rollout of {}, from step 1", told.join(", ")),
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

/// Thousandths as `23.8 %`, whole ones as `25 %`.
fn percent(thousandths: u32) -> String {
    let (whole, tenth) = (
        thousandths.checked_div(10).unwrap_or_default(),
        thousandths.checked_rem(10).unwrap_or_default(),
    );
    if tenth == 0 {
        format!("{whole} %")
    } else {
        format!("{whole}.{tenth} %")
    }
}

/// Where it comes to when step `index` is next.
fn reached(rollout: &Rollout, index: usize) -> String {
    let Some(step) = rollout.steps().get(index) else {
        return "all steps done: 100 % on the newest version".to_owned();
    };
    let weight = rollout.steps().iter().skip(index).find_map(|step| {
        if let Step::SetWeight(weight) = step {
            Some(*weight)
        } else {
            None
        }
    });
    let to = match (step, weight) {
        (Step::SetWeight(_), _) => String::new(),
        (_, Some(weight)) => format!("; then {weight} %"),
        (_, None) => "; then 100 %".to_owned(),
    };
    format!(
        "step {} of {} ({step}){to}",
        index.saturating_add(1),
        rollout.steps().len()
    )
}

fn warnings(action: &RolloutAction, rollout: &Rollout, related: Option<&Related>) -> Vec<String> {
    let mut out = Vec::new();
    let passes_over = matches!(
        action,
        RolloutAction::Promote | RolloutAction::Skip | RolloutAction::PromoteFull
    );
    if passes_over {
        out.extend(running(action, rollout, related));
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
                "a full promotion passes over {pauses} pauses and {analyses} analyses \
                that are left"
            ));
        }
        RolloutAction::Abort => {
            out.push(
                "the new version stays in the spec: Git and Argo CD still hold it, and a \
                retry or a sync brings it back"
                    .to_owned(),
            );
            out.push(
                "the stable pods get all traffic at once, cold or scaled down as they may \
                be"
                .to_owned(),
            );
        }
        RolloutAction::Retry => out.push(
            "the version that was aborted gets traffic again, from step 1; \
            its analysis is measured anew"
                .to_owned(),
        ),
        RolloutAction::Undo { .. } | RolloutAction::SetImage(_) => {
            out.push(
                "Git does not know of this: under Argo CD with self-heal it is undone at the \
                next sync"
                    .to_owned(),
            );
        }
        RolloutAction::Pause if rollout.phase().0 == Phase::Healthy => {
            out.push(
                "nothing is being rolled out: the pause holds back the next version".to_owned(),
            );
        }
        RolloutAction::Promote
            if matches!(
                rollout.current_step(),
                Some(Step::Pause(PauseLength::For(_)))
            ) && !rollout.pauses.is_empty() =>
        {
            out.push("the pause would have ended by itself".to_owned());
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
fn running(action: &RolloutAction, rollout: &Rollout, related: Option<&Related>) -> Vec<String> {
    let cut_off = |kind: &super::AnalysisKind| match action {
        // A pause in a step does not end the analysis beside it.
        RolloutAction::Promote if !rollout.pauses.is_empty() => {
            matches!(kind, super::AnalysisKind::Step(_))
        }
        RolloutAction::PromoteFull => true,
        _ => matches!(kind, super::AnalysisKind::Step(_)),
    };
    let Some(related) = related else {
        let told = rollout
            .step_analysis
            .iter()
            .filter(|run| !run.phase.is_done());
        return told
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
                metric.measured()
            )
        })
        .collect()
}
