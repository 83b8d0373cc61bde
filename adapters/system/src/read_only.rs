//! Reading SQLite files where nothing can be written.

use std::io;
use std::path::{Path, PathBuf};

/// Whether a SQLite file in WAL mode can only be read as one that nobody changes (`immutable`).
///
/// SQLite reads such a file with the help of two companions, the log (`-wal`) and its index
/// (`-shm`), and makes them if they are not there. While another process has the file open they
/// are, and reading works even on a medium that takes no writes. The last to close the file in
/// order writes the log back and removes both: the file is then whole by itself, and where no
/// companion can be made it is read without. A process that opens it for writing from elsewhere
/// meanwhile is not noticed; what was read until then is a snapshot of before.
///
/// A log without its index, as a copy of a running platform's folder may have, is an error where
/// no index can be made: read without, what is in the log would be missed without a word.
pub fn sqlite_is_immutable(path: &Path) -> io::Result<bool> {
    let companion = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    if companion("-shm").exists() || path.parent().is_none_or(takes_files) {
        return Ok(false);
    }
    if std::fs::metadata(companion("-wal")).is_ok_and(|log| log.len() > 0) {
        let text = format!(
            "{} was not closed cleanly, and reading its log needs a writable folder: copy \
                the folder to a writable place",
            path.display()
        );
        return Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, text));
    }
    Ok(true)
}

/// Whether this process may make files in a folder, as far as its mode and its medium go.
#[must_use]
pub fn takes_files(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_files_can_be_made_nothing_is_immutable() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(takes_files(folder.path()));
        assert!(!sqlite_is_immutable(&folder.path().join("a.db")).expect("asked"));
        assert!(!takes_files(&folder.path().join("missing")));
    }
}
