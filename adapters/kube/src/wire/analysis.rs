//! `AnalysisRun` and `Experiment` of `argoproj.io/v1alpha1`.

use std::cell::RefCell;

use payops_core::domain::rollout::{
    AnalysisKind, AnalysisRun, Experiment, Measurement, Metric, RunPhase, Threshold,
};
use serde_json::Value;

use super::fields::{Damage, Fields, Meta};

/// The analysis run in `value`, whatever is in there.
pub(crate) fn analysis_run(value: &Value) -> AnalysisRun {
    let damage: Damage = RefCell::default();
    let object = Fields::new("object", value, &damage);
    let meta = Meta::new(object);
    let (spec, status) = (object.child("spec"), object.child("status"));
    AnalysisRun {
        name: meta.name(),
        uid: meta.fields.string("uid"),
        resource_version: meta.fields.string("resourceVersion"),
        kind: kind(meta.labels),
        hash: meta.hash(),
        revision: meta.revision(),
        phase: RunPhase::from_name(status.text("phase")),
        message: status.string("message"),
        created_at: meta.fields.time("creationTimestamp"),
        metrics: metrics(spec, status),
    }
}

/// The experiment in `value`, whatever is in there.
pub(crate) fn experiment(value: &Value) -> Experiment {
    let damage: Damage = RefCell::default();
    let object = Fields::new("object", value, &damage);
    let meta = Meta::new(object);
    let status = object.child("status");
    Experiment {
        name: meta.name(),
        resource_version: meta.fields.string("resourceVersion"),
        phase: RunPhase::from_name(status.text("phase")),
        message: status.string("message"),
        revision: meta.revision(),
        created_at: meta.fields.time("creationTimestamp"),
    }
}

fn kind(labels: Fields<'_>) -> AnalysisKind {
    match labels.text("rollout-type") {
        "Step" => AnalysisKind::Step(labels.text("step-index").parse().ok()),
        "Background" => AnalysisKind::Background,
        "PrePromotion" => AnalysisKind::PrePromotion,
        "PostPromotion" => AnalysisKind::PostPromotion,
        _ => AnalysisKind::Unknown,
    }
}

/// The metrics of the spec in its order, with their results; then results that the spec does not
/// name.
fn metrics(spec: Fields<'_>, status: Fields<'_>) -> Vec<Metric> {
    let result = |name: &str| {
        status
            .objects("metricResults")
            .find(|result| result.text("name") == name)
    };
    let wanted = spec.objects("metrics").map(|metric| {
        let result = result(metric.text("name"));
        read(
            metric.string("name"),
            threshold(metric, spec, result),
            result,
        )
    });
    let is_wanted = |name: &str| {
        spec.objects("metrics")
            .any(|metric| metric.text("name") == name)
    };
    let others = status
        .objects("metricResults")
        .filter(|result| !is_wanted(result.text("name")))
        .map(|result| {
            let threshold = Threshold {
                dry_run: result.is_set("dryRun"),
                ..Threshold::default()
            };
            read(result.string("name"), threshold, Some(result))
        });
    wanted.chain(others).collect()
}

fn read(name: String, threshold: Threshold, result: Option<Fields<'_>>) -> Metric {
    let count = |key| {
        result
            .and_then(|result| result.count(key))
            .unwrap_or_default()
    };
    Metric {
        name,
        phase: result.map_or(RunPhase::Pending, |result| {
            RunPhase::from_name(result.text("phase"))
        }),
        message: result
            .map(|result| result.string("message"))
            .unwrap_or_default(),
        threshold,
        measurements: result
            .into_iter()
            .flat_map(|result| result.objects("measurements"))
            .map(measurement)
            .collect(),
        successful: count("successful"),
        failed: count("failed"),
        inconclusive: count("inconclusive"),
        errors: count("error"),
    }
}

fn measurement(measurement: Fields<'_>) -> Measurement {
    Measurement {
        value: measurement.string("value"),
        phase: RunPhase::from_name(measurement.text("phase")),
        at: measurement
            .time("finishedAt")
            .or_else(|| measurement.time("startedAt")),
        message: measurement.string("message"),
    }
}

fn threshold(metric: Fields<'_>, spec: Fields<'_>, result: Option<Fields<'_>>) -> Threshold {
    let condition = |key| {
        Some(metric.text(key))
            .filter(|text| !text.is_empty())
            .map(|text| with_args(text, spec))
    };
    let limit = |key| match metric.value(key) {
        Some(Value::String(text)) => with_args(text, spec).trim().parse().ok(),
        _ => metric.count(key),
    };
    let name = metric.text("name");
    // The names there are patterns; the two that people write are compared here, and a result
    // says for itself whether it is one.
    let named = |dry: Fields<'_>| {
        matches!(dry.text("metricName"), ".*" | "*") || dry.text("metricName") == name
    };
    // Without a count and an interval, one measurement is made.
    let once = (!metric.has("count") && !metric.has("interval")).then_some(1);
    Threshold {
        success: condition("successCondition"),
        failure: condition("failureCondition"),
        failures_max: limit("failureLimit").unwrap_or_default(),
        inconclusive_max: limit("inconclusiveLimit").unwrap_or_default(),
        count: limit("count").or(once),
        dry_run: result.is_some_and(|result| result.is_set("dryRun"))
            || spec.objects("dryRun").any(named),
    }
}

/// `text` with `{{args.name}}` replaced by the run's arguments, as far as their values are given.
fn with_args(text: &str, spec: Fields<'_>) -> String {
    let mut text = text.to_owned();
    if text.contains("{{") {
        for arg in spec.objects("args").filter(|arg| arg.has("value")) {
            for place in [
                format!("{{{{args.{}}}}}", arg.text("name")),
                format!("{{{{ args.{} }}}}", arg.text("name")),
            ] {
                text = text.replace(&place, arg.text("value"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::fixture;

    #[test]
    fn measured_values_stand_against_thresholds() {
        let run = analysis_run(&fixture::analysis_run());
        assert_eq!(
            (run.name.as_str(), run.kind, run.hash.as_str()),
            ("payments-api-7-2", AnalysisKind::Step(Some(2)), "6c5f")
        );
        assert_eq!(
            (run.revision, run.phase, run.message.as_str()),
            (Some(7), RunPhase::Running, "")
        );
        let [rate, latency, odd] = &run.metrics[..] else {
            panic!("{} metrics", run.metrics.len())
        };
        assert_eq!(rate.threshold.success.as_deref(), Some("result[0] < 0.05"));
        assert_eq!(
            (
                rate.threshold.failures_max,
                rate.threshold.inconclusive_max,
                rate.threshold.count
            ),
            (2, 1, Some(5))
        );
        assert_eq!(
            (
                rate.successful,
                rate.failed,
                rate.inconclusive,
                rate.errors,
                rate.count_measurements()
            ),
            (2, 1, 0, 1, 3)
        );
        assert_eq!(rate.measurements[0].value, "[0.02]");
        assert_eq!(rate.measurements[0].at, "2026-11-22T06:11:01Z".parse().ok());
        assert_eq!(
            (
                rate.measurements[1].phase,
                rate.measurements[1].message.as_str()
            ),
            (RunPhase::Error, "no data")
        );
        assert_eq!(rate.measurements[1].at, "2026-11-22T06:12:00Z".parse().ok());
        assert!(!rate.threshold.dry_run);
        assert_eq!(
            (latency.phase, latency.count_measurements()),
            (RunPhase::Pending, 0)
        );
        assert_eq!(latency.threshold.failure.as_deref(), Some("result > 400"));
        assert_eq!(latency.threshold.count, Some(1));
        assert!(latency.threshold.dry_run);
        assert_eq!(
            (odd.name.as_str(), odd.phase, odd.threshold.dry_run),
            ("left-over", RunPhase::Successful, true)
        );
    }

    #[track_caller]
    fn check_kind(labels: &Value, expected: AnalysisKind) {
        assert_eq!(
            analysis_run(&json!({"metadata": {"labels": labels}})).kind,
            expected
        );
    }

    #[test]
    fn kinds_are_labels() {
        check_kind(&json!({"rollout-type": "Step"}), AnalysisKind::Step(None));
        check_kind(
            &json!({"rollout-type": "Background"}),
            AnalysisKind::Background,
        );
        check_kind(
            &json!({"rollout-type": "PrePromotion"}),
            AnalysisKind::PrePromotion,
        );
        check_kind(
            &json!({"rollout-type": "PostPromotion"}),
            AnalysisKind::PostPromotion,
        );
        check_kind(&Value::Null, AnalysisKind::Unknown);
    }

    #[test]
    fn arguments_are_filled_in_where_they_are_given() {
        let run = json!({"spec": {
            "args": [{"name": "limit", "value": "3"}, {"name": "secret", "valueFrom": {"secretKeyRef": {}}}],
            "metrics": [{"name": "m", "count": "{{args.limit}}", "failureCondition": "result > {{ args.limit }} || {{args.secret}}"}]
        }});
        let metric = &analysis_run(&run).metrics[0];
        assert_eq!(metric.threshold.count, Some(3));
        assert_eq!(
            metric.threshold.failure.as_deref(),
            Some("result > 3 || {{args.secret}}")
        );
    }

    #[test]
    fn an_experiment() {
        let read = experiment(&json!({
            "metadata": {"name": "e", "resourceVersion": "5", "annotations": {"rollout.argoproj.io/revision": "7"}},
            "status": {"phase": "Failed", "message": "template baseline timed out"}
        }));
        assert_eq!(
            (read.name.as_str(), read.phase, read.revision),
            ("e", RunPhase::Failed, Some(7))
        );
        assert_eq!(
            (read.message.as_str(), read.resource_version.as_str()),
            ("template baseline timed out", "5")
        );
    }

    #[test]
    fn damage_is_pending() {
        let read = analysis_run(
            &json!({"metadata": 3, "status": {"phase": {}, "metricResults": [7, {"name": "m", "measurements": "?"}]}}),
        );
        assert_eq!(
            (read.name.as_str(), read.phase, read.metrics.len()),
            ("(unnamed)", RunPhase::Pending, 2)
        );
        assert_eq!(experiment(&json!("?")).phase, RunPhase::Pending);
    }
}
