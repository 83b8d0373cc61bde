//! The acquirer's file: opening it, its version, and what its failures mean.

use std::path::Path;
use std::time::Duration;

use payops_core::port::{ErrorKind, PortError, PortResult};
use payops_system::SqliteMark;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

const MARK: SqliteMark = SqliteMark {
    kind: "an acquirer file",
    // "pacq" in ASCII.
    application: 0x7061_6371,
    // What `schema.sql` makes.
    version: 1,
};
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Two processes that make the same file at once can find it locked in a way that SQLite does not
/// wait for.
const TRIES: u32 = 100;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Opens the file, making it if it is not there.
pub(super) async fn open(path: &Path) -> PortResult<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let mut tries = 0;
    loop {
        tries += 1;
        match make(&options).await {
            Err(error) if error.kind == ErrorKind::Unavailable && tries < TRIES => {
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
            result => return result,
        }
    }
}

/// Opens the file for reading only.
pub(super) async fn open_read_only(path: &Path) -> PortResult<SqliteConnection> {
    if !path.exists() {
        return Err(PortError::new(
            ErrorKind::NotFound,
            "the acquirer file does not exist",
        ));
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT);
    let mut db = options.connect().await.map_err(query_error)?;
    if is_made(&mut db).await? {
        Ok(db)
    } else {
        Err(PortError::new(
            ErrorKind::Corrupt,
            "the file holds no acquirer",
        ))
    }
}

async fn make(options: &SqliteConnectOptions) -> PortResult<SqliteConnection> {
    let mut db = options.connect().await.map_err(query_error)?;
    let mut tx = db
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(query_error)?;
    if !is_made(&mut tx).await? {
        sqlx::raw_sql(include_str!("schema.sql"))
            .execute(&mut *tx)
            .await
            .map_err(query_error)?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(MARK.write()))
            .execute(&mut *tx)
            .await
            .map_err(query_error)?;
    }
    tx.commit().await.map_err(query_error)?;
    Ok(db)
}

async fn is_made(db: &mut SqliteConnection) -> PortResult<bool> {
    let read = sqlx::query_as(SqliteMark::READ)
        .fetch_one(db)
        .await
        .map_err(query_error)?;
    MARK.is_made(read)
}

/// A failure before COMMIT was asked for: nothing was written.
pub(super) fn query_error(error: sqlx::Error) -> PortError {
    let kind = match &error {
        sqlx::Error::Database(_) => kind_of(&error).unwrap_or(ErrorKind::Permanent),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    };
    PortError::because(kind, "the acquirer file could not be used", error)
}

/// A failure of COMMIT: unless the database refused, it may have been written.
pub(super) fn commit_failed(error: sqlx::Error) -> PortError {
    let kind = kind_of(&error)
        .filter(|kind| *kind == ErrorKind::NotWritable)
        .unwrap_or(ErrorKind::Ambiguous);
    PortError::because(kind, "the acquirer file could not be committed", error)
}

/// Result codes: <https://www.sqlite.org/rescode.html>; the low byte is the primary one.
fn kind_of(error: &sqlx::Error) -> Option<ErrorKind> {
    let code = error.as_database_error()?.code()?.parse::<i32>().ok()?;
    Some(match code & 0xff {
        3 | 23 => ErrorKind::Denied,
        5 | 6 | 10 => ErrorKind::Unavailable,
        8 | 13 => ErrorKind::NotWritable,
        11 | 26 => ErrorKind::Corrupt,
        14 => ErrorKind::NotFound,
        _ => ErrorKind::Permanent,
    })
}
