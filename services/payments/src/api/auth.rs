//! Who calls, which payment is meant, and the idempotency key: read from a request's head.

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

use super::problem::{Code, Refused};
use super::state::ApiState;

/// The longest API key that is looked up.
const KEY_BYTES_MAX: usize = 128;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The merchant and mode that the request's API key stands for; they come from nowhere else.
pub(super) struct Authenticated(pub(super) Caller);

impl FromRequestParts<ApiState> for Authenticated {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Refused> {
        let key = bearer(&parts.headers)?;
        let row = state
            .0
            .ports
            .keys
            .key(&hash(&key, &state.0.secrets.pepper))
            .await
            .map_err(|error| Refused::reading(&error))?;
        let now = state.0.ports.clock.now();
        let good = row.filter(|row| row.revoked_at.is_none_or(|at| at > now));
        // Unknown and revoked are the same to the caller: nothing is learned by guessing.
        let row = good.ok_or_else(|| {
            Refused::new(Code::ApiKeyInvalid, "the API key is unknown or was revoked")
        })?;
        Ok(Self(Caller {
            merchant: row.merchant,
            live: row.live,
        }))
    }
}

fn bearer(headers: &HeaderMap) -> Result<SecretString, Refused> {
    let missing = || {
        Refused::of(
            Code::ApiKeyMissing,
            "Authorization",
            "send the API key as `Authorization: Bearer sk_…`",
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
    let ours = ["sk_live_", "sk_test_"]
        .iter()
        .any(|prefix| key.starts_with(prefix));
    if !ours || key.len() > KEY_BYTES_MAX {
        return Err(Refused::new(
            Code::ApiKeyInvalid,
            "the API key is unknown or was revoked",
        ));
    }
    Ok(SecretString::from(key))
}

/// The client's name for its request.
pub(super) struct KeyHeader(pub(super) IdempotencyKey);

impl FromRequestParts<ApiState> for KeyHeader {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Refused> {
        let bad = |code, detail: String| Refused::of(code, "Idempotency-Key", detail);
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else {
            return Err(bad(
                Code::IdempotencyKeyMissing,
                "send a new Idempotency-Key with every new request".to_owned(),
            ));
        };
        if values.next().is_some() {
            return Err(bad(
                Code::IdempotencyKeyInvalid,
                "the header stands twice".to_owned(),
            ));
        }
        let text = value.to_str().map_err(|_| {
            bad(
                Code::IdempotencyKeyInvalid,
                "the key is not printable ASCII".to_owned(),
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
                "the key holds what looks like a card number".to_owned(),
            ));
        }
        text.parse()
            .map(Self)
            .map_err(|error| bad(Code::IdempotencyKeyInvalid, format!("the key {error}")))
    }
}

/// The payment id of the path. One that is malformed is simply of no payment.
pub(super) struct PaymentPath(pub(super) PaymentId);

impl FromRequestParts<ApiState> for PaymentPath {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Refused> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Refused::no_payment())?;
        text.parse().map(Self).map_err(|_| Refused::no_payment())
    }
}

/// The payment as it is now, if it is the caller's, in the caller's mode.
pub(super) async fn own_payment(
    state: &ApiState,
    caller: &Caller,
    id: &PaymentId,
) -> Result<Payment, Refused> {
    let payment = state
        .0
        .ports
        .store
        .get(id)
        .await
        .map_err(|error| Refused::reading(&error))?;
    payment
        .filter(|payment| payment.merchant == caller.merchant && payment.live == caller.live)
        .ok_or_else(Refused::no_payment)
}
