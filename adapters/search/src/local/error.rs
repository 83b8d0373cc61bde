//! What a failure of tantivy means to a caller.

use std::io;
use std::path::Path;
use std::sync::Arc;

use payops_core::port::{ErrorKind, PortError};
use tantivy::TantivyError;
use tantivy::directory::error::{LockError, OpenDirectoryError, OpenReadError, OpenWriteError};

/// `error`, met while trying to `what`; nothing was written by it.
pub(super) fn port_error(what: &str, error: TantivyError) -> PortError {
    let kind = kind_of(&error);
    if kind == ErrorKind::Unavailable && matches!(error, TantivyError::LockFailure(..)) {
        return PortError::because(
            kind,
            "the search index is locked for writing, most likely by another process",
            error,
        );
    }
    PortError::because(kind, format!("the search index cannot {what}"), error)
}

/// A commit that failed: unless the medium takes no writes, it may be found when the index is
/// opened again.
pub(super) fn commit_failed(error: TantivyError) -> PortError {
    let kind = Some(kind_of(&error))
        .filter(|kind| *kind == ErrorKind::NotWritable)
        .unwrap_or(ErrorKind::Ambiguous);
    PortError::because(kind, "the search index could not be committed", error)
}

/// Whether the folder takes no writes at all. A thread of tantivy's that dies of a full disk takes
/// the reason with it, so this asks the folder itself, with more than one block of it.
pub(super) fn not_writable(dir: &Path) -> Option<PortError> {
    let path = dir.join("payops-probe");
    let error = std::fs::write(&path, vec![0; 65_536]).err();
    let _ = std::fs::remove_file(&path);
    error
        .map(|error| file_error("be written to", error))
        .filter(|error| matches!(error.kind, ErrorKind::NotWritable | ErrorKind::Denied))
}

/// A file of the index that could not be used.
pub(super) fn file_error(what: &str, error: io::Error) -> PortError {
    PortError::because(
        kind_of_io(&error),
        format!("the search index cannot {what}"),
        error,
    )
}

fn kind_of(error: &TantivyError) -> ErrorKind {
    match error {
        TantivyError::LockFailure(LockError::IoError(error), _)
        | TantivyError::IoError(error)
        | TantivyError::OpenDirectoryError(
            OpenDirectoryError::IoError {
                io_error: error, ..
            }
            | OpenDirectoryError::FailedToCreateTempDir(error),
        )
        | TantivyError::OpenReadError(OpenReadError::IoError {
            io_error: error, ..
        })
        | TantivyError::OpenWriteError(OpenWriteError::IoError {
            io_error: error, ..
        }) => kind_of_io(&Arc::clone(error)),
        TantivyError::OpenDirectoryError(_)
        | TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(_)) => ErrorKind::NotFound,
        TantivyError::OpenReadError(OpenReadError::IncompatibleIndex(_))
        | TantivyError::DataCorruption(_)
        | TantivyError::IncompatibleIndex(_)
        | TantivyError::SchemaError(_) => ErrorKind::Corrupt,
        // A worker of the writer that died takes the reason with it; a new writer may do better.
        TantivyError::LockFailure(LockError::LockBusy, _)
        | TantivyError::ErrorInThread(_)
        | TantivyError::SystemError(_) => ErrorKind::Unavailable,
        _ => ErrorKind::Permanent,
    }
}

fn kind_of_io(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::FileTooLarge => ErrorKind::NotWritable,
        io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_lost_commit() {
        let kind = |error: io::ErrorKind| commit_failed(io::Error::from(error).into()).kind;
        assert_eq!(kind(io::ErrorKind::StorageFull), ErrorKind::NotWritable);
        assert_eq!(
            kind(io::ErrorKind::ReadOnlyFilesystem),
            ErrorKind::NotWritable
        );
        assert_eq!(kind(io::ErrorKind::Interrupted), ErrorKind::Ambiguous);
    }

    #[test]
    fn a_folder_that_takes_writes_is_not_blamed() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(not_writable(dir.path()).is_none());
        assert!(
            std::fs::read_dir(dir.path())
                .expect("a list")
                .next()
                .is_none(),
            "nothing is left behind"
        );
    }
}
