//! How a replay or discard is controlled: when to stop, the rate, who hears of progress.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use payops_core::usecase::{Control, ReplaySummary};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::consumer::ConsumerWatch;

#[derive(Debug)]
pub struct Pace {
    each: Option<Duration>,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// At most so many a second; `None` for no limit.
    #[must_use]
    pub fn new(rate_per_second: Option<u32>) -> Self {
        let each = rate_per_second
            .filter(|rate| *rate > 0)
            .map(|rate| Duration::from_secs(1) / rate);
        Self {
            each,
            next: Mutex::new(None),
        }
    }

    /// Waits until so many more may go.
    pub async fn take(&self, messages: usize) {
        let Some(each) = self.each else { return };
        let at = {
            let mut next = self
                .next
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let at = next.map_or_else(Instant::now, |next| next.max(Instant::now()));
            *next = Some(at + each.saturating_mul(u32::try_from(messages).unwrap_or(u32::MAX)));
            at
        };
        tokio::time::sleep_until(at).await;
    }
}

/// Hears of each batch that is settled.
pub type OnProgress = Box<dyn Fn(&ReplaySummary) + Send + Sync>;

/// How a replay or discard is run.
pub struct RunOptions {
    /// How many batches are moved at the same time.
    pub lanes: usize,
    /// Tells it to stop.
    pub stop: CancellationToken,
    pub on_progress: OnProgress,
}

pub(super) struct ReplayControl {
    pub(super) stop: CancellationToken,
    pub(super) pace: Pace,
    pub(super) on_progress: OnProgress,
    pub(super) watch: Option<ConsumerWatch>,
}

#[async_trait]
impl Control for ReplayControl {
    fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    async fn pace(&self, messages: usize) {
        self.stop
            .run_until_cancelled(self.pace.take(messages))
            .await;
    }

    async fn pause(&self, time: Duration) {
        self.stop
            .run_until_cancelled(tokio::time::sleep(time))
            .await;
    }

    fn on_progress(&self, summary: &ReplaySummary) {
        (self.on_progress)(summary);
    }

    async fn alarms(&self) -> Vec<String> {
        match &self.watch {
            Some(watch) => watch.alarms().await,
            None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_kept_by_all_lanes_together() {
        let pace = Pace::new(Some(10));
        let start = Instant::now();
        futures::future::join_all((0..5).map(|_| pace.take(10))).await;
        assert_eq!(
            start.elapsed(),
            Duration::from_secs(4),
            "the fifth batch begins after forty messages' time"
        );
        let free = Pace::new(None);
        let start = Instant::now();
        free.take(1_000_000).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
