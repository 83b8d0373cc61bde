//! Adds the token to every request, and gets another when it is old or not accepted.
//!
//! The service under it must be `Clone`: put a `BufferLayer` between this and kube's own stack.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, StatusCode};
use kube::client::Body;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tower::{BoxError, Layer, Service, ServiceExt};

use crate::api::fail::NoIdentity;

/// How old a token may become.
const AGE_MAX: Duration = Duration::from_mins(10);

/// Where tokens come from.
#[async_trait]
pub(super) trait TokenSource: Send + Sync {
    /// A new token.
    async fn token(&self) -> Result<SecretString, BoxError>;
}

struct Held {
    token: SecretString,
    since: Instant,
}

/// The token that is used now.
pub(super) struct Tokens {
    source: Box<dyn TokenSource>,
    held: Mutex<Option<Held>>,
}

impl Tokens {
    pub(super) fn new(source: impl TokenSource + 'static) -> Self {
        Self { source: Box::new(source), held: Mutex::default() }
    }

    /// The token as a header; never the one that was `refused`. One request asks, the others wait for it.
    async fn header(&self, refused: Option<&HeaderValue>) -> Result<HeaderValue, BoxError> {
        let mut held = self.held.lock().await;
        if let Some(Held { token, since }) = &*held
            && since.elapsed() < AGE_MAX
        {
            let header = bearer(token)?;
            if refused != Some(&header) {
                return Ok(header);
            }
        }
        let token = self.source.token().await.map_err(NoIdentity)?;
        let header = bearer(&token)?;
        *held = Some(Held { token, since: Instant::now() });
        Ok(header)
    }
}

fn bearer(token: &SecretString) -> Result<HeaderValue, BoxError> {
    let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))?;
    header.set_sensitive(true);
    Ok(header)
}

/// Puts [`WithToken`] over a service.
#[derive(Clone)]
pub(super) struct TokenLayer(pub(super) Arc<Tokens>);

impl<S> Layer<S> for TokenLayer {
    type Service = WithToken<S>;

    fn layer(&self, inner: S) -> WithToken<S> {
        WithToken { inner, tokens: Arc::clone(&self.0) }
    }
}

/// A service whose requests carry the token.
#[derive(Clone)]
pub(super) struct WithToken<S> {
    inner: S,
    tokens: Arc<Tokens>,
}

impl<S, B> Service<Request<Body>> for WithToken<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // The clone that makes the call waits for its own turn.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (inner, tokens) = (self.inner.clone(), Arc::clone(&self.tokens));
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let again = body.try_clone().map(|body| (parts.clone(), body));
            let header = tokens.header(None).await?;
            parts.headers.insert(AUTHORIZATION, header.clone());
            let answer = inner.clone().oneshot(Request::from_parts(parts, body)).await?;
            // A request that is not accepted had no effect: it may be made again, once.
            let Some((mut parts, body)) = again.filter(|_| answer.status() == StatusCode::UNAUTHORIZED) else { return Ok(answer) };
            drop(answer);
            parts.headers.insert(AUTHORIZATION, tokens.header(Some(&header)).await?);
            inner.oneshot(Request::from_parts(parts, body)).await
        })
    }
}
