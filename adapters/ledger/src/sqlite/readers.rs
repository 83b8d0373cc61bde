//! A few connections that only read, in turn. sqlx's pool would do, but it waits by the runtime's
//! clock, and so gives up at once where a test has stopped that clock.

use std::sync::atomic::{AtomicUsize, Ordering};

use payops_core::port::PortResult;
use sqlx::ConnectOptions as _;
use sqlx::query::QueryAs;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnectOptions, SqliteConnection};
use tokio::sync::Mutex;

use super::error::port_error;
use crate::phase::Phase;
use crate::rows::TransactionRow;

const READERS: usize = 4;

/// Connections that only read, opened when first needed.
#[derive(Debug)]
pub(super) struct Readers {
    options: SqliteConnectOptions,
    slots: [Mutex<Option<SqliteConnection>>; READERS],
    turn: AtomicUsize,
}

impl Readers {
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        Self {
            options: options.pragma("query_only", "ON"),
            slots: std::array::from_fn(|_| Mutex::new(None)),
            turn: AtomicUsize::new(0),
        }
    }

    /// All rows of a query, from one snapshot of the file.
    pub(super) async fn all(
        &self,
        query: QueryAs<'_, Sqlite, TransactionRow, SqliteArguments>,
    ) -> PortResult<Vec<TransactionRow>> {
        let fail = |error| port_error("be read", error, Phase::Before);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % READERS;
        // In bounds: `turn` is less than the number of slots.
        let mut slot = self.slots[turn].lock().await;
        // Put back only when the query went well, so that a broken connection is not used again.
        let mut reader = match slot.take() {
            Some(reader) => reader,
            None => self.options.connect().await.map_err(fail)?,
        };
        let found = query.fetch_all(&mut reader).await.map_err(fail)?;
        *slot = Some(reader);
        Ok(found)
    }
}
