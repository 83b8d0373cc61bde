//! How far the record was shipped, to each place: a file beside the record, which only its owner
//! may read.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use jiff::Timestamp;
use payops_core::domain::audit::Head;
use payops_system::private_file;
use serde::{Deserialize, Serialize};

pub(super) const FILE: &str = "audit.shipped.json";
const LOCK: &str = "audit.shipped.lock";
const SCHEMA: u32 = 1;

/// How far the entries of one environment were shipped to one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    pub env: String,
    pub place: String,
    /// The hash of the record's first line.
    pub chain: String,
    /// The last line that was looked at: of this environment or of another.
    pub seen: Head,
    pub line: u64,
    pub offset: u64,
    /// The last line that was shipped.
    pub shipped: Option<Head>,
    pub at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    schema: u32,
    cursors: Vec<Cursor>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Cursors<'a>(pub &'a Path);

impl Cursors<'_> {
    /// That of an environment and place, if anything was shipped yet.
    pub(super) fn get(self, env: &str, place: &str) -> std::io::Result<Option<Cursor>> {
        Ok(self
            .all()?
            .into_iter()
            .find(|cursor| cursor.env == env && cursor.place == place))
    }

    pub(super) fn keep(self, cursor: &Cursor) -> std::io::Result<()> {
        let mut cursors = self.all()?;
        cursors.retain(|held| held.env != cursor.env || held.place != cursor.place);
        cursors.push(cursor.clone());
        private_file::write(
            &self.0.join(FILE),
            &serde_json::to_vec_pretty(&Kept {
                schema: SCHEMA,
                cursors,
            })?,
        )
    }

    /// One at a time ships from this record; `None` while somebody else does.
    pub(super) fn lock(self) -> std::io::Result<Option<File>> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.0.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn all(self) -> std::io::Result<Vec<Cursor>> {
        let path = self.0.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let damaged = |why: String| {
            std::io::Error::other(format!(
                "{} {why}; without it, all lines are shipped again",
                path.display()
            ))
        };
        match serde_json::from_slice(&bytes) {
            Ok(Kept {
                schema: SCHEMA,
                cursors,
            }) => Ok(cursors),
            Ok(Kept { schema, .. }) => Err(damaged(format!(
                "was written by a newer payops (schema {schema})"
            ))),
            Err(error) => Err(damaged(format!("is damaged ({error})"))),
        }
    }
}
