//! Repeating a pass, such as the relay's or the sweeper's, until told to stop.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use payops_core::domain::mask;
use payops_core::port::PortError;
use tokio_util::sync::CancellationToken;

use crate::{Backoff, Pulse, pause};

const PAUSE_MAX: Duration = Duration::from_mins(2);

#[derive(Debug, Default)]
pub struct Pass {
    pub done: usize,
    pub failure: Option<PortError>,
}

/// Makes a pass every `period` until `stop`; after a failure or a panic, later and later. The
/// pass under way at `stop` is dropped, which use cases allow at any point.
pub async fn repeat<F, P>(
    name: &'static str,
    period: Duration,
    stop: &CancellationToken,
    pulse: &Pulse,
    mut pass: F,
) where
    F: FnMut() -> P + Send,
    P: Future<Output = Pass> + Send,
{
    let mut backoff = Backoff::new(
        period.max(Duration::from_millis(100)),
        PAUSE_MAX.max(period),
    );
    while !stop.is_cancelled() {
        pulse.beat();
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            ended = AssertUnwindSafe(pass()).catch_unwind() => ended,
        };
        let failed = match ended {
            Ok(Pass { done, failure }) => {
                if done > 0 {
                    tracing::info!(pass = name, done, "pass made");
                }
                failure.map(|error| mask::text(&error.chain()))
            }
            Err(_) => Some("it panicked".to_owned()),
        };
        let delay = if let Some(error) = failed {
            tracing::warn!(pass = name, error, "pass failed");
            backoff.failed()
        } else {
            backoff.succeeded();
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
        let pulse = Pulse::new(Duration::from_mins(5));
        let ours = Arc::clone(&count);
        let pass = move || {
            let number = ours.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(number != 3, "the fourth pass panics");
                let failure = fails(number).then(|| PortError::new(ErrorKind::Unavailable, "down"));
                Pass { done: 0, failure }
            }
        };
        let end = stop.clone();
        tokio::join!(
            repeat("test", Duration::from_secs(1), &stop, &pulse, pass),
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
