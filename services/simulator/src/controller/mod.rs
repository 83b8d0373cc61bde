//! The controller: moves Argo Rollouts through their steps, with the field semantics of Argo
//! Rollouts 1.9, and plays kubelet and scheduler for their pods.
//!
//! One pass over a rollout reads it with all it owns into a scene, decides on these copies, and
//! writes what has changed, bound to the versions that were read. A pass goes one step; what it
//! wrote makes the rollout due for the next pass, until nothing changes any more. Rollouts in which
//! nothing changed and for which no time is up cost nothing.
//!
//! Not played: `workloadRef`, step plug-ins (they pass at once), pods and analyses of experiments,
//! the selectors of services, and traffic routers, which follow at once.

mod analysis;
mod bluegreen;
mod canary;
mod condition;
mod events;
mod experiment;
pub(crate) mod hash;
pub(crate) mod json;
mod measure;
mod pause;
mod pods;
mod replicas;
mod scene;
mod sets;
mod status;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::kinds::Kind;
use crate::store::{Cluster, Key};

pub use measure::{MetricSource, Query};
use scene::Scene;

/// How often a controller that runs by itself looks whether time is up for anything.
const TICK: Duration = Duration::from_millis(400);
/// How long it lets changes gather before it looks at them.
const GATHER: Duration = Duration::from_millis(50);
/// Rollouts looked at before others on the same thread get a turn.
const SLICE: usize = 50;
const SWEEP_SECONDS: i64 = 60;

pub struct Controller {
    cluster: Cluster,
    metrics: MetricSource,
    /// The resource version up to which changes were looked at; `None` before the first look.
    seen: Option<u64>,
    dirty: BTreeSet<Key>,
    /// Rollouts to look at later, though nothing changes.
    due: BTreeMap<Key, Timestamp>,
    swept: Option<Timestamp>,
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller")
            .field("cluster", &self.cluster)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

impl Controller {
    #[must_use]
    pub fn new(cluster: Cluster, metrics: MetricSource) -> Self {
        Self {
            cluster,
            metrics,
            seen: None,
            dirty: BTreeSet::new(),
            due: BTreeMap::new(),
            swept: None,
        }
    }

    /// One pass over all rollouts that changed or whose time is up, by the cluster's clock. Gives
    /// whether anything was written, which the next pass will want to look at.
    pub fn tick(&mut self) -> bool {
        self.gather();
        self.look(usize::MAX)
    }

    /// Passes until nothing changes at this moment.
    pub fn settle(&mut self) {
        // A rollout takes far fewer passes; the bound keeps a mistake from going on for ever.
        for _ in 0..1000 {
            if !self.tick() {
                return;
            }
        }
        tracing::warn!(
            cluster = self.cluster.name(),
            "the controller finds no rest"
        );
    }

    /// When time will be up for some rollout, the earliest.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.due.values().min().copied()
    }

    /// Runs by itself until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut changed = self.cluster.watch_version();
        while !shutdown.is_cancelled() {
            changed.mark_unchanged();
            self.gather();
            while !self.dirty.is_empty() {
                self.look(SLICE);
                tokio::task::yield_now().await;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(TICK) => {}
                // The cluster is held here, so that its sender lives as long.
                _ = changed.changed() => tokio::time::sleep(GATHER).await,
            }
        }
    }

    fn gather(&mut self) {
        let now = self.cluster.now();
        let changes = self
            .seen
            .and_then(|seen| self.cluster.changes_since(seen).ok());
        if let Some(changes) = changes {
            for change in changes {
                self.seen = Some(change.version);
                self.dirty
                    .extend(self.rollout_of(&change.key, &change.object));
            }
        } else {
            let (version, rollouts) = self.cluster.list(Kind::Rollout, None);
            self.seen = Some(version);
            self.due.clear();
            self.dirty
                .extend(rollouts.iter().map(|rollout| key(rollout)));
        }
        let up: Vec<Key> = self
            .due
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(key, _)| key.clone())
            .collect();
        self.dirty.extend(up);
        if self
            .swept
            .is_none_or(|swept| now.duration_since(swept).as_secs() >= SWEEP_SECONDS)
        {
            self.swept = Some(now);
            events::expire(&self.cluster, now);
        }
    }

    fn rollout_of(&self, of: &Key, object: &Value) -> Option<Key> {
        if of.kind == Kind::Rollout {
            return Some(of.clone());
        }
        let owner = object.pointer("/metadata/ownerReferences/0")?;
        let name = json::text(owner, "/name");
        match (of.kind, json::text(owner, "/kind")) {
            (Kind::ReplicaSet | Kind::AnalysisRun | Kind::Experiment, "Rollout") => {
                Some(Key::new(Kind::Rollout, &of.namespace, name))
            }
            (Kind::Pod, "ReplicaSet") => {
                let set = self
                    .cluster
                    .get(Kind::ReplicaSet, &of.namespace, name)
                    .ok()?;
                self.rollout_of(&key(&set), &set)
            }
            _ => None,
        }
    }

    fn look(&mut self, count_max: usize) -> bool {
        let mut wrote = false;
        for _ in 0..count_max {
            let Some(key) = self.dirty.pop_first() else {
                break;
            };
            self.due.remove(&key);
            let Some(mut scene) = Scene::load(&self.cluster, &key) else {
                continue;
            };
            reconcile(&mut scene, &self.metrics, self.cluster.name());
            if let Some(wake) = scene.wake {
                self.due.insert(key, wake);
            }
            wrote |= scene.commit(&self.cluster);
        }
        wrote
    }
}

fn key(object: &Value) -> Key {
    let kind = Kind::of(object).unwrap_or(Kind::Rollout);
    Key::new(
        kind,
        json::text(object, "/metadata/namespace"),
        json::text(object, "/metadata/name"),
    )
}

fn reconcile(scene: &mut Scene, metrics: &MetricSource, cluster: &str) {
    let before = scene.status().clone();
    sets::follow_template(scene);
    analysis::advance(scene, metrics, cluster);
    experiment::advance(scene);
    pods::live(scene);
    if scene.invalid.is_none() {
        if scene.is_blue_green() {
            bluegreen::reconcile(scene);
        } else {
            canary::reconcile(scene);
        }
        pods::restart(scene);
    }
    pods::scale(scene);
    sets::forget_old(scene);
    analysis::forget_old(scene);
    status::count(scene);
    status::finish(scene, &before);
}
