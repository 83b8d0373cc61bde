//! Answers requests. Personal data leaves here masked, or is masked when it is drawn.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{try_join, try_join_all};
use payops_core::Timestamp;
use payops_core::domain::id::PaymentId;
use payops_core::domain::mask;
use payops_core::domain::privacy::Privacy;
use payops_core::domain::rollout::{Rollout, RolloutAction};
use payops_core::operations::{OpenEnvironment, Operations};
use payops_core::port::{Clock, ErrorKind, PortError, PortResult, QueueStats, Rollouts};
use payops_core::usecase::{
    DeadLetterList, DeadLetters, DeadLettersError, PaymentSearch, SearchError, SearchResult,
};

use super::environments::OpenEnvironments;
use crate::effect::Request;
use crate::fault::Fault;
use crate::model::{ClusterInfo, EnvDetails, PaymentDetails};
use crate::msg::Answer;

/// Payments that a search shows at most.
const HITS_MAX: usize = 500;
/// Dead letters that are shown at most, of each queue.
const LETTERS_MAX: usize = 10_000;
/// Entries of the audit record that are shown at most.
const AUDIT_MAX: usize = 1_000;

pub(super) struct RequestContext {
    pub(super) operations: Arc<dyn Operations>,
    pub(super) environments: OpenEnvironments,
    pub(super) clock: Arc<dyn Clock>,
}

fn to_answer<T>(result: PortResult<T>) -> Result<T, Fault> {
    result.map_err(Fault::from)
}

pub(super) async fn answer(context: &RequestContext, env: &str, request: Request) -> Answer {
    let operations = &context.operations;
    let open = || context.environments.get(env);
    match request {
        Request::OpenEnvironment => {
            Answer::OpenEnvironment(to_answer(open_environment(context, env).await))
        }
        Request::Related {
            cluster,
            rollout,
            depth,
        } => {
            let related = async {
                let rollouts = context.environments.cluster(env, &cluster)?;
                rollouts.related(&rollout, depth).await
            };
            Answer::Related(to_answer(related.await))
        }
        Request::ExecuteRollout {
            cluster,
            plan,
            reason,
        } => Answer::ExecuteRollout(to_answer(
            operations
                .execute_rollout(env, &cluster, *plan, reason)
                .await,
        )),
        Request::Equivalent {
            cluster,
            action,
            key,
        } => {
            let rollouts = context.environments.cluster(env, &cluster);
            let line = rollouts.map(|rollouts| rollouts.equivalent(&action, &key));
            Answer::Equivalent(to_answer(line))
        }
        Request::Rights { cluster, rollout } => {
            let denied = async {
                let rollouts = context.environments.cluster(env, &cluster)?;
                Ok(denied_actions(&*rollouts, &rollout).await)
            };
            Answer::Rights(to_answer(denied.await))
        }
        Request::Queues => Answer::Queues(to_answer(async { queues(&open()?).await }.await)),
        Request::DeadLetters { queue } => {
            let list = async { browse(&open()?, queue.as_deref()).await };
            Answer::DeadLetters(to_answer(list.await))
        }
        Request::DeadLetter(letter) => {
            let contents = async {
                DeadLetters::from(&open()?.ports)
                    .open(&letter, Privacy::default())
                    .await
            };
            Answer::DeadLetter(to_answer(contents.await.map(Box::new)))
        }
        Request::Search { text } => {
            let found = async { search(&open()?, &text, context.clock.now()).await };
            Answer::Search(to_answer(found.await.map(Box::new)))
        }
        Request::Payment(id) => {
            Answer::Payment(to_answer(async { payment(&open()?, &id).await }.await))
        }
        Request::Audit => {
            let entries = async { open()?.audit.newest(AUDIT_MAX).await };
            Answer::Audit(to_answer(entries.await))
        }
        Request::Access => Answer::Access(to_answer(operations.access(env).await)),
        Request::Elevate(request) => {
            Answer::Access(to_answer(operations.elevate(env, request).await))
        }
        Request::EndElevation => {
            Answer::EndElevation(to_answer(operations.end_elevation(env).await))
        }
        Request::PlanReplay { request, letters } => {
            let review = operations.plan_replay(env, request, letters.to_vec()).await;
            Answer::PlanReplay(to_answer(review.map(Box::new)))
        }
        Request::SavePlan(plan) => {
            Answer::SavePlan(to_answer(operations.save_replay_plan(env, *plan).await))
        }
    }
}

async fn open_environment(context: &RequestContext, env: &str) -> PortResult<EnvDetails> {
    let opened = context.operations.open(env).await?;
    let clusters = opened.clusters.iter().map(|rollouts| ClusterInfo {
        name: rollouts.cluster().to_owned(),
        driver: rollouts.driver(),
        actions: supported_actions(&**rollouts),
    });
    let details = EnvDetails {
        who: opened.who.clone(),
        clusters: clusters.collect(),
        no_clusters: opened.no_clusters.clone(),
        kept_here: opened.kept_here.clone(),
    };
    context.environments.insert(env, opened);
    Ok(details)
}

async fn denied_actions(
    rollouts: &dyn Rollouts,
    rollout: &Rollout,
) -> BTreeMap<&'static str, String> {
    let mut denied = BTreeMap::new();
    for action in all_actions() {
        if let Some(why) = rollouts.find_denial(rollout, &action).await {
            denied.insert(action.as_str(), mask::terminal(&why));
        }
    }
    denied
}

fn supported_actions(rollouts: &dyn Rollouts) -> Vec<&'static str> {
    all_actions()
        .iter()
        .filter(|action| rollouts.can(action))
        .map(RolloutAction::as_str)
        .collect()
}

fn all_actions() -> [RolloutAction; 12] {
    [
        RolloutAction::Promote,
        RolloutAction::PromoteFull,
        RolloutAction::Skip,
        RolloutAction::Abort,
        RolloutAction::Retry,
        RolloutAction::Pause,
        RolloutAction::Resume,
        RolloutAction::Restart {
            at: Timestamp::UNIX_EPOCH,
        },
        RolloutAction::Undo { revision: None },
        RolloutAction::SetImage(Vec::new()),
        RolloutAction::TerminateAnalysis {
            name: String::new(),
        },
        RolloutAction::TerminateExperiment {
            name: String::new(),
        },
    ]
}

async fn queues(env: &OpenEnvironment) -> PortResult<Vec<QueueStats>> {
    let queues = &env.ports.queue_admin;
    let names = queues.names().await?;
    try_join_all(names.iter().map(|name| queues.stats(name))).await
}

async fn browse(env: &OpenEnvironment, queue: Option<&str>) -> PortResult<DeadLetterList> {
    let letters = DeadLetters::from(&env.ports);
    let queues = letters.queues(queue).await.map_err(|error| match error {
        DeadLettersError::Port(error) => error,
        DeadLettersError::NotADeadLetterQueue { .. } => {
            PortError::new(ErrorKind::NotFound, error.to_string())
        }
    })?;
    letters.look(&queues, LETTERS_MAX).await
}

async fn search(env: &OpenEnvironment, text: &str, now: Timestamp) -> PortResult<SearchResult> {
    PaymentSearch::from(&env.ports)
        .run(text, now, HITS_MAX)
        .await
        .map_err(|error| match error {
            SearchError::Port(error) => error,
            SearchError::Query(error) => {
                PortError::because(ErrorKind::Permanent, "the query is not valid", error)
            }
        })
}

async fn payment(env: &OpenEnvironment, id: &PaymentId) -> PortResult<Option<Box<PaymentDetails>>> {
    let store = &env.ports.store;
    let (payment, events) = try_join(store.get(id), store.events(id)).await?;
    Ok(payment.map(|payment| Box::new(PaymentDetails { payment, events })))
}
