//! Serves the API of a cluster over HTTP.

use std::io;
use std::net::SocketAddr;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Cluster;

/// Serves the API of a cluster until it is dropped or stopped; [`Server::stop`] also waits.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Cluster {
    /// Serves the API over plain HTTP; port 0 takes a free port. Requests must carry `token` as a
    /// bearer token or as a path prefix `/token/TOKEN`: kubectl sends no bearer token without TLS.
    /// An empty token allows all requests.
    pub async fn serve(&self, address: SocketAddr, token: &str) -> io::Result<Server> {
        let listener = TcpListener::bind(address).await?;
        self.faults()
            .require_token(Some(token).filter(|token| !token.is_empty()));
        let server = Server {
            address: listener.local_addr()?,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        server.tasks.spawn(accept(
            self.clone(),
            listener,
            server.stop.clone(),
            server.tasks.clone(),
        ));
        Ok(server)
    }
}

impl Server {
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops accepting connections, ends open watches and answers requests under way.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(
    cluster: Cluster,
    listener: TcpListener,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let stream = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match stream {
            Ok((stream, _)) => {
                drop(tasks.spawn(serve_connection(cluster.clone(), stream, stop.clone())));
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection to the simulated cluster");
                // Out of file descriptors: retrying at once would spin.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve_connection(cluster: Cluster, stream: TcpStream, stop: CancellationToken) {
    // Watches send small chunks; without this they wait for more.
    drop(stream.set_nodelay(true));
    let service = TowerToHyperService::new(cluster.service());
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            // A watch never ends by itself; any other response takes no time.
            let waited = tokio::time::timeout(std::time::Duration::from_millis(200), serving).await;
            waited.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the simulated cluster ended early");
    }
}
