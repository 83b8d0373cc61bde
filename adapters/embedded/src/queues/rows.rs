//! Rows of the queue file, read back.

use payops_core::port::{PortResult, Received};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::sqlite::{corrupt, count, time};

fn column<'r, T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>>(
    row: &'r SqliteRow,
    name: &str,
) -> PortResult<T> {
    row.try_get(name).map_err(|error| corrupt(name, error))
}

pub(super) fn to_received(row: &SqliteRow) -> PortResult<Received> {
    let seq: i64 = column(row, "seq")?;
    let receipt: i64 = column(row, "receipt")?;
    Ok(Received {
        receipt: receipt_text(seq, receipt),
        ..to_browsed(row)?
    })
}

/// A message as looking shows it, without a receipt.
pub(super) fn to_browsed(row: &SqliteRow) -> PortResult<Received> {
    let attributes: String = column(row, "attributes")?;
    let first_received: Option<i64> = column(row, "first_received_ms")?;
    Ok(Received {
        message_id: column(row, "message_id")?,
        receipt: String::new(),
        body: column(row, "body")?,
        attributes: serde_json::from_str(&attributes)
            .map_err(|error| corrupt("attributes", error))?,
        receive_count: count(column(row, "receives")?)?,
        sent_at: time(column(row, "sent_ms")?)?,
        first_received_at: first_received.map(time).transpose()?,
        group: column(row, "message_group")?,
        dedupe: column(row, "dedupe")?,
    })
}

fn receipt_text(seq: i64, receipt: i64) -> String {
    format!("{seq}.{receipt}")
}

/// The message and the receive that a receipt names, if it is one of ours.
pub(super) fn receipt_parts(text: &str) -> Option<(i64, i64)> {
    let (seq, receipt) = text.split_once('.')?;
    Some((seq.parse().ok()?, receipt.parse().ok()?))
}
