//! The API: requests in, answers out.

mod body;
mod discovery;
mod objects;
mod path;
mod watch;

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};

use crate::table::Include;
use crate::{ApiError, Cluster};

pub use body::ApiBody;
use path::{Query, Target};

/// Largest request body, in bytes: that of a real API server.
const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The API as a service: behind `kube::Client::new(service, "default")`, or behind a socket.
#[derive(Clone, Debug)]
pub struct ApiService {
    cluster: Cluster,
}

impl Cluster {
    #[must_use]
    pub fn service(&self) -> ApiService {
        ApiService {
            cluster: self.clone(),
        }
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<ApiBody>, Infallible>> + Send>>;

impl<B> tower::Service<Request<B>> for ApiService
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<ApiBody>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        let cluster = self.cluster.clone();
        Box::pin(async move { Ok(answer(&cluster, request).await) })
    }
}

pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) target: Target,
    pub(crate) query: Query,
    pub(crate) body: Vec<u8>,
}

impl Call {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as JSON; kubectl sends YAML to nobody, so that other types are refused.
    pub(crate) fn json(&self) -> Result<Value, ApiError> {
        let content_type = self.header(header::CONTENT_TYPE);
        if !content_type.is_empty() && !content_type.starts_with("application/json") {
            return Err(ApiError::unsupported_media_type("application/json"));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| ApiError::bad_request(format!("the body is not JSON: {error}")))
    }

    /// In which form objects are wanted: the first of the `Accept` header that is served.
    pub(crate) fn view(&self) -> View {
        let include = match self.query.get("includeObject") {
            Some("None") => Include::Nothing,
            Some("Object") => Include::Object,
            _ => Include::Metadata,
        };
        for wanted in self.header(header::ACCEPT).split(',') {
            let parameter = |name: &str| {
                wanted.split(';').find_map(|part| {
                    part.trim()
                        .strip_prefix(name)
                        .and_then(|rest| rest.strip_prefix('='))
                })
            };
            match (parameter("as"), parameter("v"), parameter("g")) {
                (Some("Table"), Some("v1"), Some("meta.k8s.io")) => return View::Table(include),
                (
                    Some("PartialObjectMetadata" | "PartialObjectMetadataList"),
                    Some("v1"),
                    Some("meta.k8s.io"),
                ) => return View::Metadata,
                (None, ..) => return View::Object,
                _ => {}
            }
        }
        View::Object
    }

    pub(crate) fn accepts(&self, what: &str) -> bool {
        self.header(header::ACCEPT).contains(what)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Object,
    Table(Include),
    Metadata,
}

pub(crate) enum Reply {
    Json(StatusCode, Value),
    /// JSON that is written already; 200.
    Bytes(Vec<u8>),
    Typed(&'static str, Value),
    Text(&'static str),
    Stream(ApiBody),
}

async fn answer<B>(cluster: &Cluster, request: Request<B>) -> Response<ApiBody>
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let (parts, body) = request.into_parts();
    let mut raw_path = parts.uri.path().to_owned();
    let bearer = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let mut token = bearer.map(ToOwned::to_owned);
    if let Some((in_path, rest)) = path::token_prefix(&raw_path) {
        token = token.or(Some(in_path));
        raw_path = rest;
    }
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let target = path::parse(&raw_path);
    if let Some(Target::Objects(at)) = &target {
        let verb = at.verb(&parts.method, query.flag("watch"));
        cluster.faults().note(verb, &at.resource());
    }
    if let Some(wait) = cluster.faults().stalled() {
        tokio::time::sleep(wait).await;
    }
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(error) => {
            return refuse(&ApiError::new(
                413,
                "RequestEntityTooLarge",
                format!("the body could not be read: {error}"),
            ));
        }
    };
    if let Some(refusal) = cluster.faults().refusal(token.as_deref()) {
        return refuse(&refusal);
    }
    let Some(target) = target else {
        return refuse(&ApiError::no_such_path());
    };
    let call = Call {
        method: parts.method,
        headers: parts.headers,
        target,
        query,
        body,
    };
    match handle(cluster, &call) {
        Ok(reply) => respond(reply),
        Err(error) => refuse(&error),
    }
}

fn handle(cluster: &Cluster, call: &Call) -> Result<Reply, ApiError> {
    match &call.target {
        Target::Objects(at) => objects::handle(cluster, call, at),
        Target::Review => {
            if call.method != Method::POST {
                return Err(ApiError::method_not_allowed());
            }
            // kubectl asks this in protobuf, and takes JSON for an answer, which is the same for
            // all.
            let in_protobuf = call
                .header(header::CONTENT_TYPE)
                .starts_with("application/vnd.kubernetes.protobuf");
            let kind = || json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "metadata": {}, "spec": {}});
            let mut review = if in_protobuf { kind() } else { call.json()? };
            if !review.is_object() {
                return Err(ApiError::bad_request(
                    "the body is no SelfSubjectAccessReview",
                ));
            }
            review["status"] = json!({"allowed": true, "reason": "everybody who has the token may \
                do everything here"});
            Ok(Reply::Json(StatusCode::CREATED, review))
        }
        Target::Fixed(path) if call.method == Method::GET => {
            discovery::handle(call, path).ok_or_else(ApiError::no_such_path)
        }
        Target::Fixed(_) => Err(ApiError::method_not_allowed()),
    }
}

fn respond(reply: Reply) -> Response<ApiBody> {
    match reply {
        Reply::Json(code, value) => response(code, "application/json", ApiBody::json(&value)),
        Reply::Bytes(bytes) => response(StatusCode::OK, "application/json", ApiBody::full(bytes)),
        Reply::Typed(content_type, value) => {
            response(StatusCode::OK, content_type, ApiBody::json(&value))
        }
        Reply::Text(text) => response(
            StatusCode::OK,
            "text/plain; charset=utf-8",
            ApiBody::full(text.as_bytes().to_vec()),
        ),
        Reply::Stream(body) => response(StatusCode::OK, "application/json", body),
    }
}

fn refuse(error: &ApiError) -> Response<ApiBody> {
    let code = StatusCode::from_u16(error.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = response(code, "application/json", ApiBody::json(&error.status()));
    if let Some(seconds) = error.retry_after_s {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn response(code: StatusCode, content_type: &'static str, body: ApiBody) -> Response<ApiBody> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-cache, private"),
    );
    response
}
