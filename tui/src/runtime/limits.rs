//! How long an answer is waited for. A port that hangs must not leave a pane loading for ever,
//! nor a rollout locked by an action that is never answered.

use std::future::Future;
use std::time::Duration;

use payops_core::port::{ErrorKind, PortError, PortResult};
use tokio::time::timeout;

use crate::effect::Ask;
use crate::fault::Fault;
use crate::msg::Answer;

pub(super) const RECORD: Duration = Duration::from_secs(10);
/// For the action itself: several calls, some of them tried again.
pub(super) const EXECUTE: Duration = Duration::from_secs(30);
/// Opening may sign in, or wait for a platform that comes up.
const OPEN: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_mins(1);
const READ: Duration = Duration::from_secs(20);

pub(super) fn of(ask: &Ask) -> Duration {
    match ask {
        Ask::Open | Ask::Elevate(_) | Ask::Lower => OPEN,
        // Its two halves have their own limits; this one only makes sure.
        Ask::Execute { .. } => RECORD.saturating_add(EXECUTE).saturating_add(READ),
        Ask::DeadLetters { .. } | Ask::PlanReplay { .. } => LOOK,
        Ask::Related { .. }
        | Ask::Queues
        | Ask::DeadLetter(_)
        | Ask::Search { .. }
        | Ask::Payment(_)
        | Ask::Audit
        | Ask::Standing
        | Ask::SavePlan(_) => READ,
    }
}

/// The answer to a question that was not answered in time.
pub(super) fn late(ask: &Ask) -> Answer {
    let fault = || Fault::from(no_answer(ErrorKind::Unavailable, of(ask)));
    match ask {
        Ask::Open => Answer::Opened(Err(fault())),
        Ask::Related { .. } => Answer::Related(Err(fault())),
        Ask::Execute { .. } => {
            Answer::Executed(Err(Fault::from(no_answer(ErrorKind::Ambiguous, of(ask)))))
        }
        Ask::Queues => Answer::Queues(Err(fault())),
        Ask::DeadLetters { .. } => Answer::DeadLetters(Err(fault())),
        Ask::DeadLetter(_) => Answer::Letter(Err(fault())),
        Ask::Search { .. } => Answer::Search(Err(fault())),
        Ask::Payment(_) => Answer::Payment(Err(fault())),
        Ask::Audit => Answer::Audit(Err(fault())),
        Ask::Standing | Ask::Elevate(_) => Answer::Standing(Err(fault())),
        Ask::Lower => Answer::Lowered(Err(fault())),
        Ask::PlanReplay { .. } => Answer::ReplayPlanned(Err(fault())),
        Ask::SavePlan(_) => Answer::PlanSaved(Err(fault())),
    }
}

/// What comes of `work`, or a failure of that kind when it takes longer than `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    kind: ErrorKind,
    work: impl Future<Output = PortResult<T>>,
) -> PortResult<T> {
    timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(no_answer(kind, limit)))
}

fn no_answer(kind: ErrorKind, limit: Duration) -> PortError {
    PortError::new(kind, format!("no answer in {} s", limit.as_secs()))
}
