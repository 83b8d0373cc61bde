//! What a refused request is told: RFC 9457 problem details with a stable code.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use payops_core::domain::machine::TransitionRefusal;
use payops_core::domain::mask;
use payops_core::domain::request::BadRequest;
use payops_core::port::{ErrorKind, PortError};
use payops_core::usecase::{AcceptError, ChangeError};
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! codes {
    ($($name:ident = $code:literal, $status:literal, $retryable:literal, $title:literal;)*) => {
        /// A stable word for why a request was refused; part of the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status it goes with.
            #[must_use]
            pub fn status(self) -> StatusCode {
                let number: u16 = match self { $(Self::$name => $status,)* };
                StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// Whether the same request, with the same idempotency key, may do better later.
            #[must_use]
            pub fn retryable(self) -> bool {
                match self { $(Self::$name => $retryable,)* }
            }

            /// The problem's title, the same for every occurrence.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    InvalidJson = "invalid_json", 400, false, "The body is not valid JSON";
    NotAnObject = "not_an_object", 400, false, "A JSON object is needed";
    DuplicateField = "duplicate_field", 400, false, "A member stands twice";
    UnknownField = "unknown_field", 400, false, "A member is not known";
    MissingField = "missing_field", 400, false, "A member is missing";
    WrongType = "wrong_type", 400, false, "A member is of the wrong type";
    InvalidAmount = "invalid_amount", 400, false, "The amount is not an integer in minor units";
    AmountTooSmall = "amount_too_small", 400, false, "The amount is less than one minor unit";
    AmountTooLarge = "amount_too_large", 400, false, "The amount is over the limit";
    InvalidCurrency = "invalid_currency", 400, false, "Not a currency that payments can be made in";
    InvalidSource = "invalid_source", 400, false, "The source is not a token";
    UnknownSource = "unknown_source", 400, false, "The payment provider does not know the source";
    InvalidReference = "invalid_reference", 400, false, "The reference cannot be used";
    InvalidEmail = "invalid_email", 400, false, "Not an e-mail address";
    InvalidMetadata = "invalid_metadata", 400, false, "The metadata cannot be used";
    InvalidReason = "invalid_reason", 400, false, "The reason cannot be used";
    CardNumberNotAllowed = "card_number_not_allowed", 400, false, "A card number where none may be";
    InvalidRequest = "invalid_request", 400, false, "The request cannot be used";
    IdempotencyKeyMissing = "idempotency_key_missing", 400, false, "An Idempotency-Key header is \
        needed";
    IdempotencyKeyInvalid = "idempotency_key_invalid", 400, false, "The Idempotency-Key cannot be \
        used";
    InvalidParameter = "invalid_parameter", 400, false, "A query parameter cannot be used";
    InvalidCursor = "invalid_cursor", 400, false, "Not a cursor of this list";
    ApiKeyMissing = "api_key_missing", 401, false, "An API key is needed";
    ApiKeyInvalid = "api_key_invalid", 401, false, "The API key is not good";
    PaymentNotFound = "payment_not_found", 404, false, "No such payment";
    RouteNotFound = "route_not_found", 404, false, "No such route";
    MethodNotAllowed = "method_not_allowed", 405, false, "The route does not have this method";
    RequestTimeout = "request_timeout", 408, true, "The request took too long to arrive";
    PaymentNotCancelable = "payment_not_cancelable", 409, false, "The payment can no longer be \
        canceled";
    ChargeStarted = "charge_started", 409, false, "A charge has been started";
    PaymentNotRefundable = "payment_not_refundable", 409, false, "The payment cannot be refunded";
    PaymentBusy = "payment_busy", 409, true, "The payment is being changed by others";
    BodyTooLarge = "body_too_large", 413, false, "The body is too large";
    UnsupportedMediaType = "unsupported_media_type", 415, false, "The body must be JSON";
    IdempotencyKeyReused = "idempotency_key_reused", 422, false, "The Idempotency-Key was used for \
        another request";
    RefundTooLarge = "refund_too_large", 422, false, "More than is left to refund";
    Internal = "internal_error", 500, false, "Something went wrong on our side";
    StoreUnavailable = "store_unavailable", 503, true, "The service cannot answer now";
    StorageFull = "storage_full", 503, true, "The service's storage is full or takes no writes";
    OutcomeUnknown = "outcome_unknown", 503, true, "It is not known whether the request had its \
        effect";
    ShuttingDown = "shutting_down", 503, true, "This instance is shutting down";
}

impl Code {
    /// The code of that word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }
}

/// Why a request is refused, before the edge turns it into a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The code.
    pub code: Code,
    /// A sentence for people; quotes nothing of the request.
    pub detail: String,
    /// The member, header or parameter at fault.
    pub param: Option<String>,
}

impl Refused {
    /// A refusal that no single member is at fault for.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            param: None,
        }
    }

    pub(super) fn of(code: Code, param: &str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            param: Some(param.to_owned()),
        }
    }

    /// The same for an unknown id, another merchant's and another mode's.
    pub(super) fn no_payment() -> Self {
        Self::new(Code::PaymentNotFound, "there is no payment of that id")
    }

    /// A failed read: it had no effect, so repeating it is always fine.
    pub(super) fn reading(error: &PortError) -> Self {
        log(error);
        Self::store(error.kind)
    }

    /// A failed write, which may have had its effect.
    pub(super) fn writing(error: &PortError) -> Self {
        log(error);
        if error.kind == ErrorKind::Ambiguous {
            Self::unknown_outcome()
        } else {
            Self::store(error.kind)
        }
    }

    pub(super) fn unknown_outcome() -> Self {
        let detail = "the request may or may not have had its effect; repeat it with the same \
            Idempotency-Key and body: it is done at most once";
        Self::new(Code::OutcomeUnknown, detail)
    }

    fn store(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Corrupt | ErrorKind::Permanent => {
                Self::new(Code::Internal, "the request could not be served")
            }
            ErrorKind::NotWritable => Self::new(
                Code::StorageFull,
                "the disk of the payment store is full or read-only; nothing was changed and nothing accepted is lost; when its operator \
                 has freed some space, repeat the request, with the same Idempotency-Key if it has one",
            ),
            _ => Self::new(
                Code::StoreUnavailable,
                "nothing was changed; repeat the request later, with the same Idempotency-Key if \
                    it has one",
            ),
        }
    }
}

fn log(error: &PortError) {
    tracing::warn!(
        class = error.class(),
        error = mask::text(&error.chain()),
        "the store failed"
    );
}

impl From<BadRequest> for Refused {
    fn from(bad: BadRequest) -> Self {
        Self {
            code: Code::from_name(bad.code).unwrap_or(Code::InvalidRequest),
            detail: bad.message,
            param: bad.param,
        }
    }
}

impl From<AcceptError> for Refused {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::KeyReused => key_reused(),
            AcceptError::Store(error) => Self::writing(&error),
        }
    }
}

impl Refused {
    pub(super) fn change(error: ChangeError, not_now: Code) -> Self {
        match error {
            ChangeError::NotFound => Self::no_payment(),
            ChangeError::Refused(refusal) => refused(&refusal, not_now),
            ChangeError::KeyReused => key_reused(),
            // Nobody plans for a version through the API; it is what a busy payment is.
            ChangeError::Busy | ChangeError::Moved { .. } => Self::new(
                Code::PaymentBusy,
                "the payment keeps changing; repeat the request with the same Idempotency-Key",
            ),
            ChangeError::Store(error) => Self::writing(&error),
        }
    }
}

fn refused(refusal: &TransitionRefusal, not_now: Code) -> Refused {
    match refusal {
        TransitionRefusal::Status { .. } => Refused::new(not_now, refusal.to_string()),
        TransitionRefusal::ChargeStarted => Refused::new(Code::ChargeStarted, refusal.to_string()),
        TransitionRefusal::RefundTooLarge { .. } | TransitionRefusal::TooManyRefunds => {
            Refused::of(Code::RefundTooLarge, "amount", refusal.to_string())
        }
        TransitionRefusal::RefundNotPositive => {
            Refused::of(Code::AmountTooSmall, "amount", refusal.to_string())
        }
        TransitionRefusal::Leased { .. }
        | TransitionRefusal::NoPendingRefund
        | TransitionRefusal::Nothing => {
            Refused::new(Code::PaymentBusy, "the payment is being changed")
        }
    }
}

fn key_reused() -> Refused {
    Refused::of(
        Code::IdempotencyKeyReused,
        "Idempotency-Key",
        "this Idempotency-Key was used for another request; use a new one",
    )
}

/// The body of a refusal, `application/problem+json`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A stable name of the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:payops:problem:missing_field")]
    kind: String,
    /// The kind in words.
    #[schema(example = "A member is missing")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 400)]
    status: u16,
    /// This occurrence in words.
    #[schema(example = "`amount` is missing")]
    detail: String,
    /// A stable word for programs.
    #[schema(example = "missing_field")]
    code: &'static str,
    /// The member, header or parameter at fault.
    #[schema(example = "amount")]
    param: Option<String>,
    /// Names this request in our logs; also the header `X-Request-Id`.
    #[schema(example = "req_00f3a9c4d1b27e58")]
    request_id: String,
    /// Whether the same request, with the same Idempotency-Key, may do better later.
    retryable: bool,
}

impl Problem {
    /// The body for `refused`, answered to the request of that id.
    #[must_use]
    pub fn new(refused: &Refused, request_id: &str) -> Self {
        let code = refused.code;
        Self {
            kind: format!("urn:payops:problem:{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            detail: refused.detail.clone(),
            code: code.as_str(),
            param: refused.param.clone(),
            request_id: request_id.to_owned(),
            retryable: code.retryable(),
        }
    }
}

/// Carries the refusal out to the edge, which knows the request's id and writes the body.
impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
