//! The outermost layer: every response leaves through here, whatever happened inside.

use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use payops_core::domain::request::request_id;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::problem::{ApiError, Code, Problem};
use super::state::ApiState;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");
/// Longer when somebody has to free space first.
const RETRY_AFTER_SPACE_S: HeaderValue = HeaderValue::from_static("10");
/// One request in 256 folds the recorded latencies into their buckets.
const UPKEEP_MASK: u64 = 0xff;

pub(super) async fn edge(
    State(state): State<ApiState>,
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    // Always our own: a client's could be anything, and would be logged.
    let random = state.0.ports.random.next_u64();
    let id = request_id(random);
    let method = request.method().clone();
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);
    let span = tracing::info_span!("request", request_id = id, route);
    let inner = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .instrument(span.clone());
    let response = match timeout(state.0.limits.request, inner).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => ApiError::new(Code::Internal, "the service failed to handle the request")
            .into_response(),
        Err(_) if method == Method::POST => ApiError::unknown_outcome().into_response(),
        Err(_) => ApiError::new(Code::StoreUnavailable, "the request timed out; repeat it")
            .into_response(),
    };
    let (mut response, code) = write_problem(response, &id);
    set_common_headers(&mut response, &id, state.0.draining.is_cancelled());
    let (took, status) = (started.elapsed(), response.status().as_u16());
    state
        .0
        .metrics
        .record_response(route, &method, status, took, code);
    if random & UPKEEP_MASK == 0 {
        state.0.metrics.run_upkeep();
    }
    let _in_span = span.enter();
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    if status >= 500 {
        tracing::warn!(%method, status, code, took_ms, "request completed");
    } else {
        tracing::info!(%method, status, code, took_ms, "request completed");
    }
    response
}

/// Writes the problem that a handler left in the extensions. Returns its code.
fn write_problem(mut response: Response, id: &str) -> (Response, Option<&'static str>) {
    let Some(error) = response.extensions_mut().remove::<ApiError>() else {
        return (response, None);
    };
    let code = error.code;
    // Anything of the problem serializes; an empty body is still the right status.
    let body = serde_json::to_vec(&Problem::new(&error, id)).unwrap_or_default();
    let allow = response.headers_mut().remove(ALLOW);
    let mut response = (code.status(), Body::from(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    if let Some(allow) = allow {
        headers.insert(ALLOW, allow);
    }
    match code.status().as_u16() {
        401 => drop(headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
        503 => drop(headers.insert(
            RETRY_AFTER,
            if code == Code::StorageFull {
                RETRY_AFTER_SPACE_S
            } else {
                RETRY_AFTER_S
            },
        )),
        // The rest of the body is not read, so nothing more can come on this connection.
        408 | 413 => drop(headers.insert(CONNECTION, HeaderValue::from_static("close"))),
        _ => {}
    }
    (response, Some(code.as_str()))
}

fn set_common_headers(response: &mut Response, id: &str, draining: bool) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if draining {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}
