//! Rollouts whose pod template is another object's.

use serde_json::json;

use super::{Twins, cluster, rollout, template};

fn referring(name: &str, kind: &str, api_version: &str) -> serde_json::Value {
    let strategy = json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}});
    let mut rollout = rollout(name, "", 2, &strategy);
    let spec = rollout["spec"].as_object_mut().expect("a spec");
    spec.remove("template");
    spec.insert(
        "workloadRef".to_owned(),
        json!({"apiVersion": api_version, "kind": kind, "name": name}),
    );
    rollout
}

#[test]
fn a_deployment_is_changed_in_place_of_the_rollout() {
    let Some(cluster) = cluster() else { return };
    let twins = Twins::new(cluster, |name| {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {
                "replicas": 0, "selector": {"matchLabels": {"app": name}},
                "template": template(name, "shop/web:1"),
            },
        });
        vec![deployment, referring(name, "Deployment", "apps/v1")]
    });
    let seen = twins.settle("Healthy", "");
    assert_eq!(
        (&seen["workload"], &seen["images"]),
        (&json!("Deployment o"), &json!(["shop/web:1"]))
    );
    let begun = "step 1 of 2 (50 %); then pause";
    twins.set_image(
        "shop/web:2",
        &format!("changes Deployment o: a new rollout of main=shop/web:2: {begun}"),
    );
    twins.settle("Paused", "CanaryPauseStep");
    twins.act(
        &["undo", "NAME"],
        &["undo", "NAME"],
        "changes Deployment o: back to the stable revision 1 at once, without steps: shop/web:1",
    );
    twins.settle("Healthy", "");

    // One that does not exist.
    twins.apply(&referring("orphan", "Deployment", "apps/v1"));
    let missing = "is invalid: deployments.apps";
    let seen = crate::common::eventually("an invalid spec", || {
        let seen = twins.look("orphan");
        seen["message"].as_str()?.contains(missing).then_some(seen)
    });
    assert_eq!(
        ["weight_desired", "weight_set", "weight_observed"].map(|name| seen[name].is_null()),
        [true; 3],
        "{seen:#}"
    );
    let why = seen["waiting_why"].as_str().expect("a reason");
    assert_eq!(
        why,
        format!(
            "invalid spec: deployments.apps \"{}/orphan\" not found",
            twins.namespace
        )
    );
}

#[test]
fn a_pod_template_is_changed_at_its_own_place() {
    let Some(cluster) = cluster() else { return };
    let twins = Twins::empty(cluster);
    twins.apply(&json!({
        "apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "o"},
        "template": template("o", "shop/web:1"),
    }));
    twins.apply(&referring("o", "PodTemplate", "v1"));
    let until = |phase: &str| {
        crate::common::eventually(phase, || {
            let seen = twins.look("o");
            (seen["phase"] == phase).then_some(seen)
        })
    };
    until("Healthy");
    twins.act_alone(
        &["set-image", "NAME", "main=shop/web:2"],
        "changes PodTemplate o: a new rollout of main=shop/web:2: step 1 of 2 (50 %); then pause",
    );
    // The controller does not watch pod templates: it sees the change at its next look.
    let held: serde_json::Value =
        serde_json::from_str(&twins.kubectl(&["get", "podtemplate", "o", "-o", "json"]))
            .expect("JSON");
    assert_eq!(
        held["template"]["spec"]["containers"][0]["image"],
        "shop/web:2"
    );
}
