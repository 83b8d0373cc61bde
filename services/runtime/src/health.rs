//! `/livez` and `/readyz`, for processes that serve no other HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether a loop still turns. It beats once a turn; one whose last beat is too long ago is stuck.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    started: Instant,
    last_ms: Arc<AtomicU64>,
    limit: Duration,
}

impl Heartbeat {
    /// Counts as alive for `limit` after its last beat.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self {
            started: Instant::now(),
            last_ms: Arc::new(AtomicU64::new(0)),
            limit,
        }
    }

    pub fn beat(&self) {
        self.last_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    #[must_use]
    pub fn is_alive(&self) -> bool {
        let silent_ms = self
            .now_ms()
            .saturating_sub(self.last_ms.load(Ordering::Relaxed));
        Duration::from_millis(silent_ms) <= self.limit
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Answers probes on `listener` for as long as it is polled: `/livez` with 200 while all
/// `heartbeats` are alive, `/readyz` also only until `stop`; both with 503 otherwise.
pub async fn serve_health(
    listener: TcpListener,
    heartbeats: Vec<Heartbeat>,
    stop: CancellationToken,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (alive, stopping) = (
                    heartbeats.iter().all(Heartbeat::is_alive),
                    stop.is_cancelled(),
                );
                tokio::spawn(async move {
                    // A probe that goes away is not news.
                    drop(
                        tokio::time::timeout(PROBE_TIMEOUT, answer(stream, alive, stopping)).await,
                    );
                });
            }
            Err(error) => {
                tracing::warn!(
                    error = error.to_string(),
                    "could not accept a probe's connection"
                );
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream, alive: bool, stopping: bool) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(512);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut part = [0_u8; 512];
        let count = stream.read(&mut part).await?;
        if count == 0 || head.len() > 4096 {
            return Ok(());
        }
        head.extend(part.iter().take(count));
    }
    let head = String::from_utf8_lossy(&head);
    let status = match head.split(' ').nth(1) {
        Some("/livez") if alive => "200 OK",
        Some("/readyz") if alive && !stopping => "200 OK",
        Some("/livez" | "/readyz") => "503 Service Unavailable",
        _ => "404 Not Found",
    };
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-length: 0\r\ncache-control: no-store\r\nconnection: \
            close\r\n\r\n"
    );
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(listener_at: std::net::SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(listener_at).await.expect("a connection");
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
            .await
            .expect("asked");
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("an answer");
        text.lines().next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn probes_follow_the_pulse_and_the_stop() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let (heartbeat, stop) = (
            Heartbeat::new(Duration::from_mins(1)),
            CancellationToken::new(),
        );
        let server = tokio::spawn(serve_health(listener, vec![heartbeat], stop.clone()));
        assert_eq!(ask(at, "/livez").await, "HTTP/1.1 200 OK");
        assert_eq!(ask(at, "/readyz").await, "HTTP/1.1 200 OK");
        assert_eq!(ask(at, "/other").await, "HTTP/1.1 404 Not Found");
        stop.cancel();
        assert_eq!(ask(at, "/livez").await, "HTTP/1.1 200 OK");
        assert_eq!(ask(at, "/readyz").await, "HTTP/1.1 503 Service Unavailable");
        server.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stands_still_is_not_alive() {
        let heartbeat = Heartbeat::new(Duration::from_mins(2));
        tokio::time::advance(Duration::from_mins(3)).await;
        assert!(!heartbeat.is_alive());
        heartbeat.beat();
        assert!(heartbeat.is_alive());
    }
}
