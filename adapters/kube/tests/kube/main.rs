//! The adapter against an API server that answers what a test says.

mod actions;
mod belonging;
#[cfg(feature = "eks")]
mod eks;
mod server;
mod watching;
