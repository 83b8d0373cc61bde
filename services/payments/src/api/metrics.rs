//! Counters and latencies in Prometheus' text format, one registry per API: a process may have
//! several. Labels are matched routes and codes, never anything that a client chose.

use std::time::Duration;

use axum::http::Method;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// Upper bounds of the latency histogram, in seconds.
const LATENCY_S: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

pub(super) struct ApiMetrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl ApiMetrics {
    pub(super) fn new() -> Self {
        // Only an empty list of bounds is refused.
        let builder = PrometheusBuilder::new()
            .set_buckets(&LATENCY_S)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        let this = Self { recorder, handle };
        this.record(|| {
            metrics::describe_counter!(
                "payops_http_requests_total",
                "Requests by matched route, method and status"
            );
            metrics::describe_histogram!(
                "payops_http_request_seconds",
                "Time from request headers to response, by matched route and method"
            );
            metrics::describe_counter!(
                "payops_payments_accepted_total",
                "Payments accepted, by mode"
            );
            metrics::describe_counter!(
                "payops_requests_replayed_total",
                "Repeated requests answered with the stored response of their idempotency key"
            );
            metrics::describe_counter!(
                "payops_requests_refused_total",
                "Requests answered with a problem, by code"
            );
            metrics::describe_counter!(
                "payops_dispatches_total",
                "Dispatches after a commit, by outcome; the relay retries all but `done`"
            );
        });
        this
    }

    fn record(&self, update: impl FnOnce()) {
        metrics::with_local_recorder(&self.recorder, update);
    }

    pub(super) fn record_response(
        &self,
        route: &str,
        method: &Method,
        status: u16,
        took: Duration,
        code: Option<&'static str>,
    ) {
        let (route, method) = (route.to_owned(), method_label(method));
        self.record(|| {
            metrics::counter!(
                "payops_http_requests_total",
                "route" => route.clone(), "method" => method, "status" => status.to_string()
            )
            .increment(1);
            metrics::histogram!(
                "payops_http_request_seconds",
                "route" => route, "method" => method
            )
            .record(took.as_secs_f64());
            if let Some(code) = code {
                metrics::counter!("payops_requests_refused_total", "code" => code).increment(1);
            }
        });
    }

    pub(super) fn record_accepted(&self, live: bool) {
        let mode = if live { "live" } else { "test" };
        self.record(|| {
            metrics::counter!("payops_payments_accepted_total", "mode" => mode).increment(1);
        });
    }

    pub(super) fn record_replay(&self) {
        self.record(|| metrics::counter!("payops_requests_replayed_total").increment(1));
    }

    pub(super) fn record_dispatch(&self, outcome: &'static str) {
        self.record(|| {
            metrics::counter!("payops_dispatches_total", "outcome" => outcome).increment(1);
        });
    }

    pub(super) fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds recorded latencies into their buckets; without it they pile up until the next render.
    pub(super) fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
