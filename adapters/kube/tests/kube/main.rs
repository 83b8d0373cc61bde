//! The adapter against an API server that answers what a test says.

mod actions;
mod belonging;
mod server;
mod watching;
