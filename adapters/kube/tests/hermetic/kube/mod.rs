//! The adapter against an API server that answers what a test says.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests say what they expect by panicking"
)]

mod actions;
mod belonging;
pub(crate) mod server;
mod watching;
