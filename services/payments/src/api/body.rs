//! Reading a body: so large, so long, JSON.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use payops_core::domain::request::BODY_BYTES_MAX;
use tokio::time::timeout;

use super::problem::{Code, Refused};
use super::state::ApiState;

/// Whether a request may come without a body, and then without `Content-Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Json,
    JsonOrNothing,
}

/// The body's bytes. One that says that it is too large is refused before any of it is read;
/// one that turns out to be, as soon as it does.
pub(super) async fn read(state: &ApiState, request: Request, need: Need) -> Result<Bytes, Refused> {
    let too_large = || {
        Refused::new(
            Code::BodyTooLarge,
            format!("the body is over {BODY_BYTES_MAX} bytes"),
        )
    };
    if said_length(request.headers()).is_some_and(|bytes| bytes > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    let nothing = request.body().is_end_stream() && need == Need::JsonOrNothing;
    if nothing {
        return Ok(Bytes::new());
    }
    if !is_json(request.headers()) {
        return Err(Refused::of(
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
        Ok(Err(_)) => Err(Refused::new(Code::InvalidRequest, "the body broke off")),
        Err(_) => Err(Refused::new(
            Code::RequestTimeout,
            "the body took too long to arrive",
        )),
    }
}

fn said_length(headers: &HeaderMap) -> Option<usize> {
    let text = headers.get(CONTENT_LENGTH)?.to_str().ok()?;
    // More digits than fit are surely too many bytes.
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
