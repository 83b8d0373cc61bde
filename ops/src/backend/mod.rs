//! What an environment runs on: AWS, a data directory on this machine, clusters, the payments API.

pub mod aws;
pub mod clusters;
pub mod local;
pub mod payments_api;
pub(crate) mod role_sessions;
pub(crate) mod sdk;
mod unavailable;

use serde::Serialize;

/// One thing that was checked.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub env: String,
    pub check: String,
    pub ok: bool,
    pub detail: String,
    pub fix: Option<String>,
}
