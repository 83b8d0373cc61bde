//! What the record says of an action on a rollout.

use crate::domain::audit::AuditOutcome;
use crate::port::{ErrorKind, Executed, PortResult};

#[must_use]
pub fn became(executed: &PortResult<Executed>) -> (AuditOutcome, String) {
    match executed {
        Ok(Executed::Done(rollout)) => (
            AuditOutcome::Done,
            format!("resourceVersion {}", rollout.resource_version),
        ),
        Ok(Executed::Moved(_)) => (
            AuditOutcome::Refused,
            "it had moved: nothing was done".to_owned(),
        ),
        Ok(Executed::Partly { done, .. }) => (
            AuditOutcome::Failed,
            format!("{done} calls were made, then it moved"),
        ),
        Ok(Executed::Gone) => (
            AuditOutcome::Refused,
            "it is gone: nothing was done".to_owned(),
        ),
        Err(error) if error.kind == ErrorKind::Ambiguous => (
            AuditOutcome::Failed,
            format!("it may or may not have been done: {error}"),
        ),
        Err(error) => (AuditOutcome::Failed, format!("nothing was done: {error}")),
    }
}
