//! Operations to test with: they note what they are handed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use payops_core::domain::replay::ReplayPlan;
use payops_core::domain::rollout::{Rollout, RolloutPlan};
use payops_core::operations::{
    AccessStatus, DiscardEnd, ElevationRequest, EnvInfo, OpenEnvironment, Operations, RedriveEnd,
    ReplayEnd, ReplayRequest, ReplayReview, TaskControl,
};
use payops_core::port::{ErrorKind, Executed, PortError, PortResult};
use payops_core::usecase::{DeadLetter, ReplaySummary};

use crate::fixtures::{environments, waiting};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Works,
    /// A replay sends one message, then waits until it is stopped.
    UntilStopped,
    Fails(ErrorKind, &'static str),
    /// It never ends, stopped or not.
    Hangs,
}

/// A call with its environment and what was handed over, in words where that is enough.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    Elevate(String, ElevationRequest),
    EndElevation(String),
    Rollout {
        env: String,
        cluster: String,
        plan: Box<RolloutPlan>,
        reason: String,
    },
    PlanReplay(String, ReplayRequest, usize),
    SavePlan(String, Box<ReplayPlan>),
    Replay(String, Box<ReplayPlan>, String),
    Discard(String, String, usize, String),
    Redrive(String, String, String),
    Export(String, usize),
}

pub(crate) struct FakeOperations {
    behaviour: Behaviour,
    calls: Mutex<Vec<Call>>,
    /// The only rollout; a plan is executed only on the version that it was made on.
    rollout: Mutex<Rollout>,
    stopped: AtomicBool,
}

impl FakeOperations {
    pub(crate) fn new(behaviour: Behaviour) -> Arc<Self> {
        Arc::new(Self {
            behaviour,
            calls: Mutex::default(),
            rollout: Mutex::new(waiting()),
            stopped: AtomicBool::new(false),
        })
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("not poisoned").clone()
    }

    pub(crate) fn rollout(&self) -> Rollout {
        self.rollout.lock().expect("not poisoned").clone()
    }

    /// Whether a replay ended because it was stopped.
    pub(crate) fn was_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    async fn note(&self, call: Call) -> PortResult<()> {
        self.calls.lock().expect("not poisoned").push(call);
        match self.behaviour {
            Behaviour::Works | Behaviour::UntilStopped => Ok(()),
            Behaviour::Fails(kind, words) => Err(PortError::new(kind, words)),
            Behaviour::Hangs => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Operations for FakeOperations {
    fn environments(&self) -> Vec<EnvInfo> {
        environments()
    }

    fn notices(&self) -> BoxStream<'static, String> {
        stream::iter(["prod is frozen; going on, under break-glass".to_owned()]).boxed()
    }

    async fn open(&self, env: &str) -> PortResult<OpenEnvironment> {
        Err(PortError::new(
            ErrorKind::Denied,
            format!("no role for {env}, says anna@example.com"),
        ))
    }

    async fn access(&self, _: &str) -> PortResult<AccessStatus> {
        Ok(AccessStatus::default())
    }

    async fn elevate(&self, env: &str, request: ElevationRequest) -> PortResult<AccessStatus> {
        self.note(Call::Elevate(env.to_owned(), request)).await?;
        Ok(AccessStatus::default())
    }

    async fn end_elevation(&self, env: &str) -> PortResult<AccessStatus> {
        self.note(Call::EndElevation(env.to_owned())).await?;
        Ok(AccessStatus::default())
    }

    async fn execute_rollout(
        &self,
        env: &str,
        cluster: &str,
        plan: RolloutPlan,
        reason: String,
    ) -> PortResult<Executed> {
        let call = Call::Rollout {
            env: env.to_owned(),
            cluster: cluster.to_owned(),
            plan: Box::new(plan.clone()),
            reason,
        };
        self.note(call).await?;
        let mut rollout = self.rollout.lock().expect("not poisoned");
        if rollout.resource_version != plan.resource_version {
            return Ok(Executed::Moved(Box::new(rollout.clone())));
        }
        rollout.resource_version = "next".to_owned();
        rollout.step_index = rollout.step_index.map(|index| index + 1);
        Ok(Executed::Done(Box::new(rollout.clone())))
    }

    async fn plan_replay(
        &self,
        env: &str,
        request: ReplayRequest,
        letters: Vec<DeadLetter>,
    ) -> PortResult<ReplayReview> {
        let call = Call::PlanReplay(env.to_owned(), request, letters.len());
        self.note(call).await?;
        let words = "another replay is running";
        Err(PortError::new(ErrorKind::Refused, words))
    }

    async fn save_replay_plan(&self, env: &str, plan: ReplayPlan) -> PortResult<String> {
        self.note(Call::SavePlan(env.to_owned(), Box::new(plan)))
            .await?;
        Ok("plan.json".to_owned())
    }

    async fn replay(
        &self,
        env: &str,
        plan: ReplayPlan,
        reason: String,
        control: Arc<dyn TaskControl>,
    ) -> PortResult<ReplayEnd> {
        let planned = plan.messages.len();
        self.note(Call::Replay(env.to_owned(), Box::new(plan), reason))
            .await?;
        let summary = ReplaySummary {
            planned,
            sent: 1,
            remaining: planned - 1,
            ..ReplaySummary::default()
        };
        control.on_progress(&summary);
        control.stopped().await;
        assert!(control.is_stopped());
        self.stopped.store(true, Ordering::Relaxed);
        Ok(ReplayEnd {
            summary,
            gone: vec!["m-00".to_owned()],
        })
    }

    async fn discard(
        &self,
        env: &str,
        queue: String,
        letters: Vec<DeadLetter>,
        reason: String,
        _: Arc<dyn TaskControl>,
    ) -> PortResult<DiscardEnd> {
        // A discard ends where others hang: a test needs one of each.
        let call = Call::Discard(env.to_owned(), queue, letters.len(), reason);
        self.calls.lock().expect("not poisoned").push(call);
        Ok(DiscardEnd::default())
    }

    async fn redrive(
        &self,
        env: &str,
        queue: String,
        reason: String,
        _: Arc<dyn TaskControl>,
    ) -> PortResult<RedriveEnd> {
        self.note(Call::Redrive(env.to_owned(), queue, reason))
            .await?;
        Ok(RedriveEnd {
            moved: 61,
            planned: Some(61),
            canceled: false,
        })
    }

    async fn export_dead_letters(&self, env: &str, letters: Vec<DeadLetter>) -> PortResult<String> {
        self.note(Call::Export(env.to_owned(), letters.len()))
            .await?;
        Ok("letters.jsonl".to_owned())
    }
}
