//! Journals of replays: one file of JSON lines each, on disk before a message moves, so that a
//! replay that was interrupted anywhere resumes from its journal. And the lock that keeps two
//! replays of one queue apart.

mod file;
#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use payops_core::domain::replay::{JournalEntry, Progress, ReplayPlan};

use crate::error::{OpsError, OpsResult};

pub use file::FileJournal;
use file::{io_error, read, to_lines};

#[derive(Debug)]
pub struct Journals {
    dir: PathBuf,
}

/// The right to replay one queue; ends with the process.
#[derive(Debug)]
pub struct QueueLock {
    _file: File,
}

/// A replay that did not come to its end.
#[derive(Debug)]
pub struct Unfinished {
    pub plan: ReplayPlan,
    pub progress: Progress,
    pub journal: FileJournal,
}

impl Journals {
    /// The journals in `dir`, which is made if it is not there.
    pub fn open(dir: PathBuf) -> OpsResult<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|error| io_error("make", &dir, error))?;
        Ok(Self { dir })
    }

    /// Takes the right to replay `queue` (a dead-letter queue).
    pub fn lock(&self, queue: &str) -> OpsResult<QueueLock> {
        let path = self.lock_path(queue);
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let file = file.map_err(|error| io_error("open", &path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(QueueLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpsError::refused(format!(
                "another replay of {queue} is running"
            ))
            .hint("wait for it to finish, or interrupt it: it can be resumed")),
            Err(TryLockError::Error(error)) => Err(io_error("lock", &path, error)),
        }
    }

    fn journal_path(&self, plan: &ReplayPlan) -> PathBuf {
        let (queue, id) = (file_name(&plan.queue), file_name(&plan.id));
        self.dir.join(format!("{queue}-{id}.jsonl"))
    }

    /// Refuses a plan that has a journal already.
    pub fn refuse_executed(&self, plan: &ReplayPlan) -> OpsResult<()> {
        let path = self.journal_path(plan);
        if path.exists() {
            return Err(
                OpsError::refused("this plan was already carried out").hint(format!(
                    "its journal is {}; make a new plan",
                    path.display()
                )),
            );
        }
        Ok(())
    }

    /// Starts the journal of `plan`: the plan is on disk when it returns.
    pub fn create(&self, plan: &ReplayPlan) -> OpsResult<FileJournal> {
        let path = self.journal_path(plan);
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .mode(0o600)
            .open(&path);
        let mut file = file.map_err(|error| io_error("make", &path, error))?;
        let text = to_lines(&[JournalEntry::Plan(plan.clone())])?;
        file.write_all(&text)
            .and_then(|()| file.sync_data())
            .map_err(|error| io_error("write", &path, error))?;
        let journal = FileJournal::start(path, file);
        // Without this the name of the file could be lost in a power cut.
        File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(|error| io_error("write", &self.dir, error))?;
        Ok(journal)
    }

    /// The oldest replay of `queue` in `env` that did not come to its end.
    pub fn unfinished(&self, env: &str, queue: &str) -> OpsResult<Option<Unfinished>> {
        for path in self.paths(queue)? {
            let (entries, good_bytes) = read(&path)?;
            let Some(JournalEntry::Plan(plan)) = entries.first() else {
                // Cut off while the plan was written: nothing had been sent yet.
                fs::remove_file(&path).map_err(|error| io_error("remove", &path, error))?;
                continue;
            };
            let progress = Progress::read(&entries);
            if plan.env == env && plan.queue == queue && !progress.finished {
                let journal = FileJournal::reopen(path, good_bytes)?;
                return Ok(Some(Unfinished {
                    plan: plan.clone(),
                    progress,
                    journal,
                }));
            }
        }
        Ok(None)
    }

    /// Whether a replay of `queue` in `env` was interrupted and is not running. Only looks: neither
    /// a folder nor a file is made or changed.
    pub fn is_interrupted(dir: PathBuf, env: &str, queue: &str) -> OpsResult<bool> {
        let journals = Self { dir };
        let lock = journals.lock_path(queue);
        let file = match OpenOptions::new().write(true).open(&lock) {
            Ok(file) => file,
            // Whoever replays takes the lock first.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(io_error("open", &lock, error)),
        };
        // A journal that is being written is not to be read.
        if file.try_lock().is_err() {
            return Ok(false);
        }
        for path in journals.paths(queue)? {
            let (entries, _) = read(&path)?;
            if let Some(JournalEntry::Plan(plan)) = entries.first() {
                let is_this = plan.env == env && plan.queue == queue;
                if is_this && !Progress::read(&entries).finished {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The journals of `queue`, the oldest first.
    fn paths(&self, queue: &str) -> OpsResult<Vec<PathBuf>> {
        let start = format!("{}-", file_name(queue));
        let entries =
            fs::read_dir(&self.dir).map_err(|error| io_error("read", &self.dir, error))?;
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
            .filter(|path| {
                path.file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(|name| name.starts_with(&start))
            })
            .collect();
        // Names hold the time of the plan.
        paths.sort();
        Ok(paths)
    }

    fn lock_path(&self, queue: &str) -> PathBuf {
        self.dir.join(format!("{}.lock", file_name(queue)))
    }
}

fn file_name(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
                c
            } else {
                '_'
            }
        })
        .collect()
}
