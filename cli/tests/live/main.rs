//! The command against real servers, which `live/run` starts.
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
mod aws;
mod calls;
mod kill;
mod kube;
