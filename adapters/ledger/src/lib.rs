//! The ledger on PostgreSQL and on SQLite.
//!
//! Both enforce double entry in the database itself, when a transaction commits: at least two
//! postings that sum to zero, nothing changed or deleted afterwards, one transaction of a name.
//! What is posted is decided elsewhere (`payops_core::domain::ledger`).

mod phase;
mod postgres;
mod rows;
mod sqlite;

pub use postgres::{Migration, PostgresLedger};
pub use sqlite::SqliteLedger;
