//! Sessions kept between commands: a folder that only its owner can enter, a file for each.
//!
//! What is read is refused, and so asked for anew, unless it is a file of ours that nobody else
//! can read, not about to end, and of the very role, person and reason that are wanted. This guards
//! against other users of the machine, not against programs of the same user.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use payops_core::Timestamp;
use payops_system::private_file;

use super::hash::hash;
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCache {
    folder: PathBuf,
}

/// Why a kept session is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CacheMiss {
    #[error("no cached session")]
    Absent,
    /// Somebody else could have read or written it.
    #[error("ignoring {}: {why}", path.display())]
    Unsafe { path: PathBuf, why: &'static str },
    /// It has ended, or will within a minute.
    #[error("the cached session has expired")]
    Ended,
    /// It is of another account, policy, duration, reason or ticket.
    #[error("the cached session is for a different role, person or reason")]
    Different,
    #[error("the cached session cannot be read")]
    Damaged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForgetScope<'a> {
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
    pub fn load(
        &self,
        spec: &RoleSpec,
        person: &Person,
        now: Timestamp,
    ) -> Result<Session, CacheMiss> {
        let path = self.path(spec, person);
        let mut text = String::new();
        let file = self.open(&path)?;
        file.take(FILE_MAX)
            .read_to_string(&mut text)
            .map_err(|_| CacheMiss::Damaged)?;
        let record: Record = serde_json::from_str(&text).map_err(|_| CacheMiss::Damaged)?;
        if !record.is_for(spec, person) {
            return Err(CacheMiss::Different);
        }
        let session = record.session().ok_or(CacheMiss::Damaged)?;
        if session.time_left(now) <= LEFT_MIN {
            Err(CacheMiss::Ended)
        } else {
            Ok(session)
        }
    }

    pub fn store(&self, spec: &RoleSpec, person: &Person, session: &Session) -> io::Result<()> {
        private_file::create_dir(&self.folder)?;
        self.check_folder()
            .map_err(|miss| io::Error::new(ErrorKind::PermissionDenied, miss))?;
        let text = serde_json::to_vec(&Record::new(spec, person, session))?;
        private_file::write(&self.path(spec, person), &text)
    }

    pub fn forget(&self, what: ForgetScope<'_>) -> io::Result<usize> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            entries => entries?,
        };
        let begin = match what {
            ForgetScope::Env(env) => format!("{}-", hash(&[env], ENV_DIGITS)),
            ForgetScope::All => String::new(),
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
            if kept || (what == ForgetScope::All && name.starts_with('.') && is("tmp")) {
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
                &spec.access_level,
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

    fn check_folder(&self) -> Result<(), CacheMiss> {
        let held = std::fs::symlink_metadata(&self.folder).map_err(|error| to_miss(&error))?;
        let wrong = if held.is_dir() {
            why_unsafe(&held)
        } else {
            Some("it is not a folder")
        };
        wrong.map_or(Ok(()), |why| {
            Err(CacheMiss::Unsafe {
                path: self.folder.clone(),
                why,
            })
        })
    }

    fn open(&self, path: &Path) -> Result<File, CacheMiss> {
        self.check_folder()?;
        let refused = |why| CacheMiss::Unsafe {
            path: path.to_owned(),
            why,
        };
        // A pipe in its place must not make this wait.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).map_err(|_| CacheMiss::Damaged)?;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(path)
            .map_err(|error| match error.raw_os_error() {
                Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => {
                    refused("it is a symbolic link")
                }
                _ => to_miss(&error),
            })?;
        let held = file.metadata().map_err(|_| CacheMiss::Damaged)?;
        let wrong = if held.is_file() {
            why_unsafe(&held)
        } else {
            Some("it is not a file")
        };
        wrong.map_or(Ok(file), |why| Err(refused(why)))
    }
}

fn to_miss(error: &io::Error) -> CacheMiss {
    if error.kind() == ErrorKind::NotFound {
        CacheMiss::Absent
    } else {
        CacheMiss::Damaged
    }
}

fn why_unsafe(held: &std::fs::Metadata) -> Option<&'static str> {
    if held.uid() != rustix::process::geteuid().as_raw() {
        return Some("it belongs to another user");
    }
    (held.mode() & OTHERS != 0).then_some("other users can read or write it")
}
