//! What the screen is handed: environments, and what opening one gives.

use std::sync::Arc;

use async_trait::async_trait;
use payops_core::port::{AuditLog, PortResult, Ports, Rollouts};

/// An environment, as far as it is known before anything is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvInfo {
    /// Its name.
    pub name: String,
    /// Whether a write in it needs a name typed and a reason.
    pub protected: bool,
    /// The account's number, if it has one.
    pub account: Option<String>,
    /// The region, if it has one.
    pub region: Option<String>,
}

/// An environment that was opened.
#[derive(Clone)]
pub struct Opened {
    /// Its ports.
    pub ports: Ports,
    /// Its clusters.
    pub clusters: Vec<Arc<dyn Rollouts>>,
    /// The record of what is done.
    pub audit: Arc<dyn AuditLog>,
    /// Who the user is there.
    pub who: String,
}

/// The environments there are.
#[async_trait]
pub trait Environments: Send + Sync {
    /// All of them; asks nobody.
    fn list(&self) -> Vec<EnvInfo>;

    /// Opens one; the screen opens it again when that failed.
    async fn open(&self, name: &str) -> PortResult<Opened>;
}
