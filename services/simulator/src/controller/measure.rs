//! Analysis runs: measurements at their intervals, how each is judged, and what follows for the
//! run.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::condition;
use super::json::{flag, later, list, map, number, part, seconds, stamp, text, time};

#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub cluster: &'a str,
    pub rollout: &'a str,
    pub metric: &'a str,
    /// The image of the first container that is rolled out.
    pub image: &'a str,
    /// Which measurement of the run, counted from 0.
    pub number: u64,
    pub now: Timestamp,
}

/// Where measurements come from. The answer is JSON, such as `0.97` or `[0.213]`; any other text
/// is what went wrong.
pub type MetricSource = Arc<dyn Fn(&Query<'_>) -> String + Send + Sync>;

const KEPT: usize = 10;
/// Errors in a row that are allowed when the metric does not say.
const ERRORS_DEFAULT: i64 = 4;

pub(super) fn is_done(phase: &str) -> bool {
    matches!(phase, "Successful" | "Failed" | "Error" | "Inconclusive")
}

/// Moves a run on to `now`, and says when it wants to be looked at again. `query` is what all its
/// measurements have in common.
pub(super) fn advance(
    run: &mut Value,
    source: &MetricSource,
    query: Query<'_>,
) -> Option<Timestamp> {
    if is_done(text(run, "/status/phase")) {
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
            map(result).insert("dryRun".to_owned(), true.into());
        }
        if is_done(text(result, "/phase")) {
            continue;
        }
        if terminated {
            map(result).insert("phase".to_owned(), "Successful".into());
            map(result).insert(
                "message".to_owned(),
                "Metric Assessed Successful due to termination".into(),
            );
            continue;
        }
        let due = due(metric, result, started);
        if due > now {
            wake = Some(wake.map_or(due, |wake| wake.min(due)));
            continue;
        }
        measure(
            metric,
            result,
            &args,
            source,
            Query {
                metric: name,
                ..query
            },
        );
        if !is_done(text(result, "/phase")) {
            let due = self::due(metric, result, started);
            wake = Some(wake.map_or(due, |wake| wake.min(due)));
        }
    }
    let (phase, message) = verdict(&metrics, &mut results, terminated);
    let status = part(run, "status");
    status.insert("startedAt".to_owned(), stamp(started));
    status.insert("phase".to_owned(), phase.into());
    if is_done(phase) {
        status.insert("completedAt".to_owned(), stamp(now));
        wake = None;
    }
    if !message.is_empty() {
        status.insert("message".to_owned(), message.into());
    }
    let (real, dry): (Vec<&Value>, Vec<&Value>) =
        results.iter().partition(|result| !flag(result, "/dryRun"));
    status.insert("runSummary".to_owned(), summary(&real));
    status.insert("dryRunSummary".to_owned(), summary(&dry));
    status.insert("metricResults".to_owned(), results.into());
    wake
}

fn due(metric: &Value, result: &Value, started: Timestamp) -> Timestamp {
    match list(result, "/measurements")
        .last()
        .and_then(|last| time(last, "/finishedAt"))
    {
        Some(last) => later(last, seconds(&metric["interval"]).unwrap_or(1).max(1)),
        None => later(started, seconds(&metric["initialDelay"]).unwrap_or(0)),
    }
}

fn measure(
    metric: &Value,
    result: &mut Value,
    args: &[Value],
    source: &MetricSource,
    query: Query<'_>,
) {
    let counted = number(result, "/count").unwrap_or(0) + number(result, "/error").unwrap_or(0);
    let answer = source(&Query {
        number: u64::try_from(counted).unwrap_or(0),
        ..query
    });
    let (phase, value, message) = match serde_json::from_str::<Value>(&answer) {
        Err(_) => ("Error", None, answer),
        Ok(value) => match judge(metric, args, &value) {
            Ok(phase) => (phase, Some(answer), String::new()),
            Err(why) => ("Error", Some(answer), why),
        },
    };
    let mut measurement =
        json!({"phase": phase, "startedAt": stamp(query.now), "finishedAt": stamp(query.now)});
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
        map(result).insert(field.to_owned(), count.into());
    };
    raise(result, &phase.to_lowercase());
    if phase != "Error" {
        raise(result, "count");
    }
    let mut kept = list(result, "/measurements").to_vec();
    kept.push(measurement);
    let forgotten = kept.len().saturating_sub(KEPT);
    kept.drain(..forgotten);
    let fields = map(result);
    fields.insert("consecutiveError".to_owned(), errors_in_a_row.into());
    fields.insert("measurements".to_owned(), kept.into());
    let assessed = assess(metric, result);
    map(result).insert("phase".to_owned(), assessed.into());
    if assessed == "Error" {
        map(result).insert("message".to_owned(), message.into());
    }
}

/// How one value is judged by the conditions of its metric.
fn judge(metric: &Value, args: &[Value], value: &Value) -> Result<&'static str, String> {
    let holds = |field: &str| match text(metric, field) {
        "" => Ok(None),
        condition => condition::holds(&resolve(condition, args), value).map(Some),
    };
    Ok(
        match (holds("/successCondition")?, holds("/failureCondition")?) {
            (_, Some(true)) | (Some(false), None) => "Failed",
            (None | Some(true), None | Some(false)) => "Successful",
            (Some(false), Some(false)) => "Inconclusive",
        },
    )
}

/// Puts arguments in the places that name them: `{{args.threshold}}`.
fn resolve(text: &str, args: &[Value]) -> String {
    args.iter().fold(text.to_owned(), |text, arg| {
        let (name, value) = (
            arg["name"].as_str().unwrap_or_default(),
            arg["value"].as_str().unwrap_or_default(),
        );
        text.replace(&format!("{{{{args.{name}}}}}"), value)
            .replace(&format!("{{{{ args.{name} }}}}"), value)
    })
}

/// A limit, which may be written as text; a negative one is none.
fn limit(metric: &Value, field: &str, default: i64) -> i64 {
    let value = &metric[field];
    let limit = value
        .as_i64()
        .or_else(|| value.as_str()?.parse().ok())
        .unwrap_or(default);
    if limit < 0 { i64::MAX } else { limit }
}

fn assess(metric: &Value, result: &Value) -> &'static str {
    let count = |field: &str| number(result, field).unwrap_or(0);
    if count("/failed") > limit(metric, "failureLimit", 0) {
        return "Failed";
    }
    if count("/inconclusive") > limit(metric, "inconclusiveLimit", 0) {
        return "Inconclusive";
    }
    if count("/consecutiveError") > limit(metric, "consecutiveErrorLimit", ERRORS_DEFAULT) {
        return "Error";
    }
    // Without an interval there is one measurement; with one and no count there is no end.
    let endless = metric["count"].is_null() && !metric["interval"].is_null();
    if !endless && count("/count") >= limit(metric, "count", 1).max(1) {
        "Successful"
    } else {
        "Running"
    }
}

/// What the metrics make of the run. The first that is bad ends it, and all other metrics.
fn verdict(metrics: &[Value], results: &mut [Value], terminated: bool) -> (&'static str, String) {
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
            "Error" => ("consecutiveErrors", "consecutiveErrorLimit", ERRORS_DEFAULT),
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
            limit(metric, of, default)
        );
        if phase == "Error" {
            message = format!("{message}: \"Error Message: {}\"", text(bad, "/message"));
        }
        for other in results
            .iter_mut()
            .filter(|result| !is_done(text(result, "/phase")))
        {
            map(other).insert("phase".to_owned(), "Successful".into());
            map(other).insert(
                "message".to_owned(),
                "Metric Assessed Successful due to termination".into(),
            );
        }
        return (phase, message);
    }
    if terminated {
        return ("Successful", "Run Terminated".to_owned());
    }
    let done = results.iter().all(|result| is_done(text(result, "/phase")));
    (if done { "Successful" } else { "Running" }, String::new())
}

fn summary(results: &[&Value]) -> Value {
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
            let now = later(start(), look * 10);
            advance(
                &mut run,
                &source,
                Query {
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
        let metric = json!({"name": "p95", "interval": "10s", "count": 3, "successCondition": "result[0] < {{args.max}}"});
        let run = check(&metric, &["[0.2]"], "Successful", "");
        assert_eq!(run["status"]["metricResults"][0]["successful"], 3);
        assert_eq!(
            run["status"]["metricResults"][0]["measurements"][2]["startedAt"],
            "2026-11-22T06:12:38Z"
        );
    }

    #[test]
    fn more_failures_than_allowed_fail_it() {
        let metric = json!({"name": "p95", "interval": "10s", "count": 5, "failureLimit": 1, "successCondition": "result[0] < 0.35"});
        let wanted = "Metric \"p95\" assessed Failed due to failed (2) > failureLimit (1)";
        let run = check(&metric, &["[0.2]", "[0.4]", "[0.5]"], "Failed", wanted);
        assert_eq!(run["status"]["metricResults"][0]["count"], 3);
    }

    #[test]
    fn between_both_conditions_it_is_inconclusive() {
        let metric = json!({"name": "rate", "successCondition": "result >= 0.99", "failureCondition": "result < 0.95"});
        check(
            &metric,
            &["0.97"],
            "Inconclusive",
            "Metric \"rate\" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0)",
        );
    }

    #[test]
    fn errors_in_a_row_end_it_and_say_what_was_wrong() {
        let metric = json!({"name": "rate", "interval": "10s", "count": 9, "consecutiveErrorLimit": 1, "successCondition": "result >= 1"});
        let wanted = "Metric \"rate\" assessed Error due to consecutiveErrors (2) > \
            consecutiveErrorLimit (1): \"Error Message: no route to host\"";
        check(&metric, &["no route to host"], "Error", wanted);
        let nonsense = json!({"name": "rate", "interval": "10s", "consecutiveErrorLimit": 0, "successCondition": "any(result)"});
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
            Query {
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
            Query {
                cluster: "c",
                rollout: "r",
                metric: "",
                image: "",
                number: 0,
                now: later(start(), 500),
            },
        );
        assert_eq!(
            (text(&run, "/status/phase"), text(&run, "/status/message")),
            ("Successful", "Run Terminated")
        );
    }
}
