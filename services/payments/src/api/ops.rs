//! Routes for probes, scrapers and tools.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use payops_core::domain::id::PaymentId;
use tokio::time::timeout;

use super::problem::{Code, Refused};
use super::state::ApiState;

/// How long the store may take before this instance counts as not ready.
const READY_MAX: Duration = Duration::from_secs(2);

pub(super) fn openapi(document: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json")], document).into_response()
}

/// The process turns; nothing outside is asked, since restarting would mend nothing there.
pub(super) async fn livez() -> StatusCode {
    StatusCode::OK
}

/// Requests can be served: the store answers, and no shutdown is under way.
pub(super) async fn readyz(State(state): State<ApiState>) -> Result<StatusCode, Refused> {
    if state.0.draining.is_cancelled() {
        return Err(Refused::new(
            Code::ShuttingDown,
            "send requests to another instance",
        ));
    }
    if state.0.not_writable.load(Ordering::Relaxed) {
        return Err(Refused::new(
            Code::StorageFull,
            "payment store: its disk is full or read-only; free some space",
        ));
    }
    // A read of a payment that cannot be: the cheapest question that needs the whole way.
    match timeout(
        READY_MAX,
        state.0.ports.store.get(&PaymentId::from_parts(0, 0)),
    )
    .await
    {
        Ok(Ok(_)) => Ok(StatusCode::OK),
        Ok(Err(error)) => {
            // Whatever is wrong with the store, this instance is not ready.
            drop(Refused::reading(&error));
            Err(Refused::new(
                Code::StoreUnavailable,
                "the payment store does not answer",
            ))
        }
        Err(_) => Err(Refused::new(
            Code::StoreUnavailable,
            "the payment store takes too long to answer",
        )),
    }
}

pub(super) async fn metrics(State(state): State<ApiState>) -> Response {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        state.0.measure.render(),
    )
        .into_response()
}
