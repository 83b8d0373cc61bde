//! Creating, reading and listing payments.

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderName, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use payops_core::domain::apikey::Caller;
use payops_core::domain::cursor;
use payops_core::domain::outbox::{OutboxEvent, OutboxKind};
use payops_core::domain::payment::Payment;
use payops_core::domain::request::CreatePayment;
use payops_core::domain::text::IdempotencyKey;
use payops_core::port::{IdempotencyScope, KeyedRequest};
use payops_core::usecase::Answer;
use tokio::time::timeout;

use super::auth::{Authenticated, IdempotencyKeyHeader, PaymentPath, find_payment};
use super::body::{self, BodyRule};
use super::problem::{ApiError, Code, Problem};
use super::state::ApiState;
use super::wire::{EventBody, EventsBody, ListBody, PaymentBody};

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const LIMIT_DEFAULT: usize = 20;
const LIMIT_MAX: usize = 100;

/// Renders a payment as JSON, for the response and for the store of idempotent responses.
pub(super) fn render(payment: &Payment) -> String {
    // Strings and numbers always serialize.
    serde_json::to_string(&PaymentBody::from(payment)).unwrap_or_default()
}

const fn status_of(request: KeyedRequest) -> StatusCode {
    match request {
        KeyedRequest::CreatePayment | KeyedRequest::RefundPayment => StatusCode::ACCEPTED,
        KeyedRequest::CancelPayment | KeyedRequest::ResolvePayment => StatusCode::OK,
    }
}

/// A replayed answer is byte for byte the one given before.
pub(super) fn to_response(state: &ApiState, answer: Answer) -> Response {
    let mut response = (status_of(answer.request), answer.body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/payments/{}", answer.payment)) {
        headers.insert(LOCATION, location);
    }
    if answer.replayed {
        state.0.metrics.record_replay();
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// Create a payment. The response means that the payment is stored; the charge follows.
#[utoipa::path(
    post, path = "/v1/payments", tag = "payments", operation_id = "createPayment",
    security(("api_key" = [])),
    params(("Idempotency-Key" = String, Header, description = "A new key for each new payment: 1 to 255 \
        printable ASCII characters")),
    request_body = super::wire::CreatePaymentRequest,
    responses(
        (status = 202, description = "The payment is accepted", body = PaymentBody,
            headers(
                ("Location" = String, description = "Path of the payment"),
                ("Idempotent-Replayed" = bool, description = "`true` if this is the stored response \
                    of an earlier request"),
            )),
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
pub(super) async fn create(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    IdempotencyKeyHeader(key): IdempotencyKeyHeader,
    request: Request,
) -> Result<Response, ApiError> {
    let body = body::read(&state, request, BodyRule::Required).await?;
    let create = CreatePayment::parse(&body)?;
    check_source(&state, &caller, &key, &create).await?;
    let (answer, payment) = state
        .0
        .accept
        .accept(&caller, &key, &create, &render)
        .await?;
    if let Some(payment) = payment {
        state.0.metrics.record_accepted(payment.live);
        tracing::info!(
            payment = payment.id.as_str(),
            merchant = payment.merchant.as_str(),
            "payment accepted"
        );
        state.dispatch(vec![accepted_event(&payment, &create, &caller)]);
    }
    Ok(to_response(&state, answer))
}

/// Rebuilds the outbox row that `accept` wrote.
fn accepted_event(payment: &Payment, create: &CreatePayment, caller: &Caller) -> OutboxEvent {
    let mut row = OutboxEvent::new(
        &payment.id,
        payment.version,
        OutboxKind::PaymentAccepted,
        payment.created_at,
    );
    row.payload = Some(create.archive_document(&payment.id, caller, payment.created_at));
    row
}

/// Refuses a source that the provider does not know. If the provider cannot tell, the payment is
/// accepted and the worker finds out. So is a repeated request: its token may be used up by now.
async fn check_source(
    state: &ApiState,
    caller: &Caller,
    key: &IdempotencyKey,
    create: &CreatePayment,
) -> Result<(), ApiError> {
    match timeout(
        state.0.limits.source,
        state.0.ports.provider.knows_source(&create.source),
    )
    .await
    {
        Ok(Ok(true)) => return Ok(()),
        Ok(Ok(false)) => {}
        Ok(Err(error)) => {
            tracing::info!(
                class = error.class(),
                "could not ask the provider about the source; accepting it"
            );
            return Ok(());
        }
        Err(_) => {
            tracing::info!(
                class = "timeout",
                "could not ask the provider about the source; accepting it"
            );
            return Ok(());
        }
    }
    let scope = IdempotencyScope {
        merchant: caller.merchant.clone(),
        live: caller.live,
        request: KeyedRequest::CreatePayment,
        key: key.clone(),
    };
    let now = state.0.ports.clock.now();
    match state
        .0
        .ports
        .store
        .idempotency(&scope, now)
        .await
        .map_err(|error| ApiError::from_read(&error))?
    {
        Some(_) => Ok(()),
        None => Err(ApiError::with_param(
            Code::UnknownSource,
            "source",
            "the payment provider does not know this `source`",
        )),
    }
}

/// Get a payment as it is now.
#[utoipa::path(
    get, path = "/v1/payments/{id}", tag = "payments", operation_id = "getPayment",
    security(("api_key" = [])),
    params(("id" = String, Path, description = "Id of the payment")),
    responses(
        (status = 200, description = "The payment", body = PaymentBody),
        (
            status = "4XX", description = "The request was refused; payments of other merchants \
                or of the other mode do not exist",
            body = Problem, content_type = "application/problem+json"
        ),
        (
            status = "5XX", description = "The service failed; see `code` and `retryable`",
            body = Problem, content_type = "application/problem+json"
        ),
    )
)]
pub(super) async fn read(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    PaymentPath(id): PaymentPath,
) -> Result<Json<PaymentBody>, ApiError> {
    let payment = find_payment(&state, &caller, &id).await?;
    Ok(Json(PaymentBody::from(&payment)))
}

/// List your payments, newest first. The list may lag behind the newest changes.
#[utoipa::path(
    get, path = "/v1/payments", tag = "payments", operation_id = "listPayments",
    security(("api_key" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "Payments per page; default 20",
            minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page"),
    ),
    responses(
        (status = 200, description = "A page of payments", body = ListBody),
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
pub(super) async fn list(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Result<Query<Vec<(String, String)>>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<ListBody>, ApiError> {
    let Query(query) = query
        .map_err(|_| ApiError::new(Code::InvalidParameter, "the query string is malformed"))?;
    let (limit, after) = parse_page(&state, &caller, query)?;
    let store = &state.0.ports.store;
    // One more than requested says whether there are more.
    let mut payments = store
        .list(&caller, after.as_ref(), limit.saturating_add(1))
        .await
        .map_err(|error| ApiError::from_read(&error))?;
    let has_more = payments.len() > limit;
    payments.truncate(limit);
    let last = payments.last().filter(|_| has_more);
    let next_cursor =
        last.map(|payment| cursor::seal(&caller, &payment.id, &state.0.secrets.cursor));
    Ok(Json(ListBody {
        data: payments.iter().map(PaymentBody::from).collect(),
        has_more,
        next_cursor,
    }))
}

type Page = (usize, Option<payops_core::domain::id::PaymentId>);

fn parse_page(
    state: &ApiState,
    caller: &Caller,
    query: Vec<(String, String)>,
) -> Result<Page, ApiError> {
    let (mut limit, mut after) = (None, None);
    for (name, value) in query {
        match name.as_str() {
            "limit" if limit.is_none() => {
                let number = value
                    .parse()
                    .ok()
                    .filter(|number| (1..=LIMIT_MAX).contains(number));
                let bad = || {
                    ApiError::with_param(
                        Code::InvalidParameter,
                        "limit",
                        format!("`limit` must be between 1 and {LIMIT_MAX}"),
                    )
                };
                limit = Some(number.ok_or_else(bad)?);
            }
            "cursor" if after.is_none() => {
                let bad = |_| {
                    ApiError::with_param(
                        Code::InvalidCursor,
                        "cursor",
                        "`cursor` must be a `next_cursor` that this list returned",
                    )
                };
                after = Some(cursor::open(caller, &value, &state.0.secrets.cursor).map_err(bad)?);
            }
            "limit" | "cursor" => {
                return Err(ApiError::with_param(
                    Code::InvalidParameter,
                    &name,
                    format!("`{name}` is set more than once"),
                ));
            }
            _ => {
                return Err(ApiError::new(
                    Code::InvalidParameter,
                    "unknown query parameter; use `limit` and `cursor`",
                ));
            }
        }
    }
    Ok((limit.unwrap_or(LIMIT_DEFAULT), after))
}

/// List the events of a payment, oldest first.
#[utoipa::path(
    get, path = "/v1/payments/{id}/events", tag = "payments", operation_id = "listPaymentEvents",
    security(("api_key" = [])),
    params(("id" = String, Path, description = "Id of the payment")),
    responses(
        (status = 200, description = "The events of the payment", body = EventsBody),
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
pub(super) async fn events(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    PaymentPath(id): PaymentPath,
) -> Result<Json<EventsBody>, ApiError> {
    find_payment(&state, &caller, &id).await?;
    let events = state
        .0
        .ports
        .store
        .events(&id)
        .await
        .map_err(|error| ApiError::from_read(&error))?;
    Ok(Json(EventsBody {
        data: events.iter().map(EventBody::from).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_request_has_the_status_that_its_row_holds() {
        for request in KeyedRequest::ALL {
            assert_eq!(
                status_of(request).as_u16(),
                request.stored_status(),
                "{request:?}"
            );
        }
    }
}
