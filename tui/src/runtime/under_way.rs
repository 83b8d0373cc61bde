//! What is said of actions that were still under way when the screen was left and did not wait any
//! longer: nobody is there to tell it by then but the terminal.

use crate::effect::{Ask, Job};
use crate::views::dead_letters::shown;

/// Of a task; `None` of one that changes nothing.
pub(super) fn task(job: &Job, env: &str) -> Option<String> {
    let (what, then) = match job {
        Job::Replay { plan, .. } => {
            let queue = &plan.queue;
            (
                format!("replay {queue}"),
                format!(
                    "the same command goes on from its journal, or shows a new plan if none was \
                        begun: payops dlq replay {queue} --env {env}"
                ),
            )
        }
        // A letter that is gone is not found again: there is nothing to go on from.
        Job::Discard { queue, .. } => (
            format!("discard {queue}"),
            "its journal says which letters are gone; they are kept whole, and discarding again \
                takes the rest"
                .to_owned(),
        ),
        Job::Redrive { queue, .. } => (
            format!("redrive {queue}"),
            format!(
                "how far it is, the queue service knows: payops \
                dlq redrives {queue} --env {env}"
            ),
        ),
        Job::Reconcile | Job::Await { .. } | Job::Export { .. } => return None,
    };
    Some(shown(&format!(
        "{what} in {} was still under way; {then}",
        env.to_uppercase()
    )))
}

/// Of a question; `None` of one that changes nothing in a cluster.
pub(super) fn action(ask: &Ask, env: &str) -> Option<String> {
    let Ask::Execute { cluster, plan, .. } = ask else {
        return None;
    };
    let (action, key) = (plan.action.as_str(), &plan.key);
    let place = env.to_uppercase();
    Some(shown(&format!(
        "{action} {key} in {place} ({cluster}) was not answered; whether it was done, this says: \
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
    fn each_says_what_it_is_where_and_how_it_goes_on() {
        let queue = || "payments-work-dlq".to_owned();
        let plan = Box::new(ReplayPlan {
            queue: queue(),
            ..ReplayPlan::default()
        });
        let jobs = [
            Job::Replay {
                plan,
                reason: String::new(),
            },
            Job::Discard {
                queue: queue(),
                letters: Arc::new([]),
                reason: String::new(),
            },
            Job::Redrive {
                queue: queue(),
                reason: String::new(),
            },
            Job::Reconcile,
            Job::Export {
                letters: Arc::new([]),
            },
            Job::Await {
                cluster: "eks-prod".to_owned(),
                key: waiting().key,
            },
        ];
        let said = jobs.each_ref().map(|job| task(job, "prod"));
        // What changes something is what is waited for, and what is told.
        assert_eq!(
            said.each_ref().map(Option::is_some),
            jobs.each_ref().map(Job::writes)
        );
        let expected = [
            "replay payments-work-dlq in PROD was still under way; the same command goes on from \
                its journal, or shows a new plan if none was begun: payops dlq replay \
                payments-work-dlq --env prod",
            "discard payments-work-dlq in PROD was still under way; its journal says which letters \
                are gone; they are kept whole, and discarding again takes the rest",
            "redrive payments-work-dlq in PROD was still under way; how far it is, the queue \
                service knows: payops dlq redrives payments-work-dlq --env prod",
        ];
        assert_eq!(said.into_iter().flatten().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_action_may_or_may_not_have_been_done() {
        let plan = payops_core::domain::rollout::plan(
            payops_core::domain::rollout::RolloutAction::Promote,
            &waiting(),
            None,
        )
        .expect("a plan");
        let ask = Ask::Execute {
            cluster: "eks-prod".to_owned(),
            plan: Box::new(plan),
            reason: None,
        };
        let expected = "promote payments/payments-api in PROD (eks-prod) was not answered; whether \
            it was done, this says: payops rollout get payments/payments-api --env prod";
        assert_eq!(action(&ask, "prod").as_deref(), Some(expected));
        assert_eq!(action(&Ask::Queues, "prod"), None);
    }
}
