//! Reads a JSON body, with limits on its size and time.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use payops_core::domain::request::BODY_BYTES_MAX;
use tokio::time::timeout;

use super::problem::{ApiError, Code};
use super::state::ApiState;

/// Whether a request needs a body. Without one it needs no `Content-Type` either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyRule {
    Required,
    Optional,
}

/// Refuses a body whose `Content-Length` is too large before reading any of it, and any other as
/// soon as it exceeds the limit.
pub(super) async fn read(
    state: &ApiState,
    request: Request,
    rule: BodyRule,
) -> Result<Bytes, ApiError> {
    let too_large = || {
        ApiError::new(
            Code::BodyTooLarge,
            format!("the body must be at most {BODY_BYTES_MAX} bytes"),
        )
    };
    if declared_length(request.headers()).is_some_and(|bytes| bytes > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    let is_absent = request.body().is_end_stream() && rule == BodyRule::Optional;
    if is_absent {
        return Ok(Bytes::new());
    }
    if !is_json(request.headers()) {
        return Err(ApiError::with_param(
            Code::UnsupportedMediaType,
            "Content-Type",
            "send the body as `Content-Type: application/json`",
        ));
    }
    match timeout(
        state.0.limits.body,
        Limited::new(request.into_body(), BODY_BYTES_MAX).collect(),
    )
    .await
    {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(ApiError::new(Code::InvalidRequest, "the body ended early")),
        Err(_) => Err(ApiError::new(
            Code::RequestTimeout,
            "the body took too long to arrive",
        )),
    }
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    let text = headers.get(CONTENT_LENGTH)?.to_str().ok()?;
    // A number that does not fit is too many bytes.
    Some(text.parse().unwrap_or(usize::MAX))
}

fn is_json(headers: &HeaderMap) -> bool {
    let text = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    text.split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}
