//! One journal: a file of JSON lines, written by a thread of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use async_trait::async_trait;
use payops_core::domain::replay::{JournalEntry, Progress};
use payops_core::port::{ErrorKind, Journal, PortError, PortResult};
use tokio::sync::oneshot;

use crate::error::{OpsError, OpsResult};

/// A journal that can be added to. Its thread writes what several lanes hand in together, with one
/// flush to the disk for all of it.
#[derive(Debug)]
pub struct FileJournal {
    path: PathBuf,
    to: mpsc::Sender<Entry>,
}

/// Lines to write, and who waits until they are on disk.
type Entry = (Vec<u8>, oneshot::Sender<Result<(), Arc<std::io::Error>>>);

impl FileJournal {
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn progress(&self) -> OpsResult<Progress> {
        Ok(Progress::read(&read(&self.path)?.0))
    }

    /// Opens a journal to add to it, and cuts off a last line that was never whole.
    pub(super) fn reopen(path: PathBuf, good_bytes: u64) -> OpsResult<Self> {
        let open = || {
            let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
            file.set_len(good_bytes)?;
            file.seek(SeekFrom::End(0))?;
            file.sync_data()?;
            Ok(file)
        };
        let file = open().map_err(|error| io_error("open", &path, error))?;
        Ok(Self::start(path, file))
    }

    pub(super) fn start(path: PathBuf, file: File) -> Self {
        let (to, from) = mpsc::channel();
        // It ends when the journal is dropped; what was acknowledged is on disk by then.
        std::thread::spawn(move || write_all(file, &from));
        Self { path, to }
    }

    fn io_error(&self, error: Arc<std::io::Error>) -> PortError {
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull
            | std::io::ErrorKind::QuotaExceeded
            | std::io::ErrorKind::ReadOnlyFilesystem => ErrorKind::NotWritable,
            _ => ErrorKind::Permanent,
        };
        PortError::because(
            kind,
            format!("cannot write the journal {}", self.path.display()),
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

pub(super) fn to_lines(entries: &[JournalEntry]) -> PortResult<Vec<u8>> {
    let mut text = Vec::new();
    for entry in entries {
        serde_json::to_writer(&mut text, entry).map_err(|error| {
            PortError::because(
                ErrorKind::Permanent,
                "cannot write a journal entry as JSON",
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
        let (reply, written) = oneshot::channel();
        let ended = || self.io_error(Arc::new(std::io::Error::other("its writer has stopped")));
        self.to
            .send((to_lines(entries)?, reply))
            .map_err(|_| ended())?;
        written
            .await
            .map_err(|_| ended())?
            .map_err(|error| self.io_error(error))
    }
}

/// The entries of a journal, and how many of its bytes are whole lines. Only the last line may
/// be torn: it was being written when the process ended, and what it would have said was not done
/// or is found out again.
pub(super) fn read(path: &Path) -> OpsResult<(Vec<JournalEntry>, u64)> {
    let bytes = fs::read(path).map_err(|error| io_error("read", path, error))?;
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
                let hint = "inspect the journal, move it away, and check the queues before you \
                    start another replay";
                return Err(OpsError::failed(message).because(error).hint(hint));
            }
            // The last line: torn, or without its line break, so that it may lack more than that.
            _ => break,
        }
        good_bytes = good_bytes.saturating_add(line.len());
    }
    Ok((entries, u64::try_from(good_bytes).unwrap_or(u64::MAX)))
}

pub(super) fn io_error(what: &str, path: &Path, error: std::io::Error) -> OpsError {
    let hint = match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            "a replay keeps its journal there; make the directory writable"
        }
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "a replay keeps its journal there; free some space"
        }
        _ => "a replay keeps its journal there",
    };
    OpsError::failed(format!("cannot {what} {}", path.display()))
        .because(error)
        .hint(hint)
}
