//! Queues for tests: one in memory that behaves like SQS, and two wrappers that change how another
//! behaves.

mod memory;
mod skipping;
mod state;
mod steps;

pub use memory::{MemoryQueue, MemoryQueues, Refusal};
pub use skipping::Skipping;
pub use steps::{Order, Steps};
