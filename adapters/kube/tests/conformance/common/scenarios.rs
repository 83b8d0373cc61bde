//! The scenarios: what is created, what is done to it, and where it comes to rest after each act.

use serde_json::{Value, json};

/// Something that an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Create,
    SetImage(&'static str),
    Promote,
    PromoteFull,
    Abort,
    Retry,
    Pause,
    Resume,
    Restart,
    Undo,
    Scale(u32),
}

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// The fields of its spec, but for what all have in common.
    spec: fn() -> Value,
    /// Each act with the phase and the beginning of the message that it ends in.
    pub(crate) acts: &'static [(Act, &'static str, &'static str)],
}

/// The name of every scenario's rollout; each has a namespace of its own.
pub(crate) const NAME: &str = "web";

use Act::{
    Abort, Create, Pause, Promote, PromoteFull, Restart, Resume, Retry, Scale, SetImage, Undo,
};

const BORN: (Act, &str, &str) = (Create, "Healthy", "");
const AT_PAUSE: (Act, &str, &str) = (SetImage("shop/web:2"), "Paused", "CanaryPauseStep");
const AT_PREVIEW: (Act, &str, &str) = (SetImage("shop/web:2"), "Paused", "BlueGreenPause");

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "canary-promote",
        spec: two_pauses,
        acts: &[
            BORN,
            AT_PAUSE,
            (Promote, "Paused", "CanaryPauseStep"),
            (Promote, "Healthy", ""),
        ],
    },
    Scenario {
        name: "canary-timed-pause",
        spec: || {
            canary(
                4,
                &json!([{"setWeight": 50}, {"pause": {"duration": "4s"}}]),
            )
        },
        acts: &[BORN, (SetImage("shop/web:2"), "Healthy", "")],
    },
    Scenario {
        name: "canary-promote-full",
        spec: two_pauses,
        acts: &[BORN, AT_PAUSE, (PromoteFull, "Healthy", "")],
    },
    Scenario {
        name: "canary-abort-retry",
        spec: two_pauses,
        acts: &[
            BORN,
            AT_PAUSE,
            (Abort, "Degraded", "RolloutAborted"),
            (Retry, "Paused", "CanaryPauseStep"),
            (Promote, "Paused", "CanaryPauseStep"),
            (Abort, "Degraded", "RolloutAborted"),
            (PromoteFull, "Healthy", ""),
        ],
    },
    Scenario {
        name: "canary-undo",
        spec: two_pauses,
        acts: &[
            BORN,
            AT_PAUSE,
            (Undo, "Healthy", ""),
            (SetImage("shop/web:3"), "Paused", "CanaryPauseStep"),
            (PromoteFull, "Healthy", ""),
            (Undo, "Paused", "CanaryPauseStep"),
        ],
    },
    Scenario {
        name: "canary-set-image-again",
        spec: two_pauses,
        acts: &[
            BORN,
            AT_PAUSE,
            (Promote, "Paused", "CanaryPauseStep"),
            (SetImage("shop/web:3"), "Paused", "CanaryPauseStep"),
        ],
    },
    Scenario {
        name: "canary-pause-resume",
        spec: two_pauses,
        acts: &[
            BORN,
            AT_PAUSE,
            (Pause, "Paused", "manually paused"),
            (Resume, "Paused", "CanaryPauseStep"),
            (Promote, "Paused", "CanaryPauseStep"),
        ],
    },
    Scenario {
        name: "canary-without-steps",
        spec: || canary(2, &json!([])),
        acts: &[BORN, (SetImage("shop/web:2"), "Healthy", "")],
    },
    Scenario {
        name: "canary-router",
        spec: || {
            let mut spec = two_pauses();
            let canary = &mut spec["strategy"]["canary"];
            canary["stableService"] = json!(NAME);
            canary["canaryService"] = json!("web-canary");
            canary["trafficRouting"] = json!({"nginx": {"stableIngress": NAME}});
            spec
        },
        acts: &[
            BORN,
            AT_PAUSE,
            (Promote, "Paused", "CanaryPauseStep"),
            (Abort, "Degraded", "RolloutAborted"),
            (Retry, "Paused", "CanaryPauseStep"),
            (PromoteFull, "Healthy", ""),
        ],
    },
    Scenario {
        name: "restart",
        spec: || canary(1, &json!([{"setWeight": 50}, {"pause": {}}])),
        acts: &[BORN, (Restart, "Healthy", "")],
    },
    Scenario {
        name: "restart-gradually",
        spec: || canary(3, &json!([])),
        acts: &[BORN, (Restart, "Healthy", "")],
    },
    Scenario {
        name: "canary-rollback-window",
        spec: || {
            let mut spec = two_pauses();
            spec["rollbackWindow"] = json!({"revisions": 1});
            spec
        },
        acts: &[
            BORN,
            AT_PAUSE,
            (PromoteFull, "Healthy", ""),
            (Undo, "Healthy", ""),
        ],
    },
    Scenario {
        name: "scale",
        spec: two_pauses,
        acts: &[BORN, (Scale(0), "Healthy", ""), (Scale(2), "Healthy", "")],
    },
    Scenario {
        name: "analysis-passes",
        spec: || {
            canary(
                2,
                &json!([{"setWeight": 50}, analysis("good"), {"pause": {}}]),
            )
        },
        acts: &[BORN, AT_PAUSE],
    },
    Scenario {
        name: "analysis-fails",
        spec: || {
            canary(
                2,
                &json!([{"setWeight": 50}, analysis("bad"), {"pause": {}}]),
            )
        },
        acts: &[BORN, (SetImage("shop/web:2"), "Degraded", "RolloutAborted")],
    },
    Scenario {
        name: "analysis-inconclusive",
        spec: || {
            canary(
                2,
                &json!([{"setWeight": 50}, analysis("unclear"), {"pause": {}}]),
            )
        },
        acts: &[
            BORN,
            (SetImage("shop/web:2"), "Paused", "InconclusiveAnalysisRun"),
            (Promote, "Paused", "CanaryPauseStep"),
        ],
    },
    Scenario {
        name: "background-analysis-fails",
        spec: || {
            let mut spec = two_pauses();
            spec["strategy"]["canary"]["analysis"] = analysis("worsening")["analysis"].clone();
            spec
        },
        acts: &[BORN, (SetImage("shop/web:2"), "Degraded", "RolloutAborted")],
    },
    Scenario {
        name: "crash",
        spec: || with_deadline(false),
        acts: &[
            BORN,
            (
                SetImage("shop/web:crash"),
                "Degraded",
                "ProgressDeadlineExceeded",
            ),
            (Abort, "Degraded", "RolloutAborted"),
        ],
    },
    Scenario {
        name: "crash-aborts",
        spec: || with_deadline(true),
        acts: &[
            BORN,
            (SetImage("shop/web:crash"), "Degraded", "RolloutAborted"),
        ],
    },
    Scenario {
        name: "blue-green-promote",
        spec: || blue_green(&json!({"autoPromotionEnabled": false})),
        acts: &[BORN, AT_PREVIEW, (Promote, "Healthy", "")],
    },
    Scenario {
        name: "blue-green-automatic",
        spec: || blue_green(&json!({})),
        acts: &[BORN, (SetImage("shop/web:2"), "Healthy", "")],
    },
    Scenario {
        name: "blue-green-timed",
        spec: || blue_green(&json!({"autoPromotionSeconds": 4})),
        acts: &[BORN, (SetImage("shop/web:2"), "Healthy", "")],
    },
    Scenario {
        name: "blue-green-abort-before",
        spec: || blue_green(&json!({"autoPromotionEnabled": false})),
        acts: &[
            BORN,
            AT_PREVIEW,
            (Abort, "Degraded", "RolloutAborted"),
            (Retry, "Paused", "BlueGreenPause"),
            (PromoteFull, "Healthy", ""),
        ],
    },
    Scenario {
        name: "blue-green-abort-after",
        spec: || {
            let judged = analysis("endless")["analysis"].clone();
            blue_green(&json!({"autoPromotionEnabled": false, "postPromotionAnalysis": judged}))
        },
        acts: &[
            BORN,
            AT_PREVIEW,
            (Promote, "Progressing", "waiting for analysis to complete"),
            (Abort, "Degraded", "RolloutAborted"),
        ],
    },
    Scenario {
        name: "blue-green-analysis-fails",
        spec: || {
            let judged = analysis("bad")["analysis"].clone();
            blue_green(&json!({"prePromotionAnalysis": judged}))
        },
        acts: &[BORN, (SetImage("shop/web:2"), "Degraded", "RolloutAborted")],
    },
    Scenario {
        name: "blue-green-undo",
        spec: || blue_green(&json!({"autoPromotionEnabled": false})),
        acts: &[
            BORN,
            AT_PREVIEW,
            (Promote, "Healthy", ""),
            (Undo, "Healthy", ""),
        ],
    },
];

fn canary(replicas: u32, steps: &Value) -> Value {
    json!({"replicas": replicas, "strategy": {"canary": {"steps": steps}}})
}

fn two_pauses() -> Value {
    canary(
        4,
        &json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]),
    )
}

fn with_deadline(aborts: bool) -> Value {
    let mut spec = canary(2, &json!([{"setWeight": 50}, {"pause": {}}]));
    spec["progressDeadlineSeconds"] = json!(5);
    spec["progressDeadlineAbort"] = json!(aborts);
    spec
}

fn blue_green(more: &Value) -> Value {
    let mut strategy = json!({"activeService": NAME, "previewService": "web-preview"});
    for (field, value) in more.as_object().into_iter().flatten() {
        strategy[field] = value.clone();
    }
    json!({"replicas": 2, "strategy": {"blueGreen": strategy}})
}

fn analysis(template: &str) -> Value {
    json!({"analysis": {"templates": [{"templateName": template}]}})
}

/// What a metric of that name measures; its template has the same name.
pub(crate) fn measure(metric: &str, number: u64) -> &'static str {
    match metric {
        "bad" => "0.9",
        "unclear" => "0.5",
        "worsening" if number > 5 => "0.9",
        _ => "0.1",
    }
}

const METRICS: [&str; 5] = ["good", "bad", "unclear", "worsening", "endless"];

impl Scenario {
    /// All of its objects. Metrics are asked for at `metrics`, by their names.
    pub(crate) fn objects(&self, metrics: &str) -> Vec<Value> {
        let mut objects: Vec<Value> = METRICS
            .iter()
            .map(|name| template(name, metrics))
            .chain([NAME, "web-preview", "web-canary"].map(service))
            .collect();
        objects.push(ingress());
        let mut spec = (self.spec)();
        spec["selector"] = json!({"matchLabels": {"app": NAME}});
        spec["template"] = json!({
            "metadata": {"labels": {"app": NAME}},
            "spec": {"containers": [{"name": "main", "image": "shop/web:1"}]},
        });
        objects.push(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": NAME},
            "spec": spec,
        }));
        objects
    }
}

fn template(name: &str, metrics: &str) -> Value {
    let mut metric = json!({
        "name": name, "successCondition": "result < 0.4", "failureCondition": "result > 0.6",
        "provider": {"web": {"url": format!("{metrics}/{name}"), "jsonPath": "{$.value}"}},
    });
    if matches!(name, "worsening" | "endless") {
        metric["interval"] = json!("1s");
    }
    if name == "endless" {
        // Only a background analysis may have no end.
        metric["count"] = json!(10_000);
    }
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
        "metadata": {"name": name}, "spec": {"metrics": [metric]},
    })
}

fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": NAME}, "ports": [{"port": 80}]},
    })
}

fn ingress() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": NAME},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "web.example", "http": {"paths": [{
            "path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": NAME, "port": {"number": 80}}},
        }]}}]},
    })
}
