//! What the API counts. Labels are matched routes and codes, never anything that a client chose.

use std::time::Duration;

use axum::http::Method;
use payops_core::domain::metric::{
    DISPATCHES, HTTP_REQUEST_SECONDS, HTTP_REQUESTS, PAYMENTS_ACCEPTED, REQUESTS_REFUSED,
    REQUESTS_REPLAYED,
};
use payops_runtime::Metrics;

pub(super) struct ApiMetrics(pub(super) Metrics);

impl ApiMetrics {
    pub(super) fn record_response(
        &self,
        route: &str,
        method: &Method,
        status: u16,
        took: Duration,
        code: Option<&'static str>,
    ) {
        let method = method_label(method);
        self.0
            .add(&HTTP_REQUESTS, &[route, method, &status.to_string()], 1);
        self.0
            .record(&HTTP_REQUEST_SECONDS, &[route, method], took.as_secs_f64());
        if let Some(code) = code {
            self.0.add(&REQUESTS_REFUSED, &[code], 1);
        }
    }

    pub(super) fn record_accepted(&self, live: bool) {
        let mode = if live { "live" } else { "test" };
        self.0.add(&PAYMENTS_ACCEPTED, &[mode], 1);
    }

    pub(super) fn record_replay(&self) {
        self.0.add(&REQUESTS_REPLAYED, &[], 1);
    }

    pub(super) fn record_dispatch(&self, outcome: &str) {
        self.0.add(&DISPATCHES, &[outcome], 1);
    }

    pub(super) fn render(&self) -> String {
        self.0.render()
    }

    pub(super) fn run_upkeep(&self) {
        self.0.run_upkeep();
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
