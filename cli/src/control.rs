//! What steers a replay from the command line: Ctrl-C, the rate, the bar.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use indicatif::ProgressBar;
use payops_core::usecase::{Control, ReplaySummary};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub(crate) struct Pace {
    each: Option<Duration>,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// At most so many a second; `None` for no limit.
    pub(crate) fn new(rate_per_second: Option<u32>) -> Self {
        let each = rate_per_second
            .filter(|rate| *rate > 0)
            .map(|rate| Duration::from_secs(1) / rate);
        Self {
            each,
            next: Mutex::new(None),
        }
    }

    /// Waits until so many more may go.
    pub(crate) async fn take(&self, messages: usize) {
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

pub(crate) type Tell = Box<dyn Fn(&ReplaySummary) + Send + Sync>;

pub(crate) struct CliControl {
    pub(crate) stop: CancellationToken,
    pub(crate) pace: Pace,
    pub(crate) bar: ProgressBar,
    pub(crate) tell: Tell,
    pub(crate) alarms:
        Box<dyn Fn() -> futures::future::BoxFuture<'static, Vec<String>> + Send + Sync>,
}

#[async_trait]
impl Control for CliControl {
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

    fn told(&self, summary: &ReplaySummary) {
        (self.tell)(summary);
    }

    async fn alarms(&self) -> Vec<String> {
        (self.alarms)().await
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
