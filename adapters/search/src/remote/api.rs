//! One call to OpenSearch, and what its failure means.

use std::time::Duration;

use opensearch::http::headers::{CONTENT_TYPE, HeaderMap, HeaderValue};
use opensearch::http::transport::{SingleNodeConnectionPool, Transport, TransportBuilder};
use opensearch::http::{Method, Url};
use payops_core::port::{ErrorKind, PortError, PortResult};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Credentials {
    pub user: String,
    pub password: SecretString,
}

/// Whether a call that is not answered may have changed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Reads,
    Writes,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    effect: Effect,
}

impl Answer {
    /// The body of a good answer; a bad one as the failure it means.
    pub(super) fn done(self) -> PortResult<Value> {
        if (200..300).contains(&self.status) {
            Ok(self.body)
        } else {
            Err(failure(self.status, &self.body["error"], self.effect))
        }
    }

    /// The type of its error, such as `index_not_found_exception`.
    pub(super) fn error_type(&self) -> &str {
        self.body["error"]["type"].as_str().unwrap_or_default()
    }
}

/// The failure that a status and an error object mean. OpenSearch's reasons are left out: they
/// repeat parts of documents, and those hold addresses.
pub(super) fn failure(status: u16, error: &Value, effect: Effect) -> PortError {
    let name = error["type"].as_str().unwrap_or("no type");
    PortError::new(
        kind_of(status, name, effect),
        format!("the search service answered {status} ({name})"),
    )
}

fn kind_of(status: u16, error: &str, effect: Effect) -> ErrorKind {
    match (status, error) {
        // An index is made read-only when its disk is nearly full.
        (_, "cluster_block_exception") => ErrorKind::NotWritable,
        (401 | 403, _) => ErrorKind::Denied,
        (404, _) => ErrorKind::NotFound,
        (429, _) => ErrorKind::Throttled,
        (503, _) => ErrorKind::Unavailable,
        // Whoever gave up waiting does not know what became of it.
        (408 | 500..=599, _) => unknown(effect),
        _ => ErrorKind::Permanent,
    }
}

#[derive(Clone, Debug)]
pub(super) struct Api {
    transport: Transport,
}

impl Api {
    pub(super) fn new(url: &str, credentials: Option<&Credentials>) -> PortResult<Self> {
        let wrong = |what: &str| {
            PortError::new(
                ErrorKind::Permanent,
                format!("the search service's address {what}"),
            )
        };
        let url: Url = url.parse().map_err(|_| wrong("is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(wrong("is not an http or https URL"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "holds credentials, which would be printed with it; give them apart",
            ));
        }
        let local = url.host_str().is_some_and(is_loopback);
        let mut builder =
            TransportBuilder::new(SingleNodeConnectionPool::new(url)).timeout(TIMEOUT);
        if local {
            builder = builder.disable_proxy();
        }
        if let Some(Credentials { user, password }) = credentials {
            builder = builder.auth(opensearch::auth::Credentials::Basic(
                user.clone(),
                password.expose_secret().to_owned(),
            ));
        }
        let transport = builder.build();
        let transport = transport.map_err(|error| {
            PortError::because(
                ErrorKind::Permanent,
                "no client of the search service could be made",
                error,
            )
        })?;
        Ok(Self { transport })
    }

    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
        effect: Effect,
    ) -> PortResult<Answer> {
        self.send(
            method,
            path,
            query,
            body.map(Value::to_string),
            "application/json",
            effect,
        )
        .await
    }

    pub(super) async fn lines(
        &self,
        path: &str,
        query: &[(&str, &str)],
        lines: String,
    ) -> PortResult<Answer> {
        self.send(
            Method::Post,
            path,
            query,
            Some(lines),
            "application/x-ndjson",
            Effect::Writes,
        )
        .await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<String>,
        content: &'static str,
        effect: Effect,
    ) -> PortResult<Answer> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content));
        let sent = self
            .transport
            .send(method, path, headers, Some(query), body, None)
            .await;
        let response = sent.map_err(|error| not_answered(error, effect))?;
        let status = response.status_code().as_u16();
        let text = response
            .text()
            .await
            .map_err(|error| not_answered(error, effect))?;
        match serde_json::from_str(&text) {
            Ok(body) => Ok(Answer {
                status,
                body,
                effect,
            }),
            // Proxies in between answer failures with pages of their own.
            Err(_) if status >= 400 => Ok(Answer {
                status,
                body: Value::Null,
                effect,
            }),
            Err(error) => Err(PortError::because(
                unknown(effect),
                "the search service's answer is not JSON",
                error,
            )),
        }
    }
}

fn unknown(effect: Effect) -> ErrorKind {
    match effect {
        Effect::Reads => ErrorKind::Unavailable,
        Effect::Writes => ErrorKind::Ambiguous,
    }
}

fn not_answered(error: opensearch::Error, effect: Effect) -> PortError {
    let cause =
        std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<reqwest::Error>());
    let (kind, message) = match cause {
        Some(cause) if cause.is_connect() => (
            ErrorKind::Unavailable,
            "the search service could not be reached",
        ),
        Some(cause) if cause.is_builder() => (
            ErrorKind::Permanent,
            "the request to the search service could not be made",
        ),
        _ if error.is_timeout() => (unknown(effect), "the search service did not answer in time"),
        _ => (
            unknown(effect),
            "the connection to the search service was lost",
        ),
    };
    PortError::because(kind, message, error)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_say_what_to_do() {
        assert_eq!(
            kind_of(429, "rejected_execution_exception", Effect::Writes),
            ErrorKind::Throttled
        );
        assert_eq!(
            kind_of(403, "cluster_block_exception", Effect::Writes),
            ErrorKind::NotWritable
        );
        assert_eq!(
            kind_of(403, "security_exception", Effect::Writes),
            ErrorKind::Denied
        );
        assert_eq!(
            kind_of(404, "index_not_found_exception", Effect::Writes),
            ErrorKind::NotFound
        );
        assert_eq!(kind_of(503, "", Effect::Writes), ErrorKind::Unavailable);
        assert_eq!(kind_of(504, "", Effect::Writes), ErrorKind::Ambiguous);
        assert_eq!(kind_of(504, "", Effect::Reads), ErrorKind::Unavailable);
        assert_eq!(
            kind_of(400, "mapper_parsing_exception", Effect::Writes),
            ErrorKind::Permanent
        );
    }

    #[test]
    fn addresses_with_passwords_are_refused_and_not_printed() {
        let error = Api::new("https://user:hunter2@search.example", None).expect_err("refused");
        assert!(!format!("{error:?}").contains("hunter2"));
        let credentials = Credentials {
            user: "user".to_owned(),
            password: SecretString::from("hunter2"),
        };
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
