//! What a look into dead-letter queues showed, kept for a while: a look may cost receives, and
//! browsing must not. Files are readable by their owner alone, and gone after their time.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use payops_core::usecase::DeadLetterList;
use payops_system::private_file;
use serde::{Deserialize, Serialize};

use crate::error::{OpsError, OpsResult};

const SCHEMA: u32 = 1;
/// For how long a snapshot is kept, unless somebody says otherwise; and at most.
pub const KEPT: SignedDuration = SignedDuration::from_mins(30);
pub const KEPT_MAX: SignedDuration = SignedDuration::from_hours(12);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    schema: u32,
    pub env: String,
    pub queue: String,
    pub taken_at: Timestamp,
    pub expires_at: Timestamp,
    pub seen: DeadLetterList,
}

#[derive(Clone, Debug)]
pub struct Snapshots {
    dir: PathBuf,
}

impl Snapshots {
    /// Those in `records`, where a user's records of the environment are.
    #[must_use]
    pub fn of(records: &Path, env: &str) -> Self {
        Self {
            dir: records.join("snapshots").join(file_name(env)),
        }
    }

    /// Keeps what was seen of `queue`; in place of an earlier one.
    pub fn keep(
        &self,
        env: &str,
        queue: &str,
        seen: DeadLetterList,
        now: Timestamp,
        kept: SignedDuration,
    ) -> OpsResult<(Snapshot, PathBuf)> {
        self.sweep(now);
        let expires_at = now.checked_add(kept.min(KEPT_MAX)).unwrap_or(now);
        let snapshot = Snapshot {
            schema: SCHEMA,
            env: env.to_owned(),
            queue: queue.to_owned(),
            taken_at: now,
            expires_at,
            seen,
        };
        let path = self.dir.join(format!("{}.json", file_name(queue)));
        let write = || {
            private_file::create_dir(&self.dir)?;
            private_file::write(&path, &serde_json::to_vec(&snapshot)?)
        };
        write().map_err(|error: std::io::Error| {
            OpsError::failed(format!("cannot write the snapshot {}", path.display()))
                .because(error)
                .hint("make the directory writable")
        })?;
        Ok((snapshot, path))
    }

    /// The snapshot of `queue`, if there is one whose time is not over. `peek` is the command that
    /// takes another.
    pub fn read(&self, queue: &str, now: Timestamp, peek: &str) -> OpsResult<Snapshot> {
        self.sweep(now);
        let path = self.dir.join(format!("{}.json", file_name(queue)));
        let none = || {
            OpsError::not_found(format!(
                "there is no snapshot of {queue}, or it has expired"
            ))
            .hint(format!("take one with: {peek}"))
        };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(none()),
            Err(error) => {
                return Err(
                    OpsError::failed(format!("cannot read {}", path.display())).because(error)
                );
            }
        };
        match serde_json::from_slice::<Snapshot>(&bytes) {
            Ok(snapshot) if snapshot.schema == SCHEMA && snapshot.queue == queue => Ok(snapshot),
            Ok(_) => Err(none()),
            Err(error) => Err(OpsError::failed(format!("{} is damaged", path.display()))
                .because(error)
                .hint(format!("take another with: {peek}"))),
        }
    }

    /// Throws away what has had its time. What fails is tried again the next time.
    fn sweep(&self, now: Timestamp) {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return;
        };
        for path in entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
        {
            #[derive(Deserialize)]
            struct Times {
                expires_at: Timestamp,
            }
            let times = fs::read(&path)
                .ok()
                .and_then(|bytes| serde_json::from_slice::<Times>(&bytes).ok());
            if times.is_some_and(|times| times.expires_at <= now) {
                drop(fs::remove_file(&path));
            }
        }
    }
}

fn file_name(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') {
                c
            } else {
                '_'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_snapshot_is_private_and_ends() {
        let temp = tempfile::tempdir().expect("a folder");
        let snapshots = Snapshots::of(temp.path(), "prod");
        let at = |second| Timestamp::from_second(second).expect("a time");
        let seen = DeadLetterList {
            complete: true,
            receives_spent: 7,
            ..DeadLetterList::default()
        };
        let (_, path) = snapshots
            .keep(
                "prod",
                "work-dlq",
                seen,
                at(0),
                SignedDuration::from_mins(1),
            )
            .expect("kept");
        assert_eq!(
            fs::metadata(&path).expect("there").permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            snapshots
                .read("work-dlq", at(59), "")
                .expect("read")
                .seen
                .receives_spent,
            7
        );
        assert_eq!(
            snapshots
                .read("other-dlq", at(0), "")
                .expect_err("none")
                .kind,
            Kind::NotFound
        );
        assert_eq!(
            snapshots
                .read("work-dlq", at(60), "")
                .expect_err("over")
                .kind,
            Kind::NotFound
        );
        assert!(!path.exists(), "it is thrown away");
    }
}
