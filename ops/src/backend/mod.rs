//! What an environment runs on: AWS, a data directory on this machine, clusters, the payments API.

pub mod aws;
pub mod clusters;
pub mod local;
pub(crate) mod not_set_up;
pub mod payments_api;
pub(crate) mod role_sessions;
pub(crate) mod sdk;
mod unavailable;

use serde::Serialize;

use crate::error::OpsError;

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    Ok,
    Failed,
    /// The environment has no such part, which is no failure.
    NotSetUp,
}

/// One thing that was checked.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub env: String,
    pub check: String,
    /// False when it failed.
    pub ok: bool,
    pub state: CheckState,
    pub detail: String,
    pub fix: Option<String>,
}

impl CheckState {
    pub(crate) fn of(ok: bool) -> Self {
        if ok { Self::Ok } else { Self::Failed }
    }
}

impl Check {
    pub(crate) fn new(env: &str, name: &str, result: Result<String, OpsError>) -> Self {
        let (detail, fix, ok) = match result {
            Ok(detail) => (detail, None, true),
            Err(error) => (error.chain(), error.hint, false),
        };
        Self {
            env: env.to_owned(),
            check: name.to_owned(),
            ok,
            state: CheckState::of(ok),
            detail,
            fix,
        }
    }

    /// Of a part that the environment does not have.
    pub(crate) fn not_set_up(env: &str, name: &str, missing: OpsError) -> Self {
        Self {
            ok: true,
            state: CheckState::NotSetUp,
            ..Self::new(env, name, Err(missing))
        }
    }
}
