//! Errors of the API: `Status` objects.

use serde_json::{Value, json};

use crate::kinds::Kind;

/// An error response, with the fields of its `Status` object.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{reason} ({code}): {message}")]
pub struct ApiError {
    pub code: u16,
    /// The machine-readable reason, such as `Conflict`.
    pub reason: &'static str,
    pub message: String,
    pub details: Option<Box<Value>>,
    /// Sent as the header `Retry-After`.
    pub retry_after_s: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
            retry_after_s: None,
        }
    }

    fn with_details(
        code: u16,
        reason: &'static str,
        kind: Kind,
        name: &str,
        message: String,
    ) -> Self {
        let info = kind.info();
        let details = json!({"name": name, "group": info.group, "kind": info.plural});
        Self {
            details: Some(Box::new(details)),
            ..Self::new(code, reason, message)
        }
    }

    pub(crate) fn not_found(kind: Kind, name: &str) -> Self {
        Self::with_details(
            404,
            "NotFound",
            kind,
            name,
            format!("{} {name:?} not found", kind.info().qualified()),
        )
    }

    pub(crate) fn path_not_found() -> Self {
        Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
    }

    pub(crate) fn already_exists(kind: Kind, name: &str) -> Self {
        Self::with_details(
            409,
            "AlreadyExists",
            kind,
            name,
            format!("{} {name:?} already exists", kind.info().qualified()),
        )
    }

    pub(crate) fn conflict(kind: Kind, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {name:?}: {why}",
            kind.info().qualified()
        );
        Self::with_details(409, "Conflict", kind, name, message)
    }

    pub(crate) fn version_conflict(kind: Kind, name: &str) -> Self {
        Self::conflict(
            kind,
            name,
            "the object has been modified; please apply your changes to the latest version and try \
                again",
        )
    }

    pub(crate) fn invalid(kind: Kind, name: &str, field: &str, why: &str) -> Self {
        let info = kind.info();
        let of = if info.group.is_empty() {
            info.name.to_owned()
        } else {
            format!("{}.{}", info.name, info.group)
        };
        let mut error = Self::with_details(
            422,
            "Invalid",
            kind,
            name,
            format!("{of} {name:?} is invalid: {field}: {why}"),
        );
        if let Some(details) = &mut error.details {
            details["causes"] =
                json!([{"reason": "FieldValueInvalid", "message": why, "field": field}]);
        }
        error
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(crate) fn unsupported_media_type(accepted: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: \
                {accepted}"
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
    }

    pub(crate) fn forbidden(verb: &str, resource: &str) -> Self {
        Self::new(
            403,
            "Forbidden",
            format!("{resource} is forbidden: you cannot {verb} resource \"{resource}\""),
        )
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn too_many_requests(retry_after_s: u64) -> Self {
        Self {
            retry_after_s: Some(retry_after_s),
            details: Some(Box::new(json!({"retryAfterSeconds": retry_after_s}))),
            ..Self::new(
                429,
                "TooManyRequests",
                "too many requests, please try again later",
            )
        }
    }

    #[must_use]
    pub fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if let Some(details) = &self.details {
            status["details"] = (**details).clone();
        }
        status
    }
}
