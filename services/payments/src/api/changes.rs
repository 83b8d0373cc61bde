//! Canceling and refunding payments.

use axum::extract::{FromRequest, FromRequestParts as _, Request, State};
use axum::response::Response;
use bytes::Bytes;
use payops_core::domain::id::PaymentId;
use payops_core::domain::payment::Payment;
use payops_core::domain::request::{CancelPayment, CreateRefund};
use payops_core::domain::text::IdempotencyKey;
use payops_core::usecase::Requester;

use super::auth::{Authenticated, KeyHeader, PaymentPath};
use super::body::{self, Need};
use super::payments::{answered, render};
use super::problem::{Code, Problem, Refused};
use super::state::ApiState;
use super::wire::{PaymentBody, RefundBody, refunds};

/// A merchant asks for a change: the head that all changes have, and the bytes of its body.
pub(super) struct Ask {
    by: Requester,
    id: PaymentId,
    key: IdempotencyKey,
    body: Bytes,
}

impl FromRequest<ApiState> for Ask {
    type Rejection = Refused;

    /// Who asks comes first: a stranger learns nothing of payments, keys or bodies.
    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Refused> {
        let (mut parts, body) = request.into_parts();
        let Authenticated(caller) = Authenticated::from_request_parts(&mut parts, state).await?;
        let PaymentPath(id) = PaymentPath::from_request_parts(&mut parts, state).await?;
        let KeyHeader(key) = KeyHeader::from_request_parts(&mut parts, state).await?;
        let body = body::read(state, Request::from_parts(parts, body), Need::JsonOrNothing).await?;
        Ok(Self {
            by: Requester::Merchant(caller),
            id,
            key,
            body,
        })
    }
}

/// Cancel a payment whose charge has not been started; later, 409.
#[utoipa::path(
    post, path = "/v1/payments/{id}/cancel", tag = "payments", operation_id = "cancelPayment", security(("api_key" = [])),
    params(
        ("id" = String, Path, description = "The payment's id"),
        ("Idempotency-Key" = String, Header, description = "A new one for every new request; 1 to \
            255 printable ASCII characters"),
    ),
    request_body(content = Option<super::wire::CancelRequest>),
    responses(
        (status = 200, description = "Canceled", body = PaymentBody),
        (status = 409, description = "`charge_started`, `payment_not_cancelable` or \
            `payment_busy`", body = Problem,
            content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Not served", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn cancel(State(state): State<ApiState>, ask: Ask) -> Result<Response, Refused> {
    let cancel = CancelPayment::parse(&ask.body)?;
    let changed = state
        .0
        .changes
        .cancel(&ask.by, &ask.id, &ask.key, &cancel, &render)
        .await;
    let (answer, rows) =
        changed.map_err(|error| Refused::change(error, Code::PaymentNotCancelable))?;
    state.dispatch(rows);
    Ok(answered(&state, answer))
}

/// Give money back. The amount is set aside at once; paying it out follows. More than is left is
/// 422: the payment could be refunded, but not by so much.
#[utoipa::path(
    post, path = "/v1/payments/{id}/refunds", tag = "payments", operation_id = "refundPayment", security(("api_key" = [])),
    params(
        ("id" = String, Path, description = "The payment's id"),
        ("Idempotency-Key" = String, Header, description = "A new one for every new refund; 1 to \
            255 printable ASCII characters"),
    ),
    request_body(content = Option<super::wire::CreateRefundRequest>),
    responses(
        (status = 202, description = "Accepted", body = RefundBody),
        (status = 409, description = "`payment_not_refundable` or `payment_busy`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`refund_too_large` or `idempotency_key_reused`", body = Problem, content_type = "application/problem+json"),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Not served", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn refund(State(state): State<ApiState>, ask: Ask) -> Result<Response, Refused> {
    let refund = CreateRefund::parse(&ask.body)?;
    let changed = state
        .0
        .changes
        .refund(&ask.by, &ask.id, &ask.key, &refund, &render_refund)
        .await;
    let (answer, rows) =
        changed.map_err(|error| Refused::change(error, Code::PaymentNotRefundable))?;
    state.dispatch(rows);
    Ok(answered(&state, answer))
}

/// The text of the refund that was just asked for: the payment's last.
fn render_refund(payment: &Payment) -> String {
    refunds(payment)
        .pop()
        .and_then(|refund| serde_json::to_string(&refund).ok())
        .unwrap_or_default()
}
