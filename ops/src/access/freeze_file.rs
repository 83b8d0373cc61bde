//! A freeze as a file in a data directory, which all processes on it obey.

use std::fs;
use std::path::PathBuf;

use async_trait::async_trait;
use payops_core::domain::access::Freeze;
use payops_core::port::{ErrorKind, FreezeStore, PortError, PortResult};
use payops_system::private_file;

/// A freeze as a file in a data directory, which all processes on it obey.
pub(crate) struct FileFreezeStore {
    pub(crate) path: PathBuf,
}

impl FileFreezeStore {
    fn io_error(&self, what: &str, error: std::io::Error) -> PortError {
        PortError::because(
            ErrorKind::Unavailable,
            format!("{} could not be {what}", self.path.display()),
            error,
        )
    }
}

#[async_trait]
impl FreezeStore for FileFreezeStore {
    async fn current(&self) -> PortResult<Option<Freeze>> {
        match fs::read(&self.path) {
            Ok(bytes) => {
                let freeze = serde_json::from_slice(&bytes);
                freeze.map(Some).map_err(|error| {
                    PortError::because(
                        ErrorKind::Corrupt,
                        format!("{} is damaged", self.path.display()),
                        error,
                    )
                })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.io_error("read", error)),
        }
    }

    async fn set(&self, freeze: &Freeze) -> PortResult<()> {
        let bytes = serde_json::to_vec(freeze).map_err(|error| {
            PortError::because(
                ErrorKind::Permanent,
                "a freeze could not be written as JSON",
                error,
            )
        })?;
        private_file::write(&self.path, &bytes).map_err(|error| self.io_error("written", error))
    }

    async fn lift(&self) -> PortResult<bool> {
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.io_error("removed", error)),
        }
    }
}
