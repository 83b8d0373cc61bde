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

use super::problem::{Code, Problem, Refused};
use super::state::ApiState;

/// Names the request in responses and logs.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// After how many seconds a client should come back.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");
/// The same when somebody has to free space first.
const RETRY_AFTER_SPACE_S: HeaderValue = HeaderValue::from_static("10");
/// Requests between two foldings of latencies.
const TIDY_MASK: u64 = 0xff;

pub(super) async fn edge(
    State(state): State<ApiState>,
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    // Always our own: a client's could be anything, and would be logged.
    let chance = state.0.ports.random.next_u64();
    let id = request_id(chance);
    let method = request.method().clone();
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);
    let span = tracing::info_span!("request", request_id = id, route);
    let inner = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .instrument(span.clone());
    let response = match timeout(state.0.limits.request, inner).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            Refused::new(Code::Internal, "the request could not be served").into_response()
        }
        Err(_) if method == Method::POST => Refused::unknown_outcome().into_response(),
        Err(_) => Refused::new(
            Code::StoreUnavailable,
            "the answer took too long; repeat the request",
        )
        .into_response(),
    };
    let (mut response, code) = finished(response, &id);
    seal(&mut response, &id, state.0.draining.is_cancelled());
    let (took, status) = (started.elapsed(), response.status().as_u16());
    state.0.measure.answered(route, &method, status, took, code);
    if chance & TIDY_MASK == 0 {
        state.0.measure.tidy();
    }
    let _in_span = span.enter();
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    if status >= 500 {
        tracing::warn!(%method, status, code, took_ms, "answered");
    } else {
        tracing::info!(%method, status, code, took_ms, "answered");
    }
    response
}

/// Writes the problem of a refused request; its code, if there is one.
fn finished(mut response: Response, id: &str) -> (Response, Option<&'static str>) {
    let Some(refused) = response.extensions_mut().remove::<Refused>() else {
        return (response, None);
    };
    let code = refused.code;
    // Anything of the problem serializes; an empty body is still the right status.
    let body = serde_json::to_vec(&Problem::new(&refused, id)).unwrap_or_default();
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

fn seal(response: &mut Response, id: &str, draining: bool) {
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
