//! Analysis runs: takes measurements at their intervals, evaluates each, and assesses the run.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::expression;
use super::json::{
    add_seconds, flag, into_object, list, number, object_mut, seconds, text, time, to_rfc3339,
};

#[derive(Clone, Copy, Debug)]
pub struct MetricQuery<'a> {
    pub cluster: &'a str,
    pub rollout: &'a str,
    pub metric: &'a str,
    /// Image of the first container of the new version.
    pub image: &'a str,
    /// Index of the measurement in the run, from 0.
    pub number: u64,
    pub now: Timestamp,
}

/// Measures. Returns JSON, such as `0.97` or `[0.213]`; any other text is an error message.
pub type MetricSource = Arc<dyn Fn(&MetricQuery<'_>) -> String + Send + Sync>;

const MEASUREMENTS_KEPT: usize = 10;
/// Consecutive errors allowed if the metric does not say.
const CONSECUTIVE_ERROR_LIMIT: i64 = 4;

pub(super) fn is_completed(phase: &str) -> bool {
    matches!(phase, "Successful" | "Failed" | "Error" | "Inconclusive")
}

/// Takes the measurements that are due. Returns when the next one is. `query` is what all
/// measurements of the run have in common.
pub(super) fn advance(
    run: &mut Value,
    source: &MetricSource,
    query: MetricQuery<'_>,
) -> Option<Timestamp> {
    if is_completed(text(run, "/status/phase")) {
        return None;
    }
    let now = query.now;
    let started = time(run, "/status/startedAt").unwrap_or(now);
    let (metrics, args) = (
        list(run, "/spec/metrics").to_vec(),
        list(run, "/spec/args").to_vec(),
    );
    let terminated = flag(run, "/spec/terminate");
    let mut wake: Option<Timestamp> = None;
    let mut results: Vec<Value> = list(run, "/status/metricResults").to_vec();
    for metric in &metrics {
        let name = text(metric, "/name");
        if !results.iter().any(|result| text(result, "/name") == name) {
            results.push(json!({"name": name, "phase": "Running"}));
        }
        let Some(result) = results
            .iter_mut()
            .find(|result| text(result, "/name") == name)
        else {
            continue;
        };
        if list(run, "/spec/dryRun")
            .iter()
            .any(|dry| text(dry, "/metricName") == name)
        {
            into_object(result).insert("dryRun".to_owned(), true.into());
        }
        if is_completed(text(result, "/phase")) {
            continue;
        }
        if terminated {
            into_object(result).insert("phase".to_owned(), "Successful".into());
            into_object(result).insert(
                "message".to_owned(),
                "Metric Assessed Successful due to termination".into(),
            );
            continue;
        }
        let due = next_measurement_at(metric, result, started);
        if due > now {
            wake = Some(wake.map_or(due, |wake| wake.min(due)));
            continue;
        }
        take_measurement(
            metric,
            result,
            &args,
            source,
            MetricQuery {
                metric: name,
                ..query
            },
        );
        if !is_completed(text(result, "/phase")) {
            let due = next_measurement_at(metric, result, started);
            wake = Some(wake.map_or(due, |wake| wake.min(due)));
        }
    }
    let (phase, message) = assess_run(&metrics, &mut results, terminated);
    let status = object_mut(run, "status");
    status.insert("startedAt".to_owned(), to_rfc3339(started));
    status.insert("phase".to_owned(), phase.into());
    if is_completed(phase) {
        status.insert("completedAt".to_owned(), to_rfc3339(now));
        wake = None;
    }
    if !message.is_empty() {
        status.insert("message".to_owned(), message.into());
    }
    let (real, dry): (Vec<&Value>, Vec<&Value>) =
        results.iter().partition(|result| !flag(result, "/dryRun"));
    status.insert("runSummary".to_owned(), summarize(&real));
    status.insert("dryRunSummary".to_owned(), summarize(&dry));
    status.insert("metricResults".to_owned(), results.into());
    wake
}

fn next_measurement_at(metric: &Value, result: &Value, started: Timestamp) -> Timestamp {
    match list(result, "/measurements")
        .last()
        .and_then(|last| time(last, "/finishedAt"))
    {
        Some(last) => add_seconds(last, seconds(&metric["interval"]).unwrap_or(1).max(1)),
        None => add_seconds(started, seconds(&metric["initialDelay"]).unwrap_or(0)),
    }
}

fn take_measurement(
    metric: &Value,
    result: &mut Value,
    args: &[Value],
    source: &MetricSource,
    query: MetricQuery<'_>,
) {
    let counted = number(result, "/count").unwrap_or(0) + number(result, "/error").unwrap_or(0);
    let answer = source(&MetricQuery {
        number: u64::try_from(counted).unwrap_or(0),
        ..query
    });
    let (phase, value, message) = match serde_json::from_str::<Value>(&answer) {
        Err(_) => ("Error", None, answer),
        Ok(value) => match evaluate_value(metric, args, &value) {
            Ok(phase) => (phase, Some(answer), String::new()),
            Err(why) => ("Error", Some(answer), why),
        },
    };
    let mut measurement = json!({
        "phase": phase, "startedAt": to_rfc3339(query.now), "finishedAt": to_rfc3339(query.now),
    });
    if let Some(value) = value {
        measurement["value"] = value.into();
    }
    if !message.is_empty() {
        measurement["message"] = message.clone().into();
    }
    let errors_in_a_row = if phase == "Error" {
        number(result, "/consecutiveError").unwrap_or(0) + 1
    } else {
        0
    };
    let raise = |result: &mut Value, field: &str| {
        let count = number(result, &format!("/{field}")).unwrap_or(0) + 1;
        into_object(result).insert(field.to_owned(), count.into());
    };
    raise(result, &phase.to_lowercase());
    if phase != "Error" {
        raise(result, "count");
    }
    let mut measurements = list(result, "/measurements").to_vec();
    measurements.push(measurement);
    let surplus = measurements.len().saturating_sub(MEASUREMENTS_KEPT);
    measurements.drain(..surplus);
    let fields = into_object(result);
    fields.insert("consecutiveError".to_owned(), errors_in_a_row.into());
    fields.insert("measurements".to_owned(), measurements.into());
    let assessed = assess_metric(metric, result);
    into_object(result).insert("phase".to_owned(), assessed.into());
    if assessed == "Error" {
        into_object(result).insert("message".to_owned(), message.into());
    }
}

/// Evaluates a value with the conditions of its metric. Returns a phase.
fn evaluate_value(metric: &Value, args: &[Value], value: &Value) -> Result<&'static str, String> {
    let evaluate = |field: &str| match text(metric, field) {
        "" => Ok(None),
        condition => expression::evaluate(&resolve_args(condition, args), value).map(Some),
    };
    Ok(
        match (
            evaluate("/successCondition")?,
            evaluate("/failureCondition")?,
        ) {
            (_, Some(true)) | (Some(false), None) => "Failed",
            (None | Some(true), None | Some(false)) => "Successful",
            (Some(false), Some(false)) => "Inconclusive",
        },
    )
}

/// Replaces placeholders such as `{{args.threshold}}`.
fn resolve_args(text: &str, args: &[Value]) -> String {
    args.iter().fold(text.to_owned(), |text, arg| {
        let (name, value) = (
            arg["name"].as_str().unwrap_or_default(),
            arg["value"].as_str().unwrap_or_default(),
        );
        text.replace(&format!("{{{{args.{name}}}}}"), value)
            .replace(&format!("{{{{ args.{name} }}}}"), value)
    })
}

/// Reads a limit, which may be written as text. A negative one means no limit.
fn read_limit(metric: &Value, field: &str, default: i64) -> i64 {
    let value = &metric[field];
    let limit = value
        .as_i64()
        .or_else(|| value.as_str()?.parse().ok())
        .unwrap_or(default);
    if limit < 0 { i64::MAX } else { limit }
}

fn assess_metric(metric: &Value, result: &Value) -> &'static str {
    let count = |field: &str| number(result, field).unwrap_or(0);
    if count("/failed") > read_limit(metric, "failureLimit", 0) {
        return "Failed";
    }
    if count("/inconclusive") > read_limit(metric, "inconclusiveLimit", 0) {
        return "Inconclusive";
    }
    if count("/consecutiveError")
        > read_limit(metric, "consecutiveErrorLimit", CONSECUTIVE_ERROR_LIMIT)
    {
        return "Error";
    }
    // No interval means one measurement; an interval without a count means no end.
    let endless = metric["count"].is_null() && !metric["interval"].is_null();
    if !endless && count("/count") >= read_limit(metric, "count", 1).max(1) {
        "Successful"
    } else {
        "Running"
    }
}

/// Returns the phase and message of the run. The first metric that is not successful ends the run
/// and all other metrics.
fn assess_run(
    metrics: &[Value],
    results: &mut [Value],
    terminated: bool,
) -> (&'static str, String) {
    for phase in ["Failed", "Error", "Inconclusive"] {
        let Some(bad) = results
            .iter()
            .find(|result| text(result, "/phase") == phase && !flag(result, "/dryRun"))
        else {
            continue;
        };
        let name = text(bad, "/name").to_owned();
        let metric = metrics
            .iter()
            .find(|metric| text(metric, "/name") == name)
            .unwrap_or(&Value::Null);
        let (field, of, default) = match phase {
            "Failed" => ("failed", "failureLimit", 0),
            "Error" => (
                "consecutiveErrors",
                "consecutiveErrorLimit",
                CONSECUTIVE_ERROR_LIMIT,
            ),
            _ => ("inconclusive", "inconclusiveLimit", 0),
        };
        let count = number(
            bad,
            &format!(
                "/{}",
                if phase == "Error" {
                    "consecutiveError"
                } else {
                    field
                }
            ),
        )
        .unwrap_or(0);
        let mut message = format!(
            "Metric \"{name}\" assessed {phase} due to {field} ({count}) > {of} ({})",
            read_limit(metric, of, default)
        );
        if phase == "Error" {
            message = format!("{message}: \"Error Message: {}\"", text(bad, "/message"));
        }
        for other in results
            .iter_mut()
            .filter(|result| !is_completed(text(result, "/phase")))
        {
            into_object(other).insert("phase".to_owned(), "Successful".into());
            into_object(other).insert(
                "message".to_owned(),
                "Metric Assessed Successful due to termination".into(),
            );
        }
        return (phase, message);
    }
    if terminated {
        return ("Successful", "Run Terminated".to_owned());
    }
    let done = results
        .iter()
        .all(|result| is_completed(text(result, "/phase")));
    (if done { "Successful" } else { "Running" }, String::new())
}

fn summarize(results: &[&Value]) -> Value {
    let mut out = json!({"count": results.len()});
    for phase in ["Successful", "Failed", "Inconclusive", "Error"] {
        let count = results
            .iter()
            .filter(|result| text(result, "/phase") == phase)
            .count();
        if count > 0 {
            out[phase.to_lowercase()] = count.into();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Timestamp {
        "2026-11-22T06:12:18Z".parse().unwrap()
    }

    /// Runs a metric to its end or through 20 looks ten seconds apart, over `values` in turn.
    fn run(metric: &Value, values: &'static [&'static str]) -> Value {
        let source: MetricSource = Arc::new(move |query| {
            let at = usize::try_from(query.number).unwrap();
            values.get(at).or(values.last()).unwrap().to_string()
        });
        let mut run =
            json!({"spec": {"metrics": [metric], "args": [{"name": "max", "value": "0.5"}]}});
        for look in 0..20 {
            let now = add_seconds(start(), look * 10);
            advance(
                &mut run,
                &source,
                MetricQuery {
                    cluster: "c",
                    rollout: "r",
                    metric: "",
                    image: "",
                    number: 0,
                    now,
                },
            );
        }
        run
    }

    #[track_caller]
    fn check(metric: &Value, values: &'static [&'static str], phase: &str, message: &str) -> Value {
        let run = run(metric, values);
        assert_eq!(text(&run, "/status/phase"), phase, "{run}");
        assert_eq!(text(&run, "/status/message"), message, "{run}");
        run
    }

    #[test]
    fn a_count_of_good_values_passes() {
        let metric = json!({
            "name": "p95", "interval": "10s", "count": 3,
            "successCondition": "result[0] < {{args.max}}",
        });
        let run = check(&metric, &["[0.2]"], "Successful", "");
        assert_eq!(run["status"]["metricResults"][0]["successful"], 3);
        assert_eq!(
            run["status"]["metricResults"][0]["measurements"][2]["startedAt"],
            "2026-11-22T06:12:38Z"
        );
    }

    #[test]
    fn more_failures_than_allowed_fail_it() {
        let metric = json!({
            "name": "p95", "interval": "10s", "count": 5, "failureLimit": 1,
            "successCondition": "result[0] < 0.35",
        });
        let wanted = "Metric \"p95\" assessed Failed due to failed (2) > failureLimit (1)";
        let run = check(&metric, &["[0.2]", "[0.4]", "[0.5]"], "Failed", wanted);
        assert_eq!(run["status"]["metricResults"][0]["count"], 3);
    }

    #[test]
    fn between_both_conditions_it_is_inconclusive() {
        let metric = json!({
            "name": "rate", "successCondition": "result >= 0.99",
            "failureCondition": "result < 0.95",
        });
        check(
            &metric,
            &["0.97"],
            "Inconclusive",
            "Metric \"rate\" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0)",
        );
    }

    #[test]
    fn errors_in_a_row_end_it_and_say_what_was_wrong() {
        let metric = json!({
            "name": "rate", "interval": "10s", "count": 9, "consecutiveErrorLimit": 1,
            "successCondition": "result >= 1",
        });
        let wanted = "Metric \"rate\" assessed Error due to consecutiveErrors (2) > \
            consecutiveErrorLimit (1): \"Error Message: no route to host\"";
        check(&metric, &["no route to host"], "Error", wanted);
        let nonsense = json!({
            "name": "rate", "interval": "10s", "consecutiveErrorLimit": 0,
            "successCondition": "any(result)",
        });
        assert_eq!(text(&run(&nonsense, &["1"]), "/status/phase"), "Error");
    }

    #[test]
    fn a_dry_run_never_fails_the_run() {
        let source: MetricSource = Arc::new(|_| "9".to_owned());
        let metric = json!({"name": "rate", "successCondition": "result < 1"});
        let mut run = json!({"spec": {"metrics": [metric], "dryRun": [{"metricName": "rate"}]}});
        advance(
            &mut run,
            &source,
            MetricQuery {
                cluster: "c",
                rollout: "r",
                metric: "",
                image: "",
                number: 0,
                now: start(),
            },
        );
        assert_eq!(run["status"]["phase"], "Successful");
        assert_eq!(run["status"]["dryRunSummary"]["failed"], 1);
    }

    #[test]
    fn without_a_count_it_goes_on_until_terminated_and_keeps_ten() {
        let metric = json!({"name": "rate", "interval": "10s", "successCondition": "result < 1"});
        let mut run = check(&metric, &["0.5"], "Running", "");
        assert_eq!(list(&run, "/status/metricResults/0/measurements").len(), 10);
        assert_eq!(run["status"]["metricResults"][0]["count"], 20);
        run["spec"]["terminate"] = true.into();
        let source: MetricSource = Arc::new(|_| String::new());
        advance(
            &mut run,
            &source,
            MetricQuery {
                cluster: "c",
                rollout: "r",
                metric: "",
                image: "",
                number: 0,
                now: add_seconds(start(), 500),
            },
        );
        assert_eq!(
            (text(&run, "/status/phase"), text(&run, "/status/message")),
            ("Successful", "Run Terminated")
        );
    }
}
