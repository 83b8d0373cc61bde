//! The payment store and the key store in one SQLite file.

mod operations;
mod rows;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::FutureExt as _;
use payops_core::Timestamp;
use payops_core::domain::apikey::{ApiKeyRow, Caller};
use payops_core::domain::event::{Event, Note};
use payops_core::domain::id::PaymentId;
use payops_core::domain::outbox::OutboxEvent;
use payops_core::domain::payment::{Payment, Status};
use payops_core::port::{
    Acceptance, Accepted, Change, Clock, Committed, IdempotencyRow, IdempotencyScope, KeyStore,
    Noted, PaymentPage, PaymentStore, PortError, PortResult,
};
use sqlx::sqlite::SqliteRow;

use crate::sqlite::{File, Schema, int, ms, query_error};

static SCHEMA: Schema = Schema {
    kind: "payment store",
    application: 0x7061_7901,
    scripts: &[include_str!("schema.sql")],
};

/// Payments, timelines, outbox, idempotency rows and API keys in one SQLite file that several
/// processes may use at once.
pub struct SqliteStore {
    file: File,
    clock: Arc<dyn Clock>,
    accepted: AtomicU64,
}

/// Every so many acceptances, expired idempotency rows are cleared away, twice as many at most:
/// more than can have come in.
const PURGE_EVERY: u64 = 64;

impl SqliteStore {
    /// Opens the file at `path`; makes it if it is not there. A file of a newer version is
    /// refused ([`payops_core::port::ErrorKind::Corrupt`]). Must be called on a tokio runtime,
    /// which the store then writes on. `clock` says which idempotency rows may be cleared away.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>) -> PortResult<Self> {
        Ok(Self {
            file: File::open(path, &SCHEMA).await?,
            clock,
            accepted: AtomicU64::new(0),
        })
    }

    /// Opens the file at `path` to read from it; every write then fails
    /// ([`payops_core::port::ErrorKind::NotWritable`]). The file must be there
    /// ([`payops_core::port::ErrorKind::NotFound`]).
    pub async fn open_read_only(path: &Path, clock: Arc<dyn Clock>) -> PortResult<Self> {
        Ok(Self {
            file: File::open_read_only(path, &SCHEMA).await?,
            clock,
            accepted: AtomicU64::new(0),
        })
    }

    /// Waits until every write handed in is done and closes the file.
    pub async fn close(&self) {
        self.file.close().await;
    }

    /// How many payments there are of each status; costs the same however many there are.
    pub async fn counts(&self) -> PortResult<BTreeMap<Status, u64>> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT status, payments FROM status_counts WHERE payments > 0")
                .fetch_all(self.file.readers())
                .await
                .map_err(|error| query_error("counting payments", error))?;
        rows.into_iter()
            .map(|(status, count)| Ok((rows::status(&status)?, crate::sqlite::count(count)?)))
            .collect()
    }

    /// Deletes up to `limit` idempotency rows that have expired; how many it deleted. Accepting
    /// does some of this now and then.
    pub async fn purge_expired(&self, limit: usize) -> PortResult<u64> {
        let now = self.clock.now();
        self.file
            .write(move |connection| operations::purge(connection, now, limit).boxed())
            .await
    }
}

/// What `rows` hold, or the first failure.
fn all<T>(
    what: &str,
    rows: Result<Vec<SqliteRow>, sqlx::Error>,
    read: impl Fn(&SqliteRow) -> PortResult<T>,
) -> PortResult<Vec<T>> {
    rows.map_err(|error| query_error(what, error))?
        .iter()
        .map(read)
        .collect()
}

/// Names as the JSON array that `json_each` takes: one statement for any number of them.
fn json_array<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<serde_json::Value>().to_string()
}

#[async_trait]
impl PaymentStore for SqliteStore {
    async fn accept(&self, acceptance: &Acceptance) -> PortResult<Accepted> {
        let acceptance = acceptance.clone();
        let purge = self.accepted.fetch_add(1, Ordering::Relaxed) % PURGE_EVERY == PURGE_EVERY - 1;
        let accept = self.file.write(move |connection| {
            async move {
                if purge {
                    operations::purge(
                        connection,
                        acceptance.now,
                        usize::try_from(PURGE_EVERY * 2).unwrap_or(usize::MAX),
                    )
                    .await?;
                }
                operations::accept(connection, &acceptance).await
            }
            .boxed()
        });
        accept.await
    }

    async fn commit(&self, change: &Change) -> PortResult<Committed> {
        let change = change.clone();
        self.file
            .write(move |connection| {
                async move { operations::commit(connection, &change).await }.boxed()
            })
            .await
    }

    async fn note(&self, payment: &PaymentId, note: &Note) -> PortResult<Noted> {
        let (payment, note) = (payment.clone(), note.clone());
        self.file
            .write(move |connection| {
                async move { operations::note(connection, &payment, &note).await }.boxed()
            })
            .await
    }

    async fn get(&self, id: &PaymentId) -> PortResult<Option<Payment>> {
        let row = sqlx::query("SELECT * FROM payments WHERE id = ?1")
            .bind(id.as_str())
            .fetch_optional(self.file.readers())
            .await;
        row.map_err(|error| query_error("reading a payment", error))?
            .as_ref()
            .map(rows::payment)
            .transpose()
    }

    async fn get_many(&self, ids: &[PaymentId]) -> PortResult<Vec<Payment>> {
        let ids = json_array(ids.iter().map(PaymentId::as_str));
        let sql = "SELECT * FROM payments WHERE id IN (SELECT value FROM json_each(?1))";
        all(
            "reading payments",
            sqlx::query(sql)
                .bind(ids)
                .fetch_all(self.file.readers())
                .await,
            rows::payment,
        )
    }

    async fn idempotency(
        &self,
        scope: &IdempotencyScope,
        now: Timestamp,
    ) -> PortResult<Option<IdempotencyRow>> {
        let mut connection = self
            .file
            .readers()
            .acquire()
            .await
            .map_err(|error| query_error("reading an idempotency row", error))?;
        operations::idempotency(&mut connection, scope, now).await
    }

    async fn events(&self, id: &PaymentId) -> PortResult<Vec<Event>> {
        let sql = "SELECT * FROM events WHERE payment = ?1 ORDER BY seq";
        all(
            "reading a timeline",
            sqlx::query(sql)
                .bind(id.as_str())
                .fetch_all(self.file.readers())
                .await,
            rows::event,
        )
    }

    async fn list(
        &self,
        caller: &Caller,
        after: Option<&PaymentId>,
        limit: usize,
    ) -> PortResult<Vec<Payment>> {
        // Every id sorts before `pay_~`.
        let before = after.map_or("pay_~", PaymentId::as_str);
        let sql = "SELECT * FROM payments WHERE merchant = ?1 AND live = ?2 AND id < ?3 ORDER BY \
            id DESC LIMIT ?4";
        let query = sqlx::query(sql)
            .bind(caller.merchant.as_str())
            .bind(caller.live)
            .bind(before)
            .bind(int(limit));
        all(
            "listing payments",
            query.fetch_all(self.file.readers()).await,
            rows::payment,
        )
    }

    async fn scan(&self, from: Option<&str>, limit: usize) -> PortResult<PaymentPage> {
        let query = sqlx::query("SELECT * FROM payments WHERE id > ?1 ORDER BY id LIMIT ?2")
            .bind(from.unwrap_or(""))
            .bind(int(limit));
        let payments = all(
            "scanning payments",
            query.fetch_all(self.file.readers()).await,
            rows::payment,
        )?;
        let next = payments
            .last()
            .filter(|_| payments.len() == limit)
            .map(|last| last.id.to_string());
        Ok(PaymentPage { payments, next })
    }

    async fn due(&self, shard: u8, now: Timestamp, limit: usize) -> PortResult<Vec<PaymentId>> {
        let sql = "SELECT id FROM payments WHERE shard = ?1 AND due_ms <= ?2 ORDER BY due_ms, id \
            LIMIT ?3";
        let query = sqlx::query(sql).bind(shard).bind(ms(now)).bind(int(limit));
        all(
            "reading due payments",
            query.fetch_all(self.file.readers()).await,
            rows::id,
        )
    }

    async fn outbox_pending(&self, shard: u8, limit: usize) -> PortResult<Vec<OutboxEvent>> {
        let query =
            sqlx::query("SELECT * FROM outbox WHERE shard = ?1 ORDER BY at_ms, rowid LIMIT ?2")
                .bind(shard)
                .bind(int(limit));
        all(
            "reading the outbox",
            query.fetch_all(self.file.readers()).await,
            rows::outbox,
        )
    }

    async fn outbox_done(&self, done: &[OutboxEvent]) -> PortResult<()> {
        if done.is_empty() {
            return Ok(());
        }
        let ids = json_array(done.iter().map(|row| row.id.as_str()));
        self.file
            .write(move |connection| {
                async move { operations::outbox_done(connection, &ids).await }.boxed()
            })
            .await
    }
}

#[async_trait]
impl KeyStore for SqliteStore {
    async fn key(&self, hash: &str) -> PortResult<Option<ApiKeyRow>> {
        let row = sqlx::query("SELECT * FROM api_keys WHERE hash = ?1")
            .bind(hash)
            .fetch_optional(self.file.readers())
            .await;
        row.map_err(|error| query_error("reading an API key", error))?
            .as_ref()
            .map(rows::api_key)
            .transpose()
    }

    async fn put_key(&self, row: &ApiKeyRow) -> PortResult<()> {
        let row = row.clone();
        self.file
            .write(move |connection| {
                async move { operations::put_key(connection, &row).await }.boxed()
            })
            .await
    }
}

/// The failure of a write that was to do `what`.
fn error_while(what: &'static str) -> impl Fn(sqlx::Error) -> PortError {
    move |error| query_error(what, error)
}
