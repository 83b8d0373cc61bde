//! Files that only their owner reads, made whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use payops_core::port::{ErrorKind, PortError, PortResult};

/// A failed file operation that was to do `what`.
pub(crate) fn failed(what: &str, error: io::Error) -> PortError {
    use io::ErrorKind as Io;
    let kind = match error.kind() {
        Io::NotFound => ErrorKind::NotFound,
        Io::PermissionDenied => ErrorKind::Denied,
        Io::StorageFull | Io::ReadOnlyFilesystem | Io::QuotaExceeded | Io::FileTooLarge => {
            ErrorKind::NotWritable
        }
        Io::Interrupted | Io::TimedOut | Io::ResourceBusy => ErrorKind::Unavailable,
        Io::InvalidData | Io::IsADirectory | Io::NotADirectory => ErrorKind::Corrupt,
        _ => ErrorKind::Permanent,
    };
    PortError::because(kind, what.to_owned(), error)
}

/// Makes a folder and those above it, open to their owner alone, unless they are there.
pub(crate) fn create_folder(path: &Path) -> PortResult<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| failed(&format!("making the folder {}", path.display()), error))
}

/// Writes `bytes` to a new file, on the medium when it returns.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Gives the finished file `temporary` the name `path` unless a file has it: whether it did.
/// The temporary name is gone afterwards, and the folder of `path` is on the medium: also when
/// another process, which may not have come to that yet, made the file.
pub(crate) fn link_new(temporary: &Path, path: &Path) -> io::Result<bool> {
    let linked = match fs::hard_link(temporary, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    };
    let removed = fs::remove_file(temporary);
    let made = linked?;
    removed?;
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    Ok(made)
}

/// Runs `work`, which waits for the medium, off the runtime's own threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> PortResult<T> + Send + 'static,
) -> PortResult<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(PortError::because(
            ErrorKind::Ambiguous,
            "waiting for a file operation",
            error,
        ))
    })
}
