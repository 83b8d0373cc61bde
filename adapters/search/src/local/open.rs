//! The index's folder: making it, its schema version, and who may write to it.

use std::fs::{self, File};
use std::path::Path;

use payops_core::port::{ErrorKind, PortError, PortResult};
use payops_system::private_file;
use tantivy::directory::MmapDirectory;
use tantivy::{Index, IndexReader, ReloadPolicy};

use super::error::{file_error, port_error};
use super::fields::schema;
use super::read_only::ReadDirectory;

/// The version of the schema in `fields`.
const SCHEMA_VERSION: u32 = 1;
const VERSION_FILE: &str = "payops-schema-version";
const OPEN_LOCK: &str = "payops-open.lock";
/// The file that tantivy replaces at every commit.
pub(super) const META_FILE: &str = "meta.json";

/// Opens the folder's index, making both if they are not there. Held by the caller until it has the
/// writer, the lock keeps two processes from making the index at once.
pub(super) fn open(dir: &Path) -> PortResult<(Index, File)> {
    fs::create_dir_all(dir).map_err(|error| file_error("create its folder", error))?;
    let lock = File::create(dir.join(OPEN_LOCK)).map_err(|error| file_error("be locked", error))?;
    lock.lock()
        .map_err(|error| file_error("be locked", error))?;
    if !check_version(dir)? {
        if dir.join(META_FILE).exists() {
            return Err(PortError::new(
                ErrorKind::Corrupt,
                "the folder holds an index that is not of payments",
            ));
        }
        write_version(dir).map_err(|error| file_error("write its version", error))?;
    }
    let directory =
        MmapDirectory::open(dir).map_err(|error| port_error("be opened", error.into()))?;
    let index = Index::open_or_create(directory, schema().0)
        .map_err(|error| port_error("be opened", error))?;
    Ok((index, lock))
}

pub(super) fn open_existing(dir: &Path) -> PortResult<Index> {
    if !check_version(dir)? {
        return Err(PortError::new(
            ErrorKind::NotFound,
            "the folder holds no search index",
        ));
    }
    let directory =
        MmapDirectory::open(dir).map_err(|error| port_error("be opened", error.into()))?;
    let index =
        Index::open(ReadDirectory(directory)).map_err(|error| port_error("be opened", error))?;
    if index.schema() == schema().0 {
        Ok(index)
    } else {
        Err(PortError::new(
            ErrorKind::Corrupt,
            "the search index has different fields",
        ))
    }
}

/// A reader that is told when to look for commits.
pub(super) fn reader(index: &Index) -> PortResult<IndexReader> {
    let builder = index.reader_builder().reload_policy(ReloadPolicy::Manual);
    builder
        .try_into()
        .map_err(|error| port_error("be read", error))
}

/// Whether there is a version, and one that is known here.
fn check_version(dir: &Path) -> PortResult<bool> {
    let text = match fs::read_to_string(dir.join(VERSION_FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(file_error("report its version", error)),
    };
    let version: u32 = text
        .trim()
        .parse()
        .map_err(|_| PortError::new(ErrorKind::Corrupt, "the search index has no valid version"))?;
    if version == SCHEMA_VERSION {
        return Ok(true);
    }
    let message = if version > SCHEMA_VERSION {
        format!(
            "the search index has schema version {version}; this payops supports versions up \
                to {SCHEMA_VERSION}"
        )
    } else {
        format!(
            "the search index has schema version {version}; this payops needs {SCHEMA_VERSION}: \
                remove the folder and rebuild it"
        )
    };
    Err(PortError::new(ErrorKind::Corrupt, message))
}

fn write_version(dir: &Path) -> std::io::Result<()> {
    private_file::write(
        &dir.join(VERSION_FILE),
        format!("{SCHEMA_VERSION}\n").as_bytes(),
    )
}
