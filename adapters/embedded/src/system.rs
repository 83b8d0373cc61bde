//! The machine's clock and randomness.

use payops_core::Timestamp;
use payops_core::port::{Clock, Random};

/// The machine's clock, cut off to milliseconds: every store keeps just those.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

/// A cryptographic generator seeded by the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn next_u64(&self) -> u64 {
        rand::random()
    }
}

/// A new name that sorts by time: 26 characters.
pub(crate) fn new_ulid(clock: &dyn Clock, random: &dyn Random) -> String {
    let at_ms = u64::try_from(clock.now().as_millisecond()).unwrap_or(0);
    let random = (u128::from(random.next_u64()) << 64) | u128::from(random.next_u64());
    ulid::Ulid::from_parts(at_ms, random).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_gives_whole_milliseconds() {
        assert_eq!(SystemClock.now().subsec_nanosecond() % 1_000_000, 0);
    }

    #[test]
    fn random_numbers_differ() {
        assert_ne!((OsRandom.next_u64(), OsRandom.next_u64()), (OsRandom.next_u64(), OsRandom.next_u64()));
    }
}
