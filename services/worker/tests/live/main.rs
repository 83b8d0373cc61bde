//! Tests against servers over the network, which `live/run` starts. Each passes without testing
//! anything if the variable of its server is not set.

#![expect(
    clippy::too_many_lines,
    reason = "a test tells one story from its beginning to its end"
)]
#![expect(clippy::print_stdout, reason = "a test says that it did not run")]

mod worker;
