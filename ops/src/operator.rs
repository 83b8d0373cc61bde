//! Who acts: the person, their settings, and what this process has open for them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use payops_core::domain::access::AccessLevel;
use tokio_util::sync::CancellationToken;

use crate::backend::role_sessions::RoleSessions;
use crate::caller::{Caller, Notices};
use crate::environment::{Backend, Environment, Settings};

/// One person at work, with everything that this process has opened for them. Cheap to clone.
#[derive(Clone)]
pub struct Operator {
    pub settings: Arc<Settings>,
    /// The reason given for all that is done, such as `--reason`.
    pub reason: Option<String>,
    /// Cancelled when the operator interrupts.
    pub stop: CancellationToken,
    pub notices: Arc<dyn Notices>,
    pub role_sessions: Arc<RoleSessions>,
    recorded: Arc<Mutex<Vec<Environment>>>,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator")
            .field("who", &self.who())
            .finish_non_exhaustive()
    }
}

/// Where the audit record and the journals of an environment are: beside its data, or with the
/// operator's own state.
pub(crate) fn records_dir(operator: &Operator, env: &Environment) -> PathBuf {
    match &env.target {
        Backend::Embedded { data_dir, .. } => data_dir.clone(),
        Backend::Aws(_) | Backend::Kubernetes(_) => operator.settings.state_dir.clone(),
    }
}

impl Operator {
    #[must_use]
    pub fn new(
        settings: Settings,
        reason: Option<String>,
        stop: CancellationToken,
        notices: Arc<dyn Notices>,
    ) -> Self {
        let role_sessions = RoleSessions::new(settings.state_dir.join("sessions"));
        Self {
            settings: Arc::new(settings),
            reason,
            stop,
            notices,
            role_sessions,
            recorded: Arc::default(),
        }
    }

    #[must_use]
    pub fn who(&self) -> &str {
        &self.settings.who.value
    }

    /// Who asks, with that access level and the reason of this operator.
    #[must_use]
    pub fn caller(&self, level: AccessLevel) -> Caller {
        Caller {
            who: self.who().to_owned(),
            reason: self.reason.clone(),
            level,
            ticket: None,
            sessions: Arc::clone(&self.role_sessions),
            mfa_code: None,
            notices: Arc::clone(&self.notices),
        }
    }

    /// The same operator, whose notices go elsewhere. What is recorded is shipped together.
    #[must_use]
    pub fn with_notices(&self, notices: Arc<dyn Notices>) -> Self {
        Self {
            notices,
            ..self.clone()
        }
    }

    /// That something was recorded of an environment, so that it can be shipped.
    pub(crate) fn note_recorded(&self, env: &Environment) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        if !recorded.contains(env) {
            recorded.push(env.clone());
        }
    }

    /// The environments of which something was recorded since this was asked last.
    pub(crate) fn take_recorded(&self) -> Vec<Environment> {
        std::mem::take(&mut *self.recorded.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
