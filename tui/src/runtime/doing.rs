//! Doing what the model asks for, with the ports it was handed. Nothing here waits: every
//! question is a task of its own whose answer comes back as a message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::try_join_all;
use payops_core::domain::audit::{AuditEntry, AuditOutcome};
use payops_core::domain::rollout::{Related, Rollout, RolloutAction, RolloutPlan};

use payops_core::port::{
    AuditLog, Clock, Depth, ErrorKind, Executed, PortError, PortResult, QueueStats, Rollouts,
    Watched,
};
use payops_core::usecase::became;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{limits, steer, stores, tasks, under_way};
use crate::effect::{Ask, Effect, Job};
use crate::environments::{Environments, Opened, Steering};
use crate::fault::Fault;
use crate::model::RolloutId;
use crate::msg::{Answer, Msg, OpenedInfo, TaskUpdate};

type Known = Arc<Mutex<HashMap<String, Opened>>>;

/// How long an action that was sent is waited for when the screen is left.
const FINISH: Duration = Duration::from_secs(10);
/// After how long a watch that came to an end is begun again.
const REWATCH: Duration = Duration::from_secs(10);

/// What the runtime itself must do: it concerns the terminal or the loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    Copy(String),
    Suspend,
    Quit,
}

pub(crate) struct Doing {
    environments: Arc<dyn Environments>,
    clock: Arc<dyn Clock>,
    known: Known,
    to: mpsc::Sender<Msg>,
    running: JoinSet<()>,
    /// Actions that were sent: these are not dropped when the screen is left.
    writes: JoinSet<()>,
    /// The same, with what is said of each that is not over when nobody waits any longer.
    under_way: Vec<(AbortHandle, String)>,
    related: Option<CancellationToken>,
    watches: HashMap<(String, String), CancellationToken>,
    tasks: HashMap<u64, CancellationToken>,
}

impl Doing {
    /// Answers go to `to`.
    pub(crate) fn new(
        environments: Arc<dyn Environments>,
        clock: Arc<dyn Clock>,
        to: mpsc::Sender<Msg>,
    ) -> Self {
        let (running, writes) = (JoinSet::new(), JoinSet::new());
        Self {
            environments,
            clock,
            known: Known::default(),
            to,
            running,
            writes,
            under_way: Vec::new(),
            related: None,
            watches: HashMap::new(),
            tasks: HashMap::new(),
        }
    }

    /// Begins everything; what the loop itself must do is returned.
    pub(crate) fn all(&mut self, effects: Vec<Effect>) -> Vec<Own> {
        effects
            .into_iter()
            .filter_map(|effect| self.one(effect))
            .collect()
    }

    /// Collects tasks that ended; one that panicked makes us panic, with the terminal given back.
    pub(crate) fn reap(&mut self) {
        while let Some(ended) = self
            .running
            .try_join_next()
            .or_else(|| self.writes.try_join_next())
        {
            if let Err(error) = ended
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }

    /// Waits for actions that were sent: half of one is worse than none. A line for each that is
    /// still under way after that.
    pub(crate) async fn finish(&mut self) -> Vec<String> {
        // What goes on batch by batch ends after the one in hand.
        self.tasks.values().for_each(CancellationToken::cancel);
        // Nobody reads the answers any more.
        let all = async { while self.writes.join_next().await.is_some() {} };
        let _ = timeout(FINISH, all).await;
        self.under_way
            .drain(..)
            .filter(|(task, _)| !task.is_finished())
            .map(|(_, words)| words)
            .collect()
    }

    /// Begins a task. One of which there is something to say changes something: it is not dropped
    /// when the screen is left.
    fn spawn(&mut self, words: Option<String>, task: impl Future<Output = ()> + Send + 'static) {
        let Some(words) = words else {
            self.running.spawn(task);
            return;
        };
        self.under_way.retain(|(task, _)| !task.is_finished());
        self.under_way.push((self.writes.spawn(task), words));
    }

    fn one(&mut self, effect: Effect) -> Option<Own> {
        match effect {
            Effect::Quit => return Some(Own::Quit),
            Effect::Suspend => return Some(Own::Suspend),
            Effect::Copy(text) => return Some(Own::Copy(text)),
            Effect::Ask { request, env, ask } => self.ask(request, env, *ask),
            Effect::Watch { env, cluster } => self.watch(env, cluster),
            Effect::WatchRelated {
                env,
                cluster,
                rollout,
                depth,
            } => self.watch_related(env, cluster, *rollout, depth),
            Effect::UnwatchRelated => self.unwatch(),
            Effect::StartTask { id, env, job }
                if !matches!(job, Job::Reconcile | Job::Await { .. }) =>
            {
                let there = steer::steering(opened(&self.known, &env));
                self.steer(id, env, there, job);
            }
            Effect::StartTask { id, env, job } => {
                let stop = CancellationToken::new();
                self.tasks.insert(id, stop.clone());
                let (opened, to) = (opened(&self.known, &env), self.to.clone());
                self.running.spawn(async move {
                    let tell = to.clone();
                    let progress = move |done, total| {
                        // A step that finds the way full is told with the next.
                        let update = TaskUpdate::Progress {
                            done,
                            total,
                            note: String::new(),
                        };
                        drop(tell.try_send(Msg::Task { id, update }));
                    };
                    let end = match opened {
                        Ok(opened) => tasks::run(&opened, job, &stop, progress).await,
                        Err(error) => TaskUpdate::Failed(error.into()),
                    };
                    drop(to.send(Msg::Task { id, update: end }).await);
                });
            }
            Effect::CancelTask { id } => {
                if let Some(stop) = self.tasks.get(&id) {
                    stop.cancel();
                }
            }
        }
        None
    }

    fn steer(&mut self, id: u64, env: String, there: PortResult<Arc<dyn Steering>>, job: Job) {
        let stop = CancellationToken::new();
        self.tasks.insert(id, stop.clone());
        let to = self.to.clone();
        let tell = to.clone();
        // A step that finds the way full is told with the next.
        let progress = Arc::new(move |update| drop(tell.try_send(Msg::Task { id, update })));
        self.spawn(under_way::task(&job, &env), async move {
            let ended = steer::run(there, job, &stop, progress).await;
            if !ended.gone.is_empty() {
                drop(
                    to.send(Msg::LettersGone {
                        env,
                        ids: ended.gone,
                    })
                    .await,
                );
            }
            drop(
                to.send(Msg::Task {
                    id,
                    update: ended.update,
                })
                .await,
            );
        });
    }

    fn ask(&mut self, request: u64, env: String, ask: Ask) {
        let (known, to, environments, clock) = (
            Arc::clone(&self.known),
            self.to.clone(),
            Arc::clone(&self.environments),
            Arc::clone(&self.clock),
        );
        self.spawn(under_way::action(&ask, &env), async move {
            let (limit, late) = (limits::of(&ask), limits::late(&ask));
            let work = async {
                match ask {
                    Ask::Open => Answer::Opened(
                        open(&*environments, &known, &env)
                            .await
                            .map_err(Fault::from),
                    ),
                    ask => answer(opened(&known, &env), ask, &env, &*clock).await,
                }
            };
            let answer = timeout(limit, work).await.unwrap_or(late);
            let _ = to
                .send(Msg::Answer {
                    request,
                    env,
                    answer: Box::new(answer),
                })
                .await;
        });
    }

    fn watch(&mut self, env: String, cluster: String) {
        let Ok(rollouts) = opened(&self.known, &env).and_then(|opened| find(&opened, &cluster))
        else {
            return;
        };
        let (to, stop) = (self.to.clone(), CancellationToken::new());
        if let Some(before) = self
            .watches
            .insert((env.clone(), cluster.clone()), stop.clone())
        {
            before.cancel();
        }
        let watch = async move {
            loop {
                let mut watch = rollouts.watch();
                while let Some(told) = watch.next().await {
                    if to
                        .send(Msg::Watch {
                            env: env.clone(),
                            cluster: cluster.clone(),
                            told,
                        })
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
                // It should have no end. Until it is begun again, what is shown may be old.
                let told = Watched::Cut {
                    why: "the watch came to an end".to_owned(),
                    retry_in: REWATCH,
                };
                if to
                    .send(Msg::Watch {
                        env: env.clone(),
                        cluster: cluster.clone(),
                        told,
                    })
                    .await
                    .is_err()
                {
                    return;
                }
                sleep(REWATCH).await;
            }
        };
        self.running.spawn(async move {
            stop.run_until_cancelled(watch).await;
        });
    }

    fn watch_related(&mut self, env: String, cluster: String, rollout: Rollout, depth: Depth) {
        self.unwatch();
        let Ok(rollouts) = opened(&self.known, &env).and_then(|opened| find(&opened, &cluster))
        else {
            return;
        };
        let stop = CancellationToken::new();
        self.related = Some(stop.clone());
        let to = self.to.clone();
        let id = RolloutId {
            env,
            cluster,
            key: rollout.key.clone(),
        };
        self.running.spawn(async move {
            let mut watch = rollouts.watch_related(&rollout, depth);
            loop {
                let fired = tokio::select! {
                    () = stop.cancelled() => break,
                    fired = watch.next() => fired,
                };
                let Some(fired) = fired else { break };
                let fault = fired.err().map(Fault::from);
                if to
                    .send(Msg::RelatedChanged {
                        id: id.clone(),
                        fault,
                    })
                    .await
                    .is_err()
                {
                    break;
                }
            }
        });
    }

    fn unwatch(&mut self) {
        if let Some(stop) = self.related.take() {
            stop.cancel();
        }
    }
}

fn opened(known: &Known, env: &str) -> PortResult<Opened> {
    let known = known.lock().unwrap_or_else(PoisonError::into_inner);
    known
        .get(env)
        .cloned()
        .ok_or_else(|| PortError::new(ErrorKind::Unavailable, format!("{env} is not open yet")))
}

fn find(opened: &Opened, cluster: &str) -> PortResult<Arc<dyn Rollouts>> {
    let found = opened
        .clusters
        .iter()
        .find(|rollouts| rollouts.cluster() == cluster)
        .cloned();
    found.ok_or_else(|| {
        PortError::new(
            ErrorKind::NotFound,
            format!("there is no cluster {cluster}"),
        )
    })
}

async fn open(environments: &dyn Environments, known: &Known, env: &str) -> PortResult<OpenedInfo> {
    let opened = environments.open(env).await?;
    let info = OpenedInfo {
        who: opened.who.clone(),
        steers: opened.steering.is_some(),
        clusters: opened
            .clusters
            .iter()
            .map(|rollouts| {
                (
                    rollouts.cluster().to_owned(),
                    rollouts.driver(),
                    can(&**rollouts),
                )
            })
            .collect(),
    };
    known
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(env.to_owned(), opened);
    Ok(info)
}

/// The actions that a driver can do, by their words.
fn can(rollouts: &dyn Rollouts) -> Vec<&'static str> {
    let all = [
        RolloutAction::Promote,
        RolloutAction::PromoteFull,
        RolloutAction::Skip,
        RolloutAction::Abort,
        RolloutAction::Retry,
        RolloutAction::Pause,
        RolloutAction::Resume,
        RolloutAction::Restart {
            at: payops_core::Timestamp::UNIX_EPOCH,
        },
        RolloutAction::Undo { revision: None },
        RolloutAction::SetImage(Vec::new()),
        RolloutAction::TerminateAnalysis {
            name: String::new(),
        },
        RolloutAction::TerminateExperiment {
            name: String::new(),
        },
    ];
    all.iter()
        .filter(|action| rollouts.can(action))
        .map(RolloutAction::as_str)
        .collect()
}

async fn answer(opened: PortResult<Opened>, ask: Ask, env: &str, clock: &dyn Clock) -> Answer {
    match ask {
        // Asked before anything is open; see `Doing::ask`.
        Ask::Open => Answer::Opened(Err(Fault::new(
            ErrorKind::Permanent,
            "an environment is opened by itself",
        ))),
        Ask::Related {
            cluster,
            rollout,
            depth,
        } => {
            let related = async { related(&opened?, &cluster, &rollout, depth).await };
            Answer::Related(related.await.map_err(Fault::from))
        }
        Ask::Execute {
            cluster,
            plan,
            reason,
        } => {
            let executed = async {
                let opened = opened?;
                let entry = entry(&opened, env, &cluster, &plan, reason, clock.now());
                execute(
                    &*find(&opened, &cluster)?,
                    &*opened.audit,
                    &entry,
                    &plan,
                    clock,
                )
                .await
            };
            Answer::Executed(executed.await.map_err(Fault::from))
        }
        Ask::Queues => {
            let queues = async { queues(&opened?).await };
            Answer::Queues(queues.await.map_err(Fault::from))
        }
        Ask::Standing
        | Ask::Elevate(_)
        | Ask::Lower
        | Ask::PlanReplay { .. }
        | Ask::SavePlan(_) => steer::answer(opened, ask).await,
        other => stores::answer(opened, other, clock).await,
    }
}

async fn related(
    opened: &Opened,
    cluster: &str,
    rollout: &Rollout,
    depth: Depth,
) -> PortResult<Related> {
    find(opened, cluster)?.related(rollout, depth).await
}

fn entry(
    opened: &Opened,
    env: &str,
    cluster: &str,
    plan: &RolloutPlan,
    reason: Option<String>,
    at: payops_core::Timestamp,
) -> AuditEntry {
    let entry = AuditEntry::new(
        at,
        &opened.who,
        env,
        format!("rollout {}", plan.action.as_str()),
    );
    let entry = entry
        .subject(format!("{cluster}/{}", plan.key))
        .same_as(&plan.same_as)
        .outcome(AuditOutcome::Begun);
    AuditEntry { reason, ..entry }.detail("resource_version", &plan.resource_version)
}

/// Records the action, then does it: what cannot be recorded is not done.
async fn execute(
    rollouts: &dyn Rollouts,
    audit: &dyn AuditLog,
    entry: &AuditEntry,
    plan: &RolloutPlan,
    clock: &dyn Clock,
) -> PortResult<Executed> {
    limits::within(limits::RECORD, ErrorKind::Unavailable, audit.append(entry))
        .await
        .map_err(unrecorded)?;
    let executed = limits::within(
        limits::EXECUTE,
        ErrorKind::Ambiguous,
        rollouts.execute(plan),
    )
    .await;
    let (outcome, words) = became(&executed);
    let ended = AuditEntry {
        at: clock.now(),
        outcome: Some(outcome),
        ..entry.clone()
    }
    .detail("outcome", words);
    // It is done already. Without this line the record says that it was begun, and not how it
    // ended.
    drop(limits::within(limits::RECORD, ErrorKind::Unavailable, audit.append(&ended)).await);
    executed
}

/// Whatever became of the record, the cluster was not asked: surely nothing was done.
fn unrecorded(error: PortError) -> PortError {
    let kind = if error.kind == ErrorKind::Ambiguous {
        ErrorKind::Unavailable
    } else {
        error.kind
    };
    PortError::because(
        kind,
        "the audit did not take it, so the cluster was not asked",
        error,
    )
}

async fn queues(opened: &Opened) -> PortResult<Vec<QueueStats>> {
    let names = opened.ports.queues.names().await?;
    try_join_all(names.iter().map(|name| opened.ports.queues.stats(name))).await
}

#[cfg(test)]
mod tests;
