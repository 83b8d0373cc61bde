//! What one write of the payment store does inside its transaction. An error rolls all of it back.

use payops_core::Timestamp;
use payops_core::domain::apikey::ApiKeyRow;
use payops_core::domain::event::{NewEvent, Note};
use payops_core::domain::id::PaymentId;
use payops_core::domain::outbox::OutboxEvent;
use payops_core::domain::payment::Payment;
use payops_core::port::{
    Acceptance, Accepted, Change, Committed, IdempotencyRow, IdempotencyScope, Noted, PortResult,
};
use sqlx::SqliteConnection;

use super::error_while;
use super::rows::{self, json, json_of};
use crate::sqlite::{int, ms, query_error};

pub(super) async fn accept(
    connection: &mut SqliteConnection,
    acceptance: &Acceptance,
) -> PortResult<Accepted> {
    if let Some(row) =
        idempotency(connection, &acceptance.idempotency.scope, acceptance.now).await?
    {
        return Ok(Accepted::KeyTaken(Box::new(row)));
    }
    let event_seq = acceptance.events.len();
    if !insert_payment(connection, &acceptance.payment, event_seq).await? {
        return Ok(Accepted::IdTaken);
    }
    insert_idempotency(connection, &acceptance.idempotency).await?;
    insert_events(connection, &acceptance.payment, &acceptance.events, 0).await?;
    insert_outbox(connection, &acceptance.outbox).await?;
    Ok(Accepted::New)
}

pub(super) async fn commit(
    connection: &mut SqliteConnection,
    change: &Change,
) -> PortResult<Committed> {
    if let Some(row) = &change.idempotency
        && let Some(standing) = idempotency(connection, &row.scope, change.now).await?
    {
        return Ok(Committed::KeyTaken(Box::new(standing)));
    }
    let Some(event_seq) = update_payment(connection, change).await? else {
        return Ok(Committed::Stale);
    };
    if let Some(row) = &change.idempotency {
        insert_idempotency(connection, row).await?;
    }
    let before = event_seq.saturating_sub(int(change.events.len()));
    insert_events(connection, &change.payment, &change.events, before).await?;
    insert_outbox(connection, &change.outbox).await?;
    Ok(Committed::Done)
}

pub(super) async fn note(
    connection: &mut SqliteConnection,
    payment: &PaymentId,
    note: &Note,
) -> PortResult<Noted> {
    let fail = error_while("writing a note");
    let sql = "UPDATE payments SET event_seq = event_seq + 1 WHERE id = ?1
        AND NOT EXISTS (SELECT 1 FROM events WHERE payment = ?1 AND once = ?2) RETURNING
        event_seq, version";
    let raised: Option<(i64, i64)> = sqlx::query_as(sql)
        .bind(payment.as_str())
        .bind(&note.once)
        .fetch_optional(&mut *connection)
        .await
        .map_err(&fail)?;
    let Some((seq, version)) = raised else {
        let there: Option<i64> = sqlx::query_scalar("SELECT 1 FROM payments WHERE id = ?1")
            .bind(payment.as_str())
            .fetch_optional(&mut *connection)
            .await
            .map_err(&fail)?;
        return Ok(if there.is_some() {
            Noted::Already
        } else {
            Noted::NoPayment
        });
    };
    insert_event(
        connection,
        payment,
        &note.event,
        seq,
        version,
        Some(&note.once),
    )
    .await?;
    Ok(Noted::Written)
}

/// The idempotency row, unless it has expired at `now`.
pub(super) async fn idempotency(
    connection: &mut SqliteConnection,
    scope: &IdempotencyScope,
    now: Timestamp,
) -> PortResult<Option<IdempotencyRow>> {
    let sql = "SELECT * FROM idempotency WHERE merchant = ?1 AND live = ?2 AND route = ?3 AND key \
        = ?4 AND expires_ms > ?5";
    let query = sqlx::query(sql)
        .bind(scope.merchant.as_str())
        .bind(scope.live)
        .bind(scope.request.stored_name())
        .bind(scope.key.as_str())
        .bind(ms(now));
    let row = query
        .fetch_optional(connection)
        .await
        .map_err(|error| query_error("reading an idempotency row", error))?;
    row.map(|row| rows::idempotency(&row, scope)).transpose()
}

/// Whether the payment was written: `false` when its id is taken.
async fn insert_payment(
    connection: &mut SqliteConnection,
    payment: &Payment,
    event_seq: usize,
) -> PortResult<bool> {
    let sql = "INSERT INTO payments (id, merchant, live, status, version, fence, event_seq,
            minor, currency, source, reference, email, metadata, created_ms, updated_ms, shard,
            due_ms, redrives, archive_key, archive_sha256, archive_bytes, lease, attempt, charge,
            failure, dead, refunds, refundable_minor)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
            ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26,
            ?27, ?28)
        ON CONFLICT (id) DO NOTHING";
    let done = sqlx::query(sql)
        .bind(payment.id.as_str())
        .bind(payment.merchant.as_str())
        .bind(payment.live)
        .bind(payment.status.as_str())
        .bind(int(payment.version))
        .bind(int(payment.fence))
        .bind(int(event_seq))
        .bind(payment.money.minor())
        .bind(payment.money.currency().code())
        .bind(payment.source.as_str())
        .bind(
            payment
                .reference
                .as_ref()
                .map(|reference| reference.as_str().to_owned()),
        )
        .bind(payment.email.as_str())
        .bind(json(&payment.metadata)?)
        .bind(ms(payment.created_at))
        .bind(ms(payment.updated_at))
        .bind(payment.id.shard())
        .bind(payment.due_at.map(ms))
        .bind(payment.redrives)
        .bind(&payment.archive.key)
        .bind(&payment.archive.sha256)
        .bind(int(payment.archive.bytes))
        .bind(json_of(payment.lease.as_ref())?)
        .bind(json_of(payment.attempt.as_ref())?)
        .bind(json_of(payment.charge.as_ref())?)
        .bind(json_of(payment.failure.as_ref())?)
        .bind(json_of(payment.dead.as_ref())?)
        .bind(json(&payment.refunds)?)
        .bind(payment.refundable_minor)
        .execute(connection)
        .await
        .map_err(error_while("writing a payment"))?;
    Ok(done.rows_affected() == 1)
}

/// Writes what a change may change (never whose it is, how much, or what was asked for) if the
/// precondition holds; the number of the last event then.
async fn update_payment(
    connection: &mut SqliteConnection,
    change: &Change,
) -> PortResult<Option<i64>> {
    let payment = &change.payment;
    let sql = "UPDATE payments SET status = ?4, version = ?5, fence = ?6,
            event_seq = event_seq + ?7, updated_ms = ?8, due_ms = ?9,
            redrives = ?10, lease = ?11, attempt = ?12, charge = ?13, failure = ?14, dead = ?15,
            refunds = ?16, refundable_minor = ?17
        WHERE id = ?1 AND version = ?2 AND fence = ?3 RETURNING event_seq";
    let query = sqlx::query_scalar(sql)
        .bind(payment.id.as_str())
        .bind(int(change.expect.version))
        .bind(int(change.expect.fence))
        .bind(payment.status.as_str())
        .bind(int(payment.version))
        .bind(int(payment.fence))
        .bind(int(change.events.len()))
        .bind(ms(payment.updated_at))
        .bind(payment.due_at.map(ms))
        .bind(payment.redrives)
        .bind(json_of(payment.lease.as_ref())?)
        .bind(json_of(payment.attempt.as_ref())?)
        .bind(json_of(payment.charge.as_ref())?)
        .bind(json_of(payment.failure.as_ref())?)
        .bind(json_of(payment.dead.as_ref())?)
        .bind(json(&payment.refunds)?)
        .bind(payment.refundable_minor);
    query
        .fetch_optional(connection)
        .await
        .map_err(error_while("writing a change"))
}

async fn insert_events(
    connection: &mut SqliteConnection,
    payment: &Payment,
    events: &[NewEvent],
    before: i64,
) -> PortResult<()> {
    for (seq, event) in (before.saturating_add(1)..).zip(events) {
        insert_event(
            connection,
            &payment.id,
            event,
            seq,
            int(payment.version),
            None,
        )
        .await?;
    }
    Ok(())
}

async fn insert_event(
    connection: &mut SqliteConnection,
    payment: &PaymentId,
    event: &NewEvent,
    seq: i64,
    version: i64,
    once: Option<&str>,
) -> PortResult<()> {
    let sql = "INSERT INTO events (payment, seq, at_ms, kind, version, detail, once) VALUES (?1, \
        ?2, ?3, ?4, ?5, ?6, ?7)";
    let query = sqlx::query(sql)
        .bind(payment.as_str())
        .bind(seq)
        .bind(ms(event.at))
        .bind(event.kind.as_str())
        .bind(version)
        .bind(json(&event.detail)?)
        .bind(once);
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(error_while("writing an event"))
}

async fn insert_outbox(
    connection: &mut SqliteConnection,
    outbox: &[OutboxEvent],
) -> PortResult<()> {
    let sql = "INSERT INTO outbox (id, payment, shard, version, kind, refund, payload, at_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        ON CONFLICT (id) DO NOTHING";
    for row in outbox {
        let query = sqlx::query(sql)
            .bind(&row.id)
            .bind(row.payment.as_str())
            .bind(row.payment.shard())
            .bind(int(row.version))
            .bind(row.kind.as_str())
            .bind(row.refund.as_ref().map(|refund| refund.as_str().to_owned()))
            .bind(row.payload.as_deref())
            .bind(ms(row.at));
        query
            .execute(&mut *connection)
            .await
            .map_err(error_while("writing an outbox row"))?;
    }
    Ok(())
}

async fn insert_idempotency(
    connection: &mut SqliteConnection,
    row: &IdempotencyRow,
) -> PortResult<()> {
    // A row that stands here has expired: one that has not was found before.
    let sql = "INSERT OR REPLACE INTO idempotency (merchant, live, route, key, fingerprint,
        payment, status, response, expires_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let query = sqlx::query(sql)
        .bind(row.scope.merchant.as_str())
        .bind(row.scope.live)
        .bind(row.scope.request.stored_name())
        .bind(row.scope.key.as_str())
        .bind(&row.fingerprint)
        .bind(row.payment.as_str())
        .bind(row.scope.request.stored_status())
        .bind(&row.response)
        .bind(ms(row.expires_at));
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(error_while("writing an idempotency row"))
}

pub(super) async fn purge(
    connection: &mut SqliteConnection,
    now: Timestamp,
    limit: usize,
) -> PortResult<u64> {
    let sql = "DELETE FROM idempotency WHERE rowid IN (SELECT rowid FROM idempotency WHERE \
        expires_ms <= ?1 ORDER BY expires_ms LIMIT ?2)";
    let done = sqlx::query(sql)
        .bind(ms(now))
        .bind(int(limit))
        .execute(connection)
        .await;
    done.map(|done| done.rows_affected())
        .map_err(error_while("deleting expired rows"))
}

pub(super) async fn outbox_done(connection: &mut SqliteConnection, ids: &str) -> PortResult<()> {
    let query =
        sqlx::query("DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(?1))").bind(ids);
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(error_while("marking outbox rows as done"))
}

pub(super) async fn put_key(connection: &mut SqliteConnection, row: &ApiKeyRow) -> PortResult<()> {
    let sql = "INSERT OR REPLACE INTO api_keys (hash, prefix, merchant, live, created_ms, \
        revoked_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let query = sqlx::query(sql)
        .bind(&row.hash)
        .bind(&row.prefix)
        .bind(row.merchant.as_str())
        .bind(row.live)
        .bind(ms(row.created_at))
        .bind(row.revoked_at.map(ms));
    query
        .execute(connection)
        .await
        .map(drop)
        .map_err(error_while("writing an API key"))
}
