//! What the record says of an action on a rollout.

use crate::domain::audit::Outcome;
use crate::port::{ErrorKind, Executed, PortResult};

#[must_use]
pub fn became(executed: &PortResult<Executed>) -> (Outcome, String) {
    match executed {
        Ok(Executed::Done(rollout)) => (
            Outcome::Done,
            format!("resourceVersion {}", rollout.resource_version),
        ),
        Ok(Executed::Moved(_)) => (
            Outcome::Refused,
            "it had moved: nothing was done".to_owned(),
        ),
        Ok(Executed::Partly { done, .. }) => (
            Outcome::Failed,
            format!("{done} calls were made, then it moved"),
        ),
        Ok(Executed::Gone) => (Outcome::Refused, "it is gone: nothing was done".to_owned()),
        Err(error) if error.kind == ErrorKind::Ambiguous => (
            Outcome::Failed,
            format!("it may or may not have been done: {error}"),
        ),
        Err(error) => (Outcome::Failed, format!("nothing was done: {error}")),
    }
}
