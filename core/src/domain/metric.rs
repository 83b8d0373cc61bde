//! Everything that the services count and measure: one table, from which their registries, the
//! names that alarms and analyses ask for, and the tests of both come.
//!
//! Names follow Prometheus: `_total` for counters, the unit at the end. A metric that alarms read
//! has a name in CloudWatch too, under which the OpenTelemetry collector or the Lambda function
//! writes it.

/// How values of a metric are added up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricKind {
    Counter,
    Gauge,
    /// Counts by these upper bounds, in the metric's unit.
    Histogram(&'static [f64]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricUnit {
    Count,
    Seconds,
}

impl MetricUnit {
    /// The unit as CloudWatch names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Seconds => "Seconds",
        }
    }
}

/// The platform's own namespace in CloudWatch.
pub const CLOUDWATCH_NAMESPACE: &str = "Payops";

/// A metric in CloudWatch, in [`CLOUDWATCH_NAMESPACE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloudWatchMetric {
    pub name: &'static str,
    /// The sets of dimensions that it is kept under.
    pub dimension_sets: &'static [&'static [&'static str]],
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServiceMetric {
    pub name: &'static str,
    pub kind: MetricKind,
    pub unit: MetricUnit,
    pub help: &'static str,
    pub labels: &'static [&'static str],
    /// Which services have it, by their name in rollouts and in `service.name`.
    pub services: &'static [&'static str],
    pub cloudwatch: Option<CloudWatchMetric>,
}

pub const PAYMENTS_API: &str = "payments-api";
pub const PAYMENTS_WORKER: &str = "payments-worker";
pub const NOTIFIER: &str = "notifier";

const API: &[&str] = &[PAYMENTS_API];
const CONSUMERS: &[&str] = &[PAYMENTS_API, PAYMENTS_WORKER, NOTIFIER];

const LATENCY_S: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

pub const HTTP_REQUESTS: ServiceMetric = ServiceMetric {
    labels: &["route", "method", "status"],
    ..counter(
        "payops_http_requests_total",
        "Requests by matched route, method and status",
        API,
    )
};
pub const HTTP_REQUEST_SECONDS: ServiceMetric = ServiceMetric {
    kind: MetricKind::Histogram(LATENCY_S),
    unit: MetricUnit::Seconds,
    labels: &["route", "method"],
    ..counter(
        "payops_http_request_seconds",
        "Time from request headers to response, by matched route and method",
        API,
    )
};
pub const PAYMENTS_ACCEPTED: ServiceMetric = ServiceMetric {
    labels: &["mode"],
    ..counter(
        "payops_payments_accepted_total",
        "Payments accepted, by mode",
        API,
    )
};
pub const REQUESTS_REPLAYED: ServiceMetric = counter(
    "payops_requests_replayed_total",
    "Repeated requests answered with the stored response of their idempotency key",
    API,
);
pub const REQUESTS_REFUSED: ServiceMetric = ServiceMetric {
    labels: &["code"],
    ..counter(
        "payops_requests_refused_total",
        "Requests answered with a problem, by code",
        API,
    )
};
pub const DISPATCHES: ServiceMetric = ServiceMetric {
    labels: &["outcome"],
    ..counter(
        "payops_dispatches_total",
        "Dispatches after a commit, by outcome; the relay retries all but `done`",
        API,
    )
};
pub const MESSAGES: ServiceMetric = ServiceMetric {
    labels: &["queue", "outcome"],
    ..counter(
        "payops_messages_total",
        "Messages received, by queue and outcome: done, retried, dead or unsettled",
        CONSUMERS,
    )
};
pub const DEAD_LETTERS: ServiceMetric = ServiceMetric {
    labels: &["queue"],
    cloudwatch: Some(CloudWatchMetric {
        name: "DeadLetters",
        dimension_sets: &[&["Queue"]],
    }),
    ..counter(
        "payops_dead_letters_total",
        "Messages moved to the dead-letter queue of their queue",
        CONSUMERS,
    )
};
pub const OLDEST_PROCESSING_AGE: ServiceMetric = ServiceMetric {
    kind: MetricKind::Gauge,
    unit: MetricUnit::Seconds,
    cloudwatch: Some(CloudWatchMetric {
        name: "OldestProcessingAge",
        dimension_sets: &[&["Service"]],
    }),
    ..counter(
        "payops_oldest_processing_age_seconds",
        "Age of the oldest payment that is neither completed nor failed; 0 when there is none",
        API,
    )
};
pub const RECONCILE_BREAKS: ServiceMetric = ServiceMetric {
    kind: MetricKind::Gauge,
    cloudwatch: Some(CloudWatchMetric {
        name: "ReconcileBreaks",
        dimension_sets: &[&["Service"]],
    }),
    ..counter(
        "payops_reconcile_breaks",
        "Payments known to differ between the stores: payments, timeline, ledger, index, archive",
        API,
    )
};
pub const RECORDS_FAILED: ServiceMetric = ServiceMetric {
    cloudwatch: Some(CloudWatchMetric {
        name: "RecordsFailed",
        dimension_sets: &[&["FunctionName"], &["FunctionName", "Version"]],
    }),
    ..counter(
        "payops_records_failed_total",
        "Records of a batch that the Lambda function reported as failed",
        &[PAYMENTS_WORKER],
    )
};

/// All of them.
pub const METRICS: &[&ServiceMetric] = &[
    &HTTP_REQUESTS,
    &HTTP_REQUEST_SECONDS,
    &PAYMENTS_ACCEPTED,
    &REQUESTS_REPLAYED,
    &REQUESTS_REFUSED,
    &DISPATCHES,
    &MESSAGES,
    &DEAD_LETTERS,
    &OLDEST_PROCESSING_AGE,
    &RECONCILE_BREAKS,
    &RECORDS_FAILED,
];

const fn counter(
    name: &'static str,
    help: &'static str,
    services: &'static [&'static str],
) -> ServiceMetric {
    ServiceMetric {
        name,
        kind: MetricKind::Counter,
        unit: MetricUnit::Count,
        help,
        labels: &[],
        services,
        cloudwatch: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_what_prometheus_expects() {
        let mut names = BTreeSet::new();
        for metric in METRICS {
            assert!(names.insert(metric.name), "{} is listed twice", metric.name);
            assert!(metric.name.starts_with("payops_"), "{}", metric.name);
            assert_eq!(
                metric.name.ends_with("_total"),
                metric.kind == MetricKind::Counter,
                "{}",
                metric.name
            );
            assert!(!metric.help.ends_with('.'), "{}", metric.name);
            assert!(!metric.services.is_empty(), "{}", metric.name);
            if metric.unit == MetricUnit::Seconds {
                assert!(metric.name.ends_with("_seconds"), "{}", metric.name);
            }
        }
    }
}
