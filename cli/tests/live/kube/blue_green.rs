//! Every action on a blue-green rollout.

use serde_json::{Value, json};

use super::{Twins, cluster, is_full, rollout, service};
use crate::common::eventually;

fn twins(cluster: super::Cluster, strategy: &Value) -> Twins {
    Twins::new(cluster, |name| {
        let mut strategy = strategy.clone();
        strategy["blueGreen"]["activeService"] = json!(name);
        strategy["blueGreen"]["previewService"] = json!(format!("{name}-preview"));
        vec![
            service(name, name),
            service(&format!("{name}-preview"), name),
            rollout(name, "shop/web:1", 2, &strategy),
        ]
    })
}

const WAITS: &str = "preview service o-preview serves it; active service o stays on revision 1 \
    until a promotion";

#[test]
fn promote_abort_undo() {
    let Some(cluster) = cluster() else { return };
    let twins = twins(
        cluster,
        &json!({"blueGreen": {
            "autoPromotionEnabled": false, "scaleDownDelaySeconds": 600,
        }}),
    );
    twins.settle("Healthy", "");
    twins.set_image(
        "shop/web:2",
        &format!("a new rollout of main=shop/web:2: {WAITS}"),
    );
    let seen = twins.settle("Paused", "BlueGreenPause");
    assert_eq!(
        seen["services"],
        "active service o serves revision 1, preview service o-preview serves revision 2"
    );
    assert_eq!(
        (&seen["weight_set"], &seen["weight_observed"]),
        (&json!(0.0), &json!(0.0))
    );

    let abort = "active service o stays on revision 1; preview service o-preview stays on revision \
        2; the pods of revision 2 stand for 30s";
    twins.act(&["abort", "NAME"], &["abort", "NAME"], abort);
    twins.settle("Degraded", "RolloutAborted");
    let again = "begins revision 2 again: preview service o-preview serves revision 2; active \
        service o stays on revision 1 until a promotion";
    twins.act(&["retry", "rollout", "NAME"], &["retry", "NAME"], again);
    twins.settle("Paused", "BlueGreenPause");
    let switch = "active service o switches from revision 1 to revision 2 at once; preview service o-preview serves revision 2 too; the pods of revision 1 stand for \
        10m, and until then going back is instant";
    twins.act(&["promote", "NAME"], &["promote", "NAME"], switch);
    let seen = twins.settle("Healthy", "");
    let services = seen["services"].as_str().expect("words");
    assert!(
        services.starts_with(
            "active service o serves revision 2, preview service o-preview serves revision 2, pods \
                of revision 1 stand until "
        ),
        "{services}"
    );
    let old = &seen["replica_sets"][1];
    assert_eq!(
        (&old["role"], old["scale_down_at"].is_string()),
        (&json!("old"), true),
        "{old:#}"
    );
    assert_eq!(seen["replica_sets"][0]["role"], "stable, active");

    // Its pods stand, so an undo is instant, and no pause comes before it.
    let undo = twins
        .payops(&["undo", &twins.name("o"), "--dry-run", "-o", "json"])
        .exits(0)
        .json();
    let after = undo["after"].as_str().expect("words").to_owned();
    assert!(
        after.starts_with(
            "active service o switches to revision 1 at once, whose pods stand until "
        ),
        "{after}"
    );
    twins.act(&["undo", "NAME"], &["undo", "NAME"], &after);
    let seen = twins.settle("Healthy", "");
    assert_eq!(seen["images"], json!(["shop/web:1"]));

    twins.set_image(
        "shop/web:3",
        "a new rollout of main=shop/web:3: preview service o-preview serves it; active service o \
            stays on revision 3 until a promotion",
    );
    twins.settle("Paused", "BlueGreenPause");
    twins.act(
        &["abort", "NAME"],
        &["abort", "NAME"],
        "active service o stays on revision 3; preview service o-preview stays on revision 4; the \
            pods of revision 4 stand for 30s",
    );
    twins.settle("Degraded", "RolloutAborted");
    twins.act(
        &["promote", "NAME", "--full"],
        &["promote", "NAME", "--full"],
        "active service o switches from revision 3 to revision 4 as soon as its pods are ready, \
            without pause or analysis; preview service o-preview serves revision 4 too; the pods of \
            revision 3 stand for 10m, and until then going back is instant",
    );
    let seen = twins.settle("Healthy", "");
    assert_eq!(seen["images"], json!(["shop/web:3"]));
}

#[test]
fn the_pause_before_the_switch_ends_by_itself() {
    let Some(cluster) = cluster() else { return };
    if !is_full() {
        return;
    }
    let twins = twins(cluster, &json!({"blueGreen": {"autoPromotionSeconds": 15}}));
    twins.settle("Healthy", "");
    twins.set_image(
        "shop/web:2",
        "a new rollout of main=shop/web:2: preview service o-preview serves it; active service o \
            stays on revision 1 until a promotion, or for 15s after its pods are ready",
    );
    let seen = twins.settle("Paused", "BlueGreenPause");
    assert!(
        seen["resumes_at"].is_string() && seen["waiting_for_human"] == false,
        "{seen:#}"
    );
    twins.settle("Healthy", "");
}

#[test]
fn a_smaller_preview_grows_before_the_switch() {
    let Some(cluster) = cluster() else { return };
    let twins = twins(
        cluster,
        &json!({"blueGreen": {
            "autoPromotionEnabled": false, "previewReplicaCount": 1,
            "scaleDownDelaySeconds": 600,
        }}),
    );
    twins.settle("Healthy", "");
    twins.set_image(
        "shop/web:2",
        &format!("a new rollout of main=shop/web:2: {WAITS}"),
    );
    let seen = twins.settle("Paused", "BlueGreenPause");
    let pods = |seen: &Value| {
        let set = &seen["replica_sets"][0];
        (set["role"].clone(), set["desired"].clone())
    };
    assert_eq!(pods(&seen), (json!("preview"), json!(1)));
    twins.act(
        &["promote", "NAME"],
        &["promote", "NAME"],
        "active service o switches from revision 1 to revision 2 once all of its pods are ready; \
            preview service o-preview serves revision 2 too; the pods of revision 1 stand for 10m, \
            and until then going back is instant",
    );
    let seen = twins.settle("Healthy", "");
    assert_eq!(pods(&seen), (json!("stable, active"), json!(2)));
}

fn judged(command: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
        "metadata": {"name": "judge"},
        "spec": {"metrics": [{"name": "job", "provider": {"job": {"spec": {
            "backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [{
                "name": "job", "image": "shop/job:1", "command": ["sh", "-c", command],
            }]}},
        }}}}]},
    })
}

#[test]
fn an_abort_after_the_switch_goes_back() {
    let Some(cluster) = cluster() else { return };
    if !is_full() {
        return;
    }
    let templates = json!({"templates": [{"templateName": "judge"}]});
    let twins = twins(
        cluster,
        &json!({"blueGreen": {
            "autoPromotionEnabled": false, "postPromotionAnalysis": templates,
            "scaleDownDelaySeconds": 600,
        }}),
    );
    twins.apply(&judged("sleep 600"));
    twins.settle("Healthy", "");
    twins.set_image(
        "shop/web:2",
        &format!("a new rollout of main=shop/web:2: {WAITS}"),
    );
    twins.settle("Paused", "BlueGreenPause");
    twins.act(
        &["promote", "NAME"],
        &["promote", "NAME"],
        "active service o switches from revision 1 to revision 2 at once; preview service o-preview \
            serves revision 2 too; the post-promotion analysis then decides whether it stays; the \
            pods of revision 1 stand for 10m, and until then going back is instant",
    );
    let seen = twins.settle("Progressing", "waiting for analysis to complete");
    assert_eq!(
        (&seen["weight_set"], &seen["weight_observed"]),
        (&json!(100.0), &json!(100.0))
    );
    let roles: Vec<&Value> = seen["replica_sets"]
        .as_array()
        .expect("sets")
        .iter()
        .map(|set| &set["role"])
        .collect();
    assert_eq!(roles, ["active", "stable"]);
    twins.act(
        &["abort", "NAME"],
        &["abort", "NAME"],
        "active service o switches back from revision 2 to revision 1; preview service o-preview \
            stays on revision 2; the pods of revision 2 stand for 30s",
    );
    let seen = twins.settle("Degraded", "RolloutAborted");
    assert_eq!(seen["weight_observed"], 0.0);
}

#[test]
fn an_analysis_before_the_switch_stops_it() {
    let Some(cluster) = cluster() else { return };
    if !is_full() {
        return;
    }
    let templates = json!({"templates": [{"templateName": "judge"}]});
    let twins = twins(
        cluster,
        &json!({"blueGreen": {"prePromotionAnalysis": templates}}),
    );
    twins.apply(&judged("exit 1"));
    twins.settle("Healthy", "");
    twins.set_image(
        "shop/web:2",
        "a new rollout of main=shop/web:2: preview service o-preview serves it; active service o \
            switches to it once its pods are ready and the pre-promotion analysis passes",
    );
    let seen = twins.settle("Degraded", "RolloutAborted");
    assert_eq!(seen["weight_observed"], 0.0);
    let failed = eventually("a failed run", || {
        let seen = twins.look("o");
        (seen["analysis_runs"][0]["phase"] == "Failed").then_some(seen)
    });
    assert_eq!(failed["analysis_runs"][0]["kind"], "pre-promotion");
}
