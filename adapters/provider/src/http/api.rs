//! One call to the provider: the request, its answer, and what a missing answer means.
//! Knows HTTP and the shape of Stripe's errors, nothing of payments.

use std::time::Duration;

use payops_core::port::{ErrorKind, PortError, PortResult};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;

use super::wire::{ApiError, ErrorBody};

/// The version of the API whose shapes `wire` knows: <https://docs.stripe.com/api/versioning>.
const API_VERSION: &str = "2024-06-20";
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(5);
/// A longer code is not one of the provider's.
const CODE_MAX: usize = 64;

/// Whether a call that is not answered may have changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Reads,
    Writes,
}

impl Effect {
    /// What a caller may conclude when nobody knows how the call ended.
    fn unanswered_kind(self) -> ErrorKind {
        match self {
            Self::Reads => ErrorKind::Unavailable,
            Self::Writes => ErrorKind::Ambiguous,
        }
    }
}

#[derive(Debug)]
pub(super) enum Answer<T> {
    Done(T),
    /// 400, 402, 404 or another definite no: nothing was changed.
    Refused(Rejection),
}

#[derive(Debug)]
pub(super) struct Rejection {
    pub(super) status: StatusCode,
    pub(super) error: ApiError,
}

impl Rejection {
    /// The refusal as a failure. Only the status and the code are told: messages may repeat what
    /// was sent.
    pub(super) fn into_port(self) -> PortError {
        let code = self.error.safe_code().unwrap_or("no code");
        PortError::new(
            ErrorKind::Permanent,
            format!(
                "the provider refused the request: HTTP {} ({code})",
                self.status.as_u16()
            ),
        )
    }
}

pub(super) struct Api {
    client: Client,
    base: Url,
    authorization: HeaderValue,
}

impl Api {
    pub(super) fn new(base_url: &str, key: &SecretString, timeout: Duration) -> PortResult<Self> {
        let wrong =
            |what: &str| PortError::new(ErrorKind::Permanent, format!("the provider's {what}"));
        let base: Url = base_url
            .parse()
            .map_err(|_| wrong("address is not a URL"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(wrong("address is not an http or https URL"));
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
            .map_err(|_| wrong("key has invalid characters"))?;
        authorization.set_sensitive(true);
        let mut builder = Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout.min(CONNECT_TIMEOUT_MAX))
            // A redirect would carry the key elsewhere, and a repeated POST would be a second call.
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| {
            PortError::because(ErrorKind::Permanent, "cannot create an HTTP client", error)
        })?;
        Ok(Self {
            client,
            base,
            authorization,
        })
    }

    /// Reads `path` with the parameters given.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> PortResult<Answer<T>> {
        let mut url = self.url(path)?;
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        self.send(self.client.request(Method::GET, url), Effect::Reads)
            .await
    }

    /// Posts a form to `path`, with an idempotency key where the call has one.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        key: Option<&str>,
        parameters: &[(&str, &str)],
    ) -> PortResult<Answer<T>> {
        let mut form = self.url(path)?;
        form.query_pairs_mut().clear().extend_pairs(parameters);
        let body = form.query().unwrap_or_default().to_owned();
        let mut request = self
            .client
            .request(Method::POST, self.url(path)?)
            .body(body);
        request = request.header(
            reqwest::header::CONTENT_TYPE,
            "application/x-www-form-urlencoded",
        );
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        self.send(request, Effect::Writes).await
    }

    fn url(&self, path: &str) -> PortResult<Url> {
        let text = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        text.parse().map_err(|error| {
            PortError::because(
                ErrorKind::Permanent,
                "not a path of the provider's API",
                error,
            )
        })
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
        effect: Effect,
    ) -> PortResult<Answer<T>> {
        let request = request
            .header(AUTHORIZATION, self.authorization.clone())
            .header("Stripe-Version", API_VERSION);
        let response = request
            .send()
            .await
            .map_err(|error| to_error(error, effect))?;
        let status = response.status();
        let body = response
            .bytes()
            .await
            .map_err(|error| to_error(error, effect))?;
        if status.is_success() {
            let parsed = serde_json::from_slice(&body);
            return parsed.map(Answer::Done).map_err(|error| {
                PortError::because(
                    effect.unanswered_kind(),
                    "the provider's response does not have the documented shape",
                    error,
                )
            });
        }
        let failed = |kind, what: &str| {
            Err(PortError::new(
                kind,
                format!("the provider answered HTTP {}: {what}", status.as_u16()),
            ))
        };
        match status.as_u16() {
            401 | 403 => failed(
                ErrorKind::Denied,
                "the API key is invalid or lacks permission",
            ),
            429 => failed(ErrorKind::Throttled, "throttled"),
            // 409: a call with the same key is still under way, and may yet have its effect.
            408 | 409 | 500..=599 => failed(
                effect.unanswered_kind(),
                "the request may or may not have taken effect",
            ),
            400..=499 => {
                let error = serde_json::from_slice::<ErrorBody>(&body)
                    .map(|body| body.cause)
                    .unwrap_or_default();
                Ok(Answer::Refused(Rejection { status, error }))
            }
            _ => failed(ErrorKind::Permanent, "not a response of the provider's API"),
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// A call that got no answer, or part of one. The address is left out: it may hold what was
/// searched for.
fn to_error(error: reqwest::Error, effect: Effect) -> PortError {
    let (kind, message) = if error.is_builder() {
        (
            ErrorKind::Permanent,
            "cannot build the request to the provider",
        )
    } else if error.is_connect() {
        (ErrorKind::Unavailable, "cannot connect to the provider")
    } else if error.is_timeout() {
        (
            effect.unanswered_kind(),
            "the provider did not answer in time",
        )
    } else {
        (
            effect.unanswered_kind(),
            "the connection to the provider was lost",
        )
    };
    PortError::because(kind, message, error.without_url())
}

impl ApiError {
    /// The error's code, if it looks like one.
    pub(super) fn safe_code(&self) -> Option<&str> {
        self.code.as_deref().filter(|code| is_code(code))
    }
}

/// Whether the text looks like one of the provider's codes.
pub(super) fn is_code(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=CODE_MAX).contains(&text.len()) && text.bytes().all(word)
}
