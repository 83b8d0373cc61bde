//! The API on a loopback port, the loops and the binary, on SQLite stores in temporary folders.

#![expect(
    clippy::too_many_lines,
    reason = "a test tells one story from its beginning to its end"
)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "tests and their helpers say what they expect by panicking"
)]

#[path = "../support/client.rs"]
mod client;

mod accept;
mod binary;
mod changes;
mod contract;
mod faults;
mod harness;
mod limits;
mod loops;
mod read;
mod refusals;
mod secrecy;
