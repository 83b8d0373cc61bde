//! The record of what an operator did: JSON lines, added and never changed, readable by their
//! owner alone. What cannot be recorded is not done.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use payops_core::domain::audit::AuditEntry;

use crate::error::{CliError, CliResult};

/// Adds a line to `audit.jsonl` in `dir`; on disk when it returns.
pub(crate) fn append(dir: &Path, entry: &AuditEntry) -> CliResult<()> {
    let path = dir.join("audit.jsonl");
    let write = || {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        // One write of a short line to a file opened for appending: lines of two processes do not mix.
        file.write_all(&line)?;
        file.sync_data()
    };
    write().map_err(|error: std::io::Error| {
        CliError::failed(format!("this could not be recorded in {}, so it was not done", path.display()))
            .because(error)
            .hint("make the place writable, then run the same command again")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn lines_are_added_for_their_owner_alone() {
        let temp = tempfile::tempdir().expect("a folder");
        let entry = AuditEntry {
            at: Timestamp::UNIX_EPOCH,
            who: "anna".into(),
            env: "prod".into(),
            action: "reveal".into(),
            subject: None,
            reason: Some("ticket".into()),
        };
        append(temp.path(), &entry).expect("written");
        append(temp.path(), &entry).expect("written");
        let path = temp.path().join("audit.jsonl");
        let text = std::fs::read_to_string(&path).expect("read");
        assert_eq!(text.lines().count(), 2);
        insta::assert_snapshot!(text.lines().next().unwrap_or_default(), @r#"{"at":"1970-01-01T00:00:00Z","who":"anna","env":"prod","action":"reveal","subject":null,"reason":"ticket"}"#);
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_cannot_be_recorded_is_refused() {
        let temp = tempfile::tempdir().expect("a folder");
        std::fs::write(temp.path().join("file"), "").expect("written");
        let entry = AuditEntry {
            at: Timestamp::UNIX_EPOCH,
            who: String::new(),
            env: String::new(),
            action: String::new(),
            subject: None,
            reason: None,
        };
        assert!(append(&temp.path().join("file"), &entry).is_err());
    }
}
