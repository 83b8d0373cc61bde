//! Watching whether the data directory takes writes.
//!
//! The stores tell their callers that a disk is full, and go on when it no longer is. What they
//! cannot do is tell the operator once, or say that it is over while nobody writes. So the
//! platform writes a few blocks of its own now and then, and removes them.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::notice::Notice;

/// Never synced, so on most file systems it takes space without reaching the medium.
const PROBE_FILE: &str = ".probe";
/// What there must be room for while writes work.
const PROBE_BYTES: usize = 64 * 1024;
/// What there must be room for before they count as working again: more, so that a disk on the
/// edge is not told of every second.
const AGAIN_BYTES: usize = 1024 * 1024;

/// Whether a directory takes writes, as of the last look.
pub(crate) struct Disk {
    probe: PathBuf,
    takes_writes: bool,
}

impl Disk {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            probe: root.join(PROBE_FILE),
            takes_writes: true,
        }
    }

    pub(crate) fn takes_writes(&self) -> bool {
        self.takes_writes
    }

    /// Looks; what to tell the operator, if it has changed.
    pub(crate) async fn look(&mut self) -> Option<Notice> {
        let (path, bytes) = (
            self.probe.clone(),
            if self.takes_writes {
                PROBE_BYTES
            } else {
                AGAIN_BYTES
            },
        );
        let written = tokio::task::spawn_blocking(move || write(&path, bytes))
            .await
            .ok()?;
        let notice = match written {
            Ok(()) => Notice::Writable,
            Err(error) => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Notice::Full,
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                    Notice::ReadOnly
                }
                _ => {
                    // Nothing about space; whoever writes is told by the stores.
                    tracing::debug!(
                        error = error.to_string(),
                        "looking at the data directory failed"
                    );
                    return None;
                }
            },
        };
        let takes_writes = notice == Notice::Writable;
        (std::mem::replace(&mut self.takes_writes, takes_writes) != takes_writes).then_some(notice)
    }
}

fn write(path: &Path, bytes: usize) -> io::Result<()> {
    let written = std::fs::File::create(path).and_then(|mut file| file.write_all(&vec![0; bytes]));
    let removed = std::fs::remove_file(path);
    written.and(removed)
}
