//! Setting and lifting the freeze of an environment.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use payops_core::domain::access::{Action, Freeze};

use crate::act::{Act, Done};
use crate::equivalent;
use crate::error::{OpsError, OpsResult};
use crate::session::Session;

impl Session {
    /// The freeze that would be set now; until it is lifted, when no `span` is given.
    pub fn plan_freeze(&self, reason: &str, span: Option<SignedDuration>) -> OpsResult<Freeze> {
        let now = Timestamp::now();
        let until = span
            .map(|span| now.checked_add(span))
            .transpose()
            .map_err(|error| OpsError::usage("the freeze would end too late").because(error))?;
        Freeze::begin(self.name(), self.who(), reason, now, until)
            .map_err(|error| OpsError::usage("this freeze cannot be set").because(error))
    }

    pub async fn set_freeze(self: &Arc<Self>, freeze: &Freeze) -> OpsResult<()> {
        let act = Act {
            equivalent: equivalent::freeze(&self.env, freeze),
            ..Act::new(Action::FreezeSet).reason(Some(&freeze.reason))
        };
        self.act(act, async |permit| {
            let store = self.freeze_store(permit.caller()).await?;
            store
                .set(freeze)
                .await
                .map_err(|error| OpsError::port("the freeze could not be written", error))?;
            Ok(Done::new(()))
        })
        .await
    }

    /// Ends the freeze; whether there was one.
    pub async fn lift_freeze(self: &Arc<Self>, reason: Option<&str>) -> OpsResult<bool> {
        let act = Act {
            equivalent: equivalent::lift(&self.env),
            ..Act::new(Action::FreezeLift).reason(reason)
        };
        self.act(act, async |permit| {
            let store = self.freeze_store(permit.caller()).await?;
            let was_frozen = store
                .lift()
                .await
                .map_err(|error| OpsError::port("the freeze could not be lifted", error))?;
            Ok(Done::new(was_frozen))
        })
        .await
    }
}
