//! What is known of one environment and its clusters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use payops_core::Timestamp;
use payops_core::domain::rollout::{Rollout, RolloutAction, RolloutKey};
use payops_core::port::QueueStats;

use super::cursor::ItemKey;
use super::pane::Pane;
use crate::environments::{EnvInfo, Standing};
use crate::msg::OpenedInfo;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cluster {
    pub env: String,
    pub name: String,
}

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

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Feed {
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
    pub(crate) can: Vec<&'static str>,
    pub(crate) feed: Feed,
    pub(crate) rollouts: BTreeMap<RolloutKey, Arc<Rollout>>,
}

impl ClusterState {
    pub(crate) fn new(name: &str, driver: &str, can: &[&'static str]) -> Self {
        Self {
            name: name.to_owned(),
            driver: driver.to_owned(),
            can: can.to_vec(),
            feed: Feed::Waiting,
            rollouts: BTreeMap::new(),
        }
    }

    /// Whether its driver can do `action`.
    pub(crate) fn can(&self, action: &RolloutAction) -> bool {
        self.can.contains(&action.as_str())
    }
}

#[derive(Debug)]
pub(crate) struct EnvState {
    pub(crate) info: EnvInfo,
    pub(crate) opened: Pane<OpenedInfo>,
    pub(crate) clusters: Vec<ClusterState>,
    pub(crate) queues: Pane<Vec<QueueStats>>,
    pub(crate) standing: Pane<Standing>,
}

impl EnvState {
    pub(crate) fn new(info: EnvInfo) -> Self {
        Self {
            info,
            opened: Pane::default(),
            clusters: Vec::new(),
            queues: Pane::default(),
            standing: Pane::default(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.opened.value().is_some()
    }

    /// Whether dead letters are steered there, and one can elevate.
    pub(crate) fn steers(&self) -> bool {
        self.opened.value().is_some_and(|opened| opened.steers)
    }

    /// What is left of an elevation; `None` when there is none, or no more.
    pub(crate) fn left(&self, now: Timestamp) -> Option<SignedDuration> {
        let until = self.standing.value()?.until?;
        Some(until.duration_since(now)).filter(SignedDuration::is_positive)
    }

    /// How often its queues are asked while they are on screen.
    pub(crate) const QUEUES_EVERY: Duration = Duration::from_secs(2);
}
