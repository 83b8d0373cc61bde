//! What can be wrong with a data directory or the platform in it.

use std::path::PathBuf;

use payops_core::port::{ErrorKind, PortError};

use crate::error::{Kind, OpsError};

/// Why the embedded platform could not do something. Each message names the cause.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error("another payops (process {pid}) is running the platform in {}", dir.display())]
    Locked {
        /// Which process; 0 when it does not say.
        pid: u32,
        dir: PathBuf,
    },
    /// A process works there, but where it is reached cannot be read.
    #[error("{} in {}, but where its APIs are is not known: it is starting, or rebuilding an \
        index, or its running.json was damaged", holder(*pid), dir.display())]
    Unlisted {
        pid: Option<u32>,
        dir: PathBuf,
        /// Why the file cannot be read, if it is there.
        source: Option<serde_json::Error>,
    },
    #[error("{} has format {found}, but this payops supports formats up to {known}", dir.display())]
    NewerVersion {
        found: u32,
        known: u32,
        dir: PathBuf,
    },
    #[error("{} is not writable", dir.display())]
    NotWritable {
        dir: PathBuf,
        source: std::io::Error,
    },
    #[error("no space left for {}", dir.display())]
    Full {
        dir: PathBuf,
        source: std::io::Error,
    },
    #[error("no payops data directory at {}", dir.display())]
    NotADataDir { dir: PathBuf },
    #[error("{} is not empty and not a payops data directory", dir.display())]
    Foreign { dir: PathBuf },
    #[error("environment {name} not found; environments are prod, preprod and test")]
    NoEnvironment { name: String },
    #[error("cannot fix `{what}`; the only thing to fix is `poison`")]
    NothingToFix { what: String },
    #[error("{store} of {env}")]
    Store {
        store: &'static str,
        env: String,
        source: PortError,
    },
    #[error("{what}")]
    Io {
        what: String,
        source: std::io::Error,
    },
    /// Something in the data directory cannot be read.
    #[error("cannot read {what}; it was edited or truncated")]
    Damaged {
        what: String,
        source: serde_json::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "a process is working".to_owned(),
        |pid| format!("process {pid} is working"),
    )
}

impl LocalError {
    /// The failure of a file operation under `dir`, with its usual causes told apart.
    pub fn io(dir: &std::path::Path, what: impl Into<String>, source: std::io::Error) -> Self {
        let dir = dir.to_owned();
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::Full { dir, source }
            }
            std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => {
                Self::NotWritable { dir, source }
            }
            _ => Self::Io {
                what: what.into(),
                source,
            },
        }
    }

    pub fn store(store: &'static str, env: &str) -> impl FnOnce(PortError) -> Self {
        let env = env.to_owned();
        move |source| Self::Store { store, env, source }
    }

    /// The kind of the store's failure behind this, if one is.
    #[must_use]
    pub fn port_kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Store { source, .. } => Some(source.kind),
            _ => None,
        }
    }
}

/// With the next command to try.
impl From<LocalError> for OpsError {
    fn from(error: LocalError) -> Self {
        let (kind, hint) = match &error {
            LocalError::Locked { .. } => (
                Kind::Failed,
                "see it with payops local status, stop it with payops local down",
            ),
            LocalError::Unlisted { pid: Some(_), .. } => (
                Kind::Failed,
                "wait a moment if it was just started; else payops local down stops it, and payops \
                    local up starts it again",
            ),
            LocalError::Unlisted { pid: None, .. } => (
                Kind::Failed,
                "find the process that holds the file `lock` there, end it with SIGTERM, then \
                    payops local up",
            ),
            LocalError::NewerVersion { .. } => {
                (Kind::Failed, "use the newer payops, or another --data-dir")
            }
            LocalError::NotWritable { .. } => {
                (Kind::Failed, "make it writable, or use another --data-dir")
            }
            LocalError::Full { .. } => (
                Kind::Failed,
                "free some space, then run the same command again: nothing that was accepted is \
                    lost",
            ),
            LocalError::NotADataDir { .. } => (
                Kind::NotFound,
                "create one with payops local up, or name another with --data-dir",
            ),
            LocalError::Foreign { .. } => (
                Kind::Failed,
                "name an empty or new directory with --data-dir",
            ),
            LocalError::NoEnvironment { .. } | LocalError::NothingToFix { .. } => (Kind::Usage, ""),
            LocalError::Io { source, .. } if source.kind() == std::io::ErrorKind::TimedOut => (
                Kind::TimedOut,
                "it is still shutting down; check with payops local status",
            ),
            LocalError::Damaged { .. } => (
                Kind::Failed,
                "if it is running.json, restart payops local up; otherwise restore it from a backup",
            ),
            LocalError::Store { source, .. } if source.kind == ErrorKind::NotWritable => (
                Kind::Failed,
                "free some space or make it writable, or use another --data-dir; nothing that was \
                    accepted is lost",
            ),
            _ => (Kind::Failed, ""),
        };
        let message = error.to_string();
        let mut out = OpsError::new(kind, message);
        out.hint = (!hint.is_empty()).then(|| hint.to_owned());
        // Its own words are the message; what remains is its cause.
        out.source = cause(error);
        out
    }
}

fn cause(error: LocalError) -> Option<Box<dyn std::error::Error + Send + Sync>> {
    match error {
        LocalError::NotWritable { source, .. }
        | LocalError::Full { source, .. }
        | LocalError::Io { source, .. } => Some(source.into()),
        LocalError::Store { source, .. } => Some(source.into()),
        LocalError::Damaged { source, .. }
        | LocalError::Unlisted {
            source: Some(source),
            ..
        } => Some(source.into()),
        _ => None,
    }
}
