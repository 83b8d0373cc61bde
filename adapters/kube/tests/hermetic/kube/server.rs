//! A scripted API server: it counts requests and answers what a test says.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use kube::client::Body;
use payops_core::domain::rollout::{Rollout, RolloutKey};
use payops_core::port::Rollouts as _;
use payops_kube::KubeRollouts;
use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Value,
}

pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: BoxStream<'static, Bytes>,
    /// Whether there is nobody at the port.
    pub(crate) is_refused: bool,
}

impl Answer {
    pub(crate) fn json(code: u16, body: &Value) -> Self {
        let bytes = Bytes::from(body.to_string());
        Self {
            code,
            retry_after: None,
            body: stream::iter([bytes]).boxed(),
            is_refused: false,
        }
    }

    pub(crate) fn status(code: u16) -> Self {
        Self::json(
            code,
            &json!({"kind": "Status", "code": code, "message": format!("scripted {code}")}),
        )
    }

    /// Lines, and then the end (`cut`) or silence.
    pub(crate) fn lines(lines: &[Value], cut: bool) -> Self {
        let lines: Vec<Bytes> = lines
            .iter()
            .map(|line| Bytes::from(format!("{line}\n")))
            .collect();
        let body = stream::iter(lines);
        let body = if cut {
            body.boxed()
        } else {
            body.chain(stream::pending()).boxed()
        };
        Self {
            code: 200,
            retry_after: None,
            body,
            is_refused: false,
        }
    }

    /// No answer: the connection is refused.
    pub(crate) fn refused() -> Self {
        Self {
            is_refused: true,
            ..Self::status(0)
        }
    }
}

type Script = Box<dyn FnMut(&Asked) -> Answer + Send>;

#[derive(Clone)]
pub(crate) struct Server {
    asked: Arc<Mutex<Vec<Asked>>>,
    script: Arc<Mutex<Script>>,
}

impl Server {
    pub(crate) fn new(script: impl FnMut(&Asked) -> Answer + Send + 'static) -> Self {
        Self {
            asked: Arc::default(),
            script: Arc::new(Mutex::new(Box::new(script))),
        }
    }

    pub(crate) fn rollouts(&self) -> KubeRollouts {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.expect("a body");
                let path = parts.uri.path_and_query().expect("a path").to_string();
                let asked = Asked {
                    method: parts.method,
                    path,
                    body: serde_json::from_slice(&body).unwrap_or_default(),
                };
                server.asked.lock().expect("a lock").push(asked.clone());
                let answer = (server.script.lock().expect("a lock"))(&asked);
                if answer.is_refused {
                    return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
                }
                let mut response = Response::builder().status(answer.code);
                if let Some(seconds) = answer.retry_after {
                    response = response.header("retry-after", seconds);
                }
                let body = StreamBody::new(
                    answer
                        .body
                        .map(|bytes| Ok::<_, io::Error>(Frame::data(bytes))),
                );
                Ok::<_, io::Error>(response.body(body).expect("a response"))
            }
        });
        KubeRollouts::from_service(service, "prod")
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("a lock").clone()
    }
}

/// The rollout that every test here is about.
pub(crate) async fn read_rollout(rollouts: &KubeRollouts) -> Rollout {
    let key = RolloutKey {
        namespace: "pay".to_owned(),
        name: "api".to_owned(),
    };
    let read = rollouts.get(&key).await;
    read.expect("an answer").expect("a rollout")
}
