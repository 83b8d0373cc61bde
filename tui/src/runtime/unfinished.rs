//! What is printed about actions that had not ended when the screen closed.

use crate::effect::{Request, TaskKind};
use crate::redact::redact;

/// About a task; `None` for one that changes nothing.
pub(super) fn task_words(kind: &TaskKind, env: &str) -> Option<String> {
    let (what, then) = match kind {
        TaskKind::Replay { plan, .. } => {
            let queue = &plan.queue;
            (
                format!("replay {queue}"),
                format!(
                    "resume it, or make a new plan if it had not started: \
                        payops dlq replay {queue} --env {env}"
                ),
            )
        }
        // What was deleted is not found again: there is nothing to resume.
        TaskKind::Discard { queue, .. } => (
            format!("discard {queue}"),
            "its journal lists the dead letters that were deleted, and its file has them whole; \
                discard again to delete the rest"
                .to_owned(),
        ),
        TaskKind::Redrive { queue, .. } => (
            format!("redrive {queue}"),
            format!(
                "the queue service continues; see its progress: \
                    payops dlq redrives {queue} --env {env}"
            ),
        ),
        TaskKind::Reconcile | TaskKind::AwaitRollout { .. } | TaskKind::Export { .. } => {
            return None;
        }
    };
    Some(redact(&format!(
        "{what} in {} was still running; {then}",
        env.to_uppercase()
    )))
}

/// About a request; `None` for one that changes nothing.
pub(super) fn request_words(request: &Request, env: &str) -> Option<String> {
    let Request::ExecuteRollout { cluster, plan, .. } = request else {
        return None;
    };
    let (action, key) = (plan.action.as_str(), &plan.key);
    let place = env.to_uppercase();
    Some(redact(&format!(
        "{action} {key} in {place} ({cluster}) was not answered; see whether it was done: \
            payops rollout get {key} --env {env}"
    )))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use payops_core::domain::replay::ReplayPlan;

    use super::*;
    use crate::fixtures::waiting;

    #[test]
    fn each_says_what_it_is_where_and_how_to_continue() {
        let queue = || "payments-work-dlq".to_owned();
        let plan = Box::new(ReplayPlan {
            queue: queue(),
            ..ReplayPlan::default()
        });
        let kinds = [
            TaskKind::Replay {
                plan,
                reason: String::new(),
            },
            TaskKind::Discard {
                queue: queue(),
                letters: Arc::new([]),
                reason: String::new(),
            },
            TaskKind::Redrive {
                queue: queue(),
                reason: String::new(),
            },
            TaskKind::Reconcile,
            TaskKind::Export {
                letters: Arc::new([]),
                listed: 0,
            },
            TaskKind::AwaitRollout {
                cluster: "eks-prod".to_owned(),
                key: waiting().key,
            },
        ];
        let words = kinds.each_ref().map(|kind| task_words(kind, "prod"));
        // What writes is waited for, and printed.
        assert_eq!(
            words.each_ref().map(Option::is_some),
            kinds.each_ref().map(TaskKind::writes)
        );
        let expected = [
            "replay payments-work-dlq in PROD was still running; resume it, or make a new plan if it \
                had not started: payops dlq replay payments-work-dlq --env prod",
            "discard payments-work-dlq in PROD was still running; its journal lists the dead \
                letters that were deleted, and its file has them whole; discard again to delete the rest",
            "redrive payments-work-dlq in PROD was still running; the queue service continues; see \
                its progress: payops dlq redrives payments-work-dlq --env prod",
        ];
        assert_eq!(words.into_iter().flatten().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_action_may_or_may_not_have_been_done() {
        let plan = payops_core::domain::rollout::plan(
            payops_core::domain::rollout::RolloutAction::Promote,
            &waiting(),
            None,
        )
        .expect("a plan");
        let request = Request::ExecuteRollout {
            cluster: "eks-prod".to_owned(),
            plan: Box::new(plan),
            reason: String::new(),
        };
        let expected = "promote payments/payments-api in PROD (eks-prod) was not answered; see \
            whether it was done: payops rollout get payments/payments-api --env prod";
        assert_eq!(request_words(&request, "prod").as_deref(), Some(expected));
        assert_eq!(request_words(&Request::Queues, "prod"), None);
    }
}
