//! How long to wait after a failure.

use std::time::Duration;

/// Exponential delays with jitter, so that many processes do not come back at the same moment.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    /// Delays from `first`, doubled with each failure in a row, at most `max`.
    #[must_use]
    pub fn new(first: Duration, max: Duration) -> Self {
        Self {
            first,
            max,
            failures: 0,
        }
    }

    /// The delay after one more failure; between half of the exponential value and all of it.
    pub fn failed(&mut self) -> Duration {
        let whole = self
            .first
            .saturating_mul(1_u32 << self.failures.min(20))
            .min(self.max);
        self.failures = self.failures.saturating_add(1);
        let half = whole / 2;
        half + half.mul_f64(rand::random::<f64>())
    }

    pub fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_limit_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
        let delays: Vec<Duration> = (0..40).map(|_| backoff.failed()).collect();
        assert!(delays[0] <= Duration::from_millis(100) && delays[0] >= Duration::from_millis(50));
        assert!(delays[39] <= Duration::from_secs(30) && delays[39] >= Duration::from_secs(15));
        backoff.succeeded();
        assert!(backoff.failed() <= Duration::from_millis(100));
    }
}
