//! The ledger in one SQLite file, which several processes may have open at once.

mod error;
mod readers;
mod schema;
mod writer;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use payops_core::domain::id::PaymentId;
use payops_core::domain::ledger::Transaction;
use payops_core::port::{ErrorKind, Ledger, LedgerPage, PortError, PortResult, PostOutcome};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use tokio::sync::{mpsc, oneshot};

use crate::rows;
use readers::Readers;
use writer::PostRequest;

const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Posts that wait for the writer at most; more wait in line before it.
const QUEUE_MAX: usize = 1_024;

const SELECT_ONE: &str = "SELECT t.payment, t.kind, t.reference, t.merchant, t.live, t.currency, \
     t.at_ms, (SELECT json_group_array(json_array(p.account, p.minor)) FROM postings p \
     WHERE p.transaction_id = t.id) \
     FROM transactions t WHERE t.payment = ? AND t.kind = ? AND t.reference = ?";
const SELECT_MANY: &str = "SELECT t.payment, t.kind, t.reference, t.merchant, t.live, t.currency, \
     t.at_ms, (SELECT json_group_array(json_array(p.account, p.minor)) FROM postings p \
     WHERE p.transaction_id = t.id) \
     FROM transactions t WHERE t.payment IN (SELECT value FROM json_each(?))";
const SELECT_PAGE: &str = "SELECT t.payment, t.kind, t.reference, t.merchant, t.live, t.currency, \
     t.at_ms, (SELECT json_group_array(json_array(p.account, p.minor)) FROM postings p \
     WHERE p.transaction_id = t.id) \
     FROM transactions t WHERE (t.payment, t.kind, t.reference) > (?, ?, ?) \
     ORDER BY t.payment, t.kind, t.reference LIMIT ?";

/// The ledger in one SQLite file (WAL, synced at every commit).
///
/// Its writer is a task of the runtime it was opened on and ends when the ledger is dropped.
#[derive(Debug)]
pub struct SqliteLedger {
    readers: Readers,
    writer: Option<mpsc::Sender<PostRequest>>,
}

impl SqliteLedger {
    /// Opens the file for reading and writing, making it and its tables if they are not there.
    ///
    /// [`ErrorKind::Corrupt`] for a file of another kind or of a newer schema version.
    pub async fn open(path: &Path) -> PortResult<Self> {
        Self::open_with(options(path)).await
    }

    async fn open_with(options: SqliteConnectOptions) -> PortResult<Self> {
        schema::migrate(&options).await?;
        let (sender, jobs) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(writer::run(options.clone(), jobs));
        Ok(Self {
            readers: Readers::new(options),
            writer: Some(sender),
        })
    }

    /// Opens the file for reading only: every post is [`ErrorKind::NotWritable`].
    ///
    /// [`ErrorKind::NotFound`] when there is no such file.
    pub async fn open_read_only(path: &Path) -> PortResult<Self> {
        if !path.exists() {
            return Err(PortError::new(
                ErrorKind::NotFound,
                "the ledger file does not exist",
            ));
        }
        let immutable = payops_system::sqlite_is_immutable(path).map_err(|error| {
            PortError::because(
                ErrorKind::NotWritable,
                "the ledger file could not be opened",
                error,
            )
        })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .immutable(immutable)
            .busy_timeout(BUSY_TIMEOUT);
        schema::check(&options).await?;
        Ok(Self {
            readers: Readers::new(options),
            writer: None,
        })
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn post(&self, transaction: &Transaction) -> PortResult<PostOutcome> {
        let writer = self.writer.as_ref().ok_or_else(|| {
            PortError::new(
                ErrorKind::NotWritable,
                "the ledger file is open for reading only",
            )
        })?;
        let (reply, outcome) = oneshot::channel();
        let job = PostRequest {
            transaction: transaction.clone(),
            reply,
        };
        writer
            .send(job)
            .await
            .map_err(|_| PortError::new(ErrorKind::Unavailable, "the ledger writer has stopped"))?;
        // The writer took it and went away, as a runtime that shuts down does: it may have
        // committed.
        outcome.await.unwrap_or_else(|_| {
            Err(PortError::new(
                ErrorKind::Ambiguous,
                "the ledger writer stopped before it reported a result",
            ))
        })
    }

    async fn of_payments(
        &self,
        payments: &[PaymentId],
        _consistent: bool,
    ) -> PortResult<Vec<Transaction>> {
        let found = self
            .readers
            .all(sqlx::query_as(SELECT_MANY).bind(rows::json_ids(payments)))
            .await?;
        found.into_iter().map(rows::transaction).collect()
    }

    async fn scan(&self, from: Option<&str>, limit: usize) -> PortResult<LedgerPage> {
        let (payment, kind, reference) = rows::cursor(from)?;
        let query = sqlx::query_as(SELECT_PAGE)
            .bind(payment)
            .bind(kind)
            .bind(reference)
            .bind(rows::page_rows(limit));
        rows::page(self.readers.all(query).await?, limit)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{ConnectOptions as _, Connection as _};

    use super::*;

    fn transaction(n: u128) -> Transaction {
        let id = PaymentId::from_parts(1, n);
        let text = format!(
            r#"{{"payment":"{id}","kind":"charge","reference":"ch","merchant":"acme","live":false,"currency":"EUR","at":"2026-11-22T00:00:00Z",
             "postings":[{{"account":"a","minor":5}},{{"account":"b","minor":-5}}]}}"#
        );
        serde_json::from_str(&text).expect("a transaction")
    }

    #[tokio::test]
    async fn a_held_lock_is_unavailable_and_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let options =
            options(&dir.path().join("ledger.db")).busy_timeout(Duration::from_millis(50));
        let ledger = SqliteLedger::open_with(options.clone())
            .await
            .expect("opens");
        let mut other = options.connect().await.expect("connects");
        let held = other.begin_with("BEGIN IMMEDIATE").await.expect("locks");
        let error = ledger.post(&transaction(1)).await.expect_err("busy");
        assert_eq!(error.kind, ErrorKind::Unavailable, "{}", error.chain());
        held.rollback().await.expect("unlocks");
        assert_eq!(
            ledger.post(&transaction(1)).await.expect("posts"),
            PostOutcome::Posted
        );
    }

    #[tokio::test]
    async fn a_full_medium_takes_nothing_and_says_so() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("ledger.db");
        SqliteLedger::open(&path).await.expect("opens");
        // A limit just over the empty file's size stands in for a full disk: SQLITE_FULL either
        // way.
        let ledger = SqliteLedger::open_with(options(&path).pragma("max_page_count", "16"))
            .await
            .expect("opens");
        let mut taken = 0;
        let refused = loop {
            match ledger.post(&transaction(taken)).await {
                Ok(outcome) => assert_eq!(outcome, PostOutcome::Posted),
                Err(error) => break error,
            }
            taken += 1;
            assert!(taken < 10_000, "the limit does not bite");
        };
        assert_eq!(refused.kind, ErrorKind::NotWritable, "{}", refused.chain());
        let page = ledger.scan(None, 10_000).await.expect("still readable");
        assert_eq!(
            page.transactions.len(),
            usize::try_from(taken).expect("few")
        );
    }
}
