//! Journals of replays: one file of JSON lines each, on disk before a message moves, so that a
//! replay that was cut off anywhere goes on from its journal. And the lock that keeps two
//! replays of one queue apart.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use async_trait::async_trait;
use payops_core::domain::replay::{JournalEntry, Progress, ReplayPlan};
use payops_core::port::{ErrorKind, Journal, PortError, PortResult};
use tokio::sync::oneshot;

use crate::error::{CliError, CliResult};
use crate::exit::Exit;

#[derive(Debug)]
pub(crate) struct Journals {
    dir: PathBuf,
}

/// The right to replay one queue; ends with the process.
#[derive(Debug)]
pub(crate) struct QueueLock {
    _file: File,
}

/// A journal that can be added to. Its thread writes what several lanes hand in together, with one
/// flush to the disk for all of it.
#[derive(Debug)]
pub(crate) struct FileJournal {
    path: PathBuf,
    to: mpsc::Sender<Entry>,
}

/// Lines to write, and who waits until they are on disk.
type Entry = (Vec<u8>, oneshot::Sender<Result<(), Arc<std::io::Error>>>);

/// A replay that did not come to its end.
#[derive(Debug)]
pub(crate) struct Unfinished {
    pub(crate) plan: ReplayPlan,
    pub(crate) progress: Progress,
    pub(crate) journal: FileJournal,
}

impl Journals {
    /// The journals in `dir`, which is made if it is not there.
    pub(crate) fn open(dir: PathBuf) -> CliResult<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|error| failed("make", &dir, error))?;
        Ok(Self { dir })
    }

    /// Takes the right to replay `queue` (a dead-letter queue).
    pub(crate) fn lock(&self, queue: &str) -> CliResult<QueueLock> {
        let path = self.dir.join(format!("{}.lock", file_name(queue)));
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let file = file.map_err(|error| failed("open", &path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(QueueLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(CliError::refused(format!(
                "another replay of {queue} is running"
            ))
            .hint("wait for it; it can be interrupted and gone on with")),
            Err(TryLockError::Error(error)) => Err(failed("lock", &path, error)),
        }
    }

    pub(crate) fn refuse_done(&self, plan: &ReplayPlan) -> CliResult<()> {
        let path = self.dir.join(format!(
            "{}-{}.jsonl",
            file_name(&plan.queue),
            file_name(&plan.id)
        ));
        if path.exists() {
            return Err(
                CliError::refused("this plan was carried out already").hint(format!(
                    "its journal is {}; make another plan",
                    path.display()
                )),
            );
        }
        Ok(())
    }

    /// Starts the journal of `plan`: the plan is on disk when it returns.
    pub(crate) fn create(&self, plan: &ReplayPlan) -> CliResult<FileJournal> {
        let path = self.dir.join(format!(
            "{}-{}.jsonl",
            file_name(&plan.queue),
            file_name(&plan.id)
        ));
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .mode(0o600)
            .open(&path);
        let mut file = file.map_err(|error| failed("make", &path, error))?;
        let text = lines(&[JournalEntry::Plan(plan.clone())])?;
        file.write_all(&text)
            .and_then(|()| file.sync_data())
            .map_err(|error| failed("write", &path, error))?;
        let journal = FileJournal::on(path, file);
        // Without this the name of the file could be lost in a power cut.
        File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(|error| failed("write", &self.dir, error))?;
        Ok(journal)
    }

    /// The oldest replay of `queue` in `env` that did not come to its end.
    pub(crate) fn unfinished(&self, env: &str, queue: &str) -> CliResult<Option<Unfinished>> {
        let start = format!("{}-", file_name(queue));
        let entries = fs::read_dir(&self.dir).map_err(|error| failed("read", &self.dir, error))?;
        let mut names: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
            .filter(|path| {
                path.file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(|name| name.starts_with(&start))
            })
            .collect();
        // Names hold the time of the plan.
        names.sort();
        for path in names {
            let (entries, good_bytes) = read(&path)?;
            let Some(JournalEntry::Plan(plan)) = entries.first() else {
                // Cut off while the plan was written: nothing had been sent yet.
                fs::remove_file(&path).map_err(|error| failed("remove", &path, error))?;
                continue;
            };
            let progress = Progress::read(&entries);
            if plan.env == env && plan.queue == queue && !progress.finished {
                let journal = FileJournal::go_on(path, good_bytes)?;
                return Ok(Some(Unfinished {
                    plan: plan.clone(),
                    progress,
                    journal,
                }));
            }
        }
        Ok(None)
    }
}

impl FileJournal {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn progress(&self) -> CliResult<Progress> {
        Ok(Progress::read(&read(&self.path)?.0))
    }

    /// Opens a journal to go on, and cuts off a last line that was never whole.
    fn go_on(path: PathBuf, good_bytes: u64) -> CliResult<Self> {
        let open = || {
            let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
            file.set_len(good_bytes)?;
            file.seek(SeekFrom::End(0))?;
            file.sync_data()?;
            Ok(file)
        };
        let file = open().map_err(|error| failed("open", &path, error))?;
        Ok(Self::on(path, file))
    }

    fn on(path: PathBuf, file: File) -> Self {
        let (to, from) = mpsc::channel();
        // It ends when the journal is dropped; what was acknowledged is on disk by then.
        std::thread::spawn(move || write_all(file, &from));
        Self { path, to }
    }

    fn failed(&self, error: Arc<std::io::Error>) -> PortError {
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull
            | std::io::ErrorKind::QuotaExceeded
            | std::io::ErrorKind::ReadOnlyFilesystem => ErrorKind::NotWritable,
            _ => ErrorKind::Permanent,
        };
        PortError::because(
            kind,
            format!("the journal {} could not be written", self.path.display()),
            error,
        )
    }
}

/// Writes what comes in. After a failure nothing more is written: a line behind a torn one would
/// make the journal unreadable.
fn write_all(mut file: File, from: &mpsc::Receiver<Entry>) {
    let mut broken: Option<Arc<std::io::Error>> = None;
    while let Ok((mut text, waiter)) = from.recv() {
        let mut waiters = vec![waiter];
        while let Ok((more, waiter)) = from.try_recv() {
            text.extend(more);
            waiters.push(waiter);
        }
        if broken.is_none() {
            broken = file
                .write_all(&text)
                .and_then(|()| file.sync_data())
                .err()
                .map(Arc::new);
        }
        for waiter in waiters {
            // Who no longer waits does not need to know.
            drop(waiter.send(broken.clone().map_or(Ok(()), Err)));
        }
    }
}

fn lines(entries: &[JournalEntry]) -> PortResult<Vec<u8>> {
    let mut text = Vec::new();
    for entry in entries {
        serde_json::to_writer(&mut text, entry).map_err(|error| {
            PortError::because(
                ErrorKind::Permanent,
                "a journal entry could not be written as JSON",
                error,
            )
        })?;
        text.push(b'\n');
    }
    Ok(text)
}

#[async_trait]
impl Journal for FileJournal {
    async fn append(&self, entries: &[JournalEntry]) -> PortResult<()> {
        let (tell, told) = oneshot::channel();
        let gone = || self.failed(Arc::new(std::io::Error::other("its writer has ended")));
        self.to.send((lines(entries)?, tell)).map_err(|_| gone())?;
        told.await
            .map_err(|_| gone())?
            .map_err(|error| self.failed(error))
    }
}

/// The entries of a journal, and how many of its bytes are whole lines. Only the last line may
/// be torn: it was being written when the process ended, and what it would have said was not done
/// or is found out again.
fn read(path: &Path) -> CliResult<(Vec<JournalEntry>, u64)> {
    let bytes = fs::read(path).map_err(|error| failed("read", path, error))?;
    let (mut entries, mut good_bytes) = (Vec::new(), 0_usize);
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let whole = line.ends_with(b"\n");
        let last = good_bytes.saturating_add(line.len()) == bytes.len();
        match serde_json::from_slice(line) {
            Ok(entry) if whole => entries.push(entry),
            Err(error) if !last => {
                let message = format!(
                    "the journal {} is damaged at line {}",
                    path.display(),
                    number.saturating_add(1)
                );
                let hint =
                    "look at it, move it away, and then compare the queues before a new replay";
                return Err(CliError::new(Exit::Failed, message)
                    .because(error)
                    .hint(hint));
            }
            // The last line: torn, or without its line break, so that it may lack more than that.
            _ => break,
        }
        good_bytes = good_bytes.saturating_add(line.len());
    }
    Ok((entries, u64::try_from(good_bytes).unwrap_or(u64::MAX)))
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

fn failed(what: &str, path: &Path, error: std::io::Error) -> CliError {
    let hint = match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            "a replay keeps a journal there; make the place writable"
        }
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "a replay keeps a journal there; free some space"
        }
        _ => "a replay keeps a journal there",
    };
    CliError::failed(format!("cannot {what} {}", path.display()))
        .because(error)
        .hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use payops_core::domain::replay::{PlannedMessage, Preflight};
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt as _;

    fn plan(id: &str) -> ReplayPlan {
        let message = |id: &str| PlannedMessage {
            message_id: id.to_owned(),
            body_sha256: "00".to_owned(),
            payment_id: None,
            class: "unknown".to_owned(),
            preflight: Preflight::Unknown,
            ..PlannedMessage::default()
        };
        ReplayPlan {
            id: id.to_owned(),
            env: "prod".to_owned(),
            queue: "payments-work-dlq".to_owned(),
            target: "payments-work".to_owned(),
            by: "anna".to_owned(),
            reason: "fixed".to_owned(),
            at: jiff::Timestamp::UNIX_EPOCH,
            messages: ["a", "b", "c"].map(message).to_vec(),
            ..ReplayPlan::default()
        }
    }

    fn sent(id: &str) -> JournalEntry {
        JournalEntry::Sent {
            message_id: id.to_owned(),
            new_message_id: None,
        }
    }

    fn sending(id: &str) -> JournalEntry {
        JournalEntry::Sending {
            message_id: id.to_owned(),
        }
    }

    fn journals() -> (tempfile::TempDir, Journals) {
        let temp = tempfile::tempdir().expect("a folder");
        let journals = Journals::open(temp.path().join("replays/prod")).expect("opened");
        (temp, journals)
    }

    #[tokio::test]
    async fn a_cut_off_replay_is_found_with_its_torn_last_line() {
        let (_temp, journals) = journals();
        let journal = journals.create(&plan("1-x")).expect("made");
        journal
            .append(&[sending("a"), sent("a"), sending("b")])
            .await
            .expect("written");
        let path = journal.path().to_owned();
        drop(journal);
        let whole = fs::read(&path).expect("read");
        let mut torn = whole.clone();
        torn.extend_from_slice(b"{\"entry\":\"sent\",\"mess");
        fs::write(&path, &torn).expect("written");

        let found = journals
            .unfinished("prod", "payments-work-dlq")
            .expect("read")
            .expect("found");
        assert_eq!(found.plan, plan("1-x"));
        assert_eq!(
            (found.progress.sent, found.progress.unclear),
            (
                BTreeSet::from(["a".to_owned()]),
                BTreeSet::from(["b".to_owned()])
            )
        );
        found.journal.append(&[sent("b")]).await.expect("written");
        let after = fs::read_to_string(&path).expect("read");
        assert!(
            after.as_bytes().starts_with(&whole)
                && after.ends_with("\"message_id\":\"b\",\"new_message_id\":null}\n"),
            "{after}"
        );
        assert_eq!(read(&path).expect("whole again").0.len(), 5);
    }

    #[tokio::test]
    async fn every_cut_of_a_journal_can_be_gone_on_with() {
        let (_temp, journals) = journals();
        let journal = journals.create(&plan("1-x")).expect("made");
        journal
            .append(&[sending("a"), sent("a"), sending("b"), sent("b")])
            .await
            .expect("written");
        let path = journal.path().to_owned();
        let whole = fs::read(&path).expect("read");
        for cut in 0..=whole.len() {
            fs::write(&path, whole.get(..cut).unwrap_or_default()).expect("written");
            match journals
                .unfinished("prod", "payments-work-dlq")
                .expect("read")
            {
                Some(found) => {
                    let lines = whole
                        .get(..cut)
                        .unwrap_or_default()
                        .split(|byte| *byte == b'\n')
                        .count()
                        - 1;
                    assert_eq!(
                        read(found.journal.path()).expect("read").0.len(),
                        lines,
                        "cut at {cut}"
                    );
                }
                None => assert!(
                    !path.exists(),
                    "a journal without a plan is removed (cut at {cut})"
                ),
            }
        }
    }

    #[tokio::test]
    async fn finished_and_foreign_journals_are_left_alone() {
        let (_temp, journals) = journals();
        let done = journals.create(&plan("1-x")).expect("made");
        done.append(&[JournalEntry::Finished {
            at: jiff::Timestamp::UNIX_EPOCH,
        }])
        .await
        .expect("written");
        journals
            .create(&ReplayPlan {
                env: "test".to_owned(),
                ..plan("2-x")
            })
            .expect("made");
        assert!(
            journals
                .unfinished("prod", "payments-work-dlq")
                .expect("read")
                .is_none()
        );
        assert!(
            journals
                .unfinished("test", "payments-work-dlq")
                .expect("read")
                .is_some()
        );
        assert!(
            journals
                .unfinished("prod", "projections-dlq")
                .expect("read")
                .is_none()
        );
    }

    #[test]
    fn damage_in_the_middle_is_an_error_and_not_skipped() {
        let (_temp, journals) = journals();
        let journal = journals.create(&plan("1-x")).expect("made");
        let mut text = fs::read(journal.path()).expect("read");
        text.extend_from_slice(b"{\"entry\":\n{\"entry\":\"sending\",\"message_id\":\"a\"}\n");
        fs::write(journal.path(), text).expect("written");
        let error = journals
            .unfinished("prod", "payments-work-dlq")
            .expect_err("refused");
        assert!(
            error.message.contains("damaged at line 2"),
            "{}",
            error.message
        );
    }

    #[test]
    fn journals_are_private_and_one_replay_runs_at_a_time() {
        let (_temp, journals) = journals();
        let journal = journals.create(&plan("1-x")).expect("made");
        assert_eq!(
            fs::metadata(journal.path())
                .expect("there")
                .permissions()
                .mode()
                & 0o777,
            0o600
        );
        let lock = journals.lock("payments-work-dlq").expect("locked");
        assert_eq!(
            journals
                .lock("payments-work-dlq")
                .expect_err("refused")
                .exit,
            Exit::Refused
        );
        journals.lock("projections-dlq").expect("another queue");
        drop(lock);
        journals.lock("payments-work-dlq").expect("free again");
    }
}
