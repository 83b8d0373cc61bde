//! What tests of adapters and services share: conformance suites of the ports, a clock to turn
//! by hand, seeded randomness and sample values. Never part of a product.
//!
//! A suite turns a port's documented contract into checks and panics at the first that fails.
//! It passes against every adapter of its port, or the adapter is wrong.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a suite says what it finds by panicking"
)]
#![expect(
    clippy::missing_panics_doc,
    reason = "every suite panics when the adapter is wrong; that is its answer"
)]

mod clock;
pub mod conformance;
pub mod fault;
pub mod queues;
mod random;
pub mod replay;
pub mod sample;
mod wait;

pub use clock::ManualClock;
pub use random::{SeededRandom, fresh_salt};
pub use wait::eventually;
