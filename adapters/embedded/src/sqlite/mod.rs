//! One SQLite file that several processes share: how it is opened, written and read.
//! Knows nothing of what the tables mean.

mod error;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use payops_core::Timestamp;
use payops_core::port::{ErrorKind, PortError, PortResult};
use payops_system::private_file;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};

pub(crate) use error::{corrupt, query_error};
pub(crate) use schema::Schema;
use writer::Writer;

/// How long a writer waits for another process to finish its transaction.
const BUSY: Duration = Duration::from_secs(10);
const READERS: u32 = 4;

/// An open file: many readers, one writer that commits in groups.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    readers: SqlitePool,
    writer: Option<Writer>,
}

impl File {
    /// Opens the file for reading and writing; makes it, and brings its tables up to date.
    pub(crate) async fn open(path: &Path, schema: &'static Schema) -> PortResult<Self> {
        create_private(path)?;
        let options = options(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut connection = connect(&options)
            .await
            .map_err(|error| query_error(&format!("opening {}", path.display()), error))?;
        schema.bring_up(&mut connection, path).await?;
        let readers = readers(options_reading(path))
            .await
            .map_err(|error| query_error(&format!("opening {}", path.display()), error))?;
        Ok(Self {
            path: path.to_owned(),
            readers,
            writer: Some(Writer::start(options, connection)),
        })
    }

    /// Opens a file that is there, for reading alone. Every write fails as not writable.
    pub(crate) async fn open_read_only(path: &Path, schema: &'static Schema) -> PortResult<Self> {
        if !path.exists() {
            return Err(PortError::new(
                ErrorKind::NotFound,
                format!("there is no file {}", path.display()),
            ));
        }
        let fail = |error| query_error(&format!("opening {}", path.display()), error);
        let immutable = payops_system::sqlite_is_immutable(path).map_err(|error| {
            crate::files::to_error(&format!("opening {}", path.display()), error)
        })?;
        let mut connection = connect(&options_reading(path).read_only(true).immutable(immutable))
            .await
            .map_err(fail)?;
        schema.check(&mut connection, path).await?;
        connection.close().await.map_err(fail)?;
        let readers = readers(options_reading(path).read_only(true).immutable(immutable))
            .await
            .map_err(fail)?;
        Ok(Self {
            path: path.to_owned(),
            readers,
            writer: None,
        })
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.writer.is_some()
    }

    /// Where reads go. They see every write that was answered.
    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Runs `operation` in a transaction and answers when it is durable. When it fails, it has
    /// written nothing. When the caller goes away, it may yet be written.
    pub(crate) async fn write<T, F>(&self, operation: F) -> PortResult<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, PortResult<T>>
            + Send
            + 'static,
    {
        let Some(writer) = &self.writer else {
            return Err(PortError::new(
                ErrorKind::NotWritable,
                format!("{} was opened for reading only", self.path.display()),
            ));
        };
        writer.run(operation).await
    }

    /// Waits until everything that was handed in is written, and closes the file. What is
    /// asked of it afterwards fails.
    pub(crate) async fn close(&self) {
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
        self.readers.close().await;
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .statement_cache_capacity(128)
}

fn options_reading(path: &Path) -> SqliteConnectOptions {
    options(path)
        .create_if_missing(false)
        .pragma("query_only", "ON")
}

/// Connects; two processes that open a new file at once may each find it locked for a moment,
/// without SQLite waiting.
async fn connect(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let start = Instant::now();
    loop {
        match SqliteConnection::connect_with(options).await {
            Err(error) if error::is_busy(&error) && start.elapsed() < BUSY => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            done => return done,
        }
    }
}

async fn readers(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(Duration::from_secs(15))
        .connect_with(options)
        .await
}

/// Makes the file, readable by its owner alone, unless it is there. SQLite gives its companions
/// (`-wal`, `-shm`) the same permissions.
fn create_private(path: &Path) -> PortResult<()> {
    if let Some(folder) = path.parent() {
        crate::files::create_folder(folder)?;
    }
    match private_file::create_new(path, &[]) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(crate::files::to_error(
            &format!("making {}", path.display()),
            error,
        )),
    }
}

/// A time as it is stored: milliseconds since 1970.
pub(crate) fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

pub(crate) fn time(ms: i64) -> PortResult<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(|error| corrupt("a time", error))
}

pub(crate) fn int(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

pub(crate) fn count<T: TryFrom<i64>>(value: i64) -> PortResult<T> {
    T::try_from(value).map_err(|_| {
        PortError::new(
            ErrorKind::Corrupt,
            format!("a stored count is out of range: {value}"),
        )
    })
}
