//! The one task that writes: it collects what was posted meanwhile into one database transaction,
//! so that many posts share one sync of the file. It reads nothing but the rows it collides with.

use payops_core::domain::ledger::Transaction;
use payops_core::port::{ErrorKind, PortError, PortResult, PostOutcome};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{mpsc, oneshot};

use super::error::port_error;
use crate::phase::Phase;
use crate::rows;

/// Posts that share one commit at most: few enough that the lock is not held long.
const BATCH_MAX: usize = 128;

/// One post, and where its outcome goes after the commit.
pub(super) struct PostRequest {
    pub(super) transaction: Transaction,
    pub(super) reply: oneshot::Sender<PortResult<PostOutcome>>,
}

/// Works until every sender is gone.
pub(super) async fn run(options: SqliteConnectOptions, mut jobs: mpsc::Receiver<PostRequest>) {
    let mut connection: Option<SqliteConnection> = None;
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while jobs.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let (transactions, replies): (Vec<_>, Vec<_>) = batch
            .drain(..)
            .map(|job| (job.transaction, job.reply))
            .unzip();
        let outcomes = match write(&options, &mut connection, &transactions).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                // Its state is not known for sure; a new one rolls back what was left open.
                if let Some(broken) = connection.take() {
                    let _ = broken.close_hard().await;
                }
                let shared = std::sync::Arc::new(error);
                replies.iter().map(|_| Err(copy(&shared))).collect()
            }
        };
        for (reply, outcome) in replies.into_iter().zip(outcomes) {
            // Whoever went away learns the outcome by posting again.
            let _ = reply.send(outcome);
        }
    }
    if let Some(open) = connection {
        let _ = open.close().await;
    }
}

fn copy(error: &std::sync::Arc<PortError>) -> PortError {
    PortError::because(
        error.kind,
        error.message.clone(),
        std::sync::Arc::clone(error),
    )
}

/// Writes a batch in one database transaction. An error means that none of it counts as written.
async fn write(
    options: &SqliteConnectOptions,
    connection: &mut Option<SqliteConnection>,
    batch: &[Transaction],
) -> PortResult<Vec<PortResult<PostOutcome>>> {
    let fail = |error| port_error("take a transaction", error, Phase::Before);
    let db = match connection {
        Some(db) => db,
        None => connection.insert(options.connect().await.map_err(fail)?),
    };
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut *db)
        .await
        .map_err(fail)?;
    let mut outcomes = Vec::with_capacity(batch.len());
    for transaction in batch {
        sqlx::query("SAVEPOINT post")
            .execute(&mut *db)
            .await
            .map_err(fail)?;
        let outcome = match post(db, transaction).await {
            // The database refused this one; its neighbours are none the worse.
            Err(error) if error.kind == ErrorKind::Permanent => Err(error),
            other => Ok(other?),
        };
        let end = if outcome.is_ok() {
            "RELEASE post"
        } else {
            "ROLLBACK TO post"
        };
        sqlx::query(end).execute(&mut *db).await.map_err(fail)?;
        outcomes.push(outcome);
    }
    sqlx::query("COMMIT")
        .execute(&mut *db)
        .await
        .map_err(|error| port_error("commit", error, Phase::Commit))?;
    Ok(outcomes)
}

async fn post(db: &mut SqliteConnection, wanted: &Transaction) -> PortResult<PostOutcome> {
    let fail = |error| port_error("take a transaction", error, Phase::Before);
    let inserted: Option<i64> = sqlx::query_scalar(
        "INSERT INTO transactions (payment, kind, reference, merchant, live, currency, at_ms) \
            VALUES (?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (payment, kind, reference) DO NOTHING RETURNING id",
    )
    .bind(wanted.payment.as_str())
    .bind(wanted.kind.as_str())
    .bind(&wanted.reference)
    .bind(wanted.merchant.as_str())
    .bind(wanted.live)
    .bind(wanted.currency.code())
    .bind(wanted.at.as_millisecond())
    .fetch_optional(&mut *db)
    .await
    .map_err(fail)?;
    let Some(id) = inserted else {
        let row = sqlx::query_as::<_, rows::TransactionRow>(super::SELECT_ONE)
            .bind(wanted.payment.as_str())
            .bind(wanted.kind.as_str())
            .bind(&wanted.reference)
            .fetch_one(&mut *db)
            .await
            .map_err(fail)?;
        return Ok(rows::compare(wanted, rows::transaction(row)?));
    };
    let lines: Vec<_> = wanted
        .postings
        .iter()
        .map(|posting| (&posting.account, posting.minor))
        .collect();
    sqlx::query(
        "INSERT INTO postings (transaction_id, position, account, minor) \
         SELECT ?, key, json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)",
    )
    .bind(id)
    .bind(serde_json::json!(lines).to_string())
    .execute(&mut *db)
    .await
    .map_err(fail)?;
    sqlx::query("INSERT INTO seals (transaction_id) VALUES (?)")
        .bind(id)
        .execute(&mut *db)
        .await
        .map_err(fail)?;
    Ok(PostOutcome::Posted)
}
