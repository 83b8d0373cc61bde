//! The ledger against the PostgreSQL server that `live/run` starts.

mod postgres;
