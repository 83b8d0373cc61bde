//! Experiments: they run for their duration, or until somebody terminates them. Their pods and
//! analyses are not simulated.

use serde_json::{Value, json};

use super::analysis_run::is_completed;
use super::context::RolloutContext;
use super::json::{
    add_seconds, flag, into_object, list, object_mut, seconds, text, time, to_rfc3339,
};
use super::{pods, revision};

pub(super) fn advance(ctx: &mut RolloutContext) {
    let now = ctx.now;
    let mut ends = Vec::new();
    let current = text(&ctx.rollout.get()["status"]["canary"], "/currentExperiment").to_owned();
    for experiment in ctx
        .experiments
        .iter_mut()
        .filter(|experiment| !is_completed(text(experiment.get(), "/status/phase")))
    {
        // The rollout no longer waits for it.
        if experiment.name() != current && !flag(experiment.get(), "/spec/terminate") {
            object_mut(experiment.edit(), "spec").insert("terminate".to_owned(), true.into());
        }
        let begun = time(experiment.get(), "/status/availableAt");
        let since = begun.unwrap_or(now);
        let end =
            seconds(&experiment.get()["spec"]["duration"]).map(|length| add_seconds(since, length));
        let over = flag(experiment.get(), "/spec/terminate") || end.is_some_and(|end| end <= now);
        if over || begun.is_none() {
            let phase = if over { "Successful" } else { "Running" };
            let templates: Vec<Value> = list(experiment.get(), "/spec/templates")
                .iter()
                .map(|template| {
                    json!({
                        "name": template["name"], "status": phase, "replicas": 1,
                        "availableReplicas": i64::from(!over),
                    })
                })
                .collect();
            let status = object_mut(experiment.edit(), "status");
            status.insert("phase".to_owned(), phase.into());
            status.insert("availableAt".to_owned(), to_rfc3339(since));
            status.insert("templateStatuses".to_owned(), templates.into());
        }
        ends.extend(end.filter(|_| !over));
    }
    for end in ends {
        ctx.wake_at(end);
    }
}

/// Creates the experiment of a step if there is none. Returns its phase.
pub(super) fn sync_step(ctx: &mut RolloutContext, index: usize, spec: &Value) -> String {
    let current = text(&ctx.status()["canary"], "/currentExperiment");
    if let Some(experiment) = ctx
        .experiments
        .iter()
        .find(|experiment| !current.is_empty() && experiment.name() == current)
    {
        return text(experiment.get(), "/status/phase").to_owned();
    }
    let base = format!(
        "{}-{}-{}-{index}",
        ctx.name(),
        ctx.current_hash(),
        ctx.revision()
    );
    let is_taken = |name: &str| {
        ctx.experiments
            .iter()
            .any(|experiment| experiment.name() == name)
    };
    let numbered = (1..).map(|number| format!("{base}.{number}"));
    let name = std::iter::once(base.clone())
        .chain(numbered)
        .find(|name| !is_taken(name))
        .unwrap_or(base);
    let mut labels = pods::hash_label(ctx.current_hash());
    into_object(&mut labels).insert("rollout-type".to_owned(), "Step".into());
    into_object(&mut labels).insert("step-index".to_owned(), index.to_string().into());
    let object = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment",
        "metadata": {
            "name": name, "namespace": ctx.namespace(), "labels": labels,
            "ownerReferences": ctx.owner_references(),
            "annotations": {(revision::ANNOTATION): ctx.revision().to_string()},
        },
        "spec": {"templates": spec["templates"], "duration": spec["duration"]},
        "status": {"phase": "Pending"},
    });
    ctx.created.push(object);
    ctx.set_strategy_status("canary", "currentExperiment", name.into());
    "Pending".to_owned()
}
