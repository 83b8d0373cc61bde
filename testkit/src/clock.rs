//! A clock that only moves when it is told to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use payops_core::Timestamp;
use payops_core::port::Clock;

/// A clock to turn by hand. Clones share their time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: Arc<Mutex<Timestamp>>,
}

impl ManualClock {
    /// Where every new clock stands, in seconds since 1970: 2026-11-22T12:00:00Z.
    pub const START_SECONDS: i64 = 1_795_348_800;

    #[must_use]
    pub fn new() -> Self {
        Self::at(Self::start())
    }

    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self {
            now: Arc::new(Mutex::new(now)),
        }
    }

    #[must_use]
    pub fn start() -> Timestamp {
        Timestamp::from_second(Self::START_SECONDS).expect("within range")
    }

    /// Puts the clock to `now`, which may be earlier.
    pub fn set(&self, now: Timestamp) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.checked_add(by).expect("within range");
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_only_when_told_to() {
        let clock = ManualClock::new();
        let other = clock.clone();
        assert_eq!(clock.now(), "2026-11-22T12:00:00Z".parse().expect("a time"));
        other.advance(Duration::from_secs(5));
        assert_eq!(clock.now(), "2026-11-22T12:00:05Z".parse().expect("a time"));
    }
}
