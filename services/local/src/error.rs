//! What can be wrong with a data directory or the platform in it.

use std::path::PathBuf;

use payops_core::port::{ErrorKind, PortError};

/// Why the embedded platform could not do something. Each message names the cause.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Another process runs the platform there.
    #[error("another payops (process {pid}) runs the platform in {}", dir.display())]
    Locked {
        /// Which process; 0 when it does not say.
        pid: u32,
        /// Where.
        dir: PathBuf,
    },
    /// A process works there, but where it is reached cannot be read.
    #[error("{} in {}, but where its APIs are is not known: it is starting, or rebuilding an index, or its running.json was damaged", holder(*pid), dir.display())]
    Unlisted {
        /// Which process, if the lock says.
        pid: Option<u32>,
        /// Where.
        dir: PathBuf,
        /// Why the file cannot be read, if it is there.
        source: Option<serde_json::Error>,
    },
    /// A newer payops wrote it.
    #[error("{} is of format {found}, this payops knows up to {known}", dir.display())]
    NewerVersion {
        /// Its format.
        found: u32,
        /// The newest known here.
        known: u32,
        /// Where.
        dir: PathBuf,
    },
    /// It takes no writes.
    #[error("{} takes no writes", dir.display())]
    NotWritable {
        /// Where.
        dir: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The disk is full.
    #[error("no space is left for {}", dir.display())]
    Full {
        /// Where.
        dir: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// There is no data directory there.
    #[error("no payops data directory at {}", dir.display())]
    NotADataDir {
        /// Where.
        dir: PathBuf,
    },
    /// Something other than a payops data directory is there.
    #[error("{} is not a payops data directory, and not empty", dir.display())]
    Foreign {
        /// Where.
        dir: PathBuf,
    },
    /// No such environment.
    #[error("no environment {name}; there are prod, preprod and test")]
    NoEnvironment {
        /// The name given.
        name: String,
    },
    /// Nothing there that could be fixed.
    #[error("nothing called `{what}` can be fixed; there is `poison`")]
    NothingToFix {
        /// The name given.
        what: String,
    },
    /// A store failed.
    #[error("{store} of {env}")]
    Store {
        /// Which store.
        store: &'static str,
        /// Of which environment.
        env: String,
        /// The cause.
        source: PortError,
    },
    /// A file or a socket failed.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Something in the data directory cannot be read.
    #[error("{what} cannot be read; it was changed by hand or cut off")]
    Damaged {
        /// Which file.
        what: String,
        /// The cause.
        source: serde_json::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "a process works".to_owned(),
        |pid| format!("process {pid} works"),
    )
}

impl LocalError {
    /// The failure of a file operation under `dir`, with its usual causes told apart.
    pub(crate) fn io(
        dir: &std::path::Path,
        what: impl Into<String>,
        source: std::io::Error,
    ) -> Self {
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

    /// Wraps the failure of one store of one environment.
    pub(crate) fn store(store: &'static str, env: &str) -> impl FnOnce(PortError) -> Self {
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
