//! The whole platform on one data directory, with faults, crashes, damage and replays. No network.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it finds by panicking, and how often it tried"
)]

mod crash;
mod damage;
mod faults;
mod operator;
mod replay;
mod world;
