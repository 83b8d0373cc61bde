//! What a SQLite file says about itself: that it is ours, and of which version.

use payops_core::port::{ErrorKind, PortError, PortResult};

/// A kind of SQLite file that an adapter keeps.
#[derive(Clone, Copy, Debug)]
pub struct SqliteMark {
    /// As it stands in a sentence: "a ledger file".
    pub kind: &'static str,
    /// `PRAGMA application_id`, of this kind alone.
    pub application: i64,
    /// The newest version of its tables that this program knows, in `PRAGMA user_version`.
    pub version: i64,
}

impl SqliteMark {
    /// Reads version, application and the number of tables.
    ///
    /// One statement reads one state of the file: another process may be making it meanwhile. The
    /// number of tables makes SQLite hold that state from the statement's start.
    pub const READ: &'static str = "SELECT (SELECT user_version FROM pragma_user_version), \
         (SELECT application_id FROM pragma_application_id), \
         (SELECT count(*) FROM sqlite_schema)";

    /// The statements that mark a file whose tables were just made.
    #[must_use]
    pub fn write(&self) -> String {
        format!(
            "PRAGMA application_id = {}; PRAGMA user_version = {}",
            self.application, self.version
        )
    }

    /// Whether the tables are there, by what [`Self::READ`] read. A file of something else or of a
    /// newer version is refused.
    pub fn is_made(&self, (version, application, tables): (i64, i64, i64)) -> PortResult<bool> {
        if tables == 0 && version == 0 {
            return Ok(false);
        }
        let refusal = if application != self.application {
            format!("the file is a database but not {}", self.kind)
        } else if version > self.version {
            format!(
                "the file is {} of schema version {version}; this payops supports versions up \
                    to {}",
                self.kind, self.version
            )
        } else {
            return Ok(true);
        };
        Err(PortError::new(ErrorKind::Corrupt, refusal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: SqliteMark = SqliteMark {
        kind: "a ledger file",
        application: 7,
        version: 2,
    };

    #[test]
    fn only_a_file_of_its_kind_and_a_known_version_is_made() {
        assert!(!MARK.is_made((0, 0, 0)).expect("new"));
        assert!(MARK.is_made((1, 7, 4)).expect("older"));
        assert!(MARK.is_made((2, 7, 4)).expect("of this program"));
        let foreign = MARK.is_made((0, 0, 4)).expect_err("tables of another");
        assert_eq!(
            (foreign.kind, foreign.message.as_str()),
            (
                ErrorKind::Corrupt,
                "the file is a database but not a ledger file"
            )
        );
        let newer = MARK.is_made((3, 7, 4)).expect_err("newer");
        assert!(
            newer
                .message
                .contains("version 3; this payops supports versions up to 2"),
            "{}",
            newer.message
        );
    }
}
