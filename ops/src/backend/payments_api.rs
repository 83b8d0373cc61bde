//! The payments HTTP API, as this tool uses it: creating payments, again and again with the same
//! key until there is a definite answer, and looking at one.

use std::time::Duration;

use payops_core::domain::backoff::{Backoff, jitter};
use payops_core::domain::id::PaymentId;
use payops_core::port::error_chain;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::local::DataDir;
use crate::environment::Backend;
use crate::error::Kind;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

const CONNECT: Duration = Duration::from_secs(3);
const REQUEST: Duration = Duration::from_secs(30);
/// The first pause between two tries; doubled with each.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The longest pause that the other side may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Api {
    client: reqwest::Client,
    url: String,
    key: SecretString,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    Accepted {
        id: String,
        body: Value,
        /// Whether it was made by an earlier request with the same key.
        replayed: bool,
    },
    Refused(Problem),
    /// The key is no good: no other request will do better.
    NotAllowed(Problem),
    /// No definite answer within the patience given. There may be a payment: the same key finds
    /// out.
    NoAnswer {
        rate_limited: bool,
        last: String,
    },
    Stopped,
}

/// A problem as the API tells it (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: String,
    pub message: String,
    pub param: Option<String>,
}

enum Once {
    Definite(Created),
    Again {
        after: Option<Duration>,
        rate_limited: bool,
        why: String,
    },
}

impl Api {
    /// The API at `url`.
    pub fn new(url: &str, key: SecretString) -> OpsResult<Self> {
        let parsed = reqwest::Url::parse(url)
            .map_err(|error| OpsError::usage(format!("{url} is not a URL")).because(error))?;
        let loopback = parsed
            .host_str()
            .is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]");
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("payops/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(REQUEST)
            // A redirect could carry the key to another host.
            .redirect(reqwest::redirect::Policy::none());
        if loopback {
            builder = builder.no_proxy();
        }
        let client = builder
            .build()
            .map_err(|error| OpsError::failed("cannot create the HTTP client").because(error))?;
        Ok(Self {
            client,
            url: url.trim_end_matches('/').to_owned(),
            key,
        })
    }

    /// The API of `target`: the URL given, the running embedded platform's, or the one of
    /// payops.toml.
    pub fn locate(session: &Session, url: Option<&str>) -> OpsResult<Self> {
        let (operator, target) = (&session.operator, &session.env);
        let variable = |name: &str| {
            std::env::var(name)
                .ok()
                .filter(|value| !value.is_empty())
                .map(SecretString::from)
        };
        let own_key = variable("PAYOPS_API_KEY");
        let no_key = |hint: &str| OpsError::new(Kind::NotAuthenticated, "no API key").hint(hint);
        let url = url.map(str::to_owned).or_else(|| {
            operator
                .settings
                .api_url
                .as_ref()
                .map(|url| url.value.clone())
        });
        if let Some(url) = url {
            return Self::new(&url, own_key.ok_or_else(|| no_key("set PAYOPS_API_KEY"))?);
        }
        let missing = || {
            OpsError::usage(format!("{} has no payments API", target.name)).hint(format!(
                "add api_url to [environments.{}] in payops.toml, or set PAYOPS_API_URL",
                target.name
            ))
        };
        match &target.target {
            Backend::Embedded { data_dir, name } => {
                let running = DataDir::open(data_dir)?.running()?;
                let nothing = || {
                    OpsError::not_found(format!("no platform is running on {}", data_dir.display()))
                        .hint("start it with: payops local up")
                };
                let ready = running
                    .ok_or_else(nothing)?
                    .environments
                    .into_iter()
                    .find(|env| env.name == *name);
                let ready = ready.ok_or_else(|| {
                    OpsError::not_found(format!(
                        "the running platform has no environment named {name}"
                    ))
                })?;
                Self::new(&ready.api_url, own_key.unwrap_or(ready.api_key))
            }
            Backend::Kubernetes(_) => Err(missing()),
            Backend::Aws(aws) => {
                let url = aws.api_url.as_deref().ok_or_else(missing)?;
                let named = aws.api_key_env.as_deref();
                let key = own_key.or_else(|| named.and_then(variable));
                let hint = named.map_or_else(
                    || "set PAYOPS_API_KEY".to_owned(),
                    |name| format!("set {name} or PAYOPS_API_KEY"),
                );
                Self::new(url, key.ok_or_else(|| no_key(&hint))?)
            }
        }
    }

    /// Creates a payment: asks until there is a definite answer, for as long as `patience`. The
    /// key makes every repetition safe.
    pub async fn create(
        &self,
        key: &str,
        body: &str,
        patience: Duration,
        stop: &CancellationToken,
    ) -> Created {
        let deadline = Instant::now() + patience;
        let mut backoff = Backoff::new(PAUSE_FIRST, PAUSE_MAX);
        loop {
            let (after, rate_limited, why) = match self.create_once(key, body).await {
                Once::Definite(created) => return created,
                Once::Again {
                    after,
                    rate_limited,
                    why,
                } => (after, rate_limited, why),
            };
            // Some of the pause is chance, so that many waiting clients do not come back as one.
            let half = backoff.next_delay() / 2;
            let own = half + jitter(half, rand::random());
            let wait = after.map_or(own, |after| after.max(own));
            if Instant::now() + wait > deadline {
                return Created::NoAnswer {
                    rate_limited,
                    last: why,
                };
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return Created::Stopped,
            }
        }
    }

    async fn create_once(&self, key: &str, body: &str) -> Once {
        let request = self
            .client
            .post(format!("{}/v1/payments", self.url))
            .header(AUTHORIZATION, self.bearer())
            .header("Idempotency-Key", key)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_owned());
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                return Once::Again {
                    after: None,
                    rate_limited: false,
                    why: error_chain(&error),
                };
            }
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let text = match response.text().await {
            Ok(text) => text,
            // The answer was cut off: the same key asks for it again.
            Err(error) => {
                return Once::Again {
                    after: None,
                    rate_limited: false,
                    why: error_chain(&error),
                };
            }
        };
        judge(status, &headers, &text)
    }

    /// The payment's status, or `None` when the API knows no such payment.
    pub async fn status_of(&self, id: &PaymentId) -> OpsResult<Option<String>> {
        let body = self.payment(id).await?;
        Ok(body.and_then(|body| {
            body.get("status")
                .and_then(Value::as_str)
                .map(str::to_owned)
        }))
    }

    /// The payment as the API tells it, or `None` when it knows no such payment.
    pub async fn payment(&self, id: &PaymentId) -> OpsResult<Option<Value>> {
        let unreachable =
            |error: reqwest::Error| OpsError::failed("the API did not respond").because(error);
        let request = self
            .client
            .get(format!("{}/v1/payments/{id}", self.url))
            .header(AUTHORIZATION, self.bearer());
        let response = request.send().await.map_err(unreachable)?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => response.json().await.map(Some).map_err(unreachable),
            status => Err(OpsError::failed(format!("the API responded with {status}"))),
        }
    }

    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.key.expose_secret())
    }
}

fn judge(status: StatusCode, headers: &HeaderMap, text: &str) -> Once {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let member = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    if status.is_success() {
        return match member("id") {
            Some(id) => {
                let replayed = headers
                    .get("Idempotent-Replayed")
                    .is_some_and(|value| value == "true");
                Once::Definite(Created::Accepted { id, body, replayed })
            }
            // Something in between answered for the API.
            None => Once::Again {
                after: None,
                rate_limited: false,
                why: format!("{status} without a payment ID"),
            },
        };
    }
    let problem = Problem {
        code: member("code").unwrap_or_else(|| format!("http_{}", status.as_u16())),
        message: member("message")
            .or_else(|| member("detail"))
            .or_else(|| member("title"))
            .unwrap_or_else(|| format!("the API responded with {status}")),
        param: member("param"),
    };
    let retryable = body.get("retryable").and_then(Value::as_bool);
    let again = status.is_server_error()
        || matches!(status.as_u16(), 408 | 425 | 429)
        || retryable == Some(true);
    if again {
        let seconds = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.parse().ok());
        let after = seconds.map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
        let why = format!("{status}: {}", problem.message);
        return Once::Again {
            after,
            rate_limited: status == StatusCode::TOO_MANY_REQUESTS,
            why,
        };
    }
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Once::Definite(Created::NotAllowed(problem))
        }
        _ => Once::Definite(Created::Refused(problem)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn definite(status: u16, text: &str) -> Option<Created> {
        match judge(
            StatusCode::from_u16(status).expect("a status"),
            &HeaderMap::new(),
            text,
        ) {
            Once::Definite(created) => Some(created),
            Once::Again { .. } => None,
        }
    }

    #[test]
    fn only_definite_answers_end_the_asking() {
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(definite(status, "{}"), None, "{status}");
        }
        assert_eq!(definite(200, "<html>login</html>"), None);
        assert_eq!(definite(409, r#"{"code":"busy","retryable":true}"#), None);
        assert!(matches!(
            definite(409, r#"{"code":"conflict"}"#),
            Some(Created::Refused(_))
        ));
        assert!(matches!(definite(401, "{}"), Some(Created::NotAllowed(_))));
    }

    #[test]
    fn a_problem_is_read_from_any_of_its_shapes() {
        let problem = |text: &str| match definite(422, text) {
            Some(Created::Refused(problem)) => (problem.code, problem.message, problem.param),
            other => panic!("{other:?}"),
        };
        let full =
            problem(r#"{"code":"invalid_amount","detail":"must be an integer","param":"amount"}"#);
        assert_eq!(
            full,
            (
                "invalid_amount".to_owned(),
                "must be an integer".to_owned(),
                Some("amount".to_owned())
            )
        );
        assert_eq!(problem("oops").0, "http_422");
    }
}
