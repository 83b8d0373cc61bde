//! How long to wait after a failure.

use std::time::Duration;

use payops_core::domain::backoff::{self, jitter};

/// Exponential delays with jitter, so that many processes do not come back at the same moment.
#[derive(Clone, Debug)]
pub struct Backoff(backoff::Backoff);

impl Backoff {
    /// Starts at `first` and doubles with each failure in a row, up to `max`.
    #[must_use]
    pub fn new(first: Duration, max: Duration) -> Self {
        Self(backoff::Backoff::new(first, max))
    }

    /// The delay after one more failure; between half of the exponential value and all of it.
    pub fn next_delay(&mut self) -> Duration {
        let half = self.0.next_delay() / 2;
        half + jitter(half, rand::random())
    }

    pub fn reset(&mut self) {
        self.0.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_limit_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
        let delays: Vec<Duration> = (0..40).map(|_| backoff.next_delay()).collect();
        assert!(delays[0] <= Duration::from_millis(100) && delays[0] >= Duration::from_millis(50));
        assert!(delays[39] <= Duration::from_secs(30) && delays[39] >= Duration::from_secs(15));
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_millis(100));
    }
}
