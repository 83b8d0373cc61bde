//! A cluster that is reached when it is first asked for, and again after a failure: the screen
//! opens at once, and a cluster that is away does not hide the others. When the file that says how
//! it is reached changes, as it does when an embedded platform starts anew, it is read again.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use payops_core::domain::backoff::Backoff;
use payops_core::domain::rollout::{Related, Rollout, RolloutAction, RolloutKey, RolloutPlan};
use payops_core::port::{
    Depth, ErrorKind, Executed, PortError, PortResult, RolloutActions, RolloutWatch, Rollouts,
    Watched,
};

/// The first wait before payops connects again, and the longest.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// How often it is looked at, while a watch is cut, whether the cluster is reached otherwise now.
const LOOK: Duration = Duration::from_secs(1);

pub(super) type Connect =
    Arc<dyn Fn() -> BoxFuture<'static, PortResult<Arc<dyn RolloutActions>>> + Send + Sync>;

/// When the file that says how a cluster is reached was written; `None` without such a file.
type Stamp = Option<SystemTime>;

/// A cluster that was reached, and what its file was like then.
type Reached = (Arc<dyn RolloutActions>, Stamp);

#[derive(Clone)]
pub(super) struct ReconnectingCluster {
    name: String,
    driver: String,
    /// Whether it is reached through Argo CD, which can do less: known before it is reached.
    argocd: bool,
    file: Option<PathBuf>,
    connect: Connect,
    reached: Arc<Mutex<Option<Reached>>>,
}

/// What a watch of some kind tells when it is cut.
struct Cut<T> {
    /// Made from why, and after how long it is tried again.
    made: fn(String, Duration) -> T,
    /// Whether it is one; with why, to be told better.
    why: fn(&mut T) -> Option<&mut String>,
}

struct Watching<T, B> {
    cluster: ReconnectingCluster,
    begin: B,
    inner: Option<(BoxStream<'static, T>, Stamp)>,
    pause: Duration,
    retry: Backoff,
    is_cut: bool,
}

impl ReconnectingCluster {
    pub(super) fn new(
        name: &str,
        driver: String,
        argocd: bool,
        file: Option<PathBuf>,
        connect: Connect,
    ) -> Self {
        Self {
            name: name.to_owned(),
            driver,
            argocd,
            file,
            connect,
            reached: Arc::default(),
        }
    }

    fn stamp(&self) -> Stamp {
        self.file
            .as_ref()
            .and_then(|file| std::fs::metadata(file).ok()?.modified().ok())
    }

    fn current(&self) -> Option<Reached> {
        self.reached
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn connected(&self) -> PortResult<Arc<dyn RolloutActions>> {
        let stamp = self.stamp();
        if let Some((rollouts, made)) = self.current()
            && made == stamp
        {
            return Ok(rollouts);
        }
        let rollouts = (self.connect)().await?;
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Arc::clone(&rollouts), stamp));
        Ok(rollouts)
    }

    /// A watch without end, begun again when the cluster is reached otherwise; each failure is
    /// told.
    fn reach<T: Send + 'static>(
        &self,
        cut: Cut<T>,
        begin: impl Fn(&dyn Rollouts) -> BoxStream<'static, T> + Send + Sync + 'static,
    ) -> BoxStream<'static, T> {
        let cluster = self.clone();
        let watching = Watching {
            cluster,
            begin,
            inner: None,
            pause: Duration::ZERO,
            retry: Backoff::new(RETRY_FIRST, RETRY_MAX),
            is_cut: false,
        };
        stream::unfold((watching, cut), |(mut watching, cut)| async move {
            let told = watching.next(&cut).await;
            Some((told, (watching, cut)))
        })
        .boxed()
    }
}

impl<T, B: Fn(&dyn Rollouts) -> BoxStream<'static, T>> Watching<T, B> {
    async fn next(&mut self, cut: &Cut<T>) -> T {
        loop {
            tokio::time::sleep(std::mem::take(&mut self.pause)).await;
            let Some((inner, stamp)) = &mut self.inner else {
                match self.cluster.connected().await {
                    Ok(rollouts) => {
                        self.inner = Some(((self.begin)(&*rollouts), self.cluster.stamp()));
                    }
                    Err(error) => return self.cut_by(cut, error.chain()),
                }
                continue;
            };
            let (stamp, cluster) = (*stamp, &self.cluster);
            let moved = async {
                while cluster.stamp() == stamp {
                    tokio::time::sleep(LOOK).await;
                }
            };
            let told = tokio::select! {
                told = inner.next() => told,
                () = moved, if self.is_cut && cluster.file.is_some() => {
                    self.inner = None;
                    continue;
                }
            };
            let Some(mut told) = told else {
                self.inner = None;
                return self.cut_by(cut, "the watch ended".to_owned());
            };
            self.is_cut = false;
            if let Some(why) = (cut.why)(&mut told) {
                self.is_cut = true;
                if self.cluster.file.is_some()
                    && let Err(error) = (self.cluster.connect)().await
                {
                    // Why there is no connection is known better than that there is none.
                    *why = error.chain();
                }
            } else {
                self.retry.reset();
            }
            return told;
        }
    }

    fn cut_by(&mut self, cut: &Cut<T>, why: String) -> T {
        self.pause = self.retry.next_delay();
        (cut.made)(why, self.pause)
    }
}

#[async_trait]
impl Rollouts for ReconnectingCluster {
    fn cluster(&self) -> &str {
        &self.name
    }

    fn driver(&self) -> String {
        self.current()
            .map_or_else(|| self.driver.clone(), |(rollouts, _)| rollouts.driver())
    }

    fn can(&self, action: &RolloutAction) -> bool {
        self.current().map_or_else(
            || !self.argocd || payops_kube::argo_cd_supports(action),
            |(rollouts, _)| rollouts.can(action),
        )
    }

    async fn find_denial(&self, rollout: &Rollout, action: &RolloutAction) -> Option<String> {
        let rollouts = self.connected().await.ok()?;
        rollouts.find_denial(rollout, action).await
    }

    fn equivalent(&self, action: &RolloutAction, key: &RolloutKey) -> String {
        payops_kube::equivalent(action, key)
    }

    async fn list(&self) -> PortResult<Vec<Rollout>> {
        self.connected().await?.list().await
    }

    async fn get(&self, key: &RolloutKey) -> PortResult<Option<Rollout>> {
        self.connected().await?.get(key).await
    }

    async fn related(&self, rollout: &Rollout, depth: Depth) -> PortResult<Related> {
        self.connected().await?.related(rollout, depth).await
    }

    fn watch(&self) -> RolloutWatch {
        let cut = Cut {
            made: |why, retry_in| Watched::Cut { why, retry_in },
            why: |told| {
                if let Watched::Cut { why, .. } = told {
                    Some(why)
                } else {
                    None
                }
            },
        };
        self.reach(cut, |rollouts| rollouts.watch())
    }

    fn watch_related(&self, rollout: &Rollout, depth: Depth) -> BoxStream<'static, PortResult<()>> {
        let rollout = rollout.clone();
        let cut = Cut {
            made: |why, _| Err(PortError::new(ErrorKind::Unavailable, why)),
            why: |told: &mut PortResult<()>| told.as_mut().err().map(|error| &mut error.message),
        };
        self.reach(cut, move |rollouts| rollouts.watch_related(&rollout, depth))
    }
}

#[async_trait]
impl RolloutActions for ReconnectingCluster {
    async fn execute(&self, plan: &RolloutPlan) -> PortResult<Executed> {
        self.connected().await?.execute(plan).await
    }
}

#[cfg(test)]
mod tests;
