//! The operations crate on an embedded environment, without a network.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot run must fail"
)]

mod guarded_act;
mod one_way;
mod place;
