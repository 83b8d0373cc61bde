//! Tests against servers over the network, which `live/run` starts. Each passes without testing
//! anything if the variable of its server is not set.

#![expect(
    clippy::too_many_lines,
    reason = "a test tells one story from its beginning to its end"
)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests say what they expect by panicking, and that they did not run"
)]

#[path = "../support/client.rs"]
mod client;

mod binary;
