//! SQLite's failures in the words of the ports.

use std::error::Error;

use payops_core::port::{ErrorKind, PortError};

/// A failed statement that was to do `what`. Certainly without effect, since its transaction
/// is rolled back; a failed COMMIT is judged by [`commit_failed`].
pub(crate) fn query_error(what: &str, error: sqlx::Error) -> PortError {
    PortError::because(kind(&error), format!("{what} failed"), error)
}

/// A failed COMMIT: an error of the medium leaves it open whether the last page reached it.
pub(super) fn commit_failed(error: sqlx::Error) -> PortError {
    let kind = match kind(&error) {
        kind @ (ErrorKind::NotWritable | ErrorKind::Corrupt) => kind,
        ErrorKind::Unavailable if is_busy(&error) => ErrorKind::Unavailable,
        _ => ErrorKind::Ambiguous,
    };
    PortError::because(kind, "the commit failed", error)
}

/// Stored data that cannot be read.
pub(crate) fn corrupt(what: &str, error: impl Into<Box<dyn Error + Send + Sync>>) -> PortError {
    PortError::because(
        ErrorKind::Corrupt,
        format!("stored data cannot be read: {what}"),
        error,
    )
}

pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

fn code(error: &sqlx::Error) -> Option<i64> {
    error.as_database_error()?.code()?.parse().ok()
}

fn kind(error: &sqlx::Error) -> ErrorKind {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            return ErrorKind::Unavailable;
        }
        sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnNotFound(_) => return ErrorKind::Corrupt,
        _ => {}
    }
    let Some(code) = code(error) else {
        return ErrorKind::Permanent;
    };
    match (code, code & 0xff) {
        // IOERR_SHMSIZE: the shared-memory file could not grow, which is how a full disk shows
        // first.
        (4874, _) | (_, 8 | 13) => ErrorKind::NotWritable,
        (_, 5 | 6 | 9 | 10 | 15) => ErrorKind::Unavailable,
        (_, 3 | 23) => ErrorKind::Denied,
        (_, 14) => ErrorKind::NotFound,
        (_, 11 | 26) => ErrorKind::Corrupt,
        _ => ErrorKind::Permanent,
    }
}
