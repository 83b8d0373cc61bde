//! A batch's hold on the credentials: they last for it, and do not change during it.

use std::sync::Arc;

use payops_core::Timestamp;

use super::session::Session;
use super::shared::Shared;

/// Keeps the session of `RoleCredentials` as it is until it is dropped, or until what was asked
/// for is over, whichever comes first. Renewals wait for it.
#[must_use = "dropping it lets the credentials change"]
pub struct SessionHold {
    shared: Arc<Shared>,
    number: u64,
    session: Arc<Session>,
    until: Timestamp,
}

impl std::fmt::Debug for SessionHold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionHold")
            .field("until", &self.until)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl SessionHold {
    pub(super) fn new(
        shared: Arc<Shared>,
        number: u64,
        session: Arc<Session>,
        until: Timestamp,
    ) -> Self {
        Self {
            shared,
            number,
            session,
            until,
        }
    }

    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.until
    }
}

impl Drop for SessionHold {
    fn drop(&mut self) {
        self.shared.release(self.number);
    }
}
