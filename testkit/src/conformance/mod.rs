//! One suite per port: every sentence of a port's documentation, checked.

pub mod archive;
pub mod bus;
pub mod index;
pub mod keys;
pub mod ledger;
pub mod mailer;
pub mod provider;
pub mod queues;
pub mod secrets;
pub mod store;

use std::time::Duration;

use crate::random::mix;

/// How long a read that may be behind is given to catch up.
const LAG: Duration = Duration::from_secs(10);

/// Numbers for [`crate::sample`] that differ from those of other salts: `number(salt, area) + i`
/// for `i` below 4096 keeps its order.
fn number(salt: u64, area: u64) -> u64 {
    (mix(salt) & !0xf_ffff) | (area << 12)
}

/// A short word that differs from those of other salts.
fn word(salt: u64) -> String {
    format!("{:x}", mix(salt ^ 0x5a17))
}
