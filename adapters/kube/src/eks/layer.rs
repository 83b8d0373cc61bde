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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU32, Ordering};

    use kube::Client;
    use payops_core::port::{ErrorKind, Rollouts};
    use tower::ServiceBuilder;
    use tower::buffer::BufferLayer;

    use super::*;
    use crate::KubeRollouts;

    /// Tokens `t1`, `t2` and so on; none after `most`.
    struct Counted {
        made: Arc<AtomicU32>,
        most: u32,
    }

    #[async_trait]
    impl TokenSource for Counted {
        async fn token(&self) -> Result<SecretString, BoxError> {
            let made = self.made.fetch_add(1, Ordering::SeqCst) + 1;
            if made > self.most { Err("the session has ended".into()) } else { Ok(format!("t{made}").into()) }
        }
    }

    /// A cluster that takes tokens from `least` on, and the number of tokens made.
    fn cluster(least: Arc<AtomicU32>, most: u32) -> (KubeRollouts, Arc<AtomicU32>) {
        let made = Arc::new(AtomicU32::new(0));
        let service = tower::service_fn(move |request: Request<Body>| {
            let header = request.headers()[AUTHORIZATION].to_str().expect("a text").to_owned();
            let number: u32 = header.strip_prefix("Bearer t").expect("a token").parse().expect("a number");
            let code = if number >= least.load(Ordering::SeqCst) { 200 } else { 401 };
            let body = Body::from(br#"{"metadata": {}, "items": []}"#.to_vec());
            async move { Ok::<_, Infallible>(Response::builder().status(code).body(body).expect("a response")) }
        });
        let tokens = Arc::new(Tokens::new(Counted { made: Arc::clone(&made), most }));
        let service = ServiceBuilder::new().layer(TokenLayer(tokens)).layer(BufferLayer::new(8)).service(service);
        (KubeRollouts::from_client(Client::new(service, "default"), "prod", "test"), made)
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_used_for_ten_minutes() {
        let (rollouts, made) = cluster(Arc::default(), u32::MAX);
        rollouts.list().await.expect("a list");
        tokio::time::advance(Duration::from_secs(599)).await;
        rollouts.list().await.expect("a list");
        assert_eq!(made.load(Ordering::SeqCst), 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        rollouts.list().await.expect("a list");
        assert_eq!(made.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_not_accepted_is_replaced_at_once() {
        let least = Arc::new(AtomicU32::new(1));
        let (rollouts, made) = cluster(Arc::clone(&least), u32::MAX);
        rollouts.list().await.expect("a list");
        least.store(2, Ordering::SeqCst);
        rollouts.list().await.expect("a list");
        assert_eq!(made.load(Ordering::SeqCst), 2);
        least.store(9, Ordering::SeqCst);
        assert_eq!(rollouts.list().await.expect_err("refused").kind, ErrorKind::Denied);
        assert_eq!(made.load(Ordering::SeqCst), 3, "once, not for ever");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_session_it_is_denied() {
        let (rollouts, _) = cluster(Arc::default(), 0);
        let error = rollouts.list().await.expect_err("refused");
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Denied, "cluster prod: list rollouts: no credentials; sign in again"));
        assert!(error.chain().contains("the session has ended"), "{}", error.chain());
    }
}
