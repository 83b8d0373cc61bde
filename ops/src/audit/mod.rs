//! The record of what operators did: JSON lines, added and never changed, each bound to the one
//! before by its hash, readable by their owner alone. What cannot be recorded is not done.

mod cursor;
mod folder;
mod segment;
pub mod ship;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use cursor::FILE as SHIPPED;
use payops_core::domain::audit::{
    AuditEntry, ChainBreak, ChainError, Head, Verified, Verifier, chain,
};
use payops_core::port::{AuditLog, ErrorKind, PortError, PortResult};
use payops_system::private_file;

use crate::error::{OpsError, OpsResult};

const FILE: &str = "audit.jsonl";
/// Where its last line's number and hash are kept beside it: lines cut off at its end are then
/// missed.
const ANCHOR: &str = "audit.head";
/// How much of its end is read for the newest entries.
const TAIL_BYTES: u64 = 4 * 1024 * 1024;

/// Why a line could not be added.
#[derive(Debug, thiserror::Error)]
enum AppendError {
    /// The file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The line could not be made.
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("it is not a regular file")]
    NotAFile,
    /// The last line is not one that another can follow.
    #[error("its last line was changed or is damaged; no line can follow it")]
    Damaged,
    #[error("lines are missing at its end: {known} were written, {found} are there")]
    CutOff { found: u64, known: u64 },
}

/// Adds a line to the record in `dir`; on disk when it returns.
pub(crate) fn append(dir: &Path, entry: &AuditEntry) -> OpsResult<()> {
    add(dir, entry).map_err(|error| {
        let hint = match &error {
            AppendError::Damaged | AppendError::CutOff { .. } => {
                format!(
                    "payops audit verify says what is wrong; move {FILE}, {ANCHOR} and \
                    {SHIPPED} away together to begin a new record"
                )
            }
            _ => "make the directory writable, then run the same command again".to_owned(),
        };
        let message = format!(
            "cannot write to the audit record {}; nothing was done",
            dir.join(FILE).display()
        );
        OpsError::failed(message).because(error).hint(hint)
    })
}

fn add(dir: &Path, entry: &AuditEntry) -> Result<(), AppendError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .open(dir.join(FILE))?;
    // A device is written to without an end, and read so.
    if !file.metadata()?.is_file() {
        return Err(AppendError::NotAFile);
    }
    // Who adds a line must know the last one: one at a time, in all processes.
    file.lock()?;
    let head = head(&mut file)?;
    if let (Some(known), found) = (anchor(dir)?, head.as_ref().map_or(0, |head| head.seq))
        && known.seq > found
    {
        return Err(AppendError::CutOff {
            found,
            known: known.seq,
        });
    }
    let (mut line, head) = chain(entry, head.as_ref())?;
    line.push('\n');
    let length = file.metadata()?.len();
    let bytes = serde_json::to_vec(&head).map_err(std::io::Error::from)?;
    let written = file
        .write_all(line.as_bytes())
        .and_then(|()| file.sync_data())
        .and_then(|()| private_file::write(&dir.join(ANCHOR), &bytes));
    // What is not done must not be in the record, unless its anchor is on disk already.
    if written.is_err() && anchor(dir)?.is_none_or(|known| known.seq < head.seq) {
        file.set_len(length)?;
    }
    Ok(written?)
}

/// Cuts off the end of a line that was being written when its process ended: nobody was told that
/// it is recorded, and what it would have said was not done.
fn mend(file: &mut File) -> std::io::Result<()> {
    let length = file.metadata()?.len();
    let last = last_bytes(file, length)?;
    let torn = last.iter().rev().take_while(|byte| **byte != b'\n').count();
    if torn > 0 {
        file.set_len(length.saturating_sub(u64::try_from(torn).unwrap_or(u64::MAX)))?;
    }
    Ok(())
}

fn last_bytes(file: &mut File, length: u64) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last line, empty in an empty file. One that was never whole is cut off.
fn last_line(file: &mut File) -> std::io::Result<Vec<u8>> {
    mend(file)?;
    let length = file.metadata()?.len();
    let bytes = last_bytes(file, length)?;
    let lines = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    Ok(lines
        .rsplit(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default()
        .to_vec())
}

/// What the next line follows; `None` in an empty record.
fn head(file: &mut File) -> Result<Option<Head>, AppendError> {
    let last = last_line(file)?;
    if last.is_empty() {
        return Ok(None);
    }
    if let Some(head) = Head::of_line(&last) {
        return Ok(Some(head));
    }
    // Written by an older payops, which did not chain: all of it is, or it was changed.
    let verified = check(file, None)?.map_err(|_| AppendError::Damaged)?;
    if verified.entries > 0 {
        Err(AppendError::Damaged)
    } else {
        Ok(Some(verified.head))
    }
}

fn check(file: &mut File, anchor: Option<&Head>) -> std::io::Result<Result<Verified, ChainBreak>> {
    file.seek(SeekFrom::Start(0))?;
    let mut verifier = Verifier::new(anchor);
    for (number, line) in (1_u64..).zip(BufReader::new(file).split(b'\n')) {
        verifier.line(number, &line?);
    }
    Ok(verifier.end())
}

fn anchor(dir: &Path) -> std::io::Result<Option<Head>> {
    match fs::read(dir.join(ANCHOR)) {
        // One that cannot be read is one that says nothing.
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[derive(Clone, Debug)]
pub struct FileAuditLog {
    pub dir: PathBuf,
}

impl FileAuditLog {
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// Checks the chain, against the anchor beside it too; `None` when there is no record.
    pub fn verify(&self) -> std::io::Result<Option<Result<Verified, ChainBreak>>> {
        let mut file = match File::open(self.path()) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // A line that is being written now is not a break.
        file.lock_shared()?;
        let anchor = anchor(&self.dir)?;
        check(&mut file, anchor.as_ref()).map(Some)
    }

    /// Checks the chain against a line that is known from elsewhere; `None` when there is no
    /// record.
    pub fn verify_against(
        &self,
        known: &Head,
    ) -> std::io::Result<Option<Result<Verified, ChainBreak>>> {
        let mut file = match File::open(self.path()) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        file.lock_shared()?;
        check(&mut file, Some(known)).map(Some)
    }

    /// All lines, oldest first, each as it stands and as what it says if it can be read.
    pub fn lines(
        &self,
    ) -> std::io::Result<impl Iterator<Item = std::io::Result<(String, Option<AuditEntry>)>> + use<>>
    {
        let file = match File::open(self.path()) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let lines = file
            .into_iter()
            .flat_map(|file| BufReader::new(file).split(b'\n'));
        Ok(lines.map(|line| {
            let text = String::from_utf8_lossy(&line?).into_owned();
            let entry = serde_json::from_str(&text).ok();
            Ok((text, entry))
        }))
    }
}

#[async_trait]
impl AuditLog for FileAuditLog {
    async fn newest(&self, limit: usize) -> PortResult<(Vec<AuditEntry>, u64)> {
        let failed = |error| {
            PortError::because(
                ErrorKind::Unavailable,
                format!("{} could not be read", self.path().display()),
                error,
            )
        };
        match tail(&self.path()) {
            Ok(text) => Ok(read_newest(&text, limit)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((Vec::new(), 0)),
            Err(error) => Err(failed(error)),
        }
    }
}

/// The last part of the file: the record grows for years, and the newest lines are wanted.
fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let bytes = last_bytes(&mut file, length)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // The first line may have lost its head.
    Ok(if length > TAIL_BYTES {
        text.split_once('\n')
            .map(|(_, rest)| rest.to_owned())
            .unwrap_or_default()
    } else {
        text
    })
}

fn read_newest(text: &str, limit: usize) -> (Vec<AuditEntry>, u64) {
    let (mut entries, mut damaged) = (Vec::new(), 0);
    for line in text.lines().rev().filter(|line| !line.trim().is_empty()) {
        match serde_json::from_str(line) {
            Ok(entry) if entries.len() < limit => entries.push(entry),
            Ok(_) => break,
            Err(_) => damaged += 1,
        }
    }
    (entries, damaged)
}

#[cfg(test)]
mod tests;
