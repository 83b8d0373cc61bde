//! Sessions kept between commands: a folder that only its owner can enter, a file for each.
//!
//! What is read is refused, and so asked for anew, unless it is a file of ours that nobody else
//! can read, not about to end, and of the very role, person and reason that are wanted. This guards
//! against other users of the machine, not against programs of the same user.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use payops_core::Timestamp;
use sha2::{Digest as _, Sha256};

use super::session::Session;
use super::spec::{Person, RoleSpec};
use record::Record;

mod record;

/// A session that ends sooner is not worth handing out.
const LEFT_MIN: Duration = Duration::from_mins(1);
/// Bytes of a file that are read; a session has about two thousand.
const FILE_MAX: u64 = 64 * 1024;
/// Permission bits of anyone but the owner.
const OTHERS: u32 = 0o077;
/// Hexadecimal digits of an environment's part of a file name, and of the rest.
const ENV_DIGITS: usize = 12;
const KEY_DIGITS: usize = 40;

/// Makes names of unfinished files differ within a process.
static COUNT: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCache {
    folder: PathBuf,
}

/// Why a kept session is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Miss {
    #[error("no session is kept")]
    Absent,
    /// Somebody else could have read or written it.
    #[error("{} is not used: {why}", path.display())]
    Unsafe { path: PathBuf, why: &'static str },
    /// It has ended, or will within a minute.
    #[error("the kept session has ended")]
    Ended,
    /// It is of another account, policy, duration, reason or ticket.
    #[error("the kept session was given for something else")]
    Different,
    #[error("the kept session cannot be read")]
    Damaged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget<'a> {
    Env(&'a str),
    /// Every session, and what a crash may have left unfinished.
    All,
}

impl SessionCache {
    /// Sessions in `folder`, which is made (mode 0700) when the first is kept.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// The session that is kept for this role and person, if it may still be used at `now`.
    pub fn load(&self, spec: &RoleSpec, person: &Person, now: Timestamp) -> Result<Session, Miss> {
        let path = self.path(spec, person);
        let mut text = String::new();
        let file = self.open(&path)?;
        file.take(FILE_MAX)
            .read_to_string(&mut text)
            .map_err(|_| Miss::Damaged)?;
        let record: Record = serde_json::from_str(&text).map_err(|_| Miss::Damaged)?;
        if !record.is_for(spec, person) {
            return Err(Miss::Different);
        }
        let session = record.session().ok_or(Miss::Damaged)?;
        if session.left(now) <= LEFT_MIN {
            Err(Miss::Ended)
        } else {
            Ok(session)
        }
    }

    pub fn store(&self, spec: &RoleSpec, person: &Person, session: &Session) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        self.check_folder()
            .map_err(|miss| io::Error::new(ErrorKind::PermissionDenied, miss))?;
        let text = serde_json::to_vec(&Record::of(spec, person, session))?;
        let unfinished = self.folder.join(format!(
            ".{}-{}.tmp",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        let done = write_new(&unfinished, &text)
            .and_then(|()| std::fs::rename(&unfinished, self.path(spec, person)));
        if done.is_err() {
            // What is there may be another process's: never removed when it could not be made.
            let ours = done
                .as_ref()
                .is_err_and(|error| error.kind() != ErrorKind::AlreadyExists);
            if ours {
                std::fs::remove_file(&unfinished).ok();
            }
        }
        done
    }

    pub fn forget(&self, what: Forget<'_>) -> io::Result<usize> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            entries => entries?,
        };
        let begin = match what {
            Forget::Env(env) => format!("{}-", hash(&[env], ENV_DIGITS)),
            Forget::All => String::new(),
        };
        let mut removed = 0;
        for entry in entries {
            let path = entry?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            let is = |kind: &str| path.extension().is_some_and(|found| found == kind);
            let kept = is("json") && name.starts_with(&begin);
            if kept || (what == Forget::All && name.starts_with('.') && is("tmp")) {
                std::fs::remove_file(&path)?;
                removed += usize::from(kept);
            }
        }
        Ok(removed)
    }

    /// Where the session of this role and person is kept.
    #[must_use]
    pub fn path(&self, spec: &RoleSpec, person: &Person) -> PathBuf {
        let endpoint = spec.endpoint_url.as_deref().unwrap_or_default();
        let key = hash(
            &[
                &spec.env,
                &spec.duty,
                &spec.role_arn,
                &person.name,
                &spec.region,
                endpoint,
            ],
            KEY_DIGITS,
        );
        self.folder
            .join(format!("{}-{key}.json", hash(&[&spec.env], ENV_DIGITS)))
    }

    fn check_folder(&self) -> Result<(), Miss> {
        let held = std::fs::symlink_metadata(&self.folder).map_err(|error| absent(&error))?;
        let wrong = if held.is_dir() {
            wrong_with(&held)
        } else {
            Some("it is not a folder")
        };
        wrong.map_or(Ok(()), |why| {
            Err(Miss::Unsafe {
                path: self.folder.clone(),
                why,
            })
        })
    }

    fn open(&self, path: &Path) -> Result<File, Miss> {
        self.check_folder()?;
        let refused = |why| Miss::Unsafe {
            path: path.to_owned(),
            why,
        };
        // A pipe in its place must not make this wait.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).map_err(|_| Miss::Damaged)?;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(path)
            .map_err(|error| match error.raw_os_error() {
                Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => {
                    refused("it is a link")
                }
                _ => absent(&error),
            })?;
        let held = file.metadata().map_err(|_| Miss::Damaged)?;
        let wrong = if held.is_file() {
            wrong_with(&held)
        } else {
            Some("it is not a file")
        };
        wrong.map_or(Ok(file), |why| Err(refused(why)))
    }
}

fn absent(error: &io::Error) -> Miss {
    if error.kind() == ErrorKind::NotFound {
        Miss::Absent
    } else {
        Miss::Damaged
    }
}

fn wrong_with(held: &std::fs::Metadata) -> Option<&'static str> {
    if held.uid() != rustix::process::geteuid().as_raw() {
        return Some("it belongs to another user");
    }
    (held.mode() & OTHERS != 0).then_some("others may read or write it")
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// The first `digits` of a hash of several texts, none of which can run into the next.
fn hash(parts: &[&str], digits: usize) -> String {
    let mut state = Sha256::new();
    for part in parts {
        state.update(part.len().to_be_bytes());
        state.update(part);
    }
    hex::encode(state.finalize()).chars().take(digits).collect()
}
