//! The ledger on files and on a PostgreSQL server that the tests start themselves.

mod postgres;
mod posts;
mod sqlite;
mod support;
