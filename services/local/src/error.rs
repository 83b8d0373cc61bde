//! What can be wrong with a data directory or the platform in it.

use std::path::PathBuf;

use payops_core::port::{ErrorKind, PortError};

/// Why the embedded platform could not do something. Each message names the cause.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error("another payops (process {pid}) runs the platform in {}", dir.display())]
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
    #[error("{} is of format {found}, this payops knows up to {known}", dir.display())]
    NewerVersion {
        found: u32,
        known: u32,
        dir: PathBuf,
    },
    #[error("{} takes no writes", dir.display())]
    NotWritable {
        dir: PathBuf,
        source: std::io::Error,
    },
    #[error("no space is left for {}", dir.display())]
    Full {
        dir: PathBuf,
        source: std::io::Error,
    },
    #[error("no payops data directory at {}", dir.display())]
    NotADataDir { dir: PathBuf },
    #[error("{} is not a payops data directory, and not empty", dir.display())]
    Foreign { dir: PathBuf },
    #[error("no environment {name}; there are prod, preprod and test")]
    NoEnvironment { name: String },
    #[error("nothing called `{what}` can be fixed; there is `poison`")]
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
    #[error("{what} cannot be read; it was changed by hand or cut off")]
    Damaged {
        what: String,
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
