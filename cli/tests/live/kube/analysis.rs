//! Analyses whose measurements are a verdict, none, or an error: by the `web` and Datadog providers
//! on a server of the test, as steps, in the background and in an experiment.

use serde_json::{Value, json};

use super::{Twins, cluster, is_full, rollout};
use crate::common::eventually;
use crate::common::stub::{Answer, Stub};

/// What a server answers for a path, and what becomes of a measurement of it.
const ANSWERS: [(&str, u16, &str, Verdict); 7] = [
    ("good", 200, "{\"value\": 0.1}", Verdict::Passes),
    ("bad", 200, "{\"value\": 0.9}", Verdict::Fails),
    ("unclear", 200, "{\"value\": 0.5}", Verdict::Undecided),
    ("unavailable", 503, "down", Verdict::Errs),
    ("no-data", 200, "{}", Verdict::Errs),
    ("null", 200, "{\"value\": null}", Verdict::Errs),
    ("text", 200, "{\"value\": \"many\"}", Verdict::Errs),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passes,
    Fails,
    Undecided,
    Errs,
}

impl Verdict {
    fn phase(self) -> &'static str {
        match self {
            Self::Passes => "Successful",
            Self::Fails => "Failed",
            Self::Undecided => "Inconclusive",
            Self::Errs => "Error",
        }
    }
}

fn serve() -> Stub {
    Stub::new(|_, request| {
        let asked = ANSWERS
            .iter()
            .find(|(name, ..)| request.head.starts_with(&format!("GET /{name} ")));
        let (status, body) = asked.map_or((404, ""), |(_, status, body, _)| (*status, *body));
        let json = ("content-type", "application/json".to_owned());
        (status, vec![json], body.to_owned())
    })
}

/// A template that asks `server` for `name`. One measurement that cannot be made is enough.
fn template(name: &str, server: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
        "metadata": {"name": name}, "spec": {"metrics": [{
            "name": "web", "consecutiveErrorLimit": 0,
            "successCondition": "result < 0.4", "failureCondition": "result > 0.6",
            "provider": {"web": {"url": format!("{server}/{name}"), "jsonPath": "{$.value}"}},
        }]},
    })
}

fn judged_by(name: &str) -> Value {
    json!({"templates": [{"templateName": name}]})
}

/// Where both twins come to rest after a new image whose analysis has that verdict.
#[track_caller]
fn judge(twins: &Twins, verdict: Verdict, after: &str, kind: &str) {
    twins.set_image(
        "shop/web:2",
        &format!("a new rollout of main=shop/web:2: {after}"),
    );
    let seen = match verdict {
        Verdict::Passes => twins.settle("Paused", "CanaryPauseStep"),
        Verdict::Fails | Verdict::Errs => twins.settle("Degraded", "RolloutAborted"),
        Verdict::Undecided => twins.settle("Paused", "InconclusiveAnalysisRun"),
    };
    let why = match verdict {
        Verdict::Passes => "waiting for promotion",
        Verdict::Fails | Verdict::Errs => "aborted",
        Verdict::Undecided => "inconclusive analysis",
    };
    assert_eq!(seen["waiting_why"], why, "{seen:#}");
    let seen = eventually("the run's own verdict", || {
        let seen = twins.look("o");
        (seen["analysis_runs"][0]["phase"] == verdict.phase()).then_some(seen)
    });
    let run = &seen["analysis_runs"][0];
    assert_eq!(run["kind"], kind, "{run:#}");
    let measured = &run["metrics"][0]["measurements"][0];
    assert_eq!(measured["phase"], verdict.phase(), "{run:#}");
    if verdict == Verdict::Errs {
        assert!(
            run["message"]
                .as_str()
                .is_some_and(|told| told.contains("due to consecutiveErrors (1)")),
            "{run:#}"
        );
    }
}

#[test]
fn a_step_is_judged_by_what_was_measured() {
    let server = serve();
    for (name, _, _, verdict) in ANSWERS {
        let Some(cluster) = cluster() else { return };
        if !matches!(name, "unclear" | "unavailable") && !is_full() {
            continue;
        }
        let strategy = json!({"canary": {"steps": [
            {"setWeight": 50}, {"analysis": judged_by(name)}, {"pause": {}},
        ]}});
        let twins = Twins::new(cluster, |twin| {
            vec![
                template(name, &server.url),
                rollout(twin, "shop/web:1", 2, &strategy),
            ]
        });
        twins.settle("Healthy", "");
        let after = format!("step 1 of 3 (50 %); then analysis {name}");
        judge(&twins, verdict, &after, "step");
        if verdict == Verdict::Undecided {
            twins.act(
                &["promote", "NAME"],
                &["promote", "NAME"],
                "step 3 of 3 (pause); then 100 %",
            );
            twins.settle("Paused", "CanaryPauseStep");
        }
    }
}

#[test]
fn the_background_is_judged_by_what_was_measured() {
    let server = serve();
    for (name, _, _, verdict) in ANSWERS {
        let Some(cluster) = cluster() else { return };
        if !is_full() {
            return;
        }
        let strategy = json!({"canary": {
            "analysis": judged_by(name), "steps": [{"setWeight": 50}, {"pause": {}}],
        }});
        let twins = Twins::new(cluster, |twin| {
            vec![
                template(name, &server.url),
                rollout(twin, "shop/web:1", 2, &strategy),
            ]
        });
        twins.settle("Healthy", "");
        let after = "step 1 of 2 (50 %); then pause";
        judge(&twins, verdict, after, "background");
    }
}

/// What Datadog answers: one column, with these values.
fn scalar(values: &Value) -> String {
    let column = json!({"name": "q", "type": "number", "values": values});
    json!({"data": {"type": "scalar_response", "attributes": {"columns": [column]}}}).to_string()
}

fn nothing() -> String {
    json!({"data": {"type": "scalar_response", "attributes": {"columns": []}}}).to_string()
}

#[test]
fn datadog_is_asked_at_the_address_of_its_secret() {
    let answers: [(&str, u16, String, &str); 6] = [
        ("low", 200, scalar(&json!([0.01])), "Successful"),
        ("high", 200, scalar(&json!([0.5])), "Failed"),
        ("no-columns", 200, nothing(), "Inconclusive"),
        ("no-values", 200, scalar(&json!([])), "Inconclusive"),
        ("null", 200, scalar(&json!([null])), "Inconclusive"),
        ("limited", 429, "{}".to_owned(), "Error"),
    ];
    for (name, status, body, phase) in answers {
        let Some(cluster) = cluster() else { return };
        if name != "no-columns" && !is_full() {
            continue;
        }
        let server = Stub::new(move |_, _| -> Answer {
            let json = ("content-type", "application/json".to_owned());
            (status, vec![json], body.clone())
        });
        let metric = json!({
            "name": "errors", "interval": "1s", "count": 1, "consecutiveErrorLimit": 0,
            "successCondition":
                "!isNil(result) && !isNaN(asFloat(default(result, 0))) && default(result, 0) < 0.05",
            "failureCondition":
                "!isNil(result) && !isNaN(asFloat(default(result, 0))) && default(result, 0) >= 0.05",
            "provider": {"datadog": {
                "apiVersion": "v2", "interval": "5m", "aggregator": "sum",
                "secretRef": {"name": "datadog", "namespaced": true},
                "queries": {"a": "sum:errors{*}", "b": "sum:requests{*}"}, "formula": "a / b",
            }},
        });
        let strategy = json!({"canary": {"steps": [
            {"setWeight": 50}, {"analysis": judged_by("errors")}, {"pause": {}},
        ]}});
        let twins = Twins::new(cluster, |twin| {
            vec![
                json!({
                    "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "datadog"},
                    "stringData": {
                        "address": server.url, "api-key": "an-api-key", "app-key": "an-app-key",
                    },
                }),
                json!({
                    "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
                    "metadata": {"name": "errors"}, "spec": {"metrics": [metric]},
                }),
                rollout(twin, "shop/web:1", 2, &strategy),
            ]
        });
        twins.settle("Healthy", "");
        twins.set_image(
            "shop/web:2",
            "a new rollout of main=shop/web:2: step 1 of 3 (50 %); then analysis errors",
        );
        match phase {
            "Successful" => twins.settle("Paused", "CanaryPauseStep"),
            "Inconclusive" => twins.settle("Paused", "InconclusiveAnalysisRun"),
            _ => twins.settle("Degraded", "RolloutAborted"),
        };
        let run = eventually("the run's own verdict", || {
            let run = twins.look("o")["analysis_runs"][0].clone();
            (run["phase"] == phase).then_some(run)
        });
        println!("datadog {name}: {} {}", run["phase"], run["message"]);
        let asked = server.requests();
        assert!(asked.len() >= 2, "once for each twin");
        assert!(
            asked[0].head.starts_with("POST /api/v2/query/scalar "),
            "{}",
            asked[0].head
        );
        assert_eq!(asked[0].header("dd-api-key"), Some("an-api-key"));
        assert!(asked[0].body.contains("sum:errors{*}"), "{}", asked[0].body);
    }
}

#[test]
fn an_experiment_is_judged_by_its_analysis() {
    let server = serve();
    for name in ["good", "bad", "unclear"] {
        let Some(cluster) = cluster() else { return };
        if name != "bad" && !is_full() {
            continue;
        }
        let strategy = json!({"canary": {"steps": [
            {"experiment": {
                "duration": "20s", "templates": [{"name": "canary", "specRef": "canary"}],
                "analyses": [{
                    "name": "judge", "templateName": name, "requiredForCompletion": true,
                }],
            }},
            {"pause": {}},
        ]}});
        let twins = Twins::new(cluster, |twin| {
            vec![
                template(name, &server.url),
                rollout(twin, "shop/web:1", 2, &strategy),
            ]
        });
        twins.settle("Healthy", "");
        twins.set_image(
            "shop/web:2",
            "a new rollout of main=shop/web:2: step 1 of 2 (experiment); then pause",
        );
        let (phase, verdict) = match name {
            "good" => {
                twins.settle("Paused", "CanaryPauseStep");
                ("Successful", "waiting for promotion")
            }
            "bad" => {
                twins.settle("Degraded", "RolloutAborted");
                ("Failed", "aborted")
            }
            _ => {
                twins.settle("Paused", "InconclusiveExperiment");
                ("Inconclusive", "inconclusive experiment")
            }
        };
        let seen = eventually("the experiment's own verdict", || {
            let seen = twins.look("o");
            (seen["experiments"][0]["phase"] == phase).then_some(seen)
        });
        assert_eq!(seen["waiting_why"], verdict, "{seen:#}");
    }
}
