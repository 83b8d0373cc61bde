//! A layer that says who asks, with each request.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use tower::{BoxError, Layer, Service};

use super::token::Tokens;
use crate::api::fail::NoIdentity;

/// Adds a token to each request, and forgets one that is refused.
#[derive(Clone)]
pub(super) struct AuthLayer {
    pub(super) tokens: Arc<Tokens>,
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService {
            inner,
            tokens: Arc::clone(&self.tokens),
        }
    }
}

#[derive(Clone)]
pub(super) struct AuthService<S> {
    inner: S,
    tokens: Arc<Tokens>,
}

impl<S, A, B> Service<Request<A>> for AuthService<S>
where
    S: Service<Request<A>, Response = Response<B>, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send + 'static,
    A: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        // The service that was made ready is the one to call; the clone has to be asked again.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let tokens = Arc::clone(&self.tokens);
        Box::pin(async move {
            let bearer = tokens
                .bearer()
                .await
                .map_err(|error| BoxError::from(NoIdentity(error)))?;
            request.headers_mut().insert(AUTHORIZATION, bearer.clone());
            let response = inner.call(request).await?;
            if response.status() == StatusCode::UNAUTHORIZED {
                tokens.forget(&bearer).await;
            }
            Ok(response)
        })
    }
}
