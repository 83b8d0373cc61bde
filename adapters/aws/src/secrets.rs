//! Secrets from Secrets Manager, kept for a minute so that not every request asks for them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use payops_core::port::{ErrorKind, PortResult, Secrets};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use crate::fail::{Call, code};

/// For how long a secret is used without asking again: a changed one is seen within a minute.
const KEEP: Duration = Duration::from_mins(1);

pub struct SecretsManager {
    client: Client,
    prefix: String,
    kept: Mutex<BTreeMap<String, (Instant, SecretString)>>,
}

impl std::fmt::Debug for SecretsManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretsManager")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl SecretsManager {
    /// Secrets named `prefix` and then our name, such as `prod/payops/` and `api-key-pepper`.
    #[must_use]
    pub fn new(client: Client, prefix: impl Into<String>) -> Self {
        Self {
            client,
            prefix: prefix.into(),
            kept: Mutex::default(),
        }
    }

    fn read_cached(&self, name: &str) -> Option<SecretString> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(name)
            .filter(|(since, _)| since.elapsed() < KEEP)
            .map(|(_, secret)| copy(secret))
    }
}

#[async_trait]
impl Secrets for SecretsManager {
    async fn get(&self, name: &str) -> PortResult<SecretString> {
        if let Some(secret) = self.read_cached(name) {
            return Ok(secret);
        }
        let id = format!("{}{name}", self.prefix);
        let call = Call::read("secretsmanager:GetSecretValue", format!("secret {id}"));
        let answer = match self.client.get_secret_value().secret_id(&id).send().await {
            Ok(answer) => answer,
            // One that is marked for deletion is refused with this code.
            Err(error) if code(&error) == "InvalidRequestException" => {
                return Err(call.error(ErrorKind::NotFound, "it cannot be read"));
            }
            Err(error) => return Err(call.to_error(error)),
        };
        let binary = || {
            answer
                .secret_binary
                .as_ref()
                .and_then(|blob| String::from_utf8(blob.clone().into_inner()).ok())
        };
        let secret = answer
            .secret_string
            .clone()
            .or_else(binary)
            .map(SecretString::from);
        let secret =
            secret.ok_or_else(|| call.error(ErrorKind::Corrupt, "the secret is not text"))?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(name.to_owned(), (Instant::now(), copy(&secret)));
        Ok(secret)
    }
}

fn copy(secret: &SecretString) -> SecretString {
    SecretString::from(secret.expose_secret().to_owned())
}
