//! An action is recorded, then done once, or not at all; with ports that refuse, hang or moved on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::stream::BoxStream;
use payops_core::domain::rollout::{RolloutKey, plan};
use payops_core::port::RolloutWatch;

use super::*;
use crate::fixtures::{Still, t0, waiting};

/// One rollout; a plan is done only on the version that it was made on.
struct Cluster {
    held: Mutex<Rollout>,
    asked: AtomicUsize,
    hangs: AtomicBool,
}

impl Cluster {
    fn new() -> Self {
        Self { held: Mutex::new(waiting()), asked: AtomicUsize::new(0), hangs: AtomicBool::new(false) }
    }

    fn rollout(&self) -> Rollout {
        self.held.lock().expect("not poisoned").clone()
    }
}

#[async_trait::async_trait]
impl Rollouts for Cluster {
    fn cluster(&self) -> &'static str {
        "eks-prod"
    }

    fn driver(&self) -> String {
        "a test".to_owned()
    }

    fn can(&self, _: &Action) -> bool {
        true
    }

    async fn list(&self) -> PortResult<Vec<Rollout>> {
        Ok(vec![self.rollout()])
    }

    async fn get(&self, _: &RolloutKey) -> PortResult<Option<Rollout>> {
        Ok(Some(self.rollout()))
    }

    async fn related(&self, _: &Rollout, _: Depth) -> PortResult<Related> {
        Ok(Related::default())
    }

    async fn execute(&self, plan: &Plan) -> PortResult<Executed> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let mut held = self.held.lock().expect("not poisoned");
        if held.resource_version != plan.resource_version {
            return Ok(Executed::Moved(Box::new(held.clone())));
        }
        held.resource_version = "next".to_owned();
        held.step_index = held.step_index.map(|index| index + 1);
        Ok(Executed::Done(Box::new(held.clone())))
    }

    fn watch(&self) -> RolloutWatch {
        Box::pin(futures::stream::pending())
    }

    fn watch_related(&self, _: &Rollout, _: Depth) -> BoxStream<'static, PortResult<()>> {
        Box::pin(futures::stream::pending())
    }
}

/// What the audit does with an entry.
#[derive(Clone, Copy)]
enum Audit {
    Takes,
    Refuses,
    Hangs,
}

#[async_trait::async_trait]
impl AuditLog for Audit {
    async fn append(&self, _: &AuditEntry) -> PortResult<()> {
        match self {
            Self::Takes => Ok(()),
            Self::Refuses => Err(PortError::new(ErrorKind::NotWritable, "the disk is full")),
            Self::Hangs => std::future::pending().await,
        }
    }

    async fn newest(&self, _: usize) -> PortResult<(Vec<AuditEntry>, u64)> {
        Ok((Vec::new(), 0))
    }
}

fn promote(cluster: &Cluster) -> Plan {
    plan(Action::Promote, &cluster.rollout(), None).expect("a plan")
}

async fn executed(cluster: &Cluster, audit: Audit, plan: &Plan) -> PortResult<Executed> {
    let entry = AuditEntry::new(t0(), "anna", "prod", "rollout promote");
    execute(cluster, &audit, &entry, plan, &Still(t0())).await
}

#[tokio::test]
async fn of_two_who_promote_at_once_one_does() {
    let cluster = Cluster::new();
    // Both saw the same state.
    let (first, second) = (promote(&cluster), promote(&cluster));
    let step = cluster.rollout().step_index;
    assert!(matches!(executed(&cluster, Audit::Takes, &first).await, Ok(Executed::Done(_))));
    assert!(matches!(executed(&cluster, Audit::Takes, &second).await, Ok(Executed::Moved(_))));
    assert_eq!(cluster.rollout().step_index, step.map(|step| step + 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_recorded_is_not_done() {
    for (audit, words) in [(Audit::Refuses, "the disk is full"), (Audit::Hangs, "no answer in 10 s")] {
        let cluster = Cluster::new();
        let error = executed(&cluster, audit, &promote(&cluster)).await.expect_err("refused");
        let told = error.chain();
        assert!(told.contains("the cluster was not asked") && told.contains(words), "{told}");
        assert_ne!(error.kind, ErrorKind::Ambiguous);
        assert_eq!(cluster.asked.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_hangs_may_have_done_it() {
    let cluster = Cluster::new();
    cluster.hangs.store(true, Ordering::Relaxed);
    let error = executed(&cluster, Audit::Takes, &promote(&cluster)).await.expect_err("no answer");
    assert_eq!((error.kind, cluster.asked.load(Ordering::Relaxed)), (ErrorKind::Ambiguous, 1));
}
