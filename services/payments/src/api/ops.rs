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

use super::problem::{ApiError, Code};
use super::state::ApiState;

/// How long the store may take before this instance counts as not ready.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn openapi(document: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json")], document).into_response()
}

/// Asks nothing outside the process: a restart would not help there.
pub(super) async fn livez() -> StatusCode {
    StatusCode::OK
}

/// Requests can be served: the store answers, and no shutdown is under way.
pub(super) async fn readyz(State(state): State<ApiState>) -> Result<StatusCode, ApiError> {
    if state.0.draining.is_cancelled() {
        return Err(ApiError::new(
            Code::ShuttingDown,
            "the instance is shutting down; send requests to another one",
        ));
    }
    if state.0.not_writable.load(Ordering::Relaxed) {
        return Err(ApiError::new(
            Code::StorageFull,
            "the disk of the payment store is full or read-only; free some space",
        ));
    }
    // The cheapest request that goes all the way: a read of a payment that cannot exist.
    match timeout(
        READY_TIMEOUT,
        state.0.ports.store.get(&PaymentId::from_parts(0, 0)),
    )
    .await
    {
        Ok(Ok(_)) => Ok(StatusCode::OK),
        Ok(Err(error)) => {
            // Logged there; whatever is wrong, this instance is not ready.
            drop(ApiError::from_read(&error));
            Err(ApiError::new(
                Code::StoreUnavailable,
                "the payment store does not answer",
            ))
        }
        Err(_) => Err(ApiError::new(
            Code::StoreUnavailable,
            "the payment store did not answer in time",
        )),
    }
}

pub(super) async fn metrics(State(state): State<ApiState>) -> Response {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        state.0.metrics.render(),
    )
        .into_response()
}
