//! The rollouts of a cluster through its own API.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use kube::Client;
use kube::client::Body;
use payops_core::domain::rollout::{Related, Rollout, RolloutAction, RolloutKey, RolloutPlan};
use payops_core::port::{Depth, Executed, RolloutActions, RolloutWatch, Rollouts};
use payops_core::port::{ErrorKind, PortError, PortResult};
use tower::{BoxError, Service};

use crate::api::fail::Failure;
use crate::api::path::Kind;
use crate::api::{Api, Timing};
use crate::rights::Rights;
use crate::{execute, kubectl, related, watch, wire};

const CONCURRENT_LISTS: usize = 8;

#[derive(Clone)]
pub struct KubeRollouts {
    api: Api,
    driver: String,
    namespaces: Arc<[String]>,
    /// `None` where who changes something is somebody else than who looks.
    rights: Option<Arc<Rights>>,
}

impl KubeRollouts {
    /// Through `client`; `driver` says in a few words how the cluster is reached.
    #[must_use]
    pub fn from_client(client: Client, cluster_name: &str, driver: impl Into<String>) -> Self {
        Self {
            api: Api::new(client, cluster_name, Timing::default()),
            driver: driver.into(),
            namespaces: Arc::new([]),
            rights: Some(Arc::default()),
        }
    }

    /// Without asking what may be done: changes are made with another role.
    #[must_use]
    pub(crate) fn without_rights(self) -> Self {
        Self {
            rights: None,
            ..self
        }
    }

    /// Through a service that answers as the API does: an in-process cluster. Needs a Tokio
    /// runtime.
    #[must_use]
    pub fn from_service<S, B>(service: S, cluster_name: &str) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::from_client(Client::new(service, "default"), cluster_name, "in process")
    }

    /// With the address of the server, which a failed connection names. Of its URL only scheme, host
    /// and port are told: the rest may hold a secret.
    #[must_use]
    pub(crate) fn at(mut self, address: &http::Uri) -> Self {
        let port = address.port_u16().map(|port| format!(":{port}"));
        self.api.address = address.host().map(|host| {
            let scheme = address.scheme_str().unwrap_or("https");
            format!("{scheme}://{host}{}", port.unwrap_or_default()).into()
        });
        self
    }

    /// Looks at these namespaces one by one where the whole cluster may not be looked at.
    #[must_use]
    pub fn with_namespaces(mut self, namespaces: impl IntoIterator<Item = String>) -> Self {
        // One that is named twice would be told twice; an empty one is all of them, which is not
        // meant.
        let mut seen = BTreeSet::new();
        self.namespaces = namespaces
            .into_iter()
            .filter(|name| !name.is_empty() && seen.insert(name.clone()))
            .collect();
        self
    }

    #[must_use]
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.api.timing = timing;
        self
    }

    async fn list_in(&self, namespace: Option<&str>) -> Result<Vec<Rollout>, Failure> {
        let place = namespace
            .map(|namespace| format!(" in {namespace}"))
            .unwrap_or_default();
        let listed = self
            .api
            .list(
                &format!("list rollouts{place}"),
                &Kind::Rollouts.collection(namespace),
                None,
            )
            .await?;
        let mut rollouts: Vec<Rollout> = listed.items.iter().map(wire::rollout).collect();
        related::count_canaries(&self.api, &mut rollouts).await?;
        Ok(rollouts)
    }

    fn to_list_error(&self, failure: Failure) -> PortError {
        if failure.code() == Some(404) {
            let message = format!(
                "cluster {}: Argo Rollouts is not installed: the cluster has no kind Rollout",
                self.api.cluster
            );
            return PortError::new(ErrorKind::NotFound, message);
        }
        failure.into()
    }

    /// The namespaces that may be read; the first refusal when none may.
    async fn list_each(&self) -> PortResult<Vec<Rollout>> {
        let lists = stream::iter(self.namespaces.to_vec())
            .map(|namespace| async move { self.list_in(Some(&namespace)).await });
        let lists: Vec<Result<Vec<Rollout>, Failure>> =
            lists.buffered(CONCURRENT_LISTS).collect().await;
        let (mut rollouts, mut refusal, mut read) = (Vec::new(), None, false);
        for list in lists {
            match list {
                Ok(list) => {
                    read = true;
                    rollouts.extend(list);
                }
                Err(failure) if failure.code() == Some(403) => {
                    tracing::warn!(why = failure.describe(), "{}", failure.what);
                    refusal.get_or_insert(failure);
                }
                Err(failure) => return Err(self.to_list_error(failure)),
            }
        }
        match refusal {
            Some(failure) if !read => Err(failure.into()),
            _ => Ok(rollouts),
        }
    }
}

#[async_trait]
impl Rollouts for KubeRollouts {
    fn cluster(&self) -> &str {
        &self.api.cluster
    }

    fn driver(&self) -> String {
        self.driver.clone()
    }

    fn can(&self, _action: &RolloutAction) -> bool {
        true
    }

    async fn find_denial(&self, rollout: &Rollout, action: &RolloutAction) -> Option<String> {
        let rights = self.rights.as_ref()?;
        rights.find_denial(&self.api, rollout, action).await
    }

    fn equivalent(&self, action: &RolloutAction, key: &RolloutKey) -> String {
        kubectl::equivalent(action, key)
    }

    async fn list(&self) -> PortResult<Vec<Rollout>> {
        match self.list_in(None).await {
            Ok(rollouts) => Ok(rollouts),
            Err(failure) if failure.code() == Some(403) && !self.namespaces.is_empty() => {
                self.list_each().await
            }
            Err(failure) => Err(self.to_list_error(failure)),
        }
    }

    async fn get(&self, key: &RolloutKey) -> PortResult<Option<Rollout>> {
        let Some(found) = execute::get(&self.api, key).await? else {
            return Ok(None);
        };
        let mut rollout = wire::rollout(&found);
        related::count_canaries(&self.api, std::slice::from_mut(&mut rollout)).await?;
        Ok(Some(rollout))
    }

    async fn related(&self, rollout: &Rollout, depth: Depth) -> PortResult<Related> {
        related::related(&self.api, rollout, depth).await
    }

    fn watch(&self) -> RolloutWatch {
        watch::watch(&self.api, Arc::clone(&self.namespaces))
    }

    fn watch_related(&self, rollout: &Rollout, depth: Depth) -> BoxStream<'static, PortResult<()>> {
        watch::watch_related(&self.api, rollout, depth).boxed()
    }
}

#[async_trait]
impl RolloutActions for KubeRollouts {
    async fn execute(&self, plan: &RolloutPlan) -> PortResult<Executed> {
        execute::execute(&self.api, plan).await
    }
}
