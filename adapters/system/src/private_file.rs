//! Files that only their owner can read or write (mode 0600).
//!
//! `write` is for state that a crash must not tear: a reader finds the old bytes or the new ones,
//! and after a power cut too.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Replaces the file, or creates it. The bytes and the name are on disk when this returns.
///
/// The folder must exist; see [`create_dir`]. A link at `path` is replaced, not followed. What a
/// crash leaves behind is a file `.<hexadecimal>.tmp` in the same folder.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    let temporary = folder.join(format!(".{:016x}.tmp", rand::random::<u64>()));
    create_new(&temporary, bytes)?;
    if let Err(error) = fs::rename(&temporary, path) {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_dir(&folder)
}

/// Writes a file that must not exist yet ([`io::ErrorKind::AlreadyExists`]); its bytes are on disk
/// when this returns, its name once [`sync_dir`] has returned as well. A file that could not be
/// written whole is removed.
pub fn create_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// Creates the folder and its missing parents with mode 0700; leaves folders that exist alone.
pub fn create_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Puts the names of a folder's files on disk.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("a file").mode() & 0o777
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).into_string().expect("UTF-8"))
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_write_replaces_the_file_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.json");
        write(&path, b"one").expect("creates it");
        write(&path, b"two").expect("replaces it");
        assert_eq!(fs::read(&path).expect("reads"), b"two");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(names(folder.path()), ["state.json"]);
    }

    #[test]
    fn a_file_that_others_could_read_becomes_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.json");
        fs::write(&path, "one").expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changes the mode");
        write(&path, b"two").expect("replaces it");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_link_is_replaced_and_its_target_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let (target, path) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "theirs").expect("writes");
        std::os::unix::fs::symlink(&target, &path).expect("links");
        write(&path, b"ours").expect("replaces the link");
        assert_eq!(fs::read(&target).expect("reads"), b"theirs");
        assert!(!fs::symlink_metadata(&path).expect("a file").is_symlink());
    }

    #[test]
    fn a_write_that_fails_keeps_the_old_file_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        fs::create_dir(&path).expect("a folder in its place");
        fs::write(path.join("inside"), "").expect("writes");
        write(&path, b"bytes").expect_err("a folder cannot be replaced");
        assert_eq!(names(folder.path()), ["state"]);
        let missing = folder.path().join("missing").join("state");
        let error = write(&missing, b"bytes").expect_err("no folder");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_new_file_takes_no_other_ones_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("export.json");
        create_new(&path, b"one").expect("creates it");
        let error = create_new(&path, b"two").expect_err("it exists");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).expect("reads"), b"one");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn folders_are_created_private_and_old_ones_stay_as_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = folder.path().join("old");
        fs::create_dir(&old).expect("creates it");
        fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).expect("changes the mode");
        let new = old.join("a").join("b");
        create_dir(&new).expect("creates both");
        create_dir(&new).expect("they exist");
        assert_eq!((mode(&new), mode(&old.join("a"))), (0o700, 0o700));
        assert_eq!(mode(&old), 0o755);
    }

    #[test]
    fn a_bare_name_is_written_to_the_current_folder() {
        assert_eq!(folder_of(Path::new("state")), Path::new("."));
        assert_eq!(folder_of(Path::new("/a/state")), Path::new("/a"));
    }
}
