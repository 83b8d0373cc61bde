//! The command as a person runs it: a binary, a place of its own, no network.
#![allow(
    clippy::too_many_lines,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot run must fail, says so, and tells one story from its beginning to its end"
)]

#[path = "../common/mod.rs"]
mod common;

mod accounts;
mod api;
mod audit;
mod config;
mod dead_letters;
mod disk;
mod four_eyes;
mod hostile;
mod kill;
mod kubeconfig;
mod offline;
mod platform;
mod terminal;
mod terraform;
