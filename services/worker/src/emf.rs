//! What a Lambda function counts, as a line of its log in CloudWatch's embedded metric format: no
//! call, and no scrape that would miss a function that is frozen.

use payops_core::Timestamp;
use payops_core::domain::metric::{
    CLOUDWATCH_NAMESPACE, CloudWatchMetric, DEAD_LETTERS, RECORDS_FAILED, ServiceMetric,
};
use serde_json::{Map, Value, json};

/// Values of the dimensions that a function has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dimensions {
    pub(crate) function: String,
    pub(crate) version: String,
    pub(crate) queue: String,
}

impl Dimensions {
    fn value(&self, name: &str) -> Option<&str> {
        match name {
            "FunctionName" => Some(&self.function),
            "Version" => Some(&self.version),
            "Queue" => Some(&self.queue),
            _ => None,
        }
    }
}

/// The line for one batch, zeros included: an alarm and an analysis tell nothing failed from
/// nothing known.
pub(crate) fn line(dimensions: &Dimensions, failed: usize, dead: usize, at: Timestamp) -> String {
    let mut directives = Vec::new();
    let mut members = Map::new();
    for (metric, value) in [(&RECORDS_FAILED, failed), (&DEAD_LETTERS, dead)] {
        let Some(found) = metric.cloudwatch else {
            continue;
        };
        directives.push(directive(metric, found));
        members.insert(found.name.to_owned(), json!(value));
        for name in found.dimension_sets.iter().copied().flatten() {
            if let Some(value) = dimensions.value(name) {
                members.insert((*name).to_owned(), json!(value));
            }
        }
    }
    let mut all = Map::new();
    let about = json!({"Timestamp": at.as_millisecond(), "CloudWatchMetrics": directives});
    all.insert("_aws".to_owned(), about);
    all.extend(members);
    Value::Object(all).to_string()
}

fn directive(metric: &ServiceMetric, found: CloudWatchMetric) -> Value {
    json!({
        "Namespace": CLOUDWATCH_NAMESPACE,
        "Dimensions": found.dimension_sets,
        "Metrics": [{"Name": found.name, "Unit": metric.unit.as_str()}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_one_line_that_cloudwatch_reads() {
        let dimensions = Dimensions {
            function: "payments-worker".to_owned(),
            version: "41".to_owned(),
            queue: "payments-work".to_owned(),
        };
        let at = Timestamp::from_millisecond(1_795_348_800_000).expect("a time");
        let text = line(&dimensions, 3, 1, at);
        assert!(!text.contains('\n'));
        let told: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            told,
            json!({
                "_aws": {"Timestamp": 1_795_348_800_000_i64, "CloudWatchMetrics": [
                    {"Namespace": "Payops", "Dimensions": [["FunctionName"], ["FunctionName", "Version"]],
                     "Metrics": [{"Name": "RecordsFailed", "Unit": "Count"}]},
                    {"Namespace": "Payops", "Dimensions": [["Queue"]],
                     "Metrics": [{"Name": "DeadLetters", "Unit": "Count"}]},
                ]},
                "RecordsFailed": 3, "FunctionName": "payments-worker", "Version": "41",
                "DeadLetters": 1, "Queue": "payments-work",
            })
        );
    }
}
