//! The record of what an operator did: JSON lines, added and never changed, readable by their
//! owner alone. What cannot be recorded is not done.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use payops_core::domain::audit::AuditEntry;
use payops_core::port::{AuditLog, ErrorKind, PortError, PortResult};

use crate::error::{CliError, CliResult};

/// The record's name.
const FILE: &str = "audit.jsonl";
/// How much of its end is read for the newest entries.
const TAIL_BYTES: u64 = 4 * 1024 * 1024;

/// Adds a line to `audit.jsonl` in `dir`; on disk when it returns.
pub(crate) fn append(dir: &Path, entry: &AuditEntry) -> CliResult<()> {
    let path = dir.join(FILE);
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

/// The record in a folder, as a port.
#[derive(Clone, Debug)]
pub(crate) struct FileAuditLog {
    /// The folder.
    pub(crate) dir: PathBuf,
}

#[async_trait]
impl AuditLog for FileAuditLog {
    async fn append(&self, entry: &AuditEntry) -> PortResult<()> {
        append(&self.dir, entry).map_err(CliError::into_port)
    }

    async fn newest(&self, limit: usize) -> PortResult<(Vec<AuditEntry>, u64)> {
        let path = self.dir.join(FILE);
        let failed = |error| PortError::because(ErrorKind::Unavailable, format!("{} could not be read", path.display()), error);
        match tail(&path) {
            Ok(text) => Ok(read_newest(&text, limit)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((Vec::new(), 0)),
            Err(error) => Err(failed(error)),
        }
    }
}

/// The last part of the file: the record grows for years, and the newest lines are wanted.
fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let start = file.metadata()?.len().saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // The first line may have lost its head.
    Ok(if start > 0 { text.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default() } else { text })
}

fn read_newest(text: &str, limit: usize) -> (Vec<AuditEntry>, u64) {
    let (mut entries, mut damaged) = (Vec::new(), 0);
    for line in text.lines().rev().filter(|line| !line.trim().is_empty()) {
        match serde_json::from_str(line) {
            Ok(entry) if entries.len() < limit => entries.push(entry),
            Ok(_) => break,
            Err(_) => damaged += 1,
        }
    }
    (entries, damaged)
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
            ..AuditEntry::default()
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
    fn the_newest_come_first_and_damage_is_counted() {
        let line = |who: &str| {
            format!(r#"{{"at":"1970-01-01T00:00:00Z","who":"{who}","env":"prod","action":"replay","subject":null,"reason":null}}"#)
        };
        let text = format!("{}\n{{cut\n{}\n{}\n", line("a"), line("b"), line("c"));
        let (entries, damaged) = read_newest(&text, 10);
        assert_eq!((entries.iter().map(|entry| entry.who.as_str()).collect::<Vec<_>>(), damaged), (vec!["c", "b", "a"], 1));
        assert_eq!(read_newest(&text, 1).0.len(), 1);
    }

    #[test]
    fn what_cannot_be_recorded_is_refused() {
        let temp = tempfile::tempdir().expect("a folder");
        std::fs::write(temp.path().join("file"), "").expect("written");
        let entry = AuditEntry::default();
        assert!(append(&temp.path().join("file"), &entry).is_err());
    }
}
