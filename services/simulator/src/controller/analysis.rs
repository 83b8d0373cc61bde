//! Which analysis runs a rollout has: made when a step or the background wants one, named in the
//! status, ended when passed over.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::json::{list, map, number, part, text};
use super::measure::{self, MetricSource, Query, is_done};
use super::scene::{Held, Scene};
use super::{pods, sets};
use crate::kinds::Kind;
use crate::store::Key;

/// Why a run is started, and where the status tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Step(usize),
    Background,
    PrePromotion,
    PostPromotion,
}

impl Cause {
    fn label(self) -> &'static str {
        match self {
            Self::Step(_) => "Step",
            Self::Background => "Background",
            Self::PrePromotion => "PrePromotion",
            Self::PostPromotion => "PostPromotion",
        }
    }

    pub(super) fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Step(_) => ("canary", "currentStepAnalysisRunStatus"),
            Self::Background => ("canary", "currentBackgroundAnalysisRunStatus"),
            Self::PrePromotion => ("blueGreen", "prePromotionAnalysisRunStatus"),
            Self::PostPromotion => ("blueGreen", "postPromotionAnalysisRunStatus"),
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Step(_) => "Step-based analysis",
            Self::Background => "Background analysis",
            Self::PrePromotion => "Pre-promotion analysis",
            Self::PostPromotion => "Post-promotion analysis",
        }
    }
}

pub(super) fn advance(scene: &mut Scene, source: &MetricSource, cluster: &str) {
    let rollout = scene.name().to_owned();
    let image = sets::images(&scene.spec()["template"])
        .first()
        .copied()
        .unwrap_or_default()
        .to_owned();
    let now = scene.now;
    let mut wakes: Vec<Timestamp> = Vec::new();
    let mut ended = Vec::new();
    for run in scene
        .runs
        .iter_mut()
        .filter(|run| !is_done(text(run.get(), "/status/phase")))
    {
        let query = Query {
            cluster,
            rollout: &rollout,
            metric: "",
            image: &image,
            number: 0,
            now,
        };
        let mut moved = run.get().clone();
        wakes.extend(measure::advance(&mut moved, source, query));
        if moved != *run.get() {
            let (before, after) = (
                text(run.get(), "/status/phase").to_owned(),
                text(&moved, "/status/phase").to_owned(),
            );
            if before != after {
                ended.push((
                    text(&moved, "/metadata/labels/rollout-type").to_owned(),
                    run.name().to_owned(),
                    after,
                    before,
                ));
            }
            *run.edit() = moved;
        }
    }
    for wake in wakes {
        scene.wake_at(wake);
    }
    for (class, name, after, before) in ended {
        let message =
            format!("{class} Analysis Run '{name}' Status New: '{after}' Previous: '{before}'");
        match after.as_str() {
            "Failed" => scene.warn("AnalysisRunFailed", message),
            "Error" => scene.warn("AnalysisRunError", message),
            "Inconclusive" => scene.note("AnalysisRunInconclusive", message),
            "Successful" => scene.note("AnalysisRunSuccessful", message),
            _ => scene.note("AnalysisRunRunning", message),
        }
    }
}

/// How the run of `cause` stands, once there is one; makes it when there is none.
pub(super) fn follow(scene: &mut Scene, cause: Cause, analysis: &Value) -> String {
    let (strategy, field) = cause.place();
    let entry = scene.status()[strategy][field].clone();
    let known = scene
        .runs
        .iter()
        .find(|run| run.name() == text(&entry, "/name") && serves(run.get(), cause));
    if let Some(run) = known {
        let (phase, message) = (
            text(run.get(), "/status/phase").to_owned(),
            text(run.get(), "/status/message").to_owned(),
        );
        let mut entry = json!({"name": run.name(), "status": phase});
        if !message.is_empty() {
            entry["message"] = message.into();
        }
        scene.set_strategy_status(strategy, field, entry);
        return phase;
    }
    match make(scene, cause, analysis) {
        Ok(run) => {
            let entry = json!({"name": run["metadata"]["name"], "status": "Pending"});
            scene.created.push(run);
            scene.set_strategy_status(strategy, field, entry);
        }
        Err(why) => scene.invalid = Some(why),
    }
    "Pending".to_owned()
}

fn serves(run: &Value, cause: Cause) -> bool {
    let labels = &run["metadata"]["labels"];
    let step = labels["step-index"]
        .as_str()
        .and_then(|index| index.parse().ok());
    match cause {
        Cause::Step(index) => step == Some(index),
        _ => labels["rollout-type"] == cause.label(),
    }
}

/// Why the verdict of a run ends the roll-out.
pub(super) fn failure(scene: &Scene, cause: Cause) -> String {
    let (strategy, field) = cause.place();
    let message = text(&scene.status()[strategy][field], "/message");
    format!("{} phase error/failed: {message}", cause.in_words())
}

/// Forgets the run of `cause`: it is not the current one any more.
pub(super) fn leave(scene: &mut Scene, cause: Cause) {
    let (strategy, field) = cause.place();
    scene.set_strategy_status(strategy, field, Value::Null);
}

/// Ends all runs under way that the status does not name.
pub(super) fn end_others(scene: &mut Scene) {
    let status = scene.status();
    let causes = [
        Cause::Step(0),
        Cause::Background,
        Cause::PrePromotion,
        Cause::PostPromotion,
    ]
    .map(Cause::place);
    let named: Vec<String> = causes
        .iter()
        .map(|(strategy, field)| text(&status[*strategy][*field], "/name").to_owned())
        .collect();
    let idle = |run: &&mut Held| {
        !is_done(text(run.get(), "/status/phase"))
            && !super::json::flag(run.get(), "/spec/terminate")
    };
    for run in scene.runs.iter_mut().filter(idle) {
        if !named.iter().any(|name| name == run.name()) {
            part(run.edit(), "spec").insert("terminate".to_owned(), true.into());
        }
    }
}

fn make(scene: &Scene, cause: Cause, analysis: &Value) -> Result<Value, String> {
    let (mut metrics, mut args) = (Vec::new(), Vec::new());
    for wanted in list(analysis, "/templates") {
        let name = text(wanted, "/templateName");
        let kind = if super::json::flag(wanted, "/clusterScope") {
            "ClusterAnalysisTemplate"
        } else {
            "AnalysisTemplate"
        };
        let template = scene.templates.iter().find(|template| {
            text(template, "/kind") == kind && text(template, "/metadata/name") == name
        });
        let template = template.ok_or_else(|| {
            format!(
                "The Rollout {:?} is invalid: spec.strategy: Invalid value: {name:?}: {kind} \
                '{name}' not found",
                scene.name()
            )
        })?;
        metrics.extend(list(template, "/spec/metrics").iter().cloned());
        args.extend(list(template, "/spec/args").iter().cloned());
    }
    for arg in list(analysis, "/args") {
        args.retain(|known| known["name"] != arg["name"]);
        args.push(argument(scene, arg));
    }
    let (hash, revision) = (scene.current_hash(), scene.revision());
    let mut labels = pods::label(hash);
    map(&mut labels).insert("rollout-type".to_owned(), cause.label().into());
    let mut base = format!("{}-{hash}-{revision}", scene.name());
    match cause {
        Cause::Step(index) => {
            map(&mut labels).insert("step-index".to_owned(), index.to_string().into());
            base = format!("{base}-{index}");
        }
        Cause::Background => {}
        Cause::PrePromotion => base.push_str("-pre"),
        Cause::PostPromotion => base.push_str("-post"),
    }
    let taken = |name: &str| scene.runs.iter().any(|run| run.name() == name);
    let again = (1..).map(|number| format!("{base}.{number}"));
    let name = std::iter::once(base.clone())
        .chain(again)
        .find(|name| !taken(name))
        .unwrap_or(base);
    let mut spec = json!({"metrics": metrics, "args": args});
    if analysis["dryRun"].is_array() {
        spec["dryRun"] = analysis["dryRun"].clone();
    }
    Ok(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun",
        "metadata": {
            "name": name, "namespace": scene.namespace(), "labels": labels, "annotations": {(sets::REVISION): revision.to_string()},
            "ownerReferences": scene.owner(),
        },
        "spec": spec,
    }))
}

/// An argument with its value looked up, where it names a version or a field.
fn argument(scene: &Scene, arg: &Value) -> Value {
    let hash = match text(arg, "/valueFrom/podTemplateHashValue") {
        "Stable" => scene.stable_hash(),
        "Latest" => scene.current_hash(),
        _ => {
            let path = text(arg, "/valueFrom/fieldRef/fieldPath");
            let pointer = format!(
                "/{}",
                path.replace("['", "/").replace("']", "").replace('.', "/")
            );
            return if path.is_empty() {
                arg.clone()
            } else {
                json!({"name": arg["name"], "value": text(scene.rollout.get(), &pointer)})
            };
        }
    };
    json!({"name": arg["name"], "value": hash})
}

/// Removes the oldest finished runs, beyond what the history is to keep.
pub(super) fn forget_old(scene: &mut Scene) {
    let kept = |field: &str| {
        number(scene.spec(), &format!("/analysis/{field}"))
            .and_then(|kept| usize::try_from(kept).ok())
            .unwrap_or(5)
    };
    let (good_max, bad_max) = (
        kept("successfulRunHistoryLimit"),
        kept("unsuccessfulRunHistoryLimit"),
    );
    let status = scene.status();
    let named = [
        Cause::Step(0),
        Cause::Background,
        Cause::PrePromotion,
        Cause::PostPromotion,
    ]
    .map(Cause::place);
    let is_named = |run: &Held| {
        named
            .iter()
            .any(|(strategy, field)| text(&status[*strategy][*field], "/name") == run.name())
    };
    let mut done: Vec<&Held> = scene
        .runs
        .iter()
        .filter(|run| is_done(text(run.get(), "/status/phase")) && !is_named(run))
        .collect();
    done.sort_by_key(|run| std::cmp::Reverse(text(run.get(), "/metadata/creationTimestamp")));
    let (good, bad): (Vec<&Held>, Vec<&Held>) = done
        .into_iter()
        .partition(|run| text(run.get(), "/status/phase") == "Successful");
    let old = good
        .into_iter()
        .skip(good_max)
        .chain(bad.into_iter().skip(bad_max));
    let keys: Vec<Key> = old
        .map(|run| Key::new(Kind::AnalysisRun, scene.namespace(), run.name()))
        .collect();
    scene.removed.extend(keys);
}
