//! What a failure of SQLite means to a caller.

use payops_core::port::{ErrorKind, PortError};

use crate::phase::Phase;

/// `error`, met while trying to `what`.
pub(super) fn port_error(what: &str, error: sqlx::Error, phase: Phase) -> PortError {
    let kind = match (&error, phase) {
        (sqlx::Error::Database(database), _) => {
            let code = database.code().and_then(|code| code.parse::<i32>().ok());
            kind_of(code.unwrap_or_default(), phase)
        }
        (sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_), _) => ErrorKind::Corrupt,
        (_, Phase::Commit) => ErrorKind::Ambiguous,
        (
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Io(_),
            Phase::Before,
        ) => ErrorKind::Unavailable,
        _ => ErrorKind::Permanent,
    };
    PortError::because(kind, format!("the ledger file cannot {what}"), error)
}

/// Result codes: <https://www.sqlite.org/rescode.html>; the low byte is the primary one.
fn kind_of(code: i32, phase: Phase) -> ErrorKind {
    const PERM: i32 = 3;
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const READONLY: i32 = 8;
    const IOERR: i32 = 10;
    const CORRUPT: i32 = 11;
    const FULL: i32 = 13;
    const CANTOPEN: i32 = 14;
    const CONSTRAINT: i32 = 19;
    const AUTH: i32 = 23;
    const NOTADB: i32 = 26;
    match (code & 0xff, phase) {
        (PERM | AUTH, _) => ErrorKind::Denied,
        (BUSY | LOCKED, _) | (IOERR, Phase::Before) => ErrorKind::Unavailable,
        (READONLY | FULL, _) => ErrorKind::NotWritable,
        (CORRUPT | NOTADB, _) => ErrorKind::Corrupt,
        (CANTOPEN, Phase::Before) => ErrorKind::NotFound,
        (CONSTRAINT, _) => ErrorKind::Permanent,
        // A COMMIT whose write or sync failed may still be in the file when it is opened again.
        (_, Phase::Commit) => ErrorKind::Ambiguous,
        _ => ErrorKind::Permanent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_commit_leaves_open_is_ambiguous() {
        let full = 13;
        let sync_failed = 10 + 4 * 256;
        assert_eq!(kind_of(full, Phase::Commit), ErrorKind::NotWritable);
        assert_eq!(kind_of(sync_failed, Phase::Commit), ErrorKind::Ambiguous);
        assert_eq!(kind_of(sync_failed, Phase::Before), ErrorKind::Unavailable);
        assert_eq!(kind_of(19 + 3 * 256, Phase::Commit), ErrorKind::Permanent);
        assert_eq!(kind_of(5 + 256, Phase::Before), ErrorKind::Unavailable);
        let crashed = port_error("post", sqlx::Error::WorkerCrashed, Phase::Commit);
        assert_eq!(crashed.kind, ErrorKind::Ambiguous);
    }
}
