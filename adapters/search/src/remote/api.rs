//! One call to OpenSearch, and what its failure means.

use std::time::Duration;

use payops_core::port::{ErrorKind, PortError, PortResult};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(30);
const CANNOT_BUILD: &str = "cannot build the request to OpenSearch";

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
    pub(super) fn into_body(self) -> PortResult<Value> {
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
        format!("OpenSearch answered {status} ({name})"),
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
        (408 | 500..=599, _) => unanswered_kind(effect),
        _ => ErrorKind::Permanent,
    }
}

#[derive(Clone, Debug)]
pub(super) struct Api {
    client: reqwest::Client,
    /// Ends with a slash, so that paths are joined below it.
    base: Url,
    credentials: Option<Credentials>,
}

impl Api {
    pub(super) fn new(url: &str, credentials: Option<&Credentials>) -> PortResult<Self> {
        let invalid = |what: &str| {
            PortError::new(
                ErrorKind::Permanent,
                format!("the OpenSearch address {what}"),
            )
        };
        let mut base: Url = url.parse().map_err(|_| invalid("is not a URL"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(invalid("is not an http or https URL"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(invalid(
                "must not hold credentials, because it is printed; configure them separately",
            ));
        }
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        let mut builder = reqwest::Client::builder().timeout(TIMEOUT);
        if base.host_str().is_some_and(is_loopback) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| {
            PortError::because(
                ErrorKind::Permanent,
                "cannot create the HTTP client for OpenSearch",
                error,
            )
        })?;
        Ok(Self {
            client,
            base,
            credentials: credentials.cloned(),
        })
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
            Method::POST,
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
        let mut url = self
            .base
            .join(path.trim_start_matches('/'))
            .map_err(|error| PortError::because(ErrorKind::Permanent, CANNOT_BUILD, error))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self
            .client
            .request(method, url)
            .header(CONTENT_TYPE, content)
            .header(ACCEPT, "application/json");
        if let Some(Credentials { user, password }) = &self.credentials {
            request = request.basic_auth(user, Some(password.expose_secret()));
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request
            .send()
            .await
            .map_err(|error| to_error(error, effect))?;
        let status = response.status().as_u16();
        let text = response
            .text()
            .await
            .map_err(|error| to_error(error, effect))?;
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
                unanswered_kind(effect),
                "the answer from OpenSearch is not JSON",
                error,
            )),
        }
    }
}

fn unanswered_kind(effect: Effect) -> ErrorKind {
    match effect {
        Effect::Reads => ErrorKind::Unavailable,
        Effect::Writes => ErrorKind::Ambiguous,
    }
}

/// What it means that a request got no whole answer.
fn to_error(error: reqwest::Error, effect: Effect) -> PortError {
    let (kind, message) = if error.is_connect() {
        (ErrorKind::Unavailable, "cannot connect to OpenSearch")
    } else if error.is_builder() {
        (ErrorKind::Permanent, CANNOT_BUILD)
    } else if error.is_timeout() {
        (unanswered_kind(effect), "OpenSearch did not answer in time")
    } else {
        (
            unanswered_kind(effect),
            "the connection to OpenSearch was lost",
        )
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
