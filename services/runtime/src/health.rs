//! The operations listener: `/livez`, `/readyz` and `/metrics`, apart from what customers reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Metrics;

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

/// Answers on `listener` for as long as it is polled: `/livez` with 200 while all `heartbeats` are
/// alive, `/readyz` also only until `stop`, both with 503 otherwise; `/metrics` with `metrics`.
pub async fn serve_health(
    listener: TcpListener,
    heartbeats: Vec<Heartbeat>,
    stop: CancellationToken,
    metrics: Metrics,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (alive, stopping) = (
                    heartbeats.iter().all(Heartbeat::is_alive),
                    stop.is_cancelled(),
                );
                let metrics = metrics.clone();
                tokio::spawn(async move {
                    // A probe that goes away is not news.
                    drop(
                        tokio::time::timeout(
                            PROBE_TIMEOUT,
                            answer(stream, alive, stopping, &metrics),
                        )
                        .await,
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

async fn answer(
    mut stream: TcpStream,
    alive: bool,
    stopping: bool,
    metrics: &Metrics,
) -> std::io::Result<()> {
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
    let (status, body) = match head.split(' ').nth(1) {
        Some("/livez") if alive => ("200 OK", String::new()),
        Some("/readyz") if alive && !stopping => ("200 OK", String::new()),
        Some("/livez" | "/readyz") => ("503 Service Unavailable", String::new()),
        Some("/metrics") => ("200 OK", metrics.render()),
        _ => ("404 Not Found", String::new()),
    };
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n\
         content-length: {}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n{body}",
        body.len()
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
        text
    }

    fn first_line(text: &str) -> &str {
        text.lines().next().unwrap_or_default()
    }

    #[tokio::test]
    async fn probes_follow_the_pulse_and_the_stop() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address");
        let (heartbeat, stop) = (
            Heartbeat::new(Duration::from_mins(1)),
            CancellationToken::new(),
        );
        let metrics = Metrics::new(&[payops_core::domain::metric::NOTIFIER]);
        metrics.expect_messages("notifications");
        let server = tokio::spawn(serve_health(
            listener,
            vec![heartbeat],
            stop.clone(),
            metrics,
        ));
        assert_eq!(first_line(&ask(at, "/livez").await), "HTTP/1.1 200 OK");
        assert_eq!(first_line(&ask(at, "/readyz").await), "HTTP/1.1 200 OK");
        assert_eq!(
            first_line(&ask(at, "/other").await),
            "HTTP/1.1 404 Not Found"
        );
        stop.cancel();
        assert_eq!(first_line(&ask(at, "/livez").await), "HTTP/1.1 200 OK");
        assert_eq!(
            first_line(&ask(at, "/readyz").await),
            "HTTP/1.1 503 Service Unavailable"
        );
        let text = ask(at, "/metrics").await;
        assert_eq!(first_line(&text), "HTTP/1.1 200 OK");
        let (head, body) = text.split_once("\r\n\r\n").expect("a body");
        assert!(
            head.contains(&format!("content-length: {}", body.len())),
            "{head}"
        );
        assert!(
            body.contains("payops_dead_letters_total{queue=\"notifications\"} 0\n"),
            "{body}"
        );
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
