//! What is known of one environment and its clusters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use payops_core::Timestamp;
use payops_core::domain::rollout::{Action, Rollout, RolloutKey};
use payops_core::port::QueueStats;

use super::cursor::ItemKey;
use super::pane::Pane;
use crate::environments::{EnvInfo, Standing};
use crate::msg::OpenedInfo;

/// A cluster of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cluster {
    /// The environment.
    pub env: String,
    /// The cluster's name.
    pub name: String,
}

/// Which rollout, of all there are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RolloutId {
    /// The environment.
    pub env: String,
    /// The cluster.
    pub cluster: String,
    /// Which, inside it.
    pub key: RolloutKey,
}

impl RolloutId {
    /// Its name as an item of lists.
    pub(crate) fn item(&self) -> ItemKey {
        ItemKey::from(format!("{}/{}/{}", self.env, self.cluster, self.key))
    }
}

/// How the watch of a cluster stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Feed {
    /// Nothing was told yet.
    Waiting,
    /// What is shown is what is.
    Live,
    /// What is shown may be out of date.
    Cut {
        /// Why.
        why: String,
        /// Since when.
        since: Timestamp,
        /// When it is tried again.
        retry_at: Timestamp,
    },
}

/// What is known of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct ClusterState {
    /// Its name.
    pub(crate) name: String,
    /// How it is reached.
    pub(crate) driver: String,
    /// What its driver can do.
    pub(crate) can: Vec<&'static str>,
    /// How its watch stands.
    pub(crate) feed: Feed,
    /// Its rollouts.
    pub(crate) rollouts: BTreeMap<RolloutKey, Arc<Rollout>>,
}

impl ClusterState {
    /// A cluster of which nothing was told yet.
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
    pub(crate) fn can(&self, action: &Action) -> bool {
        self.can.contains(&action.as_str())
    }
}

/// What is known of an environment.
#[derive(Debug)]
pub(crate) struct EnvState {
    /// What was known before anything was asked.
    pub(crate) info: EnvInfo,
    /// What it told when it was opened.
    pub(crate) opened: Pane<OpenedInfo>,
    /// Its clusters.
    pub(crate) clusters: Vec<ClusterState>,
    /// Its queues.
    pub(crate) queues: Pane<Vec<QueueStats>>,
    /// With which right the user acts there.
    pub(crate) standing: Pane<Standing>,
}

impl EnvState {
    /// An environment of which nothing was asked yet.
    pub(crate) fn new(info: EnvInfo) -> Self {
        Self {
            info,
            opened: Pane::default(),
            clusters: Vec::new(),
            queues: Pane::default(),
            standing: Pane::default(),
        }
    }

    /// Whether questions can be asked.
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
