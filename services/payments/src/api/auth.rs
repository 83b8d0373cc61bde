//! Reads the caller, the payment id and the idempotency key from a request's head.

use axum::extract::{FromRequestParts, Path};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use payops_core::domain::apikey::{Caller, hash};
use payops_core::domain::id::PaymentId;
use payops_core::domain::pan::contains_card_number;
use payops_core::domain::payment::Payment;
use payops_core::domain::text::IdempotencyKey;
use secrecy::SecretString;

use super::problem::{ApiError, Code};
use super::state::ApiState;

/// The longest API key that is looked up.
const KEY_BYTES_MAX: usize = 128;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The merchant and mode that the request's API key stands for; they come from nowhere else.
pub(super) struct Authenticated(pub(super) Caller);

impl FromRequestParts<ApiState> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let key = bearer(&parts.headers)?;
        let row = state
            .0
            .ports
            .keys
            .key(&hash(&key, &state.0.secrets.pepper))
            .await
            .map_err(|error| ApiError::from_read(&error))?;
        let now = state.0.ports.clock.now();
        let valid = row.filter(|row| row.revoked_at.is_none_or(|at| at > now));
        // Unknown and revoked are the same to the caller: nothing is learned by guessing.
        let row = valid.ok_or_else(|| {
            ApiError::new(Code::ApiKeyInvalid, "the API key is unknown or revoked")
        })?;
        Ok(Self(Caller {
            merchant: row.merchant,
            live: row.live,
        }))
    }
}

fn bearer(headers: &HeaderMap) -> Result<SecretString, ApiError> {
    let missing = || {
        ApiError::with_param(
            Code::ApiKeyMissing,
            "Authorization",
            "send the API key in the header `Authorization: Bearer sk_...`",
        )
    };
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(missing());
    };
    let (scheme, key) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing());
    }
    let key = key.trim();
    let has_our_prefix = ["sk_live_", "sk_test_"]
        .iter()
        .any(|prefix| key.starts_with(prefix));
    if !has_our_prefix || key.len() > KEY_BYTES_MAX {
        return Err(ApiError::new(
            Code::ApiKeyInvalid,
            "the API key is unknown or revoked",
        ));
    }
    Ok(SecretString::from(key))
}

pub(super) struct IdempotencyKeyHeader(pub(super) IdempotencyKey);

impl FromRequestParts<ApiState> for IdempotencyKeyHeader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, ApiError> {
        let bad = |code, detail: String| ApiError::with_param(code, "Idempotency-Key", detail);
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else {
            return Err(bad(
                Code::IdempotencyKeyMissing,
                "set the Idempotency-Key header, with a new key for each new request".to_owned(),
            ));
        };
        if values.next().is_some() {
            return Err(bad(
                Code::IdempotencyKeyInvalid,
                "send one Idempotency-Key header, not several".to_owned(),
            ));
        }
        let text = value.to_str().map_err(|_| {
            bad(
                Code::IdempotencyKeyInvalid,
                "the Idempotency-Key must be printable ASCII".to_owned(),
            )
        })?;
        if text.trim().is_empty() {
            return Err(bad(
                Code::IdempotencyKeyMissing,
                "the Idempotency-Key is empty".to_owned(),
            ));
        }
        if contains_card_number(text) {
            return Err(bad(
                Code::CardNumberNotAllowed,
                "the Idempotency-Key contains what looks like a card number".to_owned(),
            ));
        }
        text.parse().map(Self).map_err(|error| {
            bad(
                Code::IdempotencyKeyInvalid,
                format!("the Idempotency-Key {error}"),
            )
        })
    }
}

/// The payment id of the path. A malformed one is answered like an unknown one.
pub(super) struct PaymentPath(pub(super) PaymentId);

impl FromRequestParts<ApiState> for PaymentPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::payment_not_found())?;
        text.parse()
            .map(Self)
            .map_err(|_| ApiError::payment_not_found())
    }
}

/// Reads a payment of the caller's merchant and mode.
pub(super) async fn find_payment(
    state: &ApiState,
    caller: &Caller,
    id: &PaymentId,
) -> Result<Payment, ApiError> {
    let payment = state
        .0
        .ports
        .store
        .get(id)
        .await
        .map_err(|error| ApiError::from_read(&error))?;
    payment
        .filter(|payment| payment.merchant == caller.merchant && payment.live == caller.live)
        .ok_or_else(ApiError::payment_not_found)
}
