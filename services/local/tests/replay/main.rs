//! Replays of dead letters: nothing is lost, what was sent twice is named, nothing else is touched.
//! On the embedded queues, on the same with moves in steps (as on SQS), and on queues in memory.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says what it finds by panicking, and how often it tried"
)]

mod canary;
mod causes;
mod cuts;
mod fate;
mod fifo;
mod kills;
mod limits;
mod planted;
mod queue;
mod support;
#[path = "../world/mod.rs"]
mod world;
