//! Traffic routers: weights that are no percent, and managed routes.

use serde_json::{Value, json};

use super::{Twins, cluster, is_full, rollout, service};

fn ingress(name: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": format!("{name}.example"), "http": {"paths": [{
            "path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": name, "port": {"number": 80}}},
        }]}}]},
    })
}

#[test]
fn a_weight_may_be_out_of_a_thousand() {
    let Some(cluster) = cluster() else { return };
    let twins = Twins::new(cluster, |name| {
        let strategy = json!({"canary": {
            "stableService": name, "canaryService": format!("{name}-canary"),
            "trafficRouting": {"maxTrafficWeight": 1000, "nginx": {"stableIngress": name}},
            "steps": [{"setWeight": 5}, {"pause": {}}, {"setWeight": 500}, {"pause": {}}],
        }});
        vec![
            service(name, name),
            service(&format!("{name}-canary"), name),
            ingress(name),
            rollout(name, "shop/web:1", 2, &strategy),
        ]
    });
    twins.settle("Healthy", "");
    twins.set_image(
        "shop/web:2",
        "a new rollout of main=shop/web:2: step 1 of 4 (0.5 %); then pause",
    );
    let weights = |seen: &Value| {
        ["weight_desired", "weight_set", "weight_observed"].map(|name| seen[name].as_f64())
    };
    let seen = twins.settle("Paused", "CanaryPauseStep");
    assert_eq!(weights(&seen), [Some(0.5); 3], "{seen:#}");
    twins.act(
        &["promote", "NAME"],
        &["promote", "NAME"],
        "step 3 of 4 (50 %); then pause",
    );
    let seen = twins.settle("Paused", "CanaryPauseStep");
    assert_eq!(weights(&seen), [Some(50.0); 3], "{seen:#}");
    twins.act(
        &["abort", "NAME"],
        &["abort", "NAME"],
        "0 % on revision 2, 100 % on revision 1",
    );
    let seen = twins.settle("Degraded", "RolloutAborted");
    assert_eq!(weights(&seen), [Some(0.0); 3], "{seen:#}");
}

#[test]
fn a_load_balancer_with_managed_routes() {
    let Some(cluster) = cluster() else { return };
    if !is_full() {
        return;
    }
    let twins = Twins::new(cluster, |name| {
        let strategy = json!({"canary": {
            "stableService": name, "canaryService": format!("{name}-canary"),
            "trafficRouting": {
                "alb": {"ingress": name, "servicePort": 80, "rootService": format!("{name}-root")},
                "managedRoutes": [{"name": "beta"}],
            },
            "steps": [
                {"setWeight": 25},
                {"setHeaderRoute": {"name": "beta", "match": [{"headerName": "x-beta", "headerValue": {"exact": "1"}}]}},
                {"pause": {}}, {"setWeight": 75}, {"pause": {}},
            ],
        }});
        let mut ingress = ingress(&format!("{name}-root"));
        ingress["metadata"]["name"] = json!(name);
        ingress["metadata"]["annotations"] = json!({"kubernetes.io/ingress.class": "alb"});
        ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"] =
            json!({"name": "use-annotation"});
        ingress["spec"]
            .as_object_mut()
            .expect("a spec")
            .remove("ingressClassName");
        vec![
            service(name, name),
            service(&format!("{name}-canary"), name),
            service(&format!("{name}-root"), name),
            ingress,
            rollout(name, "shop/web:1", 2, &strategy),
        ]
    });
    twins.settle("Healthy", "");
    twins.set_image(
        "shop/web:2",
        "a new rollout of main=shop/web:2: step 1 of 5 (25 %); then pause",
    );
    let seen = twins.settle("Paused", "CanaryPauseStep");
    assert_eq!(
        (&seen["weight_set"], &seen["weight_observed"]),
        (&json!(25.0), &json!(25.0))
    );
    twins.act(
        &["promote", "NAME"],
        &["promote", "NAME"],
        "step 4 of 5 (75 %); then pause",
    );
    twins.settle("Paused", "CanaryPauseStep");
    twins.act(
        &["promote", "NAME", "--full"],
        &["promote", "NAME", "--full"],
        "100 % on revision 2, as soon as its pods are ready",
    );
    twins.settle("Healthy", "");
}
