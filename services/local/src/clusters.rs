//! The clusters of the embedded platform: one Kubernetes API for each environment, served on
//! loopback, with a controller that moves its rollouts. `kubeconfig` in the data directory says
//! how they are reached. What is in them is kept in `cluster.json` of each environment, so that a
//! platform that was killed goes on where it was, but for the last moments.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use payops_core::port::{Clock, Random};
use payops_simulator::{Cluster, Server, demo, kubeconfig};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use payops_ops::backend::local::LocalError;
use payops_ops::backend::local::{DataDir, ENVIRONMENTS, write_whole};

const KUBECONFIG: &str = "kubeconfig";
const SNAPSHOT: &str = "cluster.json";
const SAVE_EVERY: Duration = Duration::from_secs(2);

pub(crate) struct Clusters {
    data: DataDir,
    running: Vec<(&'static str, Cluster, Server)>,
    working: TaskTracker,
    stop: CancellationToken,
}

impl Clusters {
    /// Starts a cluster for each environment. `life` makes new versions begin by themselves.
    pub(crate) async fn start(
        data: &DataDir,
        clock: &Arc<dyn Clock>,
        random: &dyn Random,
        life: bool,
    ) -> Result<Self, LocalError> {
        let (working, stop) = (TaskTracker::new(), CancellationToken::new());
        let mut running = Vec::new();
        let mut contexts = Vec::new();
        for env in ENVIRONMENTS {
            let cluster = open_cluster(data, env, clock)?;
            let token = hex::encode(
                [
                    random.next_u64().to_be_bytes(),
                    random.next_u64().to_be_bytes(),
                ]
                .concat(),
            );
            let server = cluster
                .serve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &token)
                .await;
            let server = server.map_err(|source| LocalError::Io {
                what: format!("listening for the cluster of {env}"),
                source,
            })?;
            contexts.push((env.to_owned(), server.url(), token));
            working.spawn(demo::run(
                cluster.clone(),
                demo::metrics(),
                life,
                stop.clone(),
            ));
            working.spawn(saving(data.clone(), env, cluster.clone(), stop.clone()));
            running.push((env, cluster, server));
        }
        write_whole(data.root(), KUBECONFIG, kubeconfig(&contexts).as_bytes())?;
        working.close();
        Ok(Self {
            data: data.clone(),
            running,
            working,
            stop,
        })
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.working.wait().await;
        for (env, cluster, server) in self.running {
            save(&self.data, env, &cluster);
            server.stop().await;
        }
    }
}

/// The cluster of an environment as it was left, or a new one.
fn open_cluster(
    data: &DataDir,
    env: &'static str,
    clock: &Arc<dyn Clock>,
) -> Result<Cluster, LocalError> {
    let clock = Arc::clone(clock);
    let cluster = Cluster::new(env, Arc::new(move || clock.now()));
    let path = data.env(env)?.join(SNAPSHOT);
    let left = match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).ok(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => {
            return Err(LocalError::Io {
                what: format!("reading {}", path.display()),
                source,
            });
        }
    };
    if let Some(left) = left {
        match cluster.restore(&left) {
            Ok(()) => return Ok(cluster),
            // Only the demo's own rollouts are in it: they are made anew.
            Err(error) => tracing::warn!(env, %error, "the cluster of the last run cannot be read"),
        }
    }
    let failed = |error: payops_simulator::ApiError| LocalError::Io {
        what: format!("seeding the cluster of {env}"),
        source: std::io::Error::other(error),
    };
    demo::seed(&cluster, env).map_err(failed)?;
    Ok(cluster)
}

/// Writes a cluster down every now and then, when something changed.
async fn saving(data: DataDir, env: &'static str, cluster: Cluster, stop: CancellationToken) {
    let mut saved = 0;
    while stop
        .run_until_cancelled(tokio::time::sleep(SAVE_EVERY))
        .await
        .is_some()
    {
        let version = cluster.version();
        if version != saved {
            let (data, cluster) = (data.clone(), cluster.clone());
            // Writing waits for the disk: not on a thread that others wait for.
            drop(tokio::task::spawn_blocking(move || save(&data, env, &cluster)).await);
            saved = version;
        }
    }
}

fn save(data: &DataDir, env: &str, cluster: &Cluster) {
    let written = data
        .env(env)
        .and_then(|dir| write_whole(&dir, SNAPSHOT, cluster.snapshot().to_string().as_bytes()));
    if let Err(error) = written {
        tracing::warn!(env, %error, "the cluster could not be written down");
    }
}
