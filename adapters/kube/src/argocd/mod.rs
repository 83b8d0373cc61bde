//! The rollouts of a cluster through Argo CD's API: no credentials of the cluster are needed, and
//! less can be done.
//!
//! Argo CD's actions are not bound to a state of the object. So the rollout is read again just
//! before an action, which is refused when it has moved; what moves in the moment between is not
//! seen. Facts are those of Argo CD 3.1 and Argo Rollouts 1.9.

mod actions;
mod api;
mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use payops_core::domain::rollout::{Related, Rollout, RolloutAction, RolloutKey, RolloutPlan};
use payops_core::port::{
    Depth, ErrorKind, Executed, PortError, PortResult, RolloutActions, RolloutWatch, Rollouts,
    Watched,
};
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::RwLock;
use tokio::time::sleep;

use crate::api::Timing;
use crate::api::fail::Failure;
use crate::kubectl;
use crate::watch::backoff::Backoff;
use crate::wire::{self, text};
pub use actions::argo_cd_supports;
use api::{App, ArgoCdApi, Object};

const CONCURRENT_READS: usize = 8;

/// Between two looks there is at least that much time for each object: no more than 20 requests
/// a second are made however many rollouts there are.
const EACH: std::time::Duration = std::time::Duration::from_millis(50);

/// The rollouts that Argo CD manages. They are taken for those of one cluster: where it deploys to
/// several, the token should see the applications of one alone (a project's role does that).
#[derive(Clone)]
pub struct ArgoCdRollouts {
    api: ArgoCdApi,
    /// The application that each rollout belongs to, as it was last listed.
    apps: Arc<RwLock<BTreeMap<RolloutKey, App>>>,
}

impl ArgoCdRollouts {
    /// Through the Argo CD at `url`, which is asked for its version.
    pub async fn connect(url: &str, token: SecretString, cluster_name: &str) -> PortResult<Self> {
        let api = ArgoCdApi::connect(url, token, cluster_name, Timing::default()).await?;
        Ok(Self {
            api,
            apps: Arc::default(),
        })
    }

    #[must_use]
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.api.timing = timing;
        self
    }

    /// Every rollout with its object, and in which application it is.
    async fn manifests(&self) -> Result<Vec<(App, Value)>, Failure> {
        let listed = self.api.rollouts().await?;
        let objects = stream::iter(listed).map(|(app, key)| async move {
            let object = self.api.object(&app, &Object::rollout(&key)).await?;
            Ok(object.map(|object| (app, object)))
        });
        let found: Vec<Option<(App, Value)>> =
            objects.buffered(CONCURRENT_READS).try_collect().await?;
        let found: Vec<(App, Value)> = found.into_iter().flatten().collect();
        let mut apps = self.apps.write().await;
        *apps = found
            .iter()
            .map(|(app, object)| (wire::rollout(object).key, app.clone()))
            .collect();
        Ok(found)
    }

    /// The application that `key` belongs to, as Argo CD tells it now.
    async fn find_app(&self, key: &RolloutKey) -> Result<Option<App>, Failure> {
        let listed = self.api.rollouts().await?;
        let mut apps = self.apps.write().await;
        *apps = listed.into_iter().map(|(app, key)| (key, app)).collect();
        Ok(apps.get(key).cloned())
    }

    /// The same as it was last told, if it was.
    async fn cached_app(&self, key: &RolloutKey) -> Option<App> {
        self.apps.read().await.get(key).cloned()
    }

    async fn read(&self, key: &RolloutKey) -> Result<Option<(App, Rollout)>, Failure> {
        let known = self.cached_app(key).await;
        if let Some(app) = &known
            && let Some(object) = self.api.object(app, &Object::rollout(key)).await?
        {
            return Ok(Some((app.clone(), wire::rollout(&object))));
        }
        // It may have moved to another application since.
        let Some(app) = self
            .find_app(key)
            .await?
            .filter(|app| known.as_ref() != Some(app))
        else {
            return Ok(None);
        };
        let object = self.api.object(&app, &Object::rollout(key)).await?;
        Ok(object.map(|object| (app, wire::rollout(&object))))
    }

    async fn poll_changes(
        &self,
        known: &mut Option<BTreeMap<RolloutKey, Rollout>>,
    ) -> Result<Vec<Watched<Rollout, RolloutKey>>, Failure> {
        let rollouts: Vec<Rollout> = self
            .manifests()
            .await?
            .iter()
            .map(|(_, object)| wire::rollout(object))
            .collect();
        let now: BTreeMap<RolloutKey, Rollout> = rollouts
            .iter()
            .map(|rollout| (rollout.key.clone(), rollout.clone()))
            .collect();
        let told = match known {
            None => vec![Watched::All(rollouts)],
            Some(before) => {
                let changed = rollouts
                    .into_iter()
                    .filter(|rollout| before.get(&rollout.key) != Some(rollout));
                let gone = before
                    .keys()
                    .filter(|key| !now.contains_key(*key))
                    .cloned()
                    .map(Watched::Gone);
                changed
                    .map(|rollout| Watched::Changed(Box::new(rollout)))
                    .chain(gone)
                    .collect()
            }
        };
        *known = Some(now);
        Ok(told)
    }
}

#[async_trait]
impl Rollouts for ArgoCdRollouts {
    fn cluster(&self) -> &str {
        &self.api.cluster
    }

    fn driver(&self) -> String {
        format!("Argo CD {}", self.api.host())
    }

    fn can(&self, action: &RolloutAction) -> bool {
        argo_cd_supports(action)
    }

    fn equivalent(&self, action: &RolloutAction, key: &RolloutKey) -> String {
        kubectl::equivalent(action, key)
    }

    async fn list(&self) -> PortResult<Vec<Rollout>> {
        Ok(self
            .manifests()
            .await?
            .iter()
            .map(|(_, object)| wire::rollout(object))
            .collect())
    }

    async fn get(&self, key: &RolloutKey) -> PortResult<Option<Rollout>> {
        Ok(self.read(key).await?.map(|(_, rollout)| rollout))
    }

    async fn related(&self, rollout: &Rollout, depth: Depth) -> PortResult<Related> {
        let known = self.cached_app(&rollout.key).await;
        let app = if known.is_some() {
            known
        } else {
            self.find_app(&rollout.key).await?
        };
        let Some(app) = app else {
            return Ok(Related::default());
        };
        Ok(tree::related(&self.api, &app, rollout, depth).await?)
    }

    fn watch(&self) -> RolloutWatch {
        struct Poll {
            rollouts: ArgoCdRollouts,
            known: Option<BTreeMap<RolloutKey, Rollout>>,
            backoff: Backoff,
            wait: std::time::Duration,
        }
        let poll = Poll {
            rollouts: self.clone(),
            known: None,
            backoff: Backoff::new(&self.api.timing),
            wait: std::time::Duration::ZERO,
        };
        stream::unfold(poll, |mut poll| async move {
            sleep(poll.wait).await;
            let told = match poll.rollouts.poll_changes(&mut poll.known).await {
                Ok(told) => {
                    poll.backoff.reset();
                    let count = u32::try_from(poll.known.as_ref().map_or(0, BTreeMap::len))
                        .unwrap_or(u32::MAX);
                    poll.wait = poll
                        .rollouts
                        .api
                        .timing
                        .poll
                        .max(EACH.saturating_mul(count));
                    told
                }
                Err(failure) => {
                    poll.wait = poll.backoff.wait_after(&failure);
                    // After a failure everything is told anew: nobody knows what was missed.
                    poll.known = None;
                    vec![Watched::Cut {
                        why: format!("{}: {}", failure.what, failure.describe()),
                        retry_in: poll.wait,
                    }]
                }
            };
            Some((stream::iter(told), poll))
        })
        .flatten()
        .boxed()
    }

    fn watch_related(
        &self,
        rollout: &Rollout,
        _depth: Depth,
    ) -> BoxStream<'static, PortResult<()>> {
        // The tree has no watch of its own: what belongs to a rollout is told to have changed at
        // each look, and whoever listens asks for it.
        let (rollouts, key) = (self.clone(), rollout.key.clone());
        let timing = self.api.timing;
        stream::unfold(
            (Backoff::new(&timing), std::time::Duration::ZERO),
            move |(mut backoff, wait)| {
                let (rollouts, key) = (rollouts.clone(), key.clone());
                async move {
                    sleep(wait).await;
                    match rollouts.read(&key).await {
                        Ok(_) => {
                            backoff.reset();
                            Some((Ok(()), (backoff, timing.poll)))
                        }
                        Err(failure) => {
                            let wait = backoff.wait_after(&failure);
                            Some((Err(failure.into()), (backoff, wait)))
                        }
                    }
                }
            },
        )
        .boxed()
    }
}

#[async_trait]
impl RolloutActions for ArgoCdRollouts {
    async fn execute(&self, plan: &RolloutPlan) -> PortResult<Executed> {
        let Some((app, now)) = self.read(&plan.key).await? else {
            return Ok(Executed::Gone);
        };
        if now.resource_version != plan.resource_version {
            return Ok(Executed::Moved(Box::new(now)));
        }
        let name = actions::name(&plan.action, &now).map_err(|refusal| {
            let message = format!(
                "cluster {}: {} rollout {}: {}; {}",
                self.api.cluster,
                plan.action.as_str(),
                plan.key,
                refusal.why,
                refusal.instead
            );
            PortError::new(ErrorKind::Permanent, message)
        })?;
        self.api.run_action(&app, &plan.key, name).await?;
        let after = self.read(&plan.key).await.map_err(|failure| {
            // It was done: that the rollout cannot be read now must not pass for "nothing
            // happened".
            let what = format!(
                "cluster {}: {name} rollout {}: the action was applied, but the rollout's \
                    state cannot be read",
                self.api.cluster, plan.key
            );
            PortError::because(ErrorKind::Ambiguous, what, PortError::from(failure))
        })?;
        Ok(after.map_or(Executed::Gone, |(_, rollout)| {
            Executed::Done(Box::new(rollout))
        }))
    }
}

fn optional_text(value: &Value, pointer: &str) -> Option<String> {
    Some(text(value, pointer))
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}
