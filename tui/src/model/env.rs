//! One environment and its clusters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use payops_core::Timestamp;
use payops_core::domain::rollout::{Rollout, RolloutAction, RolloutKey};
use payops_core::operations::{AccessStatus, EnvInfo};
use payops_core::port::QueueStats;

use super::cursor::ItemKey;
use super::pane::Pane;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RolloutId {
    pub env: String,
    pub cluster: String,
    pub key: RolloutKey,
}

impl RolloutId {
    pub(crate) fn item(&self) -> ItemKey {
        ItemKey::from(format!("{}/{}/{}", self.env, self.cluster, self.key))
    }
}

/// What is known of an environment once it is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvDetails {
    /// Who the operator is there.
    pub who: String,
    pub clusters: Vec<ClusterInfo>,
    /// Why it has none, and which settings would give it some.
    pub no_clusters: Option<String>,
    /// What each plan says where freeze and record are kept on this machine alone.
    pub kept_here: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterInfo {
    pub name: String,
    /// How its rollouts are reached, in words.
    pub driver: String,
    /// The actions that the driver supports, by [`RolloutAction::as_str`].
    pub actions: Vec<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WatchStatus {
    Waiting,
    Live,
    Cut {
        why: String,
        since: Timestamp,
        retry_at: Timestamp,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct ClusterState {
    pub(crate) name: String,
    pub(crate) driver: String,
    actions: Vec<&'static str>,
    pub(crate) watch: WatchStatus,
    pub(crate) rollouts: BTreeMap<RolloutKey, Arc<Rollout>>,
    /// What is not allowed in each namespace that was asked about.
    pub(crate) rights: BTreeMap<String, NamespaceRights>,
}

/// What the rights of whoever looks do not allow in a namespace: asked once, and kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamespaceRights {
    /// The request that asks for it.
    pub(crate) request: u64,
    /// Actions by [`RolloutAction::as_str`], each with why; empty until it is known.
    pub(crate) denied: BTreeMap<&'static str, String>,
}

impl ClusterState {
    pub(crate) fn new(info: &ClusterInfo) -> Self {
        Self {
            name: info.name.clone(),
            driver: info.driver.clone(),
            actions: info.actions.clone(),
            watch: WatchStatus::Waiting,
            rollouts: BTreeMap::new(),
            rights: BTreeMap::new(),
        }
    }

    /// Why an action is not allowed in a namespace, as far as that is known.
    pub(crate) fn find_denial(&self, namespace: &str, action: &str) -> Option<&String> {
        self.rights.get(namespace)?.denied.get(action)
    }

    pub(crate) fn supports(&self, action: &RolloutAction) -> bool {
        self.actions.contains(&action.as_str())
    }
}

#[derive(Debug)]
pub(crate) struct EnvState {
    pub(crate) info: EnvInfo,
    pub(crate) details: Pane<EnvDetails>,
    pub(crate) clusters: Vec<ClusterState>,
    pub(crate) queues: Pane<Vec<QueueStats>>,
    pub(crate) access: Pane<AccessStatus>,
}

impl EnvState {
    /// How often its queues are read while they are on screen.
    pub(crate) const QUEUES_EVERY: Duration = Duration::from_secs(2);

    pub(crate) fn new(info: EnvInfo) -> Self {
        Self {
            info,
            details: Pane::default(),
            clusters: Vec::new(),
            queues: Pane::default(),
            access: Pane::default(),
        }
    }

    /// Why it has no clusters, if it has none.
    pub(crate) fn no_clusters(&self) -> Option<&str> {
        self.details.value()?.no_clusters.as_deref()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.details.value().is_some()
    }

    /// What remains of an elevation; `None` when there is none, or it has ended.
    pub(crate) fn elevation_remaining(&self, now: Timestamp) -> Option<SignedDuration> {
        let until = self.access.value()?.until?;
        Some(until.duration_since(now)).filter(SignedDuration::is_positive)
    }
}
