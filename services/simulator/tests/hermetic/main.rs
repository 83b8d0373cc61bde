//! The API and the controller in this process.

#![expect(
    clippy::unwrap_used,
    reason = "a test says what it expects by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod api;
mod controller_analysis;
mod controller_steps;
mod demo;
