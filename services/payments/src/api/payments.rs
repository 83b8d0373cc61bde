//! Making, reading and listing payments.

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
use payops_core::port::IdempotencyScope;
use payops_core::usecase::Answer;
use tokio::time::timeout;

use super::auth::{Authenticated, KeyHeader, PaymentPath, own_payment};
use super::body::{self, Need};
use super::problem::{Code, Problem, Refused};
use super::state::ApiState;
use super::wire::{EventBody, EventsBody, ListBody, PaymentBody};

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const LIMIT_DEFAULT: usize = 20;
const LIMIT_MAX: usize = 100;

/// The text of a payment, as it is answered and stored for repeated requests.
pub(super) fn render(payment: &Payment) -> String {
    // Texts and numbers always serialize.
    serde_json::to_string(&PaymentBody::from(payment)).unwrap_or_default()
}

/// The response of a use case's answer, byte for byte the one given before if it is a replay.
pub(super) fn answered(state: &ApiState, answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/payments/{}", answer.payment)) {
        headers.insert(LOCATION, location);
    }
    if answer.replayed {
        state.0.measure.replayed();
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// Make a payment. It is accepted for good when this answers; the charge follows.
#[utoipa::path(
    post, path = "/v1/payments", tag = "payments", operation_id = "createPayment", security(("api_key" = [])),
    params(("Idempotency-Key" = String, Header, description = "A new one for every new payment; 1 \
        to 255 printable ASCII characters")),
    request_body = super::wire::CreatePaymentRequest,
    responses(
        (status = 202, description = "Accepted", body = PaymentBody,
            headers(("Location" = String, description = "The payment"), ("Idempotent-Replayed" = bool, description = "Answered before"))),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Not served", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn create(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    KeyHeader(key): KeyHeader,
    request: Request,
) -> Result<Response, Refused> {
    let body = body::read(&state, request, Need::Json).await?;
    let create = CreatePayment::parse(&body)?;
    known_source(&state, &caller, &key, &create).await?;
    let (answer, payment) = state
        .0
        .accept
        .accept(&caller, &key, &create, &render)
        .await?;
    if let Some(payment) = payment {
        state.0.measure.accepted(payment.live);
        tracing::info!(
            payment = payment.id.as_str(),
            merchant = payment.merchant.as_str(),
            "payment accepted"
        );
        state.dispatch(vec![accepted_row(&payment, &create, &caller)]);
    }
    Ok(answered(&state, answer))
}

/// The outbox row that accepting wrote; the same payment gives the same archived document.
fn accepted_row(payment: &Payment, create: &CreatePayment, caller: &Caller) -> OutboxEvent {
    let mut row = OutboxEvent::new(
        &payment.id,
        payment.version,
        OutboxKind::PaymentAccepted,
        payment.created_at,
    );
    row.payload = Some(create.archive_document(&payment.id, caller, payment.created_at));
    row
}

/// Refuses a source that the provider surely does not know. When nobody can say, the payment is
/// accepted and the worker finds out; so is a repeated request, whose token may be used up by now.
async fn known_source(
    state: &ApiState,
    caller: &Caller,
    key: &IdempotencyKey,
    create: &CreatePayment,
) -> Result<(), Refused> {
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
                "the provider cannot say whether it knows the source"
            );
            return Ok(());
        }
        Err(_) => {
            tracing::info!(
                class = "timeout",
                "the provider cannot say whether it knows the source"
            );
            return Ok(());
        }
    }
    let scope = IdempotencyScope {
        merchant: caller.merchant.clone(),
        live: caller.live,
        route: "POST /v1/payments".to_owned(),
        key: key.clone(),
    };
    let now = state.0.ports.clock.now();
    match state
        .0
        .ports
        .store
        .idempotency(&scope, now)
        .await
        .map_err(|error| Refused::reading(&error))?
    {
        Some(_) => Ok(()),
        None => Err(Refused::of(
            Code::UnknownSource,
            "source",
            "the payment provider does not know `source`",
        )),
    }
}

/// Read a payment, as it is now.
#[utoipa::path(
    get, path = "/v1/payments/{id}", tag = "payments", operation_id = "getPayment", security(("api_key" = [])),
    params(("id" = String, Path, description = "The payment's id")),
    responses(
        (status = 200, description = "The payment", body = PaymentBody),
        (status = "4XX", description = "Refused; an id of another merchant or mode is unknown", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Not served", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    PaymentPath(id): PaymentPath,
) -> Result<Json<PaymentBody>, Refused> {
    let payment = own_payment(&state, &caller, &id).await?;
    Ok(Json(PaymentBody::from(&payment)))
}

/// List your payments, newest first. The list may be a little behind.
#[utoipa::path(
    get, path = "/v1/payments", tag = "payments", operation_id = "listPayments", security(("api_key" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "1 to 100; 20 if left out", minimum = 1, maximum = 100),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page", body = ListBody),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Not served", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    query: Result<Query<Vec<(String, String)>>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<ListBody>, Refused> {
    let Query(query) =
        query.map_err(|_| Refused::new(Code::InvalidParameter, "the query cannot be read"))?;
    let (limit, after) = page(&state, &caller, query)?;
    let store = &state.0.ports.store;
    // One more than asked for says whether there is more.
    let mut payments = store
        .list(&caller, after.as_ref(), limit.saturating_add(1))
        .await
        .map_err(|error| Refused::reading(&error))?;
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

fn page(state: &ApiState, caller: &Caller, query: Vec<(String, String)>) -> Result<Page, Refused> {
    let (mut limit, mut after) = (None, None);
    for (name, value) in query {
        match name.as_str() {
            "limit" if limit.is_none() => {
                let number = value
                    .parse()
                    .ok()
                    .filter(|number| (1..=LIMIT_MAX).contains(number));
                let bad = || {
                    Refused::of(
                        Code::InvalidParameter,
                        "limit",
                        format!("`limit` must be 1 to {LIMIT_MAX}"),
                    )
                };
                limit = Some(number.ok_or_else(bad)?);
            }
            "cursor" if after.is_none() => {
                let bad = |_| {
                    Refused::of(
                        Code::InvalidCursor,
                        "cursor",
                        "`cursor` must be the `next_cursor` of a page of this list",
                    )
                };
                after = Some(cursor::open(caller, &value, &state.0.secrets.cursor).map_err(bad)?);
            }
            "limit" | "cursor" => {
                return Err(Refused::of(
                    Code::InvalidParameter,
                    &name,
                    format!("`{name}` stands twice"),
                ));
            }
            _ => {
                return Err(Refused::new(
                    Code::InvalidParameter,
                    "known parameters are `limit` and `cursor`",
                ));
            }
        }
    }
    Ok((limit.unwrap_or(LIMIT_DEFAULT), after))
}

/// Read a payment's timeline.
#[utoipa::path(
    get, path = "/v1/payments/{id}/events", tag = "payments", operation_id = "listPaymentEvents", security(("api_key" = [])),
    params(("id" = String, Path, description = "The payment's id")),
    responses(
        (status = 200, description = "Everything that happened", body = EventsBody),
        (status = "4XX", description = "Refused", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", description = "Not served", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn events(
    State(state): State<ApiState>,
    Authenticated(caller): Authenticated,
    PaymentPath(id): PaymentPath,
) -> Result<Json<EventsBody>, Refused> {
    own_payment(&state, &caller, &id).await?;
    let events = state
        .0
        .ports
        .store
        .events(&id)
        .await
        .map_err(|error| Refused::reading(&error))?;
    Ok(Json(EventsBody {
        data: events.iter().map(EventBody::from).collect(),
    }))
}
