//! A cluster that is reached when it is first asked for, and again after a failure: the screen
//! opens at once, and a cluster that is away does not hide the others.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};
use payops_core::domain::rollout::{Action, Plan, Related, Rollout, RolloutKey};
use payops_core::port::{Depth, Executed, PortResult, RolloutWatch, Rollouts, Watched};
use tokio::sync::OnceCell;

/// First wait before a cluster is reached for again, and the longest.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Reaches a cluster.
pub(super) type Connect = Arc<dyn Fn() -> BoxFuture<'static, PortResult<Arc<dyn Rollouts>>> + Send + Sync>;

/// A cluster that is reached on demand.
#[derive(Clone)]
pub(super) struct LazyCluster {
    name: String,
    driver: String,
    /// Whether it is reached through Argo CD, which can do less: known before it is reached.
    argocd: bool,
    connect: Connect,
    reached: Arc<OnceCell<Arc<dyn Rollouts>>>,
}

impl LazyCluster {
    pub(super) fn new(name: &str, driver: String, argocd: bool, connect: Connect) -> Self {
        Self { name: name.to_owned(), driver, argocd, connect, reached: Arc::new(OnceCell::new()) }
    }

    async fn there(&self) -> PortResult<&Arc<dyn Rollouts>> {
        self.reached.get_or_try_init(|| (self.connect)()).await
    }

    /// The cluster, however long it takes; each failure is told with the wait that follows.
    fn reach<T: Send + 'static>(
        &self,
        failed: fn(String, Duration) -> T,
        begin: impl FnOnce(&Arc<dyn Rollouts>) -> BoxStream<'static, T> + Send + 'static,
    ) -> BoxStream<'static, T> {
        enum State<B> {
            Trying(LazyCluster, B, Duration),
            Waiting(LazyCluster, B, Duration),
        }
        let tries = stream::unfold(Some(State::Trying(self.clone(), begin, RETRY_FIRST)), move |state| async move {
            let (cluster, begin, wait) = match state? {
                State::Trying(cluster, begin, wait) => (cluster, begin, wait),
                State::Waiting(cluster, begin, wait) => {
                    tokio::time::sleep(wait).await;
                    (cluster, begin, wait.saturating_mul(2).min(RETRY_MAX))
                }
            };
            let reached = cluster.there().await.map(Arc::clone);
            match reached {
                Ok(rollouts) => Some((begin(&rollouts), None)),
                Err(error) => {
                    let told = stream::iter([failed(error.chain(), wait)]).boxed();
                    Some((told, Some(State::Waiting(cluster, begin, wait))))
                }
            }
        });
        tries.flatten().boxed()
    }
}

#[async_trait]
impl Rollouts for LazyCluster {
    fn cluster(&self) -> &str {
        &self.name
    }

    fn driver(&self) -> String {
        self.reached.get().map_or_else(|| self.driver.clone(), |rollouts| rollouts.driver())
    }

    fn can(&self, action: &Action) -> bool {
        self.reached.get().map_or_else(|| !self.argocd || payops_kube::argo_cd_can(action), |rollouts| rollouts.can(action))
    }

    async fn list(&self) -> PortResult<Vec<Rollout>> {
        self.there().await?.list().await
    }

    async fn get(&self, key: &RolloutKey) -> PortResult<Option<Rollout>> {
        self.there().await?.get(key).await
    }

    async fn related(&self, rollout: &Rollout, depth: Depth) -> PortResult<Related> {
        self.there().await?.related(rollout, depth).await
    }

    async fn execute(&self, plan: &Plan) -> PortResult<Executed> {
        self.there().await?.execute(plan).await
    }

    fn watch(&self) -> RolloutWatch {
        self.reach(|why, retry_in| Watched::Cut { why, retry_in }, |rollouts| rollouts.watch())
    }

    fn watch_related(&self, rollout: &Rollout, depth: Depth) -> BoxStream<'static, PortResult<()>> {
        let rollout = rollout.clone();
        let failed = |why, _| Err(payops_core::port::PortError::new(payops_core::port::ErrorKind::Unavailable, why));
        self.reach(failed, move |rollouts| rollouts.watch_related(&rollout, depth))
    }
}
