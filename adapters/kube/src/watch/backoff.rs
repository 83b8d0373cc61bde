//! How long to wait after a failure: longer each time, and not for all at the same moment.

use std::time::Duration;

use crate::api::Timing;

/// Waits that double.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    min: Duration,
    max: Duration,
}

impl Backoff {
    pub(crate) fn new(timing: &Timing) -> Self {
        Self { next: timing.backoff_min, min: timing.backoff_min, max: timing.backoff_max }
    }

    /// All is well again.
    pub(crate) fn reset(&mut self) {
        self.next = self.min;
    }

    /// The next wait: up to half as long again as its turn, never shorter than `at_least`.
    pub(crate) fn wait(&mut self, at_least: Option<Duration>) -> Duration {
        let turn = self.next;
        self.next = turn.saturating_mul(2).min(self.max);
        let wait = turn.mul_f64(rand::random_range(1.0..1.5));
        at_least.map_or(wait, |least| wait.max(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::new(&Timing::default());
        let turns: Vec<Duration> = (0..10).map(|_| backoff.wait(None)).collect();
        for (place, turn) in turns.iter().enumerate() {
            let least = Duration::from_millis(800 << place).min(Duration::from_secs(30));
            assert!(*turn >= least && *turn <= least * 3 / 2, "{place}: {turn:?}");
        }
        backoff.reset();
        assert!(backoff.wait(None) < Duration::from_millis(1200));
        assert_eq!(backoff.wait(Some(Duration::from_secs(90))), Duration::from_secs(90));
    }
}
