//! Randomness that can be repeated, and a salt that cannot.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use payops_core::port::Random;

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// splitmix64: the same seed gives the same numbers.
#[derive(Debug)]
pub struct SeededRandom {
    state: AtomicU64,
}

impl SeededRandom {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            state: AtomicU64::new(seed),
        }
    }
}

impl Random for SeededRandom {
    fn next_u64(&self) -> u64 {
        mix(self
            .state
            .fetch_add(STEP, Ordering::Relaxed)
            .wrapping_add(STEP))
    }
}

/// The output function of splitmix64: a bijection that leaves no visible order.
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A salt for suites that run against a store which outlives them: differs on every call.
#[must_use]
pub fn fresh_salt() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let calls = CALLS.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    mix(
        u64::try_from(since.as_nanos() & u128::from(u64::MAX)).unwrap_or(0)
            ^ (u64::from(std::process::id()) << 40),
    )
    .wrapping_add(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        let random = SeededRandom::new(1_234_567);
        let numbers: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn salts_differ() {
        assert_ne!(fresh_salt(), fresh_salt());
    }
}
