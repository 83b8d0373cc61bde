//! The payments service: the HTTP API that accepts payments, and the loops behind it (projector,
//! relay, sweeper, gauges). It decides nothing about payments itself: requests become values of
//! `payops-core`, its use cases decide, and their answers become responses.
//!
//! The library knows ports only; the binary wires it to AWS, `services/local` to embedded stores.

pub mod api;
mod loops;
mod serve;
mod write_timeout;

pub use loops::{gauges, projector, relay, sweeper};
pub use serve::{ServeLimits, ServeSummary, serve};
