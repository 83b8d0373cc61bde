//! The tables, and which versions of them this program can use.

use std::time::Duration;

use payops_core::port::{ErrorKind, PortError, PortResult};
use payops_system::SqliteMark;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::error::port_error;
use crate::phase::Phase;

const MARK: SqliteMark = SqliteMark {
    kind: "a ledger file",
    // "pled" in ASCII.
    application: 0x706c_6564,
    // What `schema.sql` makes.
    version: 1,
};
/// Two processes that make the same file at once can find it locked in a way that SQLite does not
/// wait for.
const TRIES: u32 = 100;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Makes the tables unless they are there.
pub(super) async fn migrate(options: &SqliteConnectOptions) -> PortResult<()> {
    let mut tries = 0;
    loop {
        tries += 1;
        match try_migrate(options).await {
            Err(error) if error.kind == ErrorKind::Unavailable && tries < TRIES => {
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
            result => return result,
        }
    }
}

/// Refuses a file that is not a ledger of a version known here.
pub(super) async fn check(options: &SqliteConnectOptions) -> PortResult<()> {
    let mut db = options.connect().await.map_err(fail)?;
    let made = is_made(&mut db).await;
    let _ = db.close().await;
    if made? {
        Ok(())
    } else {
        Err(PortError::new(
            ErrorKind::Corrupt,
            "the file holds no ledger",
        ))
    }
}

async fn try_migrate(options: &SqliteConnectOptions) -> PortResult<()> {
    let mut db = options.connect().await.map_err(fail)?;
    let result = make(&mut db).await;
    let _ = db.close().await;
    result
}

async fn make(db: &mut SqliteConnection) -> PortResult<()> {
    if is_made(db).await? {
        return Ok(());
    }
    let mut tx = db.begin_with("BEGIN IMMEDIATE").await.map_err(fail)?;
    if is_made(&mut tx).await? {
        return Ok(());
    }
    sqlx::raw_sql(include_str!("schema.sql"))
        .execute(&mut *tx)
        .await
        .map_err(fail)?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(MARK.write()))
        .execute(&mut *tx)
        .await
        .map_err(fail)?;
    // Making the tables is repeated when in doubt, so a COMMIT in doubt is only a reason to try
    // again.
    tx.commit().await.map_err(fail)
}

async fn is_made(db: &mut SqliteConnection) -> PortResult<bool> {
    let read = sqlx::query_as(SqliteMark::READ)
        .fetch_one(db)
        .await
        .map_err(fail)?;
    MARK.is_made(read)
}

fn fail(error: sqlx::Error) -> PortError {
    port_error("be opened", error, Phase::Before)
}
