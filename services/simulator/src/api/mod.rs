//! The API server: requests to responses.

mod body;
mod discovery;
mod list_options;
mod objects;
mod path;
mod watch;

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};

use crate::table::IncludeObject;
use crate::{ApiError, Cluster};

pub use body::ApiBody;
use path::{PathTarget, QueryParams};

/// The largest request body in bytes, as in a real API server.
const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The API as a service, for `kube::Client::new(service, "default")` or a socket.
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

type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response<ApiBody>, Infallible>> + Send>>;

impl<B> tower::Service<Request<B>> for ApiService
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<ApiBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let cluster = self.cluster.clone();
        Box::pin(async move { Ok(answer(&cluster, request).await) })
    }
}

pub(crate) struct ApiRequest {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) target: PathTarget,
    pub(crate) query: QueryParams,
    pub(crate) body: Vec<u8>,
}

impl ApiRequest {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Parses the body. Clients send JSON, so other types are refused.
    pub(crate) fn json(&self) -> Result<Value, ApiError> {
        let content_type = self.header(header::CONTENT_TYPE);
        if !content_type.is_empty() && !content_type.starts_with("application/json") {
            return Err(ApiError::unsupported_media_type("application/json"));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| ApiError::bad_request(format!("the body is not JSON: {error}")))
    }

    /// The first representation of the `Accept` header that is supported.
    pub(crate) fn representation(&self) -> Representation {
        let include = match self.query.get("includeObject") {
            Some("None") => IncludeObject::None,
            Some("Object") => IncludeObject::Object,
            _ => IncludeObject::Metadata,
        };
        for media_type in self.header(header::ACCEPT).split(',') {
            let parameter = |name: &str| {
                media_type.split(';').find_map(|part| {
                    part.trim()
                        .strip_prefix(name)
                        .and_then(|rest| rest.strip_prefix('='))
                })
            };
            match (parameter("as"), parameter("v"), parameter("g")) {
                (Some("Table"), Some("v1"), Some("meta.k8s.io")) => {
                    return Representation::Table(include);
                }
                (
                    Some("PartialObjectMetadata" | "PartialObjectMetadataList"),
                    Some("v1"),
                    Some("meta.k8s.io"),
                ) => return Representation::Metadata,
                (None, ..) => return Representation::Object,
                _ => {}
            }
        }
        Representation::Object
    }

    pub(crate) fn accepts(&self, what: &str) -> bool {
        self.header(header::ACCEPT).contains(what)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Representation {
    Object,
    Table(IncludeObject),
    Metadata,
}

pub(crate) enum ApiReply {
    Json(StatusCode, Value),
    /// Serialized JSON, with status 200.
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
    if let Some((in_path, rest)) = path::split_token(&raw_path) {
        token = token.or(Some(in_path));
        raw_path = rest;
    }
    let query = QueryParams::parse(parts.uri.query().unwrap_or_default());
    let target = path::parse_path(&raw_path);
    let mut denied = None;
    if let Some(PathTarget::Objects(at)) = &target {
        let verb = at.verb(&parts.method, query.flag("watch"));
        cluster.faults().count_request(verb, &at.resource());
        if cluster.faults().is_denied(verb, &at.resource()) {
            denied = Some(ApiError::forbidden(verb, &at.resource()));
        }
    }
    if let Some(wait) = cluster.faults().stall_duration() {
        tokio::time::sleep(wait).await;
    }
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(error) => {
            return refuse(&ApiError::new(
                413,
                "RequestEntityTooLarge",
                format!("could not read the body: {error}"),
            ));
        }
    };
    if let Err(error) = cluster.faults().check_request(token.as_deref()) {
        return refuse(&error);
    }
    if let Some(error) = denied {
        return refuse(&error);
    }
    let Some(target) = target else {
        return refuse(&ApiError::path_not_found());
    };
    let request = ApiRequest {
        method: parts.method,
        headers: parts.headers,
        target,
        query,
        body,
    };
    match handle(cluster, &request) {
        Ok(reply) => respond(reply),
        Err(error) => refuse(&error),
    }
}

fn handle(cluster: &Cluster, request: &ApiRequest) -> Result<ApiReply, ApiError> {
    match &request.target {
        PathTarget::Objects(at) => objects::handle(cluster, request, at),
        PathTarget::AccessReview => {
            if request.method != Method::POST {
                return Err(ApiError::method_not_allowed());
            }
            cluster
                .faults()
                .count_request("create", "selfsubjectaccessreviews");
            // kubectl sends this in protobuf and accepts JSON in return: who asks that way is told
            // yes.
            let in_protobuf = request
                .header(header::CONTENT_TYPE)
                .starts_with("application/vnd.kubernetes.protobuf");
            let empty_review = || {
                json!({
                    "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                    "metadata": {}, "spec": {},
                })
            };
            let mut review = if in_protobuf {
                empty_review()
            } else {
                request.json()?
            };
            if !review.is_object() {
                return Err(ApiError::bad_request(
                    "the body is not a SelfSubjectAccessReview",
                ));
            }
            let asked = |name: &str| {
                let path = format!("/spec/resourceAttributes/{name}");
                let value = review.pointer(&path).and_then(Value::as_str);
                value.unwrap_or_default().to_owned()
            };
            let resource = match (asked("resource"), asked("subresource")) {
                (resource, subresource) if subresource.is_empty() => resource,
                (resource, subresource) => format!("{resource}/{subresource}"),
            };
            review["status"] = if cluster.faults().is_denied(&asked("verb"), &resource) {
                json!({"allowed": false, "reason": "it is denied to everybody"})
            } else {
                json!({"allowed": true, "reason": "a token of the simulator allows the rest"})
            };
            Ok(ApiReply::Json(StatusCode::CREATED, review))
        }
        PathTarget::Static(path) if request.method == Method::GET => {
            discovery::handle(request, path).ok_or_else(ApiError::path_not_found)
        }
        PathTarget::Static(_) => Err(ApiError::method_not_allowed()),
    }
}

fn respond(reply: ApiReply) -> Response<ApiBody> {
    match reply {
        ApiReply::Json(code, value) => response(code, "application/json", ApiBody::json(&value)),
        ApiReply::Bytes(bytes) => {
            response(StatusCode::OK, "application/json", ApiBody::full(bytes))
        }
        ApiReply::Typed(content_type, value) => {
            response(StatusCode::OK, content_type, ApiBody::json(&value))
        }
        ApiReply::Text(text) => response(
            StatusCode::OK,
            "text/plain; charset=utf-8",
            ApiBody::full(text.as_bytes().to_vec()),
        ),
        ApiReply::Stream(body) => response(StatusCode::OK, "application/json", body),
    }
}

fn refuse(error: &ApiError) -> Response<ApiBody> {
    let code = StatusCode::from_u16(error.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = response(code, "application/json", ApiBody::json(&error.to_status()));
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
