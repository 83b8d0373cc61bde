//! The worker on SQLite stores and the simulated acquirer: as a poller, and as a Lambda function.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "tests and their helpers say what they expect by panicking"
)]

mod batch;
mod platform;
mod poller;
mod runtime_api;
