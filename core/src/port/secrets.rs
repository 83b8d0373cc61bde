//! Secrets.

use async_trait::async_trait;
use secrecy::SecretString;

use super::PortResult;

/// Where secrets come from. They are never printed.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The secret of that name; [`super::ErrorKind::NotFound`] when there is none.
    async fn get(&self, name: &str) -> PortResult<SecretString>;
}
