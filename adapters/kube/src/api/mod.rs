//! Calls to the Kubernetes API: one request, one answer, a time limit, and a failure that says
//! whether the call may have had an effect.

pub(crate) mod fail;
pub(crate) mod list;
pub(crate) mod path;

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use tokio::time::timeout;

use fail::{Cause, Failure, cause_of, one_line};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A call, from first to last byte.
    pub call: Duration,
    /// After how long the server is asked to end a watch, so that it is begun anew.
    pub watch: Duration,
    /// How much longer than that a watch may say nothing before it is taken for dead.
    pub watch_grace: Duration,
    /// How long changes of what belongs to a rollout are gathered before they are told.
    pub gather: Duration,
    /// The first wait after a failure of a watch; it doubles with each.
    pub backoff_min: Duration,
    pub backoff_max: Duration,
    pub poll: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(10),
            watch: Duration::from_mins(1),
            watch_grace: Duration::from_secs(5),
            gather: Duration::from_millis(200),
            backoff_min: Duration::from_millis(800),
            backoff_max: Duration::from_secs(30),
            poll: Duration::from_secs(5),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum ApiRequest {
    Get,
    Merge(Value),
    Json(Value),
    Put(Value),
    /// A question that is posted, and changes nothing.
    Review(Value),
}

impl ApiRequest {
    fn writes(&self) -> bool {
        !matches!(self, Self::Get | Self::Review(_))
    }

    fn parts(&self) -> (Method, Option<(&'static str, &Value)>) {
        match self {
            Self::Get => (Method::GET, None),
            Self::Merge(body) => (Method::PATCH, Some(("application/merge-patch+json", body))),
            Self::Json(body) => (Method::PATCH, Some(("application/json-patch+json", body))),
            Self::Put(body) => (Method::PUT, Some(("application/json", body))),
            Self::Review(body) => (Method::POST, Some(("application/json", body))),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
    /// Where the server is, if that is known.
    pub(crate) address: Option<Arc<str>>,
    pub(crate) cluster: Arc<str>,
    pub(crate) timing: Timing,
}

impl Api {
    pub(crate) fn new(client: Client, cluster: &str, timing: Timing) -> Self {
        Self {
            client,
            address: None,
            cluster: cluster.into(),
            timing,
        }
    }

    /// Makes one call. `verb` says what it is for, such as `list rollouts`.
    pub(crate) async fn call(
        &self,
        verb: &str,
        send: ApiRequest,
        path: &str,
    ) -> Result<Value, Failure> {
        let answer = async {
            let response = self.send(&send, path).await?;
            let body = response
                .into_body()
                .collect_bytes()
                .await
                .map_err(cause_of)?;
            serde_json::from_slice(&body).map_err(|error| Cause::Unreadable(error.into()))
        };
        let limit = self.timing.call;
        let answer = timeout(limit, answer)
            .await
            .unwrap_or(Err(Cause::TimedOut(limit)));
        answer.map_err(|cause| self.to_failure(verb, send.writes(), cause))
    }

    /// Begins a watch: its answer's head within the time of a call, its body without end.
    pub(crate) async fn open(&self, verb: &str, path: &str) -> Result<Body, Failure> {
        let limit = self.timing.call;
        let answer = timeout(limit, self.send(&ApiRequest::Get, path))
            .await
            .unwrap_or(Err(Cause::TimedOut(limit)));
        answer
            .map(Response::into_body)
            .map_err(|cause| self.to_failure(verb, false, cause))
    }

    pub(crate) fn to_failure(&self, verb: &str, writes: bool, cause: Cause) -> Failure {
        Failure {
            what: format!("cluster {}: {verb}", self.cluster),
            writes,
            cause,
        }
    }

    /// Sends; once more when who asks was not believed: it had no effect, and a token that has run
    /// out is renewed by then.
    async fn send(&self, send: &ApiRequest, path: &str) -> Result<Response<Body>, Cause> {
        match self.send_once(send, path).await {
            Err(Cause::Answer { code: 401, .. }) => self.send_once(send, path).await,
            other => other,
        }
    }

    async fn send_once(&self, send: &ApiRequest, path: &str) -> Result<Response<Body>, Cause> {
        let (method, body) = send.parts();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(ACCEPT, "application/json");
        let mut bytes = Vec::new();
        if let Some((content, body)) = body {
            request = request.header(CONTENT_TYPE, content);
            bytes = serde_json::to_vec(body).map_err(|error| Cause::Unreadable(error.into()))?;
        }
        let request = request
            .body(Body::from(bytes))
            .map_err(|error| Cause::Unreadable(error.into()))?;
        let response = self
            .client
            .send(request)
            .await
            .map_err(|error| match cause_of(error) {
                Cause::Connect { why, .. } => Cause::Connect {
                    to: self.address.clone(),
                    why,
                },
                cause => cause,
            })?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(read_refusal(response).await)
        }
    }
}

/// A refusal, with the message of the `Status` object that the API sends.
async fn read_refusal(response: Response<Body>) -> Cause {
    let (code, retry_after) = (response.status().as_u16(), retry_after(response.headers()));
    // A refusal whose message is lost is a refusal all the same.
    let body = response
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let status: Value = serde_json::from_slice(&body).unwrap_or_default();
    let retry_after = retry_after.or_else(|| requested_wait(&status));
    let message = status
        .get("message")
        .and_then(Value::as_str)
        .map_or_else(|| plain_text(&body), one_line);
    Cause::Answer {
        code,
        message,
        retry_after,
    }
}

/// How long a `Status` asks to wait.
pub(crate) fn requested_wait(status: &Value) -> Option<Duration> {
    status
        .pointer("/details/retryAfterSeconds")?
        .as_u64()
        .map(Duration::from_secs)
}

/// The text of an answer that is not a `Status`: a proxy's page is not shown.
fn plain_text(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    if text.starts_with(['<', '{']) {
        String::new()
    } else {
        one_line(text)
    }
}

/// `Retry-After` in seconds, which is how API servers write it.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}
