//! The adapters without a network: the store against an engine in this process, the others
//! against answers that a test gives.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what they expect by panicking"
)]

mod archive;
mod bus;
mod config;
mod dynamo;
mod eks;
mod identity;
mod mail;
mod names;
mod permissions;
mod queues;
mod redrive;
mod secrets;
mod support;
