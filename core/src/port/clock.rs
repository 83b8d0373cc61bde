//! Time and chance.

use crate::Timestamp;

/// What time it is. Milliseconds are enough; adapters cut off the rest.
pub trait Clock: Send + Sync {
    /// The time in UTC; it may jump when the system clock is set.
    fn now(&self) -> Timestamp;
}

/// Where randomness comes from.
pub trait Random: Send + Sync {
    /// 64 random bits. Unpredictable in production, seeded in tests.
    fn next_u64(&self) -> u64;
}
