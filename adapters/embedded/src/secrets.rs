//! Secrets in files that only their owner can read, or in the environment.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use payops_core::port::{ErrorKind, PortError, PortResult, Random, Secrets};
use payops_system::private_file;
use secrecy::{ExposeSecret as _, SecretString};

use crate::files::{blocking, create_folder, link_new, to_error};

/// One file per secret, named like it, in a folder of its own.
#[derive(Clone)]
pub struct FileSecrets {
    folder: PathBuf,
    random: Arc<dyn Random>,
}

impl FileSecrets {
    /// Opens the folder; makes it, open to its owner alone, if it is not there.
    pub fn open(folder: &Path, random: Arc<dyn Random>) -> PortResult<Self> {
        create_folder(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            random,
        })
    }

    /// The secret of that name; makes one of 256 random bits, in hexadecimal, if there is none.
    /// Of several processes that do so at once, all get the same.
    pub async fn get_or_create(&self, name: &str) -> PortResult<SecretString> {
        match self.get(name).await {
            Err(error) if error.kind == ErrorKind::NotFound => {}
            done => return done,
        }
        let bytes: Vec<u8> = (0..4)
            .flat_map(|_| self.random.next_u64().to_be_bytes())
            .collect();
        self.put_if_absent(name, SecretString::from(hex::encode(bytes)))
            .await?;
        self.get(name).await
    }

    /// Keeps `secret` under that name unless there is one: whether it did.
    pub async fn put_if_absent(&self, name: &str, secret: SecretString) -> PortResult<bool> {
        let path = self.path(name)?;
        let temporary = self
            .folder
            .join(format!(".{:016x}", self.random.next_u64()));
        let what = format!("keeping the secret `{name}`");
        blocking(move || {
            let written = private_file::create_new(&temporary, secret.expose_secret().as_bytes());
            written
                .and_then(|()| link_new(&temporary, &path))
                .map_err(|error| to_error(&what, error))
        })
        .await
    }

    fn path(&self, name: &str) -> PortResult<PathBuf> {
        check_name(name).map(|name| self.folder.join(name))
    }
}

#[async_trait]
impl Secrets for FileSecrets {
    async fn get(&self, name: &str) -> PortResult<SecretString> {
        let (path, name) = (self.path(name)?, name.to_owned());
        blocking(move || read(&path, &name)).await
    }
}

fn read(path: &Path, name: &str) -> PortResult<SecretString> {
    let fail = |error: io::Error| to_error(&format!("reading the secret `{name}`"), error);
    let mode = fs::metadata(path).map_err(fail)?.permissions().mode();
    if mode & 0o077 != 0 {
        let text = format!(
            "other users can read the secret `{name}` (mode {:o}); run `chmod 600 {}`",
            mode & 0o777,
            path.display()
        );
        return Err(PortError::new(ErrorKind::Denied, text));
    }
    let held = fs::read_to_string(path).map_err(fail)?;
    // Editors end files with a line break, which is no part of the secret.
    Ok(SecretString::from(held.trim_end_matches(['\r', '\n'])))
}

/// Names are file names and parts of variables: letters, digits, `-`, `_` and inner dots.
fn check_name(name: &str) -> PortResult<&str> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if (1..=100).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(fine) {
        Ok(name)
    } else {
        Err(PortError::new(
            ErrorKind::Permanent,
            "invalid secret name: use 1 to 100 of A-Z a-z 0-9 - _ . and do not start with a dot",
        ))
    }
}

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Secrets in variables `PAYOPS_SECRET_<NAME>`: the name in upper case, `-` and `.` as `_`.
#[derive(Clone)]
pub struct EnvSecrets {
    lookup: Arc<Lookup>,
}

impl EnvSecrets {
    #[must_use]
    pub fn new() -> Self {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads variables by `lookup`.
    #[must_use]
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self {
            lookup: Arc::new(lookup),
        }
    }
}

impl Default for EnvSecrets {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Secrets for EnvSecrets {
    async fn get(&self, name: &str) -> PortResult<SecretString> {
        let variable = format!(
            "PAYOPS_SECRET_{}",
            check_name(name)?
                .to_ascii_uppercase()
                .replace(['-', '.'], "_")
        );
        let held = (self.lookup)(&variable).filter(|held| !held.is_empty());
        let absent = || {
            PortError::new(
                ErrorKind::NotFound,
                format!("secret `{name}` not found: set {variable}"),
            )
        };
        held.map(SecretString::from).ok_or_else(absent)
    }
}
