//! The data directory: what lies where, which format it has, and who runs the platform in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use payops_system::private_file;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::error::LocalError;

const FORMAT: u32 = 1;
const FORMAT_FILE: &str = "payops.json";
const LOCK_FILE: &str = "lock";
const RUNNING_FILE: &str = "running.json";

/// The environments of the embedded platform, the most important first.
pub const ENVIRONMENTS: [&str; 3] = ["prod", "preprod", "test"];

#[derive(Serialize, Deserialize)]
struct Format {
    format: u32,
}

/// A data directory that exists and has a format that is known.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

/// The right to run the platform in a data directory; ends with the process.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

#[derive(Clone, Debug)]
pub struct ReadyEnv {
    pub name: String,
    /// Where its API listens, such as `http://127.0.0.1:40123`.
    pub api_url: String,
    pub api_key: SecretString,
}

#[derive(Serialize, Deserialize)]
struct RunningEnv {
    name: String,
    api_url: String,
    api_key: String,
}

#[derive(Clone, Debug)]
pub struct Running {
    pub pid: u32,
    pub since: payops_core::Timestamp,
    pub environments: Vec<ReadyEnv>,
}

#[derive(Serialize, Deserialize)]
struct RunningFile {
    pid: u32,
    since: payops_core::Timestamp,
    environments: Vec<RunningEnv>,
}

/// Where the data directory is when nobody says: `$XDG_DATA_HOME/payops`, or
/// `~/.local/share/payops`.
#[must_use]
pub fn default_data_dir() -> PathBuf {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let xdg = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    xdg.or_else(home)
        .unwrap_or_else(std::env::temp_dir)
        .join("payops")
}

impl DataDir {
    pub fn open(root: &Path) -> Result<Self, LocalError> {
        let dir = Self {
            root: root.to_owned(),
        };
        let path = root.join(FORMAT_FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                return Err(LocalError::NotADataDir {
                    dir: root.to_owned(),
                });
            }
            Err(error) => {
                return Err(LocalError::Io {
                    what: format!("reading {}", path.display()),
                    source: error,
                });
            }
        };
        let format: Format =
            serde_json::from_slice(&text).map_err(|source| LocalError::Damaged {
                what: path.display().to_string(),
                source,
            })?;
        if format.format > FORMAT {
            return Err(LocalError::NewerVersion {
                found: format.format,
                known: FORMAT,
                dir: root.to_owned(),
            });
        }
        Ok(dir)
    }

    /// Opens a data directory, and makes it if there is none. A directory that holds other
    /// things is left alone.
    pub fn open_or_create(root: &Path) -> Result<Self, LocalError> {
        match Self::open(root) {
            Err(LocalError::NotADataDir { .. }) => {}
            other => return other,
        }
        let io =
            |what: &str, source| LocalError::io(root, format!("{what} {}", root.display()), source);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .map_err(|error| io("making", error))?;
        let mut entries = fs::read_dir(root).map_err(|error| io("reading", error))?;
        // A lock file alone is left by a start that was cut off; the audit record, by acts through
        // an API that runs elsewhere.
        let is_own = |name: &std::ffi::OsStr| {
            name == LOCK_FILE
                || name == "lost+found"
                || name.as_encoded_bytes().starts_with(b"audit.")
        };
        if entries.any(|entry| entry.is_ok_and(|entry| !is_own(&entry.file_name()))) {
            return Err(LocalError::Foreign {
                dir: root.to_owned(),
            });
        }
        let text = serde_json::to_vec(&Format { format: FORMAT }).unwrap_or_default();
        write_whole(root, FORMAT_FILE, &text)?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of one environment, made if it is not there.
    pub fn env(&self, env: &str) -> Result<PathBuf, LocalError> {
        if !ENVIRONMENTS.contains(&env) {
            return Err(LocalError::NoEnvironment {
                name: env.to_owned(),
            });
        }
        let path = self.root.join(env);
        if !path.is_dir() {
            let made = fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path);
            made.map_err(|error| {
                LocalError::io(&self.root, format!("making {}", path.display()), error)
            })?;
        }
        Ok(path)
    }

    pub fn lock(&self) -> Result<DirLock, LocalError> {
        let path = self.root.join(LOCK_FILE);
        let opened = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let mut file = opened.map_err(|error| {
            LocalError::io(&self.root, format!("opening {}", path.display()), error)
        })?;
        // A command that only asks whether somebody runs here holds a shared lock for a moment.
        let mut locked = file.try_lock();
        for _ in 0..10 {
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => {
                // Who holds it, for whoever finds it held and cannot read the running file.
                let told = file
                    .set_len(0)
                    .and_then(|()| writeln!(file, "{}", std::process::id()));
                told.map_err(|error| {
                    LocalError::io(&self.root, format!("writing {}", path.display()), error)
                })?;
                Ok(DirLock { _file: file })
            }
            Err(TryLockError::WouldBlock) => Err(LocalError::Locked {
                pid: self.holder().unwrap_or(0),
                dir: self.root.clone(),
            }),
            Err(TryLockError::Error(error)) => Err(LocalError::Io {
                what: format!("locking {}", path.display()),
                source: error,
            }),
        }
    }

    /// Whether a process runs the platform here: it holds the lock for as long as it lives.
    pub fn is_locked(&self) -> Result<bool, LocalError> {
        let path = self.root.join(LOCK_FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => {
                return Err(LocalError::Io {
                    what: format!("opening {}", path.display()),
                    source: error,
                });
            }
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(LocalError::Io {
                what: format!("locking {}", path.display()),
                source: error,
            }),
        }
    }

    /// Writes where the platform is reached; readable by its owner alone, since keys are in it.
    pub fn write_running(&self, running: &Running) -> Result<(), LocalError> {
        let environments = running.environments.iter().map(|env| RunningEnv {
            name: env.name.clone(),
            api_url: env.api_url.clone(),
            api_key: env.api_key.expose_secret().to_owned(),
        });
        let file = RunningFile {
            pid: running.pid,
            since: running.since,
            environments: environments.collect(),
        };
        write_whole(
            &self.root,
            RUNNING_FILE,
            &serde_json::to_vec_pretty(&file).unwrap_or_default(),
        )
    }

    pub fn clear_running(&self) {
        // Nobody believes the file without the lock, so a failure here does no harm.
        let _ = fs::remove_file(self.root.join(RUNNING_FILE));
    }

    /// The platform that runs here, if one does.
    ///
    /// [`LocalError::Unlisted`] when a process holds the lock but does not say where it is reached:
    /// it has not come that far, the file was damaged, or it is that of an earlier life.
    pub fn running(&self) -> Result<Option<Running>, LocalError> {
        if !self.is_locked()? {
            return Ok(None);
        }
        let holder = self.holder();
        let unlisted = |source| {
            Err(LocalError::Unlisted {
                pid: holder,
                dir: self.root.clone(),
                source,
            })
        };
        match self.last_running() {
            Ok(Some(running)) if holder.is_none_or(|pid| pid == running.pid) => Ok(Some(running)),
            Ok(_) => unlisted(None),
            Err(LocalError::Damaged { source, .. }) => unlisted(Some(source)),
            Err(error) => Err(error),
        }
    }

    /// The process that took the lock last. It holds it still if [`DataDir::is_locked`].
    #[must_use]
    pub fn holder(&self) -> Option<u32> {
        let text = fs::read_to_string(self.root.join(LOCK_FILE)).ok()?;
        text.trim()
            .parse()
            .ok()
            .or_else(|| Some(self.last_running().ok()??.pid))
    }

    /// The platform that runs here, or that ran here last and was killed.
    pub fn last_running(&self) -> Result<Option<Running>, LocalError> {
        let Some(file) = self.running_file()? else {
            return Ok(None);
        };
        let environments = file.environments.into_iter().map(|env| ReadyEnv {
            name: env.name,
            api_url: env.api_url,
            api_key: SecretString::from(env.api_key),
        });
        Ok(Some(Running {
            pid: file.pid,
            since: file.since,
            environments: environments.collect(),
        }))
    }

    fn running_file(&self) -> Result<Option<RunningFile>, LocalError> {
        let path = self.root.join(RUNNING_FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(LocalError::Io {
                    what: format!("reading {}", path.display()),
                    source: error,
                });
            }
        };
        let file = serde_json::from_slice(&text);
        file.map(Some).map_err(|source| LocalError::Damaged {
            what: path.display().to_string(),
            source,
        })
    }
}

/// Writes a small file whole or not at all, readable by its owner alone.
pub fn write_whole(root: &Path, name: &str, text: &[u8]) -> Result<(), LocalError> {
    let path = root.join(name);
    private_file::write(&path, text)
        .map_err(|error| LocalError::io(root, format!("writing {}", path.display()), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_directory_is_made_and_opened_again() {
        let temp = tempfile::tempdir().expect("a folder");
        let root = temp.path().join("a/b");
        assert!(matches!(
            DataDir::open(&root),
            Err(LocalError::NotADataDir { .. })
        ));
        DataDir::open_or_create(&root).expect("made");
        DataDir::open(&root).expect("opened");
        assert!(matches!(
            DataDir::open(&root).expect("opened").env("prd"),
            Err(LocalError::NoEnvironment { .. })
        ));
    }

    #[test]
    fn foreign_and_newer_directories_are_left_alone() {
        let temp = tempfile::tempdir().expect("a folder");
        fs::write(temp.path().join("thesis.txt"), "mine").expect("written");
        assert!(matches!(
            DataDir::open_or_create(temp.path()),
            Err(LocalError::Foreign { .. })
        ));
        let recorded = tempfile::tempdir().expect("a folder");
        fs::write(recorded.path().join("audit.jsonl"), "").expect("written");
        DataDir::open_or_create(recorded.path()).expect("an audit record is payops' own");
        let newer = tempfile::tempdir().expect("a folder");
        fs::write(newer.path().join(FORMAT_FILE), r#"{"format":99}"#).expect("written");
        assert!(matches!(
            DataDir::open_or_create(newer.path()),
            Err(LocalError::NewerVersion {
                found: 99,
                known: FORMAT,
                ..
            })
        ));
        fs::write(newer.path().join(FORMAT_FILE), r#"{"form"#).expect("written");
        assert!(matches!(
            DataDir::open_or_create(newer.path()),
            Err(LocalError::Damaged { .. })
        ));
    }

    #[test]
    fn one_process_runs_at_a_time() {
        let temp = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open_or_create(temp.path()).expect("made");
        assert!(!dir.is_locked().expect("asked"));
        let lock = dir.lock().expect("locked");
        assert!(dir.is_locked().expect("asked"));
        let own = std::process::id();
        assert!(matches!(dir.lock(), Err(LocalError::Locked { pid, .. }) if pid == own));
        drop(lock);
        dir.lock().expect("free again");
    }

    #[test]
    fn who_holds_the_lock_is_known_without_the_running_file() {
        let temp = tempfile::tempdir().expect("a folder");
        let dir = DataDir::open_or_create(temp.path()).expect("made");
        let (lock, own) = (dir.lock().expect("locked"), std::process::id());
        let unlisted = || matches!(dir.running(), Err(LocalError::Unlisted { pid: Some(pid), .. }) if pid == own);
        assert!(unlisted(), "it has not come that far");
        let now = payops_core::Timestamp::UNIX_EPOCH;
        dir.write_running(&Running {
            pid: own,
            since: now,
            environments: Vec::new(),
        })
        .expect("written");
        assert_eq!(dir.running().expect("read").expect("runs").pid, own);
        let path = temp.path().join(RUNNING_FILE);
        let whole = fs::read(&path).expect("read");
        fs::write(&path, &whole[..whole.len() / 2]).expect("cut");
        assert!(unlisted(), "cut short");
        dir.write_running(&Running {
            pid: own + 1,
            since: now,
            environments: Vec::new(),
        })
        .expect("written");
        assert!(
            unlisted(),
            "of another life: its process must not be taken for the one that runs"
        );
        drop(lock);
        assert!(dir.running().expect("read").is_none());
    }
}
