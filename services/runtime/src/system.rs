//! The machine's clock and randomness.

use payops_core::Timestamp;
use payops_core::port::{Clock, Random};

/// The machine's clock, cut to milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

/// Unpredictable randomness, seeded by the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn next_u64(&self) -> u64 {
        rand::random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_has_no_more_than_milliseconds() {
        assert_eq!(SystemClock.now().as_nanosecond() % 1_000_000, 0);
    }

    #[test]
    fn chance_differs() {
        assert_ne!(SystemRandom.next_u64(), SystemRandom.next_u64());
    }
}
