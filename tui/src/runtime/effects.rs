//! Runs effects with the operations that the screen was handed. Nothing here blocks: every request
//! is a task of its own, and its answer comes back as a message.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use payops_core::domain::rollout::Rollout;
use payops_core::operations::Operations;
use payops_core::port::{Clock, Depth, Watched};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::environments::OpenEnvironments;
use super::{limits, requests, tasks, unfinished};
use crate::effect::{Effect, Request, TaskKind};
use crate::fault::Fault;
use crate::model::RolloutId;
use crate::msg::Msg;

/// How long the screen waits for actions that were sent when it closes.
const FINISH: Duration = Duration::from_secs(10);
/// How long after its end a watch is started again.
const REWATCH: Duration = Duration::from_secs(10);

/// What the runtime itself must do: it concerns the terminal or the loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TerminalAction {
    Copy(String),
    Suspend,
    Quit,
}

pub(crate) struct EffectRunner {
    operations: Arc<dyn Operations>,
    clock: Arc<dyn Clock>,
    environments: OpenEnvironments,
    messages: mpsc::Sender<Msg>,
    reads: JoinSet<()>,
    /// Actions that were sent: these are not dropped when the screen closes.
    writes: JoinSet<()>,
    /// The same, with what is printed about each that has not ended by then.
    unfinished: Vec<(AbortHandle, String)>,
    related: Option<CancellationToken>,
    watches: HashMap<(String, String), CancellationToken>,
    tasks: HashMap<u64, CancellationToken>,
}

impl EffectRunner {
    pub(crate) fn new(
        operations: Arc<dyn Operations>,
        clock: Arc<dyn Clock>,
        messages: mpsc::Sender<Msg>,
    ) -> Self {
        Self {
            operations,
            clock,
            environments: OpenEnvironments::default(),
            messages,
            reads: JoinSet::new(),
            writes: JoinSet::new(),
            unfinished: Vec::new(),
            related: None,
            watches: HashMap::new(),
            tasks: HashMap::new(),
        }
    }

    /// Starts all effects; returns those that the loop itself must carry out.
    pub(crate) fn run_all(&mut self, effects: Vec<Effect>) -> Vec<TerminalAction> {
        effects
            .into_iter()
            .filter_map(|effect| self.run(effect))
            .collect()
    }

    /// Collects tasks that ended; panics if one of them did, so that the terminal is restored.
    pub(crate) fn reap(&mut self) {
        while let Some(ended) = self
            .reads
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

    /// Waits for actions that were sent: half of one is worse than none. Returns a line for each
    /// that has not ended in time.
    pub(crate) async fn finish(&mut self) -> Vec<String> {
        // What works in batches ends after the current one.
        self.tasks.values().for_each(CancellationToken::cancel);
        // Nobody reads the answers any more.
        let all = async { while self.writes.join_next().await.is_some() {} };
        let _ = timeout(FINISH, all).await;
        self.unfinished
            .drain(..)
            .filter(|(task, _)| !task.is_finished())
            .map(|(_, words)| words)
            .collect()
    }

    /// Shows words for the operator for as long as the screen is open.
    pub(crate) fn forward_notices(&mut self, mut notices: BoxStream<'static, String>) {
        let messages = self.messages.clone();
        self.reads.spawn(async move {
            while let Some(text) = notices.next().await {
                if messages.send(Msg::Notice(text)).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Spawns a task. One that comes with words for [`EffectRunner::finish`] is a write.
    fn spawn(&mut self, words: Option<String>, task: impl Future<Output = ()> + Send + 'static) {
        let Some(words) = words else {
            self.reads.spawn(task);
            return;
        };
        self.unfinished.retain(|(task, _)| !task.is_finished());
        self.unfinished.push((self.writes.spawn(task), words));
    }

    fn run(&mut self, effect: Effect) -> Option<TerminalAction> {
        match effect {
            Effect::Quit => return Some(TerminalAction::Quit),
            Effect::Suspend => return Some(TerminalAction::Suspend),
            Effect::Copy(text) => return Some(TerminalAction::Copy(text)),
            Effect::Request { id, env, request } => self.send_request(id, env, *request),
            Effect::Watch { env, cluster } => self.watch(env, cluster),
            Effect::WatchRelated {
                env,
                cluster,
                rollout,
                depth,
            } => self.watch_related(env, cluster, *rollout, depth),
            Effect::UnwatchRelated => self.unwatch_related(),
            Effect::StartTask { id, env, kind } => self.start_task(id, env, kind),
            Effect::CancelTask { id } => {
                if let Some(stop) = self.tasks.get(&id) {
                    stop.cancel();
                }
            }
        }
        None
    }

    fn start_task(&mut self, id: u64, env: String, kind: TaskKind) {
        let stop = CancellationToken::new();
        self.tasks.insert(id, stop.clone());
        let (operations, messages) = (Arc::clone(&self.operations), self.messages.clone());
        let opened = self.environments.get(&env);
        let progress = self.messages.clone();
        // A step that finds the channel full is reported with the next.
        let on_progress = Arc::new(move |update| drop(progress.try_send(Msg::Task { id, update })));
        self.spawn(unfinished::task_words(&kind, &env), async move {
            let end = tasks::run(operations, opened, &env, kind, stop, on_progress).await;
            if !end.gone_ids.is_empty() {
                let gone = Msg::DeadLettersGone {
                    env,
                    message_ids: end.gone_ids,
                };
                drop(messages.send(gone).await);
            }
            let update = end.update;
            drop(messages.send(Msg::Task { id, update }).await);
        });
    }

    fn send_request(&mut self, id: u64, env: String, request: Request) {
        let context = requests::RequestContext {
            operations: Arc::clone(&self.operations),
            environments: self.environments.clone(),
            clock: Arc::clone(&self.clock),
        };
        let messages = self.messages.clone();
        self.spawn(unfinished::request_words(&request, &env), async move {
            let (limit, late) = (limits::limit(&request), limits::late_answer(&request));
            let answer = timeout(limit, requests::answer(&context, &env, request))
                .await
                .unwrap_or(late);
            let answer = Msg::Answer {
                id,
                env,
                answer: Box::new(answer),
            };
            drop(messages.send(answer).await);
        });
    }

    fn watch(&mut self, env: String, cluster: String) {
        let Ok(rollouts) = self.environments.cluster(&env, &cluster) else {
            return;
        };
        let (messages, stop) = (self.messages.clone(), CancellationToken::new());
        if let Some(before) = self
            .watches
            .insert((env.clone(), cluster.clone()), stop.clone())
        {
            before.cancel();
        }
        let watch = async move {
            let message = |event| Msg::Watch {
                env: env.clone(),
                cluster: cluster.clone(),
                event,
            };
            loop {
                let mut watch = rollouts.watch();
                while let Some(event) = watch.next().await {
                    if messages.send(message(event)).await.is_err() {
                        return;
                    }
                }
                // It should have no end. Until it is started again, what is shown may be old.
                let cut = Watched::Cut {
                    why: "the watch ended".to_owned(),
                    retry_in: REWATCH,
                };
                if messages.send(message(cut)).await.is_err() {
                    return;
                }
                sleep(REWATCH).await;
            }
        };
        self.reads.spawn(async move {
            stop.run_until_cancelled(watch).await;
        });
    }

    fn watch_related(&mut self, env: String, cluster: String, rollout: Rollout, depth: Depth) {
        self.unwatch_related();
        let Ok(rollouts) = self.environments.cluster(&env, &cluster) else {
            return;
        };
        let stop = CancellationToken::new();
        self.related = Some(stop.clone());
        let messages = self.messages.clone();
        let id = RolloutId {
            env,
            cluster,
            key: rollout.key.clone(),
        };
        let watch = async move {
            let mut watch = rollouts.watch_related(&rollout, depth);
            while let Some(change) = watch.next().await {
                let change = Msg::RelatedChanged {
                    id: id.clone(),
                    fault: change.err().map(Fault::from),
                };
                if messages.send(change).await.is_err() {
                    break;
                }
            }
        };
        self.reads.spawn(async move {
            stop.run_until_cancelled(watch).await;
        });
    }

    fn unwatch_related(&mut self) {
        if let Some(stop) = self.related.take() {
            stop.cancel();
        }
    }
}

#[cfg(test)]
mod tests;
