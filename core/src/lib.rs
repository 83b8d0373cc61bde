//! What a payment, a queue message, a ledger posting and a replay *are*, and what may happen to
//! them.
//!
//! `domain` holds values and pure decisions, `port` the traits of everything outside, `usecase`
//! the order in which ports are called so that a crash between any two calls loses nothing.
//! `operations` is what the screen and Admin Web are handed.
//! There is no IO here, no clock and no randomness: those come in through ports.

#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::float_arithmetic,
        clippy::indexing_slicing
    )
)]

pub mod domain;
pub mod operations;
pub mod port;
pub mod usecase;

/// A point in time, in UTC. Stored with millisecond precision.
pub use jiff::Timestamp;
