//! Repeats a pass, such as the relay's or the sweeper's, until it is stopped.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use payops_core::domain::mask;
use payops_core::port::PortError;
use tokio_util::sync::CancellationToken;

use crate::{Backoff, Heartbeat, pause};

const PAUSE_MAX: Duration = Duration::from_mins(2);

#[derive(Debug, Default)]
pub struct PassOutcome {
    pub done: usize,
    pub failure: Option<PortError>,
}

/// Runs `pass` every `period` until `stop`, and backs off after failures and panics. The pass
/// under way at `stop` is dropped, which use cases allow at any point.
pub async fn repeat<F, P>(
    name: &'static str,
    period: Duration,
    stop: &CancellationToken,
    heartbeat: &Heartbeat,
    mut pass: F,
) where
    F: FnMut() -> P + Send,
    P: Future<Output = PassOutcome> + Send,
{
    let mut backoff = Backoff::new(
        period.max(Duration::from_millis(100)),
        PAUSE_MAX.max(period),
    );
    while !stop.is_cancelled() {
        heartbeat.beat();
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            ended = AssertUnwindSafe(pass()).catch_unwind() => ended,
        };
        let error = match ended {
            Ok(PassOutcome { done, failure }) => {
                if done > 0 {
                    tracing::info!(pass = name, done, "pass completed");
                }
                failure.map(|error| mask::text(&error.chain()))
            }
            Err(_) => Some("the pass panicked".to_owned()),
        };
        let delay = if let Some(error) = error {
            tracing::warn!(pass = name, error, "pass failed");
            backoff.next_delay()
        } else {
            backoff.reset();
            period
        };
        pause(delay, stop).await;
    }
    tracing::info!(pass = name, "stopped");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use payops_core::port::ErrorKind;

    use super::*;

    /// How many passes are made in `minutes`, when those of which `fails` says so fail.
    async fn passes(minutes: u64, fails: fn(usize) -> bool) -> usize {
        let count = Arc::new(AtomicUsize::new(0));
        let stop = CancellationToken::new();
        let heartbeat = Heartbeat::new(Duration::from_mins(5));
        let ours = Arc::clone(&count);
        let pass = move || {
            let number = ours.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(number != 3, "the fourth pass panics");
                let failure = fails(number).then(|| PortError::new(ErrorKind::Unavailable, "down"));
                PassOutcome { done: 0, failure }
            }
        };
        let end = stop.clone();
        tokio::join!(
            repeat("test", Duration::from_secs(1), &stop, &heartbeat, pass),
            async move {
                tokio::time::sleep(Duration::from_mins(minutes)).await;
                end.cancel();
            }
        );
        count.load(Ordering::SeqCst)
    }

    #[tokio::test(start_paused = true)]
    async fn passes_go_on_after_a_panic() {
        let count = passes(1, |_| false).await;
        assert!((59..=61).contains(&count), "{count}");
    }

    #[tokio::test(start_paused = true)]
    async fn failing_passes_get_rarer() {
        let count = passes(10, |_| true).await;
        assert!((8..=30).contains(&count), "{count}");
    }
}
