//! The tables, and which versions of them this program can use.

use std::time::Duration;

use payops_core::port::{ErrorKind, PortError, PortResult};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::error::port_error;
use crate::phase::Phase;

/// The version that `schema.sql` makes.
const VERSION: i64 = 1;
/// Marks the file as a ledger of ours (`PRAGMA application_id`): "pled" in ASCII.
const APPLICATION: i64 = 0x706c_6564;
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
    let stamp = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(stamp))
        .execute(&mut *tx)
        .await
        .map_err(fail)?;
    // Making the tables is repeated when in doubt, so a COMMIT in doubt is only a reason to try
    // again.
    tx.commit().await.map_err(fail)
}

async fn is_made(db: &mut SqliteConnection) -> PortResult<bool> {
    // One statement reads one state of the file: another process may be making it meanwhile.
    let (version, application, tables): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT user_version FROM pragma_user_version), \
             (SELECT application_id FROM pragma_application_id), \
             (SELECT count(*) FROM sqlite_schema)",
    )
    .fetch_one(db)
    .await
    .map_err(fail)?;
    if tables == 0 && version == 0 {
        return Ok(false);
    }
    if application != APPLICATION {
        return Err(PortError::new(
            ErrorKind::Corrupt,
            "the file is a database but not a ledger",
        ));
    }
    if version > VERSION {
        let message = format!(
            "the ledger file has schema version {version}; this payops supports versions up \
                to {VERSION}"
        );
        return Err(PortError::new(ErrorKind::Corrupt, message));
    }
    Ok(true)
}

fn fail(error: sqlx::Error) -> PortError {
    port_error("be opened", error, Phase::Before)
}
