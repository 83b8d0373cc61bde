//! Canceling and refunding payments.

use axum::extract::{FromRequest, FromRequestParts as _, Request, State};
use axum::response::Response;
use bytes::Bytes;
use payops_core::domain::id::PaymentId;
use payops_core::domain::payment::Payment;
use payops_core::domain::request::{CancelPayment, CreateRefund};
use payops_core::domain::text::IdempotencyKey;
use payops_core::usecase::Requester;

use super::auth::{Authenticated, IdempotencyKeyHeader, PaymentPath};
use super::body::{self, BodyRule};
use super::payments::{render, to_response};
use super::problem::{ApiError, Code, Problem};
use super::state::ApiState;
use super::wire::{PaymentBody, RefundBody, refunds};

/// The head that all changes have, and the bytes of the body.
pub(super) struct ChangeRequest {
    requester: Requester,
    id: PaymentId,
    key: IdempotencyKey,
    body: Bytes,
}

impl FromRequest<ApiState> for ChangeRequest {
    type Rejection = ApiError;

    /// Authenticates first: a stranger learns nothing of payments, keys or bodies.
    async fn from_request(request: Request, state: &ApiState) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let Authenticated(caller) = Authenticated::from_request_parts(&mut parts, state).await?;
        let PaymentPath(id) = PaymentPath::from_request_parts(&mut parts, state).await?;
        let IdempotencyKeyHeader(key) =
            IdempotencyKeyHeader::from_request_parts(&mut parts, state).await?;
        let body = body::read(state, Request::from_parts(parts, body), BodyRule::Optional).await?;
        Ok(Self {
            requester: Requester::Merchant(caller),
            id,
            key,
            body,
        })
    }
}

/// Cancel a payment. Answers 409 if its charge has already started.
#[utoipa::path(
    post, path = "/v1/payments/{id}/cancel", tag = "payments", operation_id = "cancelPayment",
    security(("api_key" = [])),
    params(
        ("id" = String, Path, description = "Id of the payment"),
        ("Idempotency-Key" = String, Header, description = "A new key for each new request: 1 to \
            255 printable ASCII characters"),
    ),
    request_body(content = Option<super::wire::CancelRequest>),
    responses(
        (status = 200, description = "The payment is canceled", body = PaymentBody),
        (
            status = 409, description = "`charge_started`, `payment_not_cancelable` or \
            `payment_busy`",
            body = Problem, content_type = "application/problem+json"
        ),
        (
            status = "4XX", description = "The request was refused; nothing was changed",
            body = Problem, content_type = "application/problem+json"
        ),
        (
            status = "5XX", description = "The service failed; see `code` and `retryable`",
            body = Problem, content_type = "application/problem+json"
        ),
    )
)]
pub(super) async fn cancel(
    State(state): State<ApiState>,
    request: ChangeRequest,
) -> Result<Response, ApiError> {
    let cancel = CancelPayment::parse(&request.body)?;
    let changed = state
        .0
        .changes
        .cancel(
            &request.requester,
            &request.id,
            &request.key,
            &cancel,
            &render,
        )
        .await;
    let (answer, rows) =
        changed.map_err(|error| ApiError::from_change(error, Code::PaymentNotCancelable))?;
    state.dispatch(rows);
    Ok(to_response(&state, answer))
}

/// Refund a payment in part or in full. The amount is reserved at once; the money follows. Answers
/// 422 if the amount is more than can still be refunded.
#[utoipa::path(
    post, path = "/v1/payments/{id}/refunds", tag = "payments", operation_id = "refundPayment",
    security(("api_key" = [])),
    params(
        ("id" = String, Path, description = "Id of the payment"),
        ("Idempotency-Key" = String, Header, description = "A new key for each new refund: 1 to \
            255 printable ASCII characters"),
    ),
    request_body(content = Option<super::wire::CreateRefundRequest>),
    responses(
        (status = 202, description = "The refund is accepted", body = RefundBody),
        (
            status = 409, description = "`payment_not_refundable` or `payment_busy`",
            body = Problem, content_type = "application/problem+json"
        ),
        (
            status = 422, description = "`refund_too_large` or `idempotency_key_reused`",
            body = Problem, content_type = "application/problem+json"
        ),
        (
            status = "4XX", description = "The request was refused; nothing was changed",
            body = Problem, content_type = "application/problem+json"
        ),
        (
            status = "5XX", description = "The service failed; see `code` and `retryable`",
            body = Problem, content_type = "application/problem+json"
        ),
    )
)]
pub(super) async fn refund(
    State(state): State<ApiState>,
    request: ChangeRequest,
) -> Result<Response, ApiError> {
    let refund = CreateRefund::parse(&request.body)?;
    let changed = state
        .0
        .changes
        .refund(
            &request.requester,
            &request.id,
            &request.key,
            &refund,
            &render_refund,
        )
        .await;
    let (answer, rows) =
        changed.map_err(|error| ApiError::from_change(error, Code::PaymentNotRefundable))?;
    state.dispatch(rows);
    Ok(to_response(&state, answer))
}

/// Renders the refund that was just requested: the payment's last.
fn render_refund(payment: &Payment) -> String {
    refunds(payment)
        .pop()
        .and_then(|refund| serde_json::to_string(&refund).ok())
        .unwrap_or_default()
}
