//! An HTTP client for the SDK that answers as a test says, and notes what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use payops_aws::Clients;
use serde_json::Value;

#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    /// The operation of a JSON protocol, such as `TransactWriteItems`.
    pub(crate) fn operation(&self) -> &str {
        let target = self.headers.get("x-amz-target").map_or("", String::as_str);
        target.rsplit('.').next().unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

pub(crate) enum Reply {
    Answer(u16, String),
    With(u16, (&'static str, &'static str), String),
    Never,
    Timeout,
    Reset,
    Refused,
}

impl Reply {
    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self::Answer(
            status,
            format!(r#"{{"__type":"{code}","message":"told by the test"}}"#),
        )
    }

    pub(crate) fn json(body: &Value) -> Self {
        Self::Answer(200, body.to_string())
    }
}

type Answer = dyn Fn(usize, Asked) -> Reply + Send + Sync;

#[derive(Clone)]
pub(crate) struct Service {
    answer: Arc<Answer>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Service")
    }
}

impl Service {
    /// One that answers as `answer` says, given the request and how many came before it.
    pub(crate) fn new(answer: impl Fn(usize, Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self {
            answer: Arc::new(answer),
            asked: Arc::default(),
        }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked
            .lock()
            .map(|asked| asked.clone())
            .unwrap_or_default()
    }

    /// Clients that talk to it, with three attempts and no pauses to speak of.
    pub(crate) async fn clients(&self) -> Clients {
        Clients::new(&self.config().await, None)
    }

    pub(crate) async fn config(&self) -> SdkConfig {
        let service = self.clone();
        let http = http_client_fn(move |_, _| SharedHttpConnector::new(service.clone()));
        aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .endpoint_url("http://service.test")
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(3)
                    .with_initial_backoff(Duration::from_millis(1)),
            )
            .http_client(http)
            .load()
            .await
    }
}

impl HttpConnector for Service {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let headers = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let asked = Asked {
            method: request.method().to_owned(),
            uri: request.uri().to_owned(),
            headers,
            body,
        };
        let before = self.asked.lock().map_or(0, |mut all| {
            all.push(asked.clone());
            all.len() - 1
        });
        let answer = Arc::clone(&self.answer);
        HttpConnectorFuture::new(async move {
            let reply = tokio::task::spawn_blocking(move || answer(before, asked)).await;
            let (status, header, body) =
                match reply.map_err(|error| ConnectorError::other(error.into(), None))? {
                    Reply::Answer(status, body) => {
                        (status, ("content-type", "application/x-amz-json-1.0"), body)
                    }
                    Reply::With(status, header, body) => (status, header, body),
                    Reply::Never => std::future::pending().await,
                    Reply::Timeout => return Err(ConnectorError::timeout("timed out".into())),
                    Reply::Reset => return Err(lost(std::io::ErrorKind::ConnectionReset)),
                    Reply::Refused => return Err(lost(std::io::ErrorKind::ConnectionRefused)),
                };
            let status = StatusCode::try_from(status)
                .map_err(|error| ConnectorError::other(error.into(), None))?;
            let mut response = HttpResponse::new(status, SdkBody::from(body));
            response.headers_mut().insert(header.0, header.1);
            Ok(response)
        })
    }
}

fn lost(kind: std::io::ErrorKind) -> ConnectorError {
    ConnectorError::io(Box::new(std::io::Error::from(kind)))
}
