//! The ledger on PostgreSQL and on SQLite.
