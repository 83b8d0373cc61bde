//! File operations as the ports report them.

use std::fs;
use std::io;
use std::path::Path;

use payops_core::port::{ErrorKind, PortError, PortResult};
use payops_system::private_file;

/// `what` is what was tried, such as `writing a mail`.
pub(crate) fn to_error(what: &str, error: io::Error) -> PortError {
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
    PortError::because(kind, format!("{what} failed"), error)
}

pub(crate) fn create_folder(path: &Path) -> PortResult<()> {
    private_file::create_dir(path)
        .map_err(|error| to_error(&format!("creating the folder {}", path.display()), error))
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
        private_file::sync_dir(folder)?;
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
            "a file operation was interrupted",
            error,
        ))
    })
}
