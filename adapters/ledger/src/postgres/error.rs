//! What a failure of PostgreSQL means to a caller.

use payops_core::port::{ErrorKind, PortError};

use crate::phase::Phase;

/// `error`, met while trying to `what`.
pub(super) fn port_error(what: &str, error: sqlx::Error, phase: Phase) -> PortError {
    let kind = match (&error, phase) {
        (sqlx::Error::Database(database), _) => {
            kind_of(database.code().as_deref().unwrap_or_default(), phase)
        }
        (_, Phase::Commit) => ErrorKind::Ambiguous,
        (sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_), _) => ErrorKind::Corrupt,
        (
            sqlx::Error::Configuration(_)
            | sqlx::Error::InvalidArgument(_)
            | sqlx::Error::Encode(_),
            _,
        ) => ErrorKind::Permanent,
        _ => ErrorKind::Unavailable,
    };
    PortError::because(kind, format!("the ledger database cannot {what}"), error)
}

/// Whether the database gave the transaction up in favour of another one, so that doing it again
/// may work.
pub(super) fn is_conflict(error: &sqlx::Error) -> bool {
    const SERIALIZATION_FAILURE: &str = "40001";
    const DEADLOCK_DETECTED: &str = "40P01";
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == SERIALIZATION_FAILURE || code == DEADLOCK_DETECTED)
}

/// `SQLSTATE` codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn kind_of(code: &str, phase: Phase) -> ErrorKind {
    match (code, phase) {
        // Integrity constraints, our triggers among them: the transaction is rolled back for good.
        (code, _) if code.starts_with("23") => ErrorKind::Permanent,
        // Serialization failures and deadlocks: rolled back, may work when done again.
        (code, _) if code.starts_with("40") && code != "40003" => ErrorKind::Unavailable,
        ("25006", _) => ErrorKind::NotWritable,
        (code, Phase::Before) if code.starts_with("53") && code != "53100" => {
            ErrorKind::Unavailable
        }
        ("53100", Phase::Before) => ErrorKind::NotWritable,
        // A server that ends, crashes or is canceled in COMMIT may have committed before that.
        (_, Phase::Commit) => ErrorKind::Ambiguous,
        (code, Phase::Before) => match code.get(..2).unwrap_or_default() {
            "28" => ErrorKind::Denied,
            "3D" | "3F" => ErrorKind::NotFound,
            "42" if code == "42501" => ErrorKind::Denied,
            "42" if code == "42P01" => ErrorKind::NotFound,
            "XX" if code == "XX001" || code == "XX002" => ErrorKind::Corrupt,
            // Lost connections, canceled or timed-out statements, a server that starts, stops or
            // stumbles.
            "08" | "55" | "57" | "58" | "XX" => ErrorKind::Unavailable,
            _ => ErrorKind::Permanent,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &str, before: ErrorKind, commit: ErrorKind) {
        assert_eq!(
            (kind_of(code, Phase::Before), kind_of(code, Phase::Commit)),
            (before, commit),
            "{code}"
        );
    }

    #[test]
    fn codes_say_whether_there_may_have_been_an_effect() {
        check("23514", ErrorKind::Permanent, ErrorKind::Permanent);
        check("40001", ErrorKind::Unavailable, ErrorKind::Unavailable);
        check("40003", ErrorKind::Permanent, ErrorKind::Ambiguous);
        check("57P01", ErrorKind::Unavailable, ErrorKind::Ambiguous);
        check("53100", ErrorKind::NotWritable, ErrorKind::Ambiguous);
        check("53300", ErrorKind::Unavailable, ErrorKind::Ambiguous);
        check("25006", ErrorKind::NotWritable, ErrorKind::NotWritable);
        check("28P01", ErrorKind::Denied, ErrorKind::Ambiguous);
        check("42P01", ErrorKind::NotFound, ErrorKind::Ambiguous);
        check("XX001", ErrorKind::Corrupt, ErrorKind::Ambiguous);
        check("42501", ErrorKind::Denied, ErrorKind::Ambiguous);
    }

    #[test]
    fn a_connection_lost_at_commit_is_ambiguous() {
        let lost = || sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert_eq!(
            port_error("commit", lost(), Phase::Commit).kind,
            ErrorKind::Ambiguous
        );
        assert_eq!(
            port_error("post", lost(), Phase::Before).kind,
            ErrorKind::Unavailable
        );
    }
}
