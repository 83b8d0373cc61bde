//! How long to wait after a failure. No clock and no chance of its own: whoever waits hands in the
//! random numbers.

use std::time::Duration;

/// Delays that double with each failure in a row.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    /// Delays from `first` to at most `max`.
    #[must_use]
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self {
            first,
            max,
            failures: 0,
        }
    }

    /// The delay after one more failure, without jitter.
    pub fn next_delay(&mut self) -> Duration {
        let delay = exponential(self.first, self.max, self.failures);
        self.failures = self.failures.saturating_add(1);
        delay
    }

    /// The next failure is the first one again.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

/// `first`, doubled `doublings` times, at most `max`.
#[must_use]
pub fn exponential(first: Duration, max: Duration, doublings: u32) -> Duration {
    let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
    first.saturating_mul(factor).min(max)
}

/// A part of `most`, so that not all who failed together come back together: nothing for a `random`
/// of zero, and nearly all of it for the largest.
#[must_use]
pub fn jitter(most: Duration, random: u64) -> Duration {
    let share = most.as_nanos().saturating_mul(u128::from(random >> 32)) >> 32;
    Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
        let delays: Vec<u128> = (0..40).map(|_| backoff.next_delay().as_millis()).collect();
        assert_eq!(delays[..4], [100, 200, 400, 800]);
        assert!(delays[9..].iter().all(|delay| *delay == 30_000));
        backoff.reset();
        assert_eq!(backoff.next_delay(), Duration::from_millis(100));
    }

    #[test]
    fn jitter_is_a_part_of_what_it_is_taken_from() {
        let most = Duration::from_secs(8);
        assert_eq!(jitter(most, 0), Duration::ZERO);
        assert_eq!(jitter(most, 1 << 63), Duration::from_secs(4));
        let largest = jitter(most, u64::MAX);
        assert!(largest < most && largest > Duration::from_millis(7_999));
        assert!(jitter(Duration::MAX, u64::MAX) <= Duration::MAX);
    }
}
