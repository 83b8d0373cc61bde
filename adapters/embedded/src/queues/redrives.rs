//! Whole queues, moved or emptied. A redrive that is under way moves, whenever somebody asks how it
//! stands, what its rate allows up to then: each step in one transaction, so that a crash leaves
//! every message in one queue. The platform asks several times a second.

use payops_core::Timestamp;
use payops_core::port::{
    ErrorKind, PortError, PortResult, REDRIVE_RATE_MAX, Redrive, RedriveStatus,
};
use sqlx::{Row as _, SqliteConnection};

use super::operations::config;
use crate::sqlite::{count, int, ms, query_error};

pub(super) const STEP_MAX: usize = 1_000;
pub(super) const LISTED_MAX: i64 = 10;

fn error_while(what: &'static str) -> impl Fn(sqlx::Error) -> PortError {
    move |error| query_error(what, error)
}

fn invalid_request(why: impl Into<String>) -> PortError {
    PortError::new(ErrorKind::Permanent, why)
}

pub(super) async fn start(
    connection: &mut SqliteConnection,
    source: &str,
    target: &str,
    rate: Option<u32>,
    now: Timestamp,
) -> PortResult<String> {
    if config(connection, source).await?.fifo || config(connection, target).await?.fifo {
        return Err(invalid_request(
            "FIFO queues cannot be redriven as a whole: order would be lost",
        ));
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM queues WHERE dlq = ?1)";
    let is_dlq: bool = sqlx::query_scalar(sql)
        .bind(source)
        .fetch_one(&mut *connection)
        .await
        .map_err(error_while("reading queues"))?;
    if !is_dlq {
        return Err(invalid_request(format!(
            "{source} is not a dead-letter queue"
        )));
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM redrives WHERE source = ?1 AND status = 'running')";
    let runs: bool = sqlx::query_scalar(sql)
        .bind(source)
        .fetch_one(&mut *connection)
        .await
        .map_err(error_while("reading redrives"))?;
    if runs {
        return Err(invalid_request(format!(
            "a redrive of {source} is already running"
        )));
    }
    let sql = "INSERT INTO redrives (source, target, status, rate, planned, started_ms)
        VALUES (?1, ?2, 'running', ?3, (SELECT COUNT(*) FROM messages WHERE queue = ?1
            AND sent_ms <= ?4), ?4) RETURNING id";
    let query = sqlx::query_scalar(sql)
        .bind(source)
        .bind(target)
        .bind(rate.map(i64::from))
        .bind(ms(now));
    let id: i64 = query
        .fetch_one(connection)
        .await
        .map_err(error_while("starting a redrive"))?;
    Ok(id.to_string())
}

/// Whether a redrive of `source` is under way.
pub(super) const RUNS: &str =
    "SELECT EXISTS (SELECT 1 FROM redrives WHERE source = ?1 AND status = 'running')";

/// Moves what is due of the redrive of `source`; where to, and how many. `names` are names for
/// messages.
pub(super) async fn step(
    connection: &mut SqliteConnection,
    source: &str,
    names: Vec<String>,
    now: Timestamp,
) -> PortResult<Option<(String, usize)>> {
    let sql = "SELECT id, target, rate, moved, started_ms FROM redrives WHERE source = ?1 AND \
        status = 'running'";
    let found = sqlx::query(sql)
        .bind(source)
        .fetch_optional(&mut *connection)
        .await
        .map_err(error_while("reading a redrive"))?;
    let Some(row) = found else { return Ok(None) };
    let (id, target, moved, started): (i64, String, i64, i64) = (
        row.get("id"),
        row.get("target"),
        row.get("moved"),
        row.get("started_ms"),
    );
    let rate: i64 = row
        .get::<Option<i64>, _>("rate")
        .unwrap_or(i64::from(REDRIVE_RATE_MAX));
    let due = ms(now).saturating_sub(started).saturating_mul(rate) / 1000;
    let due = due.saturating_sub(moved).clamp(0, int(names.len()));
    let sql = "SELECT seq FROM messages WHERE queue = ?1 AND visible_ms <= ?2 AND sent_ms <= ?3 \
        ORDER BY seq LIMIT ?4";
    let query = sqlx::query_scalar(sql)
        .bind(source)
        .bind(ms(now))
        .bind(started)
        .bind(due);
    let seqs: Vec<i64> = query
        .fetch_all(&mut *connection)
        .await
        .map_err(error_while("looking for messages to move"))?;
    for (seq, name) in seqs.iter().zip(names) {
        // In its new queue the message is new.
        let sql = "UPDATE messages SET queue = ?2, message_id = ?3, sent_ms = ?4,
            visible_ms = ?4, receives = 0,
            first_received_ms = NULL, receipt = NULL WHERE seq = ?1";
        let query = sqlx::query(sql)
            .bind(seq)
            .bind(&target)
            .bind(name)
            .bind(ms(now));
        query
            .execute(&mut *connection)
            .await
            .map_err(error_while("moving a message"))?;
    }
    // What somebody holds may come back: it is over when nothing of what there was is left.
    let sql = "UPDATE redrives SET moved = moved + ?2, status = CASE WHEN EXISTS
        (SELECT 1 FROM messages WHERE queue = ?3 AND sent_ms <= ?4) THEN status ELSE 'completed'
        END WHERE id = ?1";
    let query = sqlx::query(sql)
        .bind(id)
        .bind(int(seqs.len()))
        .bind(source)
        .bind(started);
    query
        .execute(connection)
        .await
        .map_err(error_while("recording the progress of a redrive"))?;
    Ok(Some((target, seqs.len())))
}

/// The last redrives of a queue.
pub(super) const LAST: &str = "SELECT id, target, status, rate, planned, moved, started_ms FROM \
    redrives WHERE source = ?1 ORDER BY id DESC LIMIT ?2";

pub(super) fn read(row: &sqlx::sqlite::SqliteRow) -> PortResult<Redrive> {
    let status = match row.get::<String, _>("status").as_str() {
        "running" => RedriveStatus::Running,
        "canceled" => RedriveStatus::Canceled,
        _ => RedriveStatus::Completed,
    };
    let started = Timestamp::from_millisecond(row.get("started_ms"));
    Ok(Redrive {
        handle: (status == RedriveStatus::Running).then(|| row.get::<i64, _>("id").to_string()),
        status,
        moved: count(row.get("moved"))?,
        planned: Some(count(row.get("planned"))?),
        target: Some(row.get("target")),
        rate_per_second: row
            .get::<Option<i64>, _>("rate")
            .and_then(|rate| u32::try_from(rate).ok()),
        started_at: started.map_err(|error| {
            PortError::because(
                ErrorKind::Corrupt,
                "a redrive with an impossible time",
                error,
            )
        })?,
        reason: None,
    })
}

pub(super) async fn cancel(
    connection: &mut SqliteConnection,
    source: &str,
    handle: &str,
) -> PortResult<u64> {
    let sql = "UPDATE redrives SET status = 'canceled' WHERE source = ?1 AND id = ?2 AND status = \
        'running' RETURNING moved";
    let query = sqlx::query_scalar(sql)
        .bind(source)
        .bind(handle.parse::<i64>().unwrap_or(-1));
    let moved: Option<i64> = query
        .fetch_optional(connection)
        .await
        .map_err(error_while("canceling a redrive"))?;
    let moved = moved.ok_or_else(|| {
        PortError::new(
            ErrorKind::NotFound,
            format!("no running redrive {handle} of {source}"),
        )
    })?;
    count(moved)
}

pub(super) async fn purge(connection: &mut SqliteConnection, queue: &str) -> PortResult<()> {
    config(connection, queue).await?;
    let query = sqlx::query("DELETE FROM messages WHERE queue = ?1").bind(queue);
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(error_while("purging a queue"))
}
