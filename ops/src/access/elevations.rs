//! Elevations of one person, a file for each environment.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use jiff::Timestamp;
use payops_core::domain::access::Elevation;
use payops_system::private_file;

use crate::environment::Settings;
use crate::error::{OpsError, OpsResult};

#[derive(Clone, Debug)]
pub struct Elevations {
    dir: PathBuf,
}

impl Elevations {
    /// Those of the user whose settings these are: apart for each data directory and person.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let who = [
            settings.data_dir.value.as_os_str().as_encoded_bytes(),
            b"\0",
            settings.who.value.as_bytes(),
        ]
        .concat();
        let place = payops_core::domain::sha256_hex(&who);
        Self {
            dir: settings
                .state_dir
                .join("elevations")
                .join(place.get(..12).unwrap_or_default()),
        }
    }

    fn path(&self, env: &str) -> PathBuf {
        let name: String = env
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '-' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        self.dir.join(format!("{name}.json"))
    }

    /// The elevation in an environment, ended or not.
    pub fn read(&self, env: &str) -> OpsResult<Option<Elevation>> {
        let path = self.path(env);
        match fs::read(&path) {
            // One that cannot be read is none.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(
                OpsError::failed(format!("{} could not be read", path.display())).because(error),
            ),
        }
    }

    pub fn keep(&self, elevation: &Elevation) -> OpsResult<()> {
        let path = self.path(&elevation.env);
        let write = || {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.dir)?;
            private_file::write(&path, &serde_json::to_vec(elevation)?)
        };
        write().map_err(|error: std::io::Error| {
            OpsError::failed(format!("cannot save the elevation in {}", path.display()))
                .because(error)
                .hint("make the directory writable")
        })
    }

    /// Ends the elevation in an environment; whether there was one.
    pub fn forget(&self, env: &str) -> OpsResult<bool> {
        let path = self.path(env);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(
                OpsError::failed(format!("{} could not be removed", path.display())).because(error),
            ),
        }
    }

    /// When the elevation in an environment ends, if one holds now.
    pub fn current(&self, env: &str, who: &str, now: Timestamp) -> OpsResult<Option<Elevation>> {
        Ok(self
            .read(env)?
            .filter(|held| held.who == who && held.env == env && held.time_left(now).is_positive()))
    }
}
