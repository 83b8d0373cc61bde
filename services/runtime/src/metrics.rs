//! The metrics of one service: those of core's table that it has, in Prometheus' text format. A
//! process may have several registries, one for each environment that it serves.

use std::sync::Arc;

use metrics::{Label, with_local_recorder};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use payops_core::domain::metric::{
    DEAD_LETTERS, MESSAGES, METRICS, MetricKind, MetricUnit, ServiceMetric,
};
use payops_core::usecase::Consumed;

/// What becomes of a message. One that could not be settled is redelivered.
const OUTCOMES: [&str; 4] = ["done", "retried", "dead", "unsettled"];

#[derive(Clone)]
pub struct Metrics(Arc<Registry>);

struct Registry {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Metrics {
    /// The registry of `services`, as the table names them. What has no labels stands at zero.
    #[must_use]
    pub fn new(services: &[&str]) -> Self {
        let own = || {
            METRICS
                .iter()
                .filter(|metric| metric.services.iter().any(|has| services.contains(has)))
        };
        let mut builder = PrometheusBuilder::new();
        for metric in own() {
            if let MetricKind::Histogram(bounds) = metric.kind {
                let of_it = Matcher::Full(metric.name.to_owned());
                // Only an empty list of bounds is refused, and the builder is gone then.
                builder = builder
                    .set_buckets_for_metric(of_it, bounds)
                    .unwrap_or_else(|_| PrometheusBuilder::new());
            }
        }
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        let this = Self(Arc::new(Registry { recorder, handle }));
        for metric in own() {
            this.describe(metric);
        }
        this
    }

    fn describe(&self, metric: &'static ServiceMetric) {
        let unit = match metric.unit {
            MetricUnit::Count => metrics::Unit::Count,
            MetricUnit::Seconds => metrics::Unit::Seconds,
        };
        with_local_recorder(&self.0.recorder, || match metric.kind {
            MetricKind::Counter => metrics::describe_counter!(metric.name, unit, metric.help),
            MetricKind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.help),
            MetricKind::Histogram(_) => {
                metrics::describe_histogram!(metric.name, unit, metric.help);
            }
        });
        if metric.labels.is_empty() && metric.kind == MetricKind::Counter {
            self.add(metric, &[], 0);
        }
    }

    /// Counts `by` more. `values` are those of the metric's labels, in their order.
    pub fn add(&self, metric: &'static ServiceMetric, values: &[&str], by: u64) {
        with_local_recorder(&self.0.recorder, || {
            metrics::counter!(metric.name, labels(metric, values)).increment(by);
        });
    }

    /// Sets a gauge without labels.
    pub fn set(&self, metric: &'static ServiceMetric, value: f64) {
        with_local_recorder(&self.0.recorder, || {
            metrics::gauge!(metric.name).set(value);
        });
    }

    /// Adds a value to a histogram.
    pub fn record(&self, metric: &'static ServiceMetric, values: &[&str], value: f64) {
        with_local_recorder(&self.0.recorder, || {
            metrics::histogram!(metric.name, labels(metric, values)).record(value);
        });
    }

    /// Has a queue's counters stand at zero, so that nothing counted is told from nothing known.
    pub fn expect_messages(&self, queue: &str) {
        for outcome in OUTCOMES {
            self.add(&MESSAGES, &[queue, outcome], 0);
        }
        self.add(&DEAD_LETTERS, &[queue], 0);
    }

    /// Counts what became of messages of `queue`.
    pub fn count_messages(&self, queue: &str, consumed: Consumed) {
        let settled = consumed.done + consumed.retried + consumed.dead;
        let unsettled = consumed.received.saturating_sub(settled);
        let counts = [consumed.done, consumed.retried, consumed.dead, unsettled];
        for (outcome, count) in OUTCOMES.into_iter().zip(counts) {
            if count > 0 {
                self.add(&MESSAGES, &[queue, outcome], to_u64(count));
            }
        }
        if consumed.dead > 0 {
            self.add(&DEAD_LETTERS, &[queue], to_u64(consumed.dead));
        }
    }

    /// All of it, as Prometheus reads it.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.handle.render()
    }

    /// Folds recorded values into their buckets; without it they pile up until the next render.
    pub fn run_upkeep(&self) {
        self.0.handle.run_upkeep();
    }
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn labels(metric: &'static ServiceMetric, values: &[&str]) -> Vec<Label> {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    metric
        .labels
        .iter()
        .zip(values)
        .map(|(label, value)| Label::new(*label, (*value).to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use payops_core::domain::metric::{
        HTTP_REQUEST_SECONDS, NOTIFIER, OLDEST_PROCESSING_AGE, PAYMENTS_API, REQUESTS_REPLAYED,
    };

    use super::*;

    #[test]
    fn a_registry_has_what_its_service_counts() {
        let metrics = Metrics::new(&[PAYMENTS_API]);
        metrics.expect_messages("projections");
        metrics.count_messages(
            "projections",
            Consumed {
                received: 7,
                done: 3,
                retried: 1,
                dead: 2,
                ..Consumed::default()
            },
        );
        metrics.add(&REQUESTS_REPLAYED, &[], 0);
        metrics.set(&OLDEST_PROCESSING_AGE, 12.5);
        metrics.record(&HTTP_REQUEST_SECONDS, &["/v1/payments", "POST"], 0.02);
        let text = metrics.render();
        for line in [
            "# HELP payops_messages_total Messages received, by queue and outcome: done, retried, dead or unsettled",
            "payops_messages_total{queue=\"projections\",outcome=\"done\"} 3",
            "payops_messages_total{queue=\"projections\",outcome=\"retried\"} 1",
            "payops_messages_total{queue=\"projections\",outcome=\"dead\"} 2",
            "payops_messages_total{queue=\"projections\",outcome=\"unsettled\"} 1",
            "payops_dead_letters_total{queue=\"projections\"} 2",
            "payops_requests_replayed_total 0",
            "payops_oldest_processing_age_seconds 12.5",
            "payops_http_request_seconds_bucket{route=\"/v1/payments\",method=\"POST\",le=\"0.025\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_queue_without_messages_counts_zero() {
        let metrics = Metrics::new(&[NOTIFIER]);
        metrics.expect_messages("notifications");
        let text = metrics.render();
        assert!(
            text.contains("payops_dead_letters_total{queue=\"notifications\"} 0\n"),
            "{text}"
        );
        assert!(!text.contains("payops_http"), "{text}");
    }
}
