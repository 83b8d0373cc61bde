//! Errors of the API: RFC 9457 problem details with a stable code.

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
        /// Why a request was refused; a stable part of the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            #[must_use]
            pub fn status(self) -> StatusCode {
                let number: u16 = match self { $(Self::$name => $status,)* };
                StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// Whether the same request, with the same idempotency key, may succeed later.
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
    NotAnObject = "not_an_object", 400, false, "A JSON object is expected";
    DuplicateField = "duplicate_field", 400, false, "A field appears more than once";
    UnknownField = "unknown_field", 400, false, "The request has an unknown field";
    MissingField = "missing_field", 400, false, "A required field is missing";
    WrongType = "wrong_type", 400, false, "A field has the wrong type";
    InvalidAmount = "invalid_amount", 400, false, "The amount must be an integer in minor units";
    AmountTooSmall = "amount_too_small", 400, false, "The amount is too small";
    AmountTooLarge = "amount_too_large", 400, false, "The amount is too large";
    InvalidCurrency = "invalid_currency", 400, false, "The currency is not supported";
    InvalidSource = "invalid_source", 400, false,
        "The source must be a token of the payment provider";
    UnknownSource = "unknown_source", 400, false, "The payment provider does not know the source";
    InvalidReference = "invalid_reference", 400, false, "The reference is not valid";
    InvalidEmail = "invalid_email", 400, false, "The e-mail address is not valid";
    InvalidMetadata = "invalid_metadata", 400, false, "The metadata is not valid";
    InvalidReason = "invalid_reason", 400, false, "The reason is not valid";
    CardNumberNotAllowed = "card_number_not_allowed", 400, false,
        "Card numbers are not allowed in requests";
    InvalidRequest = "invalid_request", 400, false, "The request is not valid";
    IdempotencyKeyMissing = "idempotency_key_missing", 400, false,
        "The Idempotency-Key header is missing";
    IdempotencyKeyInvalid = "idempotency_key_invalid", 400, false,
        "The Idempotency-Key header is not valid";
    InvalidParameter = "invalid_parameter", 400, false, "A query parameter is not valid";
    InvalidCursor = "invalid_cursor", 400, false, "The cursor is not valid";
    ApiKeyMissing = "api_key_missing", 401, false, "The API key is missing";
    ApiKeyInvalid = "api_key_invalid", 401, false, "The API key is not valid";
    PaymentNotFound = "payment_not_found", 404, false, "The payment does not exist";
    RouteNotFound = "route_not_found", 404, false, "The route does not exist";
    MethodNotAllowed = "method_not_allowed", 405, false, "The route does not support this method";
    RequestTimeout = "request_timeout", 408, true, "The request took too long to arrive";
    PaymentNotCancelable = "payment_not_cancelable", 409, false,
        "The payment can no longer be canceled";
    ChargeStarted = "charge_started", 409, false, "The charge has already started";
    PaymentNotRefundable = "payment_not_refundable", 409, false, "The payment cannot be refunded";
    PaymentBusy = "payment_busy", 409, true, "Another request is changing the payment";
    BodyTooLarge = "body_too_large", 413, false, "The body is too large";
    UnsupportedMediaType = "unsupported_media_type", 415, false, "The body must be JSON";
    IdempotencyKeyReused = "idempotency_key_reused", 422, false,
        "The Idempotency-Key was used for a different request";
    RefundTooLarge = "refund_too_large", 422, false, "The refund exceeds what can be refunded";
    Internal = "internal_error", 500, false, "The service had an internal error";
    StoreUnavailable = "store_unavailable", 503, true, "The service is temporarily unavailable";
    StorageFull = "storage_full", 503, true, "The service's storage is full or read-only";
    OutcomeUnknown = "outcome_unknown", 503, true, "The outcome of the request is unknown";
    ShuttingDown = "shutting_down", 503, true, "The instance is shutting down";
}

impl Code {
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }
}

/// Why a request failed, before the edge turns it into a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub code: Code,
    /// For people; quotes no value of the request.
    pub detail: String,
    /// The field, header or parameter at fault.
    pub param: Option<String>,
}

impl ApiError {
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            param: None,
        }
    }

    pub(super) fn with_param(code: Code, param: &str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            param: Some(param.to_owned()),
        }
    }

    /// The same error for an unknown id, and one of another merchant or mode.
    pub(super) fn payment_not_found() -> Self {
        Self::new(Code::PaymentNotFound, "no payment has this id")
    }

    /// A failed read had no effect, so it can always be repeated.
    pub(super) fn from_read(error: &PortError) -> Self {
        log(error);
        Self::from_store(error.kind)
    }

    /// A failed write may have taken effect.
    pub(super) fn from_write(error: &PortError) -> Self {
        log(error);
        if error.kind == ErrorKind::Ambiguous {
            Self::unknown_outcome()
        } else {
            Self::from_store(error.kind)
        }
    }

    pub(super) fn unknown_outcome() -> Self {
        let detail = "the request may or may not have taken effect; repeat it with the same \
            Idempotency-Key and body, and it will take effect only once";
        Self::new(Code::OutcomeUnknown, detail)
    }

    fn from_store(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Corrupt | ErrorKind::Permanent => {
                Self::new(Code::Internal, "the service failed to handle the request")
            }
            ErrorKind::NotWritable => Self::new(
                Code::StorageFull,
                "the disk of the payment store is full or read-only; nothing was changed, and no \
                 accepted payment is lost; repeat the request when the operator has freed some \
                 space, with the same Idempotency-Key if it has one",
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
        "the payment store failed"
    );
}

impl From<BadRequest> for ApiError {
    fn from(bad: BadRequest) -> Self {
        Self {
            code: Code::from_name(bad.code).unwrap_or(Code::InvalidRequest),
            detail: bad.message,
            param: bad.param,
        }
    }
}

impl From<AcceptError> for ApiError {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::KeyReused => key_reused(),
            AcceptError::Store(error) => Self::from_write(&error),
        }
    }
}

impl ApiError {
    pub(super) fn from_change(error: ChangeError, wrong_status: Code) -> Self {
        match error {
            ChangeError::NotFound => Self::payment_not_found(),
            ChangeError::Refused(refusal) => from_refusal(&refusal, wrong_status),
            ChangeError::KeyReused => key_reused(),
            // Requests through the API plan for no version, so `Moved` is a busy payment too.
            ChangeError::Busy | ChangeError::Moved { .. } => Self::new(
                Code::PaymentBusy,
                "other requests keep changing the payment; repeat the request with the same \
                 Idempotency-Key",
            ),
            ChangeError::Store(error) => Self::from_write(&error),
        }
    }
}

fn from_refusal(refusal: &TransitionRefusal, wrong_status: Code) -> ApiError {
    match refusal {
        TransitionRefusal::Status { .. } => ApiError::new(wrong_status, refusal.to_string()),
        TransitionRefusal::ChargeStarted => ApiError::new(Code::ChargeStarted, refusal.to_string()),
        TransitionRefusal::RefundTooLarge { .. } | TransitionRefusal::TooManyRefunds => {
            ApiError::with_param(Code::RefundTooLarge, "amount", refusal.to_string())
        }
        TransitionRefusal::RefundNotPositive => {
            ApiError::with_param(Code::AmountTooSmall, "amount", refusal.to_string())
        }
        TransitionRefusal::Leased { .. }
        | TransitionRefusal::NoPendingRefund
        | TransitionRefusal::Nothing => ApiError::new(
            Code::PaymentBusy,
            "another request is changing the payment; repeat the request with the same \
             Idempotency-Key",
        ),
    }
}

fn key_reused() -> ApiError {
    ApiError::with_param(
        Code::IdempotencyKeyReused,
        "Idempotency-Key",
        "this Idempotency-Key was used for a different request; use a new key",
    )
}

/// Problem details as in RFC 9457; the content type is `application/problem+json`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Identifies the problem type; stable.
    #[serde(rename = "type")]
    #[schema(example = "urn:payops:problem:missing_field")]
    kind: String,
    /// Describes the problem type in words.
    #[schema(example = "A required field is missing")]
    title: &'static str,
    /// The HTTP status code of the response.
    #[schema(example = 400)]
    status: u16,
    /// Describes this occurrence of the problem.
    #[schema(example = "`amount` is missing")]
    detail: String,
    /// A stable error code for programs.
    #[schema(example = "missing_field")]
    code: &'static str,
    /// The field, header or query parameter at fault.
    #[schema(example = "amount")]
    param: Option<String>,
    /// Identifies the request in our logs; also in the header `X-Request-Id`.
    #[schema(example = "req_00f3a9c4d1b27e58")]
    request_id: String,
    /// Whether the same request, with the same Idempotency-Key, may succeed later.
    retryable: bool,
}

impl Problem {
    #[must_use]
    pub fn new(error: &ApiError, request_id: &str) -> Self {
        let code = error.code;
        Self {
            kind: format!("urn:payops:problem:{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            detail: error.detail.clone(),
            code: code.as_str(),
            param: error.param.clone(),
            request_id: request_id.to_owned(),
            retryable: code.retryable(),
        }
    }
}

/// Carries the error out to the edge, which knows the request's id and writes the body.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
