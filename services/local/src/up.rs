//! Bringing the platform up, asking how it is, and taking it down.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::bus::{QUEUES, dead_letter_queue};
use payops_core::domain::payment::Status as PaymentStatus;
use payops_core::port::QueueAdmin as _;
use payops_embedded::{SqliteQueues, SqliteStore};
use payops_ops::backend::local::LocalError;
use payops_ops::backend::local::{DataDir, ENVIRONMENTS, ReadyEnv, Running};
use payops_ops::backend::local::{Stores, Surroundings};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clusters::Clusters;
use crate::disk::Disk;
use crate::notice::Notice;
use crate::platform::Platform;
use crate::traffic;

#[derive(Clone, Debug, Default)]
pub struct UpOptions {
    /// Its data directory; made when it is not there.
    pub data_dir: PathBuf,
    /// Payments a second to post to it; 0 for none.
    pub traffic_per_second: f64,
    /// Whether `on_second` is to be told; counting costs a little.
    pub summary: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EnvSummary {
    pub name: String,
    pub accepted: u64,
    pub completed: u64,
    pub failed: u64,
    pub processing: u64,
    pub review: u64,
    /// Messages in its queues, dead letters not counted.
    pub waiting: u64,
    pub dead: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub at: Timestamp,
    pub environments: Vec<EnvSummary>,
}

#[derive(Clone, Debug)]
pub struct Status {
    pub pid: u32,
    pub since: Timestamp,
    pub ready: Vec<ReadyEnv>,
    pub counts: BTreeMap<String, BTreeMap<String, u64>>,
}

/// Runs the platform until `shutdown`, then ends it in order. `on_ready` is told when every
/// environment answers, `on_second` how they stand, once a second, and `on_notice` what its
/// operator should know.
pub async fn up(
    options: UpOptions,
    on_ready: impl FnOnce(&[ReadyEnv]),
    mut on_second: impl FnMut(&Summary),
    mut on_notice: impl FnMut(&Notice),
    shutdown: CancellationToken,
) -> Result<(), LocalError> {
    let data = DataDir::open_or_create(&options.data_dir)?;
    let _lock = data.lock()?;
    let last = data.last_running().ok().flatten();
    let around = Surroundings::default();
    let (tell, mut notices) = tokio::sync::mpsc::unbounded_channel();
    let mut platforms = Vec::new();
    for env in ENVIRONMENTS {
        let stores = Stores::open(&data, env, &around).await?;
        platforms.push(Platform::start(stores, last_port(last.as_ref(), env), tell.clone()).await?);
    }
    let ready: Vec<ReadyEnv> = platforms
        .iter()
        .map(|platform| platform.ready.clone())
        .collect();
    data.write_running(&Running {
        pid: std::process::id(),
        since: around.clock.now(),
        environments: ready.clone(),
    })?;
    // A demo has rollouts that go on by themselves; elsewhere nothing moves that nobody moved.
    let clusters = Clusters::start(
        &data,
        &around.clock,
        &*around.random,
        options.traffic_per_second > 0.0,
    )
    .await?;
    on_ready(&ready);
    let tasks = TaskTracker::new();
    tasks.spawn(traffic::run(
        ready,
        options.traffic_per_second,
        around.random.clone(),
        shutdown.clone(),
    ));
    tasks.close();
    let mut disk = Disk::new(data.root());
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(notice) = notices.recv() => on_notice(&notice),
            _ = seconds.tick() => {
                if let Some(notice) = disk.look().await {
                    for platform in &platforms {
                        platform.takes_writes(disk.takes_writes());
                    }
                    on_notice(&notice);
                }
                if !options.summary {
                    continue;
                }
                let mut environments = Vec::new();
                for platform in &platforms {
                    match count(&platform.stores.env, &platform.stores.payments, &platform.stores.queues).await {
                        Ok(summary) => environments.push(summary),
                        Err(error) => tracing::warn!(env = platform.stores.env, %error, "counting failed"),
                    }
                }
                on_second(&Summary { at: around.clock.now(), environments });
            }
        }
    }
    tasks.wait().await;
    futures::future::join_all(platforms.iter().map(Platform::stop)).await;
    clusters.stop().await;
    // The file stays: the next start takes the same ports, and without the lock nobody believes it.
    Ok(())
}

fn last_port(last: Option<&Running>, env: &str) -> Option<u16> {
    let url = &last?
        .environments
        .iter()
        .find(|ready| ready.name == env)?
        .api_url;
    url.rsplit_once(':')?.1.parse().ok()
}

/// How the platform in `data_dir` stands; `None` when none runs there.
pub async fn status(data_dir: &Path) -> Result<Option<Status>, LocalError> {
    let data = DataDir::open(data_dir)?;
    let Some(running) = data.running()? else {
        return Ok(None);
    };
    let around = Surroundings::default();
    let mut counts = BTreeMap::new();
    for env in ENVIRONMENTS {
        let path = data.env(env)?.join("payments.db");
        let payments = SqliteStore::open_read_only(&path, around.clock.clone())
            .await
            .map_err(LocalError::store("payments", env))?;
        counts.insert(env.to_owned(), by_status(env, &payments).await?);
    }
    Ok(Some(Status {
        pid: running.pid,
        since: running.since,
        ready: running.environments,
        counts,
    }))
}

async fn by_status(env: &str, payments: &SqliteStore) -> Result<BTreeMap<String, u64>, LocalError> {
    let counts = payments
        .counts()
        .await
        .map_err(LocalError::store("payments", env))?;
    let statuses = PaymentStatus::ALL.into_iter();
    Ok(statuses
        .map(|status| {
            (
                status.as_str().to_owned(),
                counts.get(&status).copied().unwrap_or(0),
            )
        })
        .collect())
}

async fn count(
    env: &str,
    payments: &SqliteStore,
    queues: &SqliteQueues,
) -> Result<EnvSummary, LocalError> {
    let counts = payments
        .counts()
        .await
        .map_err(LocalError::store("payments", env))?;
    let of = |wanted: fn(PaymentStatus) -> bool| {
        counts
            .iter()
            .filter(|(status, _)| wanted(**status))
            .map(|(_, count)| count)
            .sum()
    };
    let mut summary = EnvSummary {
        name: env.to_owned(),
        accepted: of(|_| true),
        completed: of(PaymentStatus::is_charged),
        failed: of(|status| status == PaymentStatus::Failed),
        processing: of(|status| status == PaymentStatus::Processing),
        review: of(|status| status == PaymentStatus::Review),
        waiting: 0,
        dead: 0,
    };
    for queue in QUEUES {
        let stats = queues
            .stats(queue)
            .await
            .map_err(LocalError::store("queues", env))?;
        summary.waiting += stats.visible + stats.in_flight + stats.delayed;
        let dead = queues
            .stats(&dead_letter_queue(queue))
            .await
            .map_err(LocalError::store("queues", env))?;
        summary.dead += dead.visible + dead.in_flight + dead.delayed;
    }
    Ok(summary)
}

/// Asks the platform in `data_dir` to end and waits up to `timeout`; `false` when none runs there.
pub async fn down(data_dir: &Path, timeout: Duration) -> Result<bool, LocalError> {
    let data = DataDir::open(data_dir)?;
    let number = match data.running() {
        Ok(Some(running)) => running.pid,
        Ok(None) => return Ok(false),
        // Where its APIs are does not matter here.
        Err(LocalError::Unlisted { pid: Some(pid), .. }) => pid,
        Err(error) => return Err(error),
    };
    let io = |what: String| move |source: std::io::Error| LocalError::Io { what, source };
    let pid = i32::try_from(number)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or_else(|| LocalError::Io {
        what: "reading the platform's process id".to_owned(),
        source: std::io::ErrorKind::InvalidData.into(),
    })?;
    let killed = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    killed.map_err(|error| io(format!("asking process {number} to end"))(error.into()))?;
    let gone = async {
        while data.is_locked()? {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(true)
    };
    match tokio::time::timeout(timeout, gone).await {
        Ok(gone) => gone,
        Err(_) => Err(io(format!("waiting for process {number} to end"))(
            std::io::ErrorKind::TimedOut.into(),
        )),
    }
}
