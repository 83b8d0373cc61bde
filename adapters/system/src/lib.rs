//! This machine: its clock, its randomness, its private files, what its file systems allow, and
//! how SQLite files are told from each other.
//! It uses core alone, and is the one adapter that other adapters may use.

pub mod private_file;
mod read_only;
mod sqlite_mark;

use payops_core::Timestamp;
use payops_core::port::{Clock, Random};

pub use read_only::{sqlite_is_immutable, takes_files};
pub use sqlite_mark::SqliteMark;

/// The machine's clock, cut off to milliseconds: every store keeps just those.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn next_u64(&self) -> u64 {
        rand::random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_gives_whole_milliseconds() {
        assert_eq!(SystemClock.now().as_nanosecond() % 1_000_000, 0);
    }

    #[test]
    fn random_numbers_differ() {
        assert_ne!(
            (OsRandom.next_u64(), OsRandom.next_u64()),
            (OsRandom.next_u64(), OsRandom.next_u64())
        );
    }
}
