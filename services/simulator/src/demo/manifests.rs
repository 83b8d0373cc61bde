//! The objects of the demo.

use serde_json::{Value, json};

/// A rollout of the demo, with its versions from old to new.
pub(super) struct DemoApp {
    pub(super) namespace: &'static str,
    pub(super) name: &'static str,
    pub(super) replicas: u32,
    pub(super) strategy: Value,
    pub(super) tags: &'static [&'static str],
    /// Seconds since the newest version was released; `None` if that was long ago.
    pub(super) newest_ago_s: Option<i64>,
}

/// Steps behind a load balancer, with services `NAME-stable` and `NAME-canary`.
fn canary_with_router(name: &str, steps: &Value) -> Value {
    json!({"canary": {
        "canaryService": format!("{name}-canary"), "stableService": format!("{name}-stable"),
        "steps": steps,
        "trafficRouting": {"alb": {"ingress": name, "servicePort": 443}},
    }})
}

fn canary_without_router(steps: &Value) -> Value {
    json!({"canary": {"maxSurge": "25%", "maxUnavailable": 0, "steps": steps}})
}

fn analysis(template: &str) -> Value {
    json!({
        "analysis": {
            "templates": [{"templateName": template}],
            "args": [{"name": "revision", "valueFrom": {"podTemplateHashValue": "Latest"}}],
        },
    })
}

fn api_strategy() -> Value {
    let steps = json!([
        {"setWeight": 10}, {"pause": {"duration": "20s"}}, {"setWeight": 25},
        {"pause": {"duration": "20s"}},
        analysis("latency"), {"setWeight": 50}, {"pause": {"duration": "30s"}},
    ]);
    let mut strategy = canary_with_router("payments-api", &steps);
    strategy["canary"]["analysis"] =
        json!({"templates": [{"templateName": "errors"}], "startingStep": 1});
    strategy
}

pub(super) fn apps(env: &str) -> Vec<DemoApp> {
    let worker = canary_without_router(&json!([
        {"setWeight": 20}, {"pause": {"duration": "1m"}}, analysis("queue"), {"pause": {}},
        {"setWeight": 50},
    ]));
    let web = canary_with_router(
        "payments-web",
        &json!([
            {"setWeight": 10}, {"pause": {"duration": "1m"}}, analysis("latency"),
            {"setWeight": 50},
        ]),
    );
    let indexer = canary_without_router(&json!([
        {"setWeight": 25}, analysis("indexing"), {"setWeight": 50},
        {"pause": {"duration": "2m"}},
    ]));
    let simple =
        || canary_without_router(&json!([{"setWeight": 50}, {"pause": {"duration": "30s"}}]));
    let admin = json!({
        "blueGreen": {
            "activeService": "admin-web", "previewService": "admin-web-preview",
            "autoPromotionEnabled": false,
        },
    });
    let app = |namespace, name, replicas, strategy, tags, newest_ago_s| DemoApp {
        namespace,
        name,
        replicas,
        strategy,
        tags,
        newest_ago_s,
    };
    if env == "prod" {
        return vec![
            app(
                "payments",
                "payments-api",
                8,
                api_strategy(),
                &["1.41.2", "1.42.0", "1.42.1"],
                Some(57),
            ),
            app(
                "payments",
                "payments-worker",
                6,
                worker,
                &["1.18.0", "1.18.1", "1.19.0"],
                Some(900),
            ),
            app(
                "payments",
                "payments-web",
                6,
                web,
                &["2.8.0", "2.8.1", "2.9.0"],
                Some(1500),
            ),
            app(
                "search",
                "search-indexer",
                4,
                indexer,
                &["0.13.0", "0.13.2", "0.14.0"],
                Some(2400),
            ),
            app(
                "notifications",
                "notifier",
                3,
                simple(),
                &["3.4.0", "3.5.0"],
                None,
            ),
            app("admin", "admin-web", 2, admin, &["1.6.3", "1.7.0"], None),
        ];
    }
    let newest = if env == "test" { Some(20) } else { Some(35) };
    vec![
        app(
            "payments",
            "payments-api",
            3,
            api_strategy(),
            &["1.42.0", "1.42.1", "1.43.0-rc.1"],
            newest,
        ),
        app(
            "payments",
            "payments-worker",
            2,
            worker,
            &["1.18.1", "1.19.0"],
            None,
        ),
        app(
            "payments",
            "payments-web",
            2,
            web,
            &["2.8.1", "2.9.1"],
            None,
        ),
        app(
            "notifications",
            "notifier",
            1,
            simple(),
            &["3.5.0", "3.5.1"],
            None,
        ),
    ]
}

pub(super) fn rollout(app: &DemoApp, tag: &str) -> Value {
    let labels = json!({"app": app.name, "app.kubernetes.io/part-of": "payops"});
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
        "metadata": {"name": app.name, "namespace": app.namespace, "labels": labels},
        "spec": {
            "replicas": app.replicas, "revisionHistoryLimit": 5, "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": {"app": app.name}}, "strategy": app.strategy,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": app.name,
                    "containers": [{
                        "name": app.name, "image": image(app.name, tag),
                        "ports": [{"name": "http", "containerPort": 8080}],
                        "resources": {
                            "requests": {"cpu": "250m", "memory": "128Mi"},
                            "limits": {"memory": "256Mi"},
                        },
                    }],
                },
            },
        },
    })
}

pub(super) fn image(name: &str, tag: &str) -> String {
    format!("registry.example.com/payops/{name}:{tag}")
}

pub(super) fn services(app: &DemoApp) -> Vec<Value> {
    let (canary, blue_green) = (&app.strategy["canary"], &app.strategy["blueGreen"]);
    let named = [
        &canary["stableService"],
        &canary["canaryService"],
        &blue_green["activeService"],
        &blue_green["previewService"],
    ];
    let service = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": app.namespace},
            "spec": {
                "type": "ClusterIP", "selector": {"app": app.name},
                "ports": [{"name": "http", "port": 443, "targetPort": "http"}],
            },
        })
    };
    named
        .into_iter()
        .filter_map(Value::as_str)
        .map(service)
        .collect()
}

pub(super) fn nodes(env: &str) -> Vec<Value> {
    let count = if env == "prod" { 6_u32 } else { 3 };
    let node = |number: u32| {
        let zone =
            ["eu-west-1a", "eu-west-1b", "eu-west-1c"][usize::try_from(number % 3).unwrap_or(0)];
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {
                "name": format!("ip-10-0-{}-{}.eu-west-1.compute.internal", 16 + number % 3 * 16, 20 + number * 7),
                "labels": {
                    "topology.kubernetes.io/region": "eu-west-1",
                    "topology.kubernetes.io/zone": zone, "kubernetes.io/arch": "arm64",
                },
            },
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "nodeInfo": {"kubeletVersion": "v1.37.0"},
            },
        })
    };
    (0..count).map(node).collect()
}

/// The analysis templates that the steps name; each namespace with rollouts has them.
pub(super) fn templates(namespace: &str) -> Vec<Value> {
    let metric = |name: &str,
                  interval: &str,
                  count: Option<u32>,
                  failures: u32,
                  success: &str,
                  failure: Option<&str>,
                  query: &str| {
        let mut metric = json!({
            "name": name, "interval": interval, "failureLimit": failures,
            "successCondition": success,
            "provider": {"datadog": {"apiVersion": "v2", "interval": "5m", "query": query}},
        });
        if let Some(count) = count {
            metric["count"] = count.into();
        }
        if let Some(failure) = failure {
            metric["failureCondition"] = failure.into();
        }
        metric
    };
    let latency = metric(
        "latency-p95",
        "5s",
        Some(4),
        1,
        "result[0] < 0.35",
        None,
        "p95:http.server.request.duration{service:payments}",
    );
    let rate = metric(
        "success-rate",
        "5s",
        Some(4),
        1,
        "result[0] >= 0.995",
        None,
        "sum:http.ok{service:payments}/sum:http.all{*}",
    );
    let errors = metric(
        "error-rate",
        "10s",
        None,
        2,
        "result[0] < 0.01",
        None,
        "sum:http.server.errors{service:payments-api}",
    );
    let queue = metric(
        "queue-age-seconds",
        "10s",
        Some(5),
        1,
        "result[0] < 30",
        None,
        "max:aws.sqs.approximate_age_of_oldest_message{*}",
    );
    let failure = Some("result[0] < 0.95");
    let index = metric(
        "indexed-ratio",
        "20s",
        Some(3),
        0,
        "result[0] >= 0.99",
        failure,
        "sum:indexer.indexed{*}/sum:indexer.received{*}",
    );
    let template = |name: &str, metrics: Vec<Value>| {
        json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"args": [{"name": "revision", "value": ""}], "metrics": metrics},
        })
    };
    vec![
        template("latency", vec![latency, rate]),
        template("errors", vec![errors]),
        template("queue", vec![queue]),
        template("indexing", vec![index]),
    ]
}
