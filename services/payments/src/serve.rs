//! The accept loop: HTTP/1.1 with limits for slow clients, and a graceful shutdown.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::write_timeout::WriteTimeoutStream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeLimits {
    /// Connections open at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// How long a client may take to send a request's head, and how long an idle connection is
    /// kept.
    pub head: Duration,
    /// The largest request head, in bytes.
    pub head_bytes: usize,
    /// How long a client may go without taking a byte of its answer before the connection is reset.
    pub unread: Duration,
    /// How long open requests are waited for after the stop.
    pub drain: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head: Duration::from_secs(10),
            head_bytes: 16 * 1024,
            unread: Duration::from_secs(20),
            drain: Duration::from_secs(25),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeSummary {
    /// Connections closed at the end of the drain with a request still open.
    pub cut_off: usize,
}

/// How long, and for how many bytes, a connection that the server closes is still read from.
/// Closing a socket with unread bytes makes the kernel reset it, and a client that is still
/// sending (a body that was refused) would lose the answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 32 * 1024 * 1024;

const SLOW_HEAD: &str = concat!(
    "HTTP/1.1 408 Request Timeout\r\n",
    "content-type: application/problem+json\r\n",
    "connection: close\r\n",
    "cache-control: no-store\r\n",
    "x-content-type-options: nosniff\r\n",
);

/// Serves `router` on `listener` until `shutdown`. Then it accepts nothing more, closes idle
/// connections, waits up to `limits.drain` for open requests, and closes the rest.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
    limits: ServeLimits,
) -> ServeSummary {
    let permits = Arc::new(Semaphore::new(limits.connections.max(1)));
    let connections = TaskTracker::new();
    let cut_off = CancellationToken::new();
    let server = Server {
        router,
        shutdown: shutdown.clone(),
        limits,
    };
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        match accepted {
            Ok((stream, permit)) => {
                let (server, cut_off) = (server.clone(), cut_off.clone());
                connections.spawn(async move {
                    tokio::select! {
                        () = cut_off.cancelled() => {}
                        () = server.serve_connection(stream, permit) => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(error = error.to_string(), "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    let in_time = tokio::time::timeout(limits.drain, connections.wait()).await;
    let unfinished = if in_time.is_ok() {
        0
    } else {
        connections.len()
    };
    if unfinished > 0 {
        tracing::warn!(
            connections = unfinished,
            "drain timed out; closed connections with open requests"
        );
        cut_off.cancel();
        connections.wait().await;
    }
    ServeSummary {
        cut_off: unfinished,
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

#[derive(Clone)]
struct Server {
    router: Router,
    shutdown: CancellationToken,
    limits: ServeLimits,
}

impl Server {
    async fn serve_connection(self, stream: TcpStream, _permit: OwnedSemaphorePermit) {
        // Responses are small: send them at once rather than collect them.
        drop(stream.set_nodelay(true));
        let router = self.router.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            Box::pin(router.clone().oneshot(request))
        });
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_header_size(self.limits.head_bytes)
            .half_close(true);
        let mut connection = builder.serve_connection(
            TokioIo::new(WriteTimeoutStream::new(stream, self.limits.unread)),
            service,
        );
        let mut shutdown_begun = false;
        let ended = loop {
            tokio::select! {
                biased;
                ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break ended,
                () = self.shutdown.cancelled(), if !shutdown_begun => {
                    shutdown_begun = true;
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                }
            }
        };
        let parts = connection.into_parts();
        let Some(mut stream) = parts.io.into_inner().into_inner() else {
            tracing::info!("reset a connection whose client stopped reading");
            return;
        };
        let slow_head =
            ended.as_ref().is_err_and(hyper::Error::is_timeout) && !parts.read_buf.is_empty();
        if slow_head {
            // hyper closes without a response; a client that has sent part of its head gets one.
            drop(
                tokio::time::timeout(LINGER, stream.write_all(slow_head_response().as_bytes()))
                    .await,
            );
        }
        linger(stream).await;
    }
}

fn slow_head_response() -> String {
    let id = payops_core::domain::request::request_id(payops_core::port::Random::next_u64(
        &payops_runtime::OsRandom,
    ));
    let problem = crate::api::Problem::new(
        &crate::api::ApiError::new(
            crate::api::Code::RequestTimeout,
            "the request's headers took too long to arrive",
        ),
        &id,
    );
    let body = serde_json::to_string(&problem).unwrap_or_default();
    format!(
        "{SLOW_HEAD}x-request-id: {id}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let drained = async {
        let mut scratch = vec![0_u8; 16 * 1024];
        let mut left = LINGER_BYTES;
        while left > 0 {
            match stream.read(&mut scratch).await {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
    };
    drop(tokio::time::timeout(LINGER, drained).await);
}
