//! The adapter against an in-process Kubernetes API that keeps the protocol's promises.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests say what they expect by panicking"
)]

mod access;
mod actions;
mod binding;
mod reading;
mod related;
mod support;
mod watching;
