//! How long an answer may take. A port that hangs must not leave a pane loading for ever, nor a
//! rollout locked by an action that is never answered.

use std::time::Duration;

use payops_core::port::{ErrorKind, PortError};

use crate::effect::Request;
use crate::fault::Fault;
use crate::msg::Answer;

/// Opening may sign in, or wait for a platform that starts.
const OPEN: Duration = Duration::from_mins(1);
/// Rules, the record, then the action itself: several calls, some of them retried.
const EXECUTE: Duration = Duration::from_mins(1);
const BROWSE: Duration = Duration::from_mins(1);
const READ: Duration = Duration::from_secs(20);

pub(super) fn limit(request: &Request) -> Duration {
    match request {
        Request::OpenEnvironment | Request::Elevate(_) | Request::EndElevation => OPEN,
        Request::ExecuteRollout { .. } => EXECUTE,
        Request::DeadLetters { .. } | Request::PlanReplay { .. } => BROWSE,
        Request::Related { .. }
        | Request::Equivalent { .. }
        | Request::Rights { .. }
        | Request::Queues
        | Request::DeadLetter(_)
        | Request::Search { .. }
        | Request::Payment(_)
        | Request::Audit
        | Request::Access
        | Request::SavePlan(_) => READ,
    }
}

/// The answer to a request that took too long.
pub(super) fn late_answer(request: &Request) -> Answer {
    let fault = |kind| {
        let words = format!("no answer in {} s", limit(request).as_secs());
        Fault::from(PortError::new(kind, words))
    };
    let unavailable = || fault(ErrorKind::Unavailable);
    match request {
        Request::OpenEnvironment => Answer::OpenEnvironment(Err(unavailable())),
        Request::Related { .. } => Answer::Related(Err(unavailable())),
        Request::ExecuteRollout { .. } => Answer::ExecuteRollout(Err(fault(ErrorKind::Ambiguous))),
        Request::Equivalent { .. } => Answer::Equivalent(Err(unavailable())),
        Request::Rights { .. } => Answer::Rights(Err(unavailable())),
        Request::Queues => Answer::Queues(Err(unavailable())),
        Request::DeadLetters { .. } => Answer::DeadLetters(Err(unavailable())),
        Request::DeadLetter(_) => Answer::DeadLetter(Err(unavailable())),
        Request::Search { .. } => Answer::Search(Err(unavailable())),
        Request::Payment(_) => Answer::Payment(Err(unavailable())),
        Request::Audit => Answer::Audit(Err(unavailable())),
        Request::Access | Request::Elevate(_) => Answer::Access(Err(unavailable())),
        Request::EndElevation => Answer::EndElevation(Err(unavailable())),
        Request::PlanReplay { .. } => Answer::PlanReplay(Err(unavailable())),
        Request::SavePlan(_) => Answer::SavePlan(Err(unavailable())),
    }
}
