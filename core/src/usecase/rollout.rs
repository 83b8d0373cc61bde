//! What the record says of an action on a rollout.

use crate::domain::audit::AuditOutcome;
use crate::port::{ErrorKind, Executed, PortResult};

#[must_use]
pub fn describe_execution(executed: &PortResult<Executed>) -> (AuditOutcome, String) {
    match executed {
        Ok(Executed::Done(rollout)) => (
            AuditOutcome::Done,
            format!("resourceVersion {}", rollout.resource_version),
        ),
        Ok(Executed::Moved(_)) => (
            AuditOutcome::Refused,
            "the rollout had changed; nothing was done".to_owned(),
        ),
        Ok(Executed::Partly { done, .. }) => (
            AuditOutcome::Failed,
            format!("{done} calls were made, then the rollout changed"),
        ),
        Ok(Executed::Gone) => (
            AuditOutcome::Refused,
            "the rollout no longer exists; nothing was done".to_owned(),
        ),
        Err(error) if error.kind == ErrorKind::Ambiguous => (
            AuditOutcome::Failed,
            format!("the action may or may not have been done: {error}"),
        ),
        Err(error) => (AuditOutcome::Failed, format!("nothing was done: {error}")),
    }
}
