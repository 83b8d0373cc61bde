//! Which analysis runs a rollout has: created when a step, the background or a promotion needs one,
//! named in the status, terminated when no longer needed.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::analysis_run::{self, MetricQuery, MetricSource, is_completed};
use super::context::{RolloutContext, WorkingCopy};
use super::json::{into_object, list, number, object_mut, text};
use super::{pods, revision, sets};
use crate::kinds::Kind;
use crate::store::Key;

/// What a run is for; the label `rollout-type` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnalysisKind {
    Step(usize),
    Background,
    PrePromotion,
    PostPromotion,
}

impl AnalysisKind {
    fn label(self) -> &'static str {
        match self {
            Self::Step(_) => "Step",
            Self::Background => "Background",
            Self::PrePromotion => "PrePromotion",
            Self::PostPromotion => "PostPromotion",
        }
    }

    pub(super) const NAMED_IN_STATUS: [Self; 4] = [
        Self::Step(0),
        Self::Background,
        Self::PrePromotion,
        Self::PostPromotion,
    ];

    /// The strategy and the field of its status that name the current run.
    pub(super) fn status_field(self) -> (&'static str, &'static str) {
        match self {
            Self::Step(_) => ("canary", "currentStepAnalysisRunStatus"),
            Self::Background => ("canary", "currentBackgroundAnalysisRunStatus"),
            Self::PrePromotion => ("blueGreen", "prePromotionAnalysisRunStatus"),
            Self::PostPromotion => ("blueGreen", "postPromotionAnalysisRunStatus"),
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Step(_) => "Step-based analysis",
            Self::Background => "Background analysis",
            Self::PrePromotion => "Blue/green pre-promotion analysis",
            Self::PostPromotion => "Blue/green post-promotion analysis",
        }
    }
}

pub(super) fn advance(ctx: &mut RolloutContext, source: &MetricSource, cluster: &str) {
    let rollout = ctx.name().to_owned();
    let image = sets::images(&ctx.spec()["template"])
        .first()
        .copied()
        .unwrap_or_default()
        .to_owned();
    let now = ctx.now;
    let mut wakes: Vec<Timestamp> = Vec::new();
    let mut ended = Vec::new();
    for run in ctx
        .runs
        .iter_mut()
        .filter(|run| !is_completed(text(run.get(), "/status/phase")))
    {
        let query = MetricQuery {
            cluster,
            rollout: &rollout,
            metric: "",
            image: &image,
            number: 0,
            now,
        };
        let mut moved = run.get().clone();
        wakes.extend(analysis_run::advance(&mut moved, source, query));
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
        ctx.wake_at(wake);
    }
    for (class, name, after, before) in ended {
        let message =
            format!("{class} Analysis Run '{name}' Status New: '{after}' Previous: '{before}'");
        match after.as_str() {
            "Failed" => ctx.record_warning("AnalysisRunFailed", message),
            "Error" => ctx.record_warning("AnalysisRunError", message),
            "Inconclusive" => ctx.record_event("AnalysisRunInconclusive", message),
            "Successful" => ctx.record_event("AnalysisRunSuccessful", message),
            _ => ctx.record_event("AnalysisRunRunning", message),
        }
    }
}

/// Copies the phase of the current run into the status, and creates the run if there is none.
/// Returns the phase.
pub(super) fn sync_run(ctx: &mut RolloutContext, kind: AnalysisKind, analysis: &Value) -> String {
    let (strategy, field) = kind.status_field();
    let entry = ctx.status()[strategy][field].clone();
    let current = ctx
        .runs
        .iter()
        .find(|run| run.name() == text(&entry, "/name") && is_for(run.get(), kind));
    if let Some(run) = current {
        let (phase, message) = (
            text(run.get(), "/status/phase").to_owned(),
            text(run.get(), "/status/message").to_owned(),
        );
        let mut entry = json!({"name": run.name(), "status": phase});
        if !message.is_empty() {
            entry["message"] = message.into();
        }
        ctx.set_strategy_status(strategy, field, entry);
        return phase;
    }
    match build_run(ctx, kind, analysis) {
        Ok(run) => {
            let entry = json!({"name": run["metadata"]["name"], "status": "Pending"});
            ctx.created.push(run);
            ctx.set_strategy_status(strategy, field, entry);
        }
        Err(why) => ctx.invalid = Some(why),
    }
    "Pending".to_owned()
}

fn is_for(run: &Value, kind: AnalysisKind) -> bool {
    let labels = &run["metadata"]["labels"];
    let step = labels["step-index"]
        .as_str()
        .and_then(|index| index.parse().ok());
    match kind {
        AnalysisKind::Step(index) => step == Some(index),
        _ => labels["rollout-type"] == kind.label(),
    }
}

/// Says why a failed run aborts the rollout.
pub(super) fn failure_message(ctx: &RolloutContext, kind: AnalysisKind) -> String {
    let (strategy, field) = kind.status_field();
    let message = text(&ctx.status()[strategy][field], "/message");
    format!("{} phase error/failed: {message}", kind.description())
}

/// Removes the run of `kind` from the status: it is no longer the current one.
pub(super) fn clear_status(ctx: &mut RolloutContext, kind: AnalysisKind) {
    let (strategy, field) = kind.status_field();
    ctx.set_strategy_status(strategy, field, Value::Null);
}

/// Terminates all running runs that the status does not name.
pub(super) fn terminate_others(ctx: &mut RolloutContext) {
    let status = ctx.status();
    let named = AnalysisKind::NAMED_IN_STATUS.map(|kind| {
        let (strategy, field) = kind.status_field();
        text(&status[strategy][field], "/name").to_owned()
    });
    let is_running = |run: &&mut WorkingCopy| {
        !is_completed(text(run.get(), "/status/phase"))
            && !super::json::flag(run.get(), "/spec/terminate")
    };
    for run in ctx.runs.iter_mut().filter(is_running) {
        if !named.iter().any(|name| name == run.name()) {
            object_mut(run.edit(), "spec").insert("terminate".to_owned(), true.into());
        }
    }
}

fn build_run(ctx: &RolloutContext, kind: AnalysisKind, analysis: &Value) -> Result<Value, String> {
    let (mut metrics, mut args) = (Vec::new(), Vec::new());
    for wanted in list(analysis, "/templates") {
        let name = text(wanted, "/templateName");
        let template_kind = if super::json::flag(wanted, "/clusterScope") {
            "ClusterAnalysisTemplate"
        } else {
            "AnalysisTemplate"
        };
        let template = ctx.templates.iter().find(|template| {
            text(template, "/kind") == template_kind && text(template, "/metadata/name") == name
        });
        let template = template.ok_or_else(|| {
            format!(
                "The Rollout {:?} is invalid: spec.strategy: Invalid value: {name:?}: {template_kind} \
                '{name}' not found",
                ctx.name()
            )
        })?;
        metrics.extend(list(template, "/spec/metrics").iter().cloned());
        args.extend(list(template, "/spec/args").iter().cloned());
    }
    for arg in list(analysis, "/args") {
        args.retain(|other| other["name"] != arg["name"]);
        args.push(resolve_argument(ctx, arg));
    }
    let (hash, number) = (ctx.current_hash(), ctx.revision());
    let mut labels = pods::hash_label(hash);
    into_object(&mut labels).insert("rollout-type".to_owned(), kind.label().into());
    let mut base = format!("{}-{hash}-{number}", ctx.name());
    match kind {
        AnalysisKind::Step(index) => {
            into_object(&mut labels).insert("step-index".to_owned(), index.to_string().into());
            base = format!("{base}-{index}");
        }
        AnalysisKind::Background => {}
        AnalysisKind::PrePromotion => base.push_str("-pre"),
        AnalysisKind::PostPromotion => base.push_str("-post"),
    }
    let is_taken = |name: &str| ctx.runs.iter().any(|run| run.name() == name);
    let numbered = (1..).map(|number| format!("{base}.{number}"));
    let name = std::iter::once(base.clone())
        .chain(numbered)
        .find(|name| !is_taken(name))
        .unwrap_or(base);
    let mut spec = json!({"metrics": metrics, "args": args});
    if analysis["dryRun"].is_array() {
        spec["dryRun"] = analysis["dryRun"].clone();
    }
    Ok(json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun",
        "metadata": {
            "name": name, "namespace": ctx.namespace(), "labels": labels,
            "annotations": {(revision::ANNOTATION): number.to_string()},
            "ownerReferences": ctx.owner_references(),
        },
        "spec": spec,
    }))
}

/// Looks up the value of an argument that names a version or a field.
fn resolve_argument(ctx: &RolloutContext, arg: &Value) -> Value {
    let hash = match text(arg, "/valueFrom/podTemplateHashValue") {
        "Stable" => ctx.stable_hash(),
        "Latest" => ctx.current_hash(),
        _ => {
            let path = text(arg, "/valueFrom/fieldRef/fieldPath");
            let pointer = format!(
                "/{}",
                path.replace("['", "/").replace("']", "").replace('.', "/")
            );
            return if path.is_empty() {
                arg.clone()
            } else {
                json!({"name": arg["name"], "value": text(ctx.rollout.get(), &pointer)})
            };
        }
    };
    json!({"name": arg["name"], "value": hash})
}

/// Deletes the oldest completed runs beyond the history limits.
pub(super) fn delete_old(ctx: &mut RolloutContext) {
    let limit = |field: &str| {
        number(ctx.spec(), &format!("/analysis/{field}"))
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(5)
    };
    let (good_max, bad_max) = (
        limit("successfulRunHistoryLimit"),
        limit("unsuccessfulRunHistoryLimit"),
    );
    let status = ctx.status();
    let is_named = |run: &WorkingCopy| {
        AnalysisKind::NAMED_IN_STATUS.iter().any(|kind| {
            let (strategy, field) = kind.status_field();
            text(&status[strategy][field], "/name") == run.name()
        })
    };
    let mut completed: Vec<&WorkingCopy> = ctx
        .runs
        .iter()
        .filter(|run| is_completed(text(run.get(), "/status/phase")) && !is_named(run))
        .collect();
    completed.sort_by_key(|run| std::cmp::Reverse(text(run.get(), "/metadata/creationTimestamp")));
    let (good, bad): (Vec<&WorkingCopy>, Vec<&WorkingCopy>) = completed
        .into_iter()
        .partition(|run| text(run.get(), "/status/phase") == "Successful");
    let old = good
        .into_iter()
        .skip(good_max)
        .chain(bad.into_iter().skip(bad_max));
    let keys: Vec<Key> = old
        .map(|run| Key::new(Kind::AnalysisRun, ctx.namespace(), run.name()))
        .collect();
    ctx.removed.extend(keys);
}
