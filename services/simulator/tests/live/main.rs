//! Tests with programs that other people wrote, whose paths `live/run` sets. Each passes without
//! testing anything if the variable of its program is not set.

#![expect(
    clippy::too_many_lines,
    reason = "a test tells one story from its beginning to its end"
)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod kubectl;
