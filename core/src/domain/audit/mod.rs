//! The record of what operators did: its entries, the chain of hashes that binds them, and
//! questions about them.
//!
//! Files, locks and shipping belong to adapters. What is here says what a line is and whether a
//! record is still what was written.

mod chain;
mod entry;
mod query;
mod ship;
mod verify;

pub use chain::{ChainError, ChainedEntry, GENESIS, Head, chain};
pub use entry::{AuditEntry, AuditOutcome};
pub use query::AuditQuery;
pub use ship::{SHIP_DETAIL_TYPE, SHIP_SOURCE, ShippedLine};
pub use verify::{ChainBreak, ChainBreakKind, Verified, Verifier, number_lines, verify};
