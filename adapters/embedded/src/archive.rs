//! The archive as files, one per object, in folders that keep the order of keys.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use payops_core::domain::bus::object_created;
use payops_core::domain::sha256_hex;
use payops_core::port::{
    Archive, ArchiveHead, ArchivePage, Bus, Clock, ErrorKind, PortError, PortResult, PutOutcome,
    Random,
};
use payops_system::private_file;

use crate::files::{blocking, create_folder, link_new, to_error};
use crate::ulids::new_ulid;

/// Where the two levels of folders cut a key. `payments/pay_` and the first five characters of
/// the id's time are nine hours; two more are half a minute: a folder holds at most a thousand
/// folders, or what was accepted in half a minute.
const CUTS: [usize; 2] = [18, 20];
const KEY_BYTES_MAX: usize = 200;
/// A temporary file this old belongs to no put that is still running.
const LEFT_OVER: Duration = Duration::from_hours(1);

/// An archive in one folder. Several processes may use it at once.
#[derive(Clone)]
pub struct FileArchive {
    folder: PathBuf,
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl FileArchive {
    /// Opens the archive in `folder`; makes it if it is not there. Each object that is created
    /// is announced on `bus` as S3 would.
    pub fn open(
        folder: &Path,
        bus: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> PortResult<Self> {
        create_folder(&folder.join("objects"))?;
        create_folder(&folder.join("temporary"))?;
        clear_left_overs(&folder.join("temporary"));
        Ok(Self {
            folder: folder.to_owned(),
            bus,
            clock,
            random,
        })
    }

    fn path(&self, key: &str) -> PortResult<PathBuf> {
        let names = ObjectPath::of(key)?;
        Ok(self
            .folder
            .join("objects")
            .join(names.folders.0)
            .join(names.folders.1)
            .join(names.file))
    }

    fn put(&self, key: &str, bytes: &[u8]) -> PortResult<PutOutcome> {
        let path = self.path(key)?;
        let fail = |error| to_error(&format!("archiving {key}"), error);
        // Asking first spares a repeated put the writing; the link decides.
        if !path.exists() {
            make_folders(&self.folder.join("objects"), &path).map_err(fail)?;
            let temporary = self
                .folder
                .join("temporary")
                .join(new_ulid(&*self.clock, &*self.random));
            private_file::create_new(&temporary, bytes).map_err(fail)?;
            if link_new(&temporary, &path).map_err(fail)? {
                return Ok(PutOutcome::Created);
            }
        }
        Ok(PutOutcome::Exists {
            sha256: sha256_hex(&fs::read(&path).map_err(fail)?),
        })
    }

    /// Puts and announces. Runs to its end although the caller may go away: S3 announces by itself
    /// too.
    async fn put_and_announce(self, key: String, bytes: Vec<u8>) -> PortResult<PutOutcome> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let (this, name) = (self.clone(), key.clone());
        let outcome = blocking(move || this.put(&name, &bytes)).await?;
        if outcome == PutOutcome::Created {
            let event = object_created("archive", &key, size, self.clock.now());
            let announced = self
                .bus
                .put(&[event])
                .await
                .and_then(|results| results.into_iter().collect::<PortResult<Vec<()>>>());
            // The object stands: a repeated put meets it and tells the caller to go on by itself.
            announced.map_err(|error| {
                PortError::because(
                    ErrorKind::Ambiguous,
                    format!("{key} was archived, but announcing it failed"),
                    error,
                )
            })?;
        }
        Ok(outcome)
    }
}

#[async_trait]
impl Archive for FileArchive {
    async fn put_if_absent(&self, key: &str, bytes: &[u8]) -> PortResult<PutOutcome> {
        let put = tokio::spawn(
            self.clone()
                .put_and_announce(key.to_owned(), bytes.to_vec()),
        )
        .await;
        put.unwrap_or_else(|error| {
            Err(PortError::because(
                ErrorKind::Ambiguous,
                "an upload to the archive was interrupted",
                error,
            ))
        })
    }

    async fn get(&self, key: &str) -> PortResult<Option<Vec<u8>>> {
        let (path, key) = (self.path(key)?, key.to_owned());
        blocking(move || match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(to_error(&format!("reading the archived {key}"), error)),
        })
        .await
    }

    async fn list(&self, from: Option<&str>, limit: usize) -> PortResult<ArchivePage> {
        let objects = self.folder.join("objects");
        let after = from.map(str::to_owned);
        blocking(move || {
            page(&objects, after.as_deref(), limit)
                .map_err(|error| to_error("listing the archive", error))
        })
        .await
    }
}

/// Where an object lies. A `/` in its key is a `+` in its file's name.
struct ObjectPath {
    folders: (String, String),
    file: String,
}

impl ObjectPath {
    /// Refuses keys that could lead out of the archive or that no object has.
    fn of(key: &str) -> PortResult<Self> {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let segments_fine = key.split('/').all(|segment| {
            !segment.is_empty() && !segment.starts_with('.') && segment.chars().all(fine)
        });
        if !segments_fine || key.len() > KEY_BYTES_MAX {
            let text = "invalid archive key: use 1 to 200 of A-Z a-z 0-9 _ - . and single slashes, with \
                no dot after a slash";
            return Err(PortError::new(ErrorKind::Permanent, text));
        }
        let name = key.replace('/', "+");
        Ok(Self {
            folders: (
                folder_name(&name, 0, CUTS[0]),
                folder_name(&name, CUTS[0], CUTS[1]),
            ),
            file: name,
        })
    }
}

/// The folder of all keys that have this part; the letter before it keeps `.` and `..` from being
/// folders.
fn folder_name(file: &str, from: usize, to: usize) -> String {
    let part = file
        .get(from.min(file.len())..to.min(file.len()))
        .unwrap_or_default();
    format!("k{part}")
}

fn key_of(name: &str) -> String {
    name.replace('+', "/")
}

/// Makes the two folders above `path` and puts their entries on the medium.
fn make_folders(objects: &Path, path: &Path) -> io::Result<()> {
    let Some(inner) = path.parent().filter(|inner| !inner.exists()) else {
        return Ok(());
    };
    let outer = inner.parent().unwrap_or(objects);
    fs::create_dir_all(inner)?;
    private_file::sync_dir(outer)?;
    private_file::sync_dir(objects)
}

/// Names of a folder's entries as parts of keys, in order of key, from `from` on.
fn entries(folder: &Path, from: &str) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str() {
            let part = key_of(name);
            if part.as_str() >= from {
                found.push((part, entry.path()));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// A page of objects after the key `after`. Reads the folders that the page lies in, and no others.
fn page(objects: &Path, after: Option<&str>, limit: usize) -> io::Result<ArchivePage> {
    let after = after.unwrap_or("");
    let (outer_from, inner_from) = (
        key_of(&folder_name(after, 0, CUTS[0])),
        key_of(&folder_name(after, CUTS[0], CUTS[1])),
    );
    let mut found = Vec::new();
    for (outer, outer_path) in entries(objects, &outer_from)? {
        let first = if outer == outer_from {
            inner_from.as_str()
        } else {
            ""
        };
        for (_, inner_path) in entries(&outer_path, first)? {
            for (key, path) in entries(&inner_path, after)? {
                if key == after {
                    continue;
                }
                if found.len() == limit {
                    let next = found.last().map(|head: &ArchiveHead| head.key.clone());
                    return Ok(ArchivePage {
                        objects: found,
                        next,
                    });
                }
                found.push(ArchiveHead {
                    bytes: fs::metadata(path)?.len(),
                    key,
                });
            }
        }
    }
    Ok(ArchivePage {
        objects: found,
        next: None,
    })
}

/// Removes what puts that were cut off by a crash left. What cannot be removed does no harm.
fn clear_left_overs(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let age = entry
            .metadata()
            .and_then(|meta| meta.modified())
            .map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
        if age.is_ok_and(|age| age > LEFT_OVER) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_cannot_lead_out_of_the_archive() {
        for bad in [
            "",
            ".",
            "..",
            "../x",
            "a/../b",
            "/etc/passwd",
            "a//b",
            "a/",
            "a\0b",
            "a+b",
            "ä",
            "payments/.hidden",
            &"x".repeat(201),
        ] {
            assert!(ObjectPath::of(bad).is_err(), "{bad}");
        }
        // Folder names are cut out of the key: none may come out as `..`.
        let names = ObjectPath::of("payments/pay_01JD5..xyz.json").expect("a key");
        assert_eq!(
            names.folders,
            ("kpayments+pay_01JD5".to_owned(), "k..".to_owned())
        );
        let short = ObjectPath::of("a").expect("a key");
        assert_eq!(
            (
                short.folders.0.as_str(),
                short.folders.1.as_str(),
                short.file.as_str()
            ),
            ("ka", "k", "a")
        );
    }
}
