//! Experiments: they run for their duration, or until somebody ends them. Their pods and analyses
//! are not played.

use serde_json::{Value, json};

use super::json::{flag, later, list, map, part, seconds, stamp, text, time};
use super::measure::is_done;
use super::scene::Scene;
use super::{pods, sets};

pub(super) fn advance(scene: &mut Scene) {
    let now = scene.now;
    let mut ends = Vec::new();
    let current = text(
        &scene.rollout.get()["status"]["canary"],
        "/currentExperiment",
    )
    .to_owned();
    for held in scene
        .experiments
        .iter_mut()
        .filter(|held| !is_done(text(held.get(), "/status/phase")))
    {
        // One that nobody waits for any more is ended, as its rollout would.
        if held.name() != current && !flag(held.get(), "/spec/terminate") {
            part(held.edit(), "spec").insert("terminate".to_owned(), true.into());
        }
        let begun = time(held.get(), "/status/availableAt");
        let since = begun.unwrap_or(now);
        let end = seconds(&held.get()["spec"]["duration"]).map(|length| later(since, length));
        let over = flag(held.get(), "/spec/terminate") || end.is_some_and(|end| end <= now);
        if over || begun.is_none() {
            let phase = if over { "Successful" } else { "Running" };
            let templates: Vec<Value> = list(held.get(), "/spec/templates")
                .iter()
                .map(|template| json!({"name": template["name"], "status": phase, "replicas": 1, "availableReplicas": i64::from(!over)}))
                .collect();
            let status = part(held.edit(), "status");
            status.insert("phase".to_owned(), phase.into());
            status.insert("availableAt".to_owned(), stamp(since));
            status.insert("templateStatuses".to_owned(), templates.into());
        }
        ends.extend(end.filter(|_| !over));
    }
    for end in ends {
        scene.wake_at(end);
    }
}

/// How the experiment of that step stands; makes it when there is none.
pub(super) fn follow(scene: &mut Scene, index: usize, wanted: &Value) -> String {
    let current = text(&scene.status()["canary"], "/currentExperiment");
    if let Some(held) = scene
        .experiments
        .iter()
        .find(|held| !current.is_empty() && held.name() == current)
    {
        return text(held.get(), "/status/phase").to_owned();
    }
    let base = format!(
        "{}-{}-{}-{index}",
        scene.name(),
        scene.current_hash(),
        scene.revision()
    );
    let taken = |name: &str| scene.experiments.iter().any(|held| held.name() == name);
    let again = (1..).map(|number| format!("{base}.{number}"));
    let name = std::iter::once(base.clone())
        .chain(again)
        .find(|name| !taken(name))
        .unwrap_or(base);
    let mut labels = pods::label(scene.current_hash());
    map(&mut labels).insert("rollout-type".to_owned(), "Step".into());
    map(&mut labels).insert("step-index".to_owned(), index.to_string().into());
    let experiment = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment",
        "metadata": {
            "name": name, "namespace": scene.namespace(), "labels": labels, "ownerReferences": scene.owner(),
            "annotations": {(sets::REVISION): scene.revision().to_string()},
        },
        "spec": {"templates": wanted["templates"], "duration": wanted["duration"]},
        "status": {"phase": "Pending"},
    });
    scene.created.push(experiment);
    scene.set_strategy_status("canary", "currentExperiment", name.into());
    "Pending".to_owned()
}
