//! Rows of the payment store, read back into the domain. What cannot be is corrupt.

use payops_core::domain::apikey::ApiKeyRow;
use payops_core::domain::event::{Event, EventKind};
use payops_core::domain::id::PaymentId;
use payops_core::domain::money::{Currency, Money};
use payops_core::domain::outbox::{OutboxEvent, OutboxKind};
use payops_core::domain::payment::{ArchiveRef, Payment, Status};
use payops_core::port::{ErrorKind, IdempotencyRow, IdempotencyScope, PortError, PortResult};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::sqlite::{corrupt, count, time};

fn text(row: &SqliteRow, column: &str) -> PortResult<String> {
    row.try_get(column).map_err(|error| corrupt(column, error))
}

fn maybe_text(row: &SqliteRow, column: &str) -> PortResult<Option<String>> {
    row.try_get(column).map_err(|error| corrupt(column, error))
}

fn number(row: &SqliteRow, column: &str) -> PortResult<i64> {
    row.try_get(column).map_err(|error| corrupt(column, error))
}

fn flag(row: &SqliteRow, column: &str) -> PortResult<bool> {
    row.try_get(column).map_err(|error| corrupt(column, error))
}

fn maybe_time(row: &SqliteRow, column: &str) -> PortResult<Option<payops_core::Timestamp>> {
    let held: Option<i64> = row
        .try_get(column)
        .map_err(|error| corrupt(column, error))?;
    held.map(time).transpose()
}

fn parsed<T>(row: &SqliteRow, column: &str) -> PortResult<T>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text(row, column)?
        .parse()
        .map_err(|error: T::Err| corrupt(column, error))
}

fn from_json<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> PortResult<T> {
    serde_json::from_str(&text(row, column)?).map_err(|error| corrupt(column, error))
}

fn maybe_json<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> PortResult<Option<T>> {
    let held = maybe_text(row, column)?;
    held.map(|held| serde_json::from_str(&held))
        .transpose()
        .map_err(|error| corrupt(column, error))
}

pub(super) fn json(value: &impl Serialize) -> PortResult<String> {
    serde_json::to_string(value)
        .map_err(|error| PortError::because(ErrorKind::Permanent, "writing a value as JSON", error))
}

/// The JSON that a column holds, if there is a value.
pub(super) fn json_of(value: Option<&impl Serialize>) -> PortResult<Option<String>> {
    value.map(json).transpose()
}

fn unknown_name(what: &str, name: &str) -> PortError {
    PortError::new(ErrorKind::Corrupt, format!("unknown stored {what}: {name}"))
}

pub(super) fn status(name: &str) -> PortResult<Status> {
    Status::from_name(name).ok_or_else(|| unknown_name("status", name))
}

pub(super) fn id(row: &SqliteRow) -> PortResult<PaymentId> {
    parsed(row, "id")
}

pub(super) fn payment(row: &SqliteRow) -> PortResult<Payment> {
    let currency: Currency = parsed(row, "currency")?;
    Ok(Payment {
        id: id(row)?,
        merchant: parsed(row, "merchant")?,
        live: flag(row, "live")?,
        status: status(&text(row, "status")?)?,
        version: count(number(row, "version")?)?,
        fence: count(number(row, "fence")?)?,
        event_seq: count(number(row, "event_seq")?)?,
        money: Money::new(number(row, "minor")?, currency)
            .map_err(|error| corrupt("minor", error))?,
        source: parsed(row, "source")?,
        reference: maybe_text(row, "reference")?
            .map(|held| held.parse().map_err(|error| corrupt("reference", error)))
            .transpose()?,
        email: parsed(row, "email")?,
        metadata: from_json(row, "metadata")?,
        created_at: time(number(row, "created_ms")?)?,
        updated_at: time(number(row, "updated_ms")?)?,
        due_at: maybe_time(row, "due_ms")?,
        redrives: count(number(row, "redrives")?)?,
        archive: ArchiveRef {
            key: text(row, "archive_key")?,
            sha256: text(row, "archive_sha256")?,
            bytes: count(number(row, "archive_bytes")?)?,
        },
        lease: maybe_json(row, "lease")?,
        attempt: maybe_json(row, "attempt")?,
        charge: maybe_json(row, "charge")?,
        failure: maybe_json(row, "failure")?,
        dead: maybe_json(row, "dead")?,
        refunds: from_json(row, "refunds")?,
        refundable_minor: number(row, "refundable_minor")?,
    })
}

pub(super) fn event(row: &SqliteRow) -> PortResult<Event> {
    let kind = text(row, "kind")?;
    Ok(Event {
        seq: count(number(row, "seq")?)?,
        at: time(number(row, "at_ms")?)?,
        kind: EventKind::from_name(&kind).ok_or_else(|| unknown_name("event", &kind))?,
        version: count(number(row, "version")?)?,
        detail: from_json(row, "detail")?,
    })
}

pub(super) fn outbox(row: &SqliteRow) -> PortResult<OutboxEvent> {
    let kind = text(row, "kind")?;
    Ok(OutboxEvent {
        id: text(row, "id")?,
        payment: parsed(row, "payment")?,
        version: count(number(row, "version")?)?,
        kind: OutboxKind::from_name(&kind).ok_or_else(|| unknown_name("outbox row", &kind))?,
        refund: maybe_text(row, "refund")?
            .map(|held| held.parse().map_err(|error| corrupt("refund", error)))
            .transpose()?,
        payload: maybe_text(row, "payload")?,
        at: time(number(row, "at_ms")?)?,
    })
}

pub(super) fn idempotency(row: &SqliteRow, scope: &IdempotencyScope) -> PortResult<IdempotencyRow> {
    Ok(IdempotencyRow {
        scope: scope.clone(),
        fingerprint: text(row, "fingerprint")?,
        payment: parsed(row, "payment")?,
        response: text(row, "response")?,
        expires_at: time(number(row, "expires_ms")?)?,
    })
}

pub(super) fn api_key(row: &SqliteRow) -> PortResult<ApiKeyRow> {
    Ok(ApiKeyRow {
        hash: text(row, "hash")?,
        prefix: text(row, "prefix")?,
        merchant: parsed(row, "merchant")?,
        live: flag(row, "live")?,
        created_at: time(number(row, "created_ms")?)?,
        revoked_at: maybe_time(row, "revoked_ms")?,
    })
}
