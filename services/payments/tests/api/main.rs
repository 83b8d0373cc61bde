//! The API in process, on a real loopback port, with SQLite stores in a folder of their own.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "tests and their helpers say what they expect by panicking"
)]

mod accept;
mod changes;
mod client;
mod contract;
mod faults;
mod harness;
mod limits;
mod read;
mod refusals;
mod secrecy;
