//! An action is recorded, then done once, or not at all; with ports that refuse, hang or moved on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::stream::BoxStream;
use payops_core::domain::replay::{PlannedMessage, ReplayPlan};
use payops_core::domain::rollout::{RolloutKey, plan};
use payops_core::port::RolloutWatch;
use payops_core::usecase::{DeadLetter, ReplaySummary};

use super::*;
use crate::environments::{
    DiscardEnd, ElevationWanted, EnvInfo, Handle, RedriveEnd, ReplayEnd, ReplayReview,
    ReplayWanted, Standing,
};
use crate::fixtures::{Still, t0, waiting};

/// One rollout; a plan is done only on the version that it was made on.
struct Cluster {
    held: Mutex<Rollout>,
    asked: AtomicUsize,
    hangs: AtomicBool,
}

impl Cluster {
    fn new() -> Self {
        Self {
            held: Mutex::new(waiting()),
            asked: AtomicUsize::new(0),
            hangs: AtomicBool::new(false),
        }
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

    fn can(&self, _: &RolloutAction) -> bool {
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

    async fn execute(&self, plan: &RolloutPlan) -> PortResult<Executed> {
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

fn promote(cluster: &Cluster) -> RolloutPlan {
    plan(RolloutAction::Promote, &cluster.rollout(), None).expect("a plan")
}

async fn executed(cluster: &Cluster, audit: Audit, plan: &RolloutPlan) -> PortResult<Executed> {
    let entry = AuditEntry::new(t0(), "anna", "prod", "rollout promote");
    execute(cluster, &audit, &entry, plan, &Still(t0())).await
}

#[tokio::test]
async fn of_two_who_promote_at_once_one_does() {
    let cluster = Cluster::new();
    // Both saw the same state.
    let (first, second) = (promote(&cluster), promote(&cluster));
    let step = cluster.rollout().step_index;
    assert!(matches!(
        executed(&cluster, Audit::Takes, &first).await,
        Ok(Executed::Done(_))
    ));
    assert!(matches!(
        executed(&cluster, Audit::Takes, &second).await,
        Ok(Executed::Moved(_))
    ));
    assert_eq!(cluster.rollout().step_index, step.map(|step| step + 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_recorded_is_not_done() {
    for (audit, words) in [
        (Audit::Refuses, "the disk is full"),
        (Audit::Hangs, "no answer in 10 s"),
    ] {
        let cluster = Cluster::new();
        let error = executed(&cluster, audit, &promote(&cluster))
            .await
            .expect_err("refused");
        let told = error.chain();
        assert!(
            told.contains("the cluster was not asked") && told.contains(words),
            "{told}"
        );
        assert_ne!(error.kind, ErrorKind::Ambiguous);
        assert_eq!(cluster.asked.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_hangs_may_have_done_it() {
    let cluster = Cluster::new();
    cluster.hangs.store(true, Ordering::Relaxed);
    let error = executed(&cluster, Audit::Takes, &promote(&cluster))
        .await
        .expect_err("no answer");
    assert_eq!(
        (error.kind, cluster.asked.load(Ordering::Relaxed)),
        (ErrorKind::Ambiguous, 1)
    );
}

#[derive(Clone, Copy)]
enum Behaves {
    /// One step, then it waits until it is told to stop.
    UntilStopped,
    Fails,
    /// It never comes to its end, told to stop or not.
    Hangs,
}

struct Fake(Behaves, Arc<AtomicBool>);

#[async_trait::async_trait]
impl Steering for Fake {
    async fn standing(&self) -> PortResult<Standing> {
        Ok(Standing::default())
    }

    async fn elevate(&self, _: ElevationWanted) -> PortResult<Standing> {
        Err(PortError::new(
            ErrorKind::Denied,
            "this role needs an MFA code",
        ))
    }

    async fn lower(&self) -> PortResult<Standing> {
        Ok(Standing::default())
    }

    async fn plan(&self, _: ReplayWanted, _: Vec<DeadLetter>) -> PortResult<ReplayReview> {
        Err(PortError::new(
            ErrorKind::Denied,
            "another replay is running",
        ))
    }

    async fn save(&self, _: ReplayPlan) -> PortResult<String> {
        Ok("plan.json".to_owned())
    }

    async fn replay(&self, plan: ReplayPlan, _: String, handle: Handle) -> PortResult<ReplayEnd> {
        let planned = plan.messages.len();
        match self.0 {
            Behaves::Fails => {
                return Err(PortError::new(
                    ErrorKind::Unavailable,
                    "the queue does not answer",
                ));
            }
            Behaves::Hangs => std::future::pending().await,
            Behaves::UntilStopped => {}
        }
        let summary = ReplaySummary {
            planned,
            sent: 1,
            remaining: planned - 1,
            ..ReplaySummary::default()
        };
        (handle.told)(&summary);
        handle.stop.cancelled().await;
        self.1.store(true, Ordering::Relaxed);
        Ok(ReplayEnd {
            summary,
            gone: vec!["m-00".to_owned()],
        })
    }

    async fn discard(
        &self,
        _: String,
        _: Vec<DeadLetter>,
        _: String,
        _: Handle,
    ) -> PortResult<DiscardEnd> {
        Ok(DiscardEnd::default())
    }

    async fn redrive(&self, _: String, _: String, _: Handle) -> PortResult<RedriveEnd> {
        Ok(RedriveEnd {
            moved: 0,
            planned: None,
            canceled: false,
        })
    }

    async fn export(&self, letters: Vec<DeadLetter>) -> PortResult<String> {
        Ok(format!("{} letters", letters.len()))
    }
}

struct Nowhere;

#[async_trait::async_trait]
impl Environments for Nowhere {
    fn list(&self) -> Vec<EnvInfo> {
        Vec::new()
    }

    async fn open(&self, _: &str) -> PortResult<Opened> {
        Err(PortError::new(ErrorKind::NotFound, "nowhere"))
    }
}

/// A replay that was begun where it behaves so; what it tells, and whether it was stopped in good
/// order.
fn begun(behaves: Behaves) -> (Doing, mpsc::Receiver<Msg>, Arc<AtomicBool>) {
    let (to, from) = mpsc::channel(16);
    let stopped = Arc::new(AtomicBool::new(false));
    let mut doing = Doing::new(Arc::new(Nowhere), Arc::new(Still(t0())), to);
    let message = |id: &str| PlannedMessage {
        message_id: id.to_owned(),
        ..PlannedMessage::default()
    };
    let messages = vec![message("m-00"), message("m-01")];
    let plan = ReplayPlan {
        queue: "payments-work-dlq".to_owned(),
        messages,
        ..ReplayPlan::default()
    };
    let job = Job::Replay {
        plan: Box::new(plan),
        reason: "mended".to_owned(),
    };
    doing.steer(
        1,
        "prod".to_owned(),
        Ok(Arc::new(Fake(behaves, Arc::clone(&stopped)))),
        job,
    );
    (doing, from, stopped)
}

async fn next(from: &mut mpsc::Receiver<Msg>) -> Msg {
    timeout(Duration::from_mins(1), from.recv())
        .await
        .expect("in time")
        .expect("something")
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_is_canceled_says_what_is_left_and_which_letters_are_gone() {
    let (mut doing, mut from, _) = begun(Behaves::UntilStopped);
    let told = next(&mut from).await;
    assert!(
        matches!(&told, Msg::Task { id: 1, update: TaskUpdate::Progress { done: 1, total: Some(2), note } } if note == "sent 1, failed 0, left 1"),
        "{told:?}"
    );
    doing.all(vec![Effect::CancelTask { id: 1 }]);
    let gone = next(&mut from).await;
    assert!(
        matches!(&gone, Msg::LettersGone { env, ids } if env == "prod" && ids == &["m-00".to_owned()]),
        "{gone:?}"
    );
    let end = next(&mut from).await;
    assert!(
        matches!(&end, Msg::Task { id: 1, update: TaskUpdate::Canceled(words) } if words.contains("sent 1 of 2") && words.contains("left 1")),
        "{end:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_fails_says_why() {
    let (_doing, mut from, _) = begun(Behaves::Fails);
    let end = next(&mut from).await;
    assert!(
        matches!(&end, Msg::Task { id: 1, update: TaskUpdate::Failed(fault) } if fault.text.contains("the queue does not answer")),
        "{end:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_replay_under_way_is_stopped_in_good_order_when_the_screen_is_left() {
    let (mut doing, _from, stopped) = begun(Behaves::UntilStopped);
    let under_way = doing.finish().await;
    assert!(
        stopped.load(Ordering::Relaxed),
        "the batch in hand came to its end"
    );
    assert!(under_way.is_empty(), "{under_way:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_does_not_keep_the_screen_and_is_told() {
    let (mut doing, _from, stopped) = begun(Behaves::Hangs);
    // Beside it, one that comes to its end and one that changes nothing: neither is told.
    let there: Arc<dyn Steering> = Arc::new(Fake(Behaves::Hangs, Arc::default()));
    let discard = Job::Discard {
        queue: "payments-work-dlq".to_owned(),
        letters: Arc::new([]),
        reason: "doubles".to_owned(),
    };
    doing.steer(2, "prod".to_owned(), Ok(Arc::clone(&there)), discard);
    doing.spawn(None, std::future::pending());
    let begun = tokio::time::Instant::now();
    let under_way = doing.finish().await;
    assert_eq!(
        (begun.elapsed(), stopped.load(Ordering::Relaxed)),
        (FINISH, false)
    );
    let expected = "replay payments-work-dlq in PROD was still under way; the same command goes on from its journal, or shows a new plan if none was begun: \
        payops dlq replay payments-work-dlq --env prod";
    assert_eq!(under_way, [expected]);
}
