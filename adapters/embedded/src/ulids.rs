//! Names that sort by time.

use payops_core::port::{Clock, Random};

/// A new name that sorts by time: 26 characters.
pub(crate) fn new_ulid(clock: &dyn Clock, random: &dyn Random) -> String {
    let at_ms = u64::try_from(clock.now().as_millisecond()).unwrap_or(0);
    let random = (u128::from(random.next_u64()) << 64) | u128::from(random.next_u64());
    ulid::Ulid::from_parts(at_ms, random).to_string()
}
