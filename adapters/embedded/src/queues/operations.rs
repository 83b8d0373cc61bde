//! What one change of the queues does inside its transaction. An error rolls all of it back.

use std::time::Duration;

use payops_core::Timestamp;
use payops_core::port::{
    ErrorKind, MoveResult, Outgoing, PortError, PortResult, Received, SendResult, TransferOutcome,
};
use sqlx::SqliteConnection;

use super::{QueueConfig, rows};
use crate::sqlite::{count, int, ms, query_error};

const DEDUPE: Duration = Duration::from_mins(5);
/// Rows that one operation clears away at most.
const PURGE: i64 = 100;

/// A message that is to be written, with the name and time it gets.
pub(super) struct Arrival {
    pub(super) message_id: String,
    pub(super) message: Outgoing,
    pub(super) now: Timestamp,
}

#[derive(Debug)]
pub(super) struct Config {
    pub(super) fifo: bool,
    pub(super) dlq: Option<(String, u32)>,
    retention_ms: i64,
}

impl Config {
    pub(super) fn retention(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.retention_ms).unwrap_or(0))
    }

    /// Messages sent at or before this are past their retention.
    pub(super) fn oldest_ms(&self, now: Timestamp) -> i64 {
        ms(now).saturating_sub(self.retention_ms)
    }
}

fn error_while(what: &'static str) -> impl Fn(sqlx::Error) -> PortError {
    move |error| query_error(what, error)
}

pub(super) async fn config(connection: &mut SqliteConnection, queue: &str) -> PortResult<Config> {
    let query =
        sqlx::query_as("SELECT fifo, dlq, max_receives, retention_ms FROM queues WHERE name = ?1")
            .bind(queue);
    let found: Option<(bool, Option<String>, Option<i64>, i64)> = query
        .fetch_optional(connection)
        .await
        .map_err(error_while("reading a queue's configuration"))?;
    let (fifo, dlq, max, retention_ms) = found.ok_or_else(|| {
        PortError::new(
            ErrorKind::NotFound,
            format!("queue `{queue}` does not exist"),
        )
    })?;
    let dlq = dlq
        .zip(max)
        .map(|(name, max)| Ok((name, count(max)?)))
        .transpose()?;
    Ok(Config {
        fifo,
        dlq,
        retention_ms,
    })
}

pub(super) async fn create_queue(
    connection: &mut SqliteConnection,
    name: &str,
    wanted: &QueueConfig,
) -> PortResult<()> {
    if let Some((dlq, _)) = &wanted.dlq {
        config(connection, dlq).await?;
    }
    let (dlq, max) = wanted.dlq.clone().unzip();
    let sql = "INSERT INTO queues (name, fifo, dlq, max_receives, retention_ms)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (name) DO UPDATE SET dlq = ?3, max_receives = ?4, retention_ms = ?5";
    let query = sqlx::query(sql)
        .bind(name)
        .bind(wanted.fifo)
        .bind(dlq)
        .bind(max)
        .bind(int(wanted.retention.as_millis()));
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(error_while("creating a queue"))
}

pub(super) async fn send(
    connection: &mut SqliteConnection,
    queue: &str,
    arrivals: Vec<PortResult<Arrival>>,
) -> PortResult<Vec<SendResult>> {
    let mut results = Vec::with_capacity(arrivals.len());
    for arrival in arrivals {
        results.push(match arrival {
            Ok(arrival) => Ok(insert(connection, queue, arrival).await?),
            Err(error) => Err(error),
        });
    }
    Ok(results)
}

/// Writes one message; its name, or that of the message it is a double of.
async fn insert(
    connection: &mut SqliteConnection,
    queue: &str,
    arrival: Arrival,
) -> PortResult<String> {
    let Arrival {
        message_id,
        message,
        now,
    } = arrival;
    if let Some(dedupe) = &message.dedupe
        && let Some(first) = claim_dedupe_id(connection, queue, dedupe, &message_id, now).await?
    {
        return Ok(first);
    }
    let attributes = serde_json::to_string(&message.attributes);
    let attributes = attributes.map_err(|error| {
        PortError::because(ErrorKind::Permanent, "writing attributes as JSON", error)
    })?;
    let sql = "INSERT INTO messages (queue, message_id, body, attributes, sent_ms, visible_ms,
        message_group, dedupe)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let query = sqlx::query(sql)
        .bind(queue)
        .bind(&message_id)
        .bind(message.body)
        .bind(attributes)
        .bind(ms(now))
        .bind(ms(now).saturating_add(int(message.delay.as_millis())))
        .bind(message.group)
        .bind(message.dedupe);
    query
        .execute(connection)
        .await
        .map_err(error_while("writing a message"))?;
    Ok(message_id)
}

/// The name of the message that holds the dedupe id; takes the id for `message_id` if none does.
async fn claim_dedupe_id(
    connection: &mut SqliteConnection,
    queue: &str,
    dedupe: &str,
    message_id: &str,
    now: Timestamp,
) -> PortResult<Option<String>> {
    let fail = error_while("looking for duplicates");
    let purge = "DELETE FROM dedupes WHERE until_ms <= ?1";
    sqlx::query(purge)
        .bind(ms(now))
        .execute(&mut *connection)
        .await
        .map_err(&fail)?;
    let find =
        sqlx::query_scalar("SELECT message_id FROM dedupes WHERE queue = ?1 AND dedupe = ?2")
            .bind(queue)
            .bind(dedupe);
    let found: Option<String> = find.fetch_optional(&mut *connection).await.map_err(&fail)?;
    if found.is_none() {
        let take = sqlx::query(
            "INSERT INTO dedupes (queue, dedupe, message_id, until_ms) VALUES (?1, ?2, ?3, ?4)",
        );
        let take = take
            .bind(queue)
            .bind(dedupe)
            .bind(message_id)
            .bind(ms(now).saturating_add(int(DEDUPE.as_millis())));
        take.execute(connection).await.map_err(&fail)?;
    }
    Ok(found)
}

/// Hides up to `max` visible messages until `until`. Those that have been received as often as
/// the queue allows go to the dead-letter queue instead, in the same transaction.
pub(super) async fn receive(
    connection: &mut SqliteConnection,
    queue: &str,
    max: usize,
    now: Timestamp,
    until: Timestamp,
) -> PortResult<Vec<Received>> {
    let config = config(connection, queue).await?;
    purge(connection, queue, config.oldest_ms(now)).await?;
    loop {
        let candidates = select_visible(connection, queue, &config, max, now).await?;
        let limit = config
            .dlq
            .as_ref()
            .map_or(i64::MAX, |(_, max)| i64::from(*max));
        let (spent, fine): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .partition(|(_, receives)| *receives >= limit);
        if let Some((dlq, _)) = config.dlq.as_ref().filter(|_| !spent.is_empty()) {
            redrive(connection, dlq, &names(&spent), now).await?;
        }
        // Where all were spent there may be more behind them; each turn moves some, so this ends.
        if !fine.is_empty() || spent.is_empty() {
            return hide_and_read(connection, &names(&fine), now, until).await;
        }
    }
}

fn names(messages: &[(i64, i64)]) -> String {
    messages
        .iter()
        .map(|(seq, _)| *seq)
        .collect::<serde_json::Value>()
        .to_string()
}

/// Messages that may be received now, with their receive counts.
async fn select_visible(
    connection: &mut SqliteConnection,
    queue: &str,
    config: &Config,
    max: usize,
    now: Timestamp,
) -> PortResult<Vec<(i64, i64)>> {
    let sql = if config.fifo {
        "SELECT seq, receives FROM messages AS m WHERE queue = ?1 AND visible_ms <= ?2
            AND +sent_ms > ?4 AND NOT EXISTS
            (SELECT 1 FROM messages AS f WHERE f.queue = ?1 AND f.message_group = m.message_group
                AND f.visible_ms > ?2)
            ORDER BY seq LIMIT ?3"
    } else {
        "SELECT seq, receives FROM messages WHERE queue = ?1 AND visible_ms <= ?2 AND +sent_ms > \
            ?4 ORDER BY visible_ms, seq LIMIT ?3"
    };
    let query = sqlx::query_as(sql)
        .bind(queue)
        .bind(ms(now))
        .bind(int(max))
        .bind(config.oldest_ms(now));
    query
        .fetch_all(connection)
        .await
        .map_err(error_while("looking for messages"))
}

async fn hide_and_read(
    connection: &mut SqliteConnection,
    seqs: &str,
    now: Timestamp,
    until: Timestamp,
) -> PortResult<Vec<Received>> {
    let sql = "UPDATE messages SET receives = receives + 1, visible_ms = ?3, receipt = random(),
            first_received_ms = COALESCE(first_received_ms, ?2)
        WHERE seq IN (SELECT value FROM json_each(?1)) RETURNING *";
    let query = sqlx::query(sql).bind(seqs).bind(ms(now)).bind(ms(until));
    let taken = query
        .fetch_all(connection)
        .await
        .map_err(error_while("receiving messages"))?;
    let mut received = taken
        .iter()
        .map(|row| {
            Ok((
                sqlx::Row::get::<i64, _>(row, "seq"),
                rows::to_received(row)?,
            ))
        })
        .collect::<PortResult<Vec<_>>>()?;
    received.sort_by_key(|(seq, _)| *seq);
    Ok(received.into_iter().map(|(_, message)| message).collect())
}

async fn redrive(
    connection: &mut SqliteConnection,
    dlq: &str,
    seqs: &str,
    now: Timestamp,
) -> PortResult<()> {
    // In its new queue the message is new: the time of sending is that of the move.
    let sql = "UPDATE messages SET queue = ?2, sent_ms = ?3, visible_ms = ?3, receives = 0,
        first_received_ms = NULL, receipt = NULL
        WHERE seq IN (SELECT value FROM json_each(?1))";
    let query = sqlx::query(sql).bind(seqs).bind(dlq).bind(ms(now));
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(error_while("moving messages to the dead-letter queue"))
}

async fn purge(connection: &mut SqliteConnection, queue: &str, oldest_ms: i64) -> PortResult<()> {
    let sql = "DELETE FROM messages WHERE seq IN (SELECT seq FROM messages WHERE queue = ?1 AND \
        sent_ms <= ?2 LIMIT ?3)";
    let query = sqlx::query(sql).bind(queue).bind(oldest_ms).bind(PURGE);
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(error_while("dropping messages past their retention"))
}

/// Deletes one message by the receipt of its last receive: whether it did.
async fn delete_one(
    connection: &mut SqliteConnection,
    queue: &str,
    receipt: &str,
) -> PortResult<bool> {
    let Some((seq, receipt)) = rows::receipt_parts(receipt) else {
        return Ok(false);
    };
    let query = sqlx::query("DELETE FROM messages WHERE seq = ?1 AND queue = ?2 AND receipt = ?3")
        .bind(seq)
        .bind(queue)
        .bind(receipt);
    let done = query
        .execute(connection)
        .await
        .map_err(error_while("deleting a message"))?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn delete(
    connection: &mut SqliteConnection,
    queue: &str,
    receipts: &[String],
) -> PortResult<Vec<bool>> {
    config(connection, queue).await?;
    let mut deleted = Vec::with_capacity(receipts.len());
    for receipt in receipts {
        deleted.push(delete_one(connection, queue, receipt).await?);
    }
    Ok(deleted)
}

/// As on SQS, only a message in flight has a visibility to change.
pub(super) async fn change_visibility(
    connection: &mut SqliteConnection,
    queue: &str,
    receipt: &str,
    now: Timestamp,
    until: Timestamp,
) -> PortResult<bool> {
    config(connection, queue).await?;
    let Some((seq, receipt)) = rows::receipt_parts(receipt) else {
        return Ok(false);
    };
    let sql = "UPDATE messages SET visible_ms = ?4 WHERE seq = ?1 AND queue = ?2 AND receipt = ?3 \
        AND visible_ms > ?5";
    let query = sqlx::query(sql)
        .bind(seq)
        .bind(queue)
        .bind(receipt)
        .bind(ms(until))
        .bind(ms(now));
    let done = query
        .execute(connection)
        .await
        .map_err(error_while("changing a message's visibility"))?;
    Ok(done.rows_affected() == 1)
}

/// Moves messages, each with its own result; all in the transaction of the caller.
pub(super) async fn transfer_all(
    connection: &mut SqliteConnection,
    from: &str,
    to: &str,
    arrivals: Vec<PortResult<(String, Arrival)>>,
) -> PortResult<Vec<MoveResult>> {
    let mut out = Vec::with_capacity(arrivals.len());
    for arrival in arrivals {
        out.push(match arrival {
            Ok((receipt, arrival)) => Ok(transfer(connection, from, &receipt, to, arrival).await?),
            Err(error) => Err(error),
        });
    }
    Ok(out)
}

pub(super) async fn transfer(
    connection: &mut SqliteConnection,
    from: &str,
    receipt: &str,
    to: &str,
    arrival: Arrival,
) -> PortResult<TransferOutcome> {
    config(connection, from).await?;
    if !delete_one(connection, from, receipt).await? {
        return Ok(TransferOutcome::Lost);
    }
    let message_id = insert(connection, to, arrival).await?;
    Ok(TransferOutcome::Moved { message_id })
}
