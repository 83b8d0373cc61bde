//! The controller: moves Argo Rollouts through their steps, with the field semantics of Argo
//! Rollouts 1.10, and stands in for the kubelet and the scheduler of their pods.
//!
//! A pass reads a rollout with all that it owns into a `RolloutContext`, decides on these copies,
//! and writes what has changed, on the condition that the versions are still those it read. It
//! completes at most one step; its writes make the rollout due for the next pass, until nothing
//! changes any more. A rollout that did not change and is not due costs nothing.
//!
//! Not simulated: `workloadRef`, step plug-ins (they complete at once), pods and analyses of
//! experiments, the selectors of services, and traffic routers, which follow at once.

mod analysis;
mod analysis_run;
mod bluegreen;
mod canary;
mod conditions;
mod context;
mod events;
mod experiment;
mod expression;
pub(crate) mod hash;
pub(crate) mod json;
mod pause;
mod pods;
mod replicas;
mod revision;
mod rollback;
mod sets;
mod status;
mod steps;
mod update;
mod weights;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::kinds::Kind;
use crate::store::{Cluster, Key};

pub use analysis_run::{MetricQuery, MetricSource};
use context::RolloutContext;
use sets::Followed;

/// How often a running controller checks which rollouts are due.
const TICK: Duration = Duration::from_millis(400);
/// How long it collects changes before a pass.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// Passes before other tasks on the thread get a turn.
const BATCH: usize = 50;
const SWEEP_SECONDS: i64 = 60;

pub struct Controller {
    cluster: Cluster,
    metrics: MetricSource,
    /// The resource version up to which changes were collected; `None` before the first time.
    seen: Option<u64>,
    dirty: BTreeSet<Key>,
    /// When each rollout is due for a pass, if nothing changes.
    due: BTreeMap<Key, Timestamp>,
    last_sweep: Option<Timestamp>,
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
            last_sweep: None,
        }
    }

    /// Makes one pass over each rollout that changed or is due by the cluster's clock. Returns
    /// whether anything was written.
    pub fn tick(&mut self) -> bool {
        self.collect_changes();
        self.reconcile_dirty(usize::MAX)
    }

    /// Makes passes until nothing changes at this moment.
    pub fn settle(&mut self) {
        // Far more passes than a rollout takes; a bug must not loop for ever.
        for _ in 0..1000 {
            if !self.tick() {
                return;
            }
        }
        tracing::warn!(
            cluster = self.cluster.name(),
            "the controller does not settle: the last of 1,000 passes still wrote something"
        );
    }

    /// When the next rollout is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.due.values().min().copied()
    }

    /// Reconciles until `shutdown` is canceled.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut changed = self.cluster.watch_version();
        while !shutdown.is_cancelled() {
            changed.mark_unchanged();
            self.collect_changes();
            while !self.dirty.is_empty() {
                self.reconcile_dirty(BATCH);
                tokio::task::yield_now().await;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(TICK) => {}
                // `self` holds the cluster, so the sender outlives this loop.
                _ = changed.changed() => tokio::time::sleep(DEBOUNCE).await,
            }
        }
    }

    fn collect_changes(&mut self) {
        let now = self.cluster.now();
        let changes = self
            .seen
            .and_then(|seen| self.cluster.changes_since(seen).ok());
        if let Some(changes) = changes {
            for change in changes {
                self.seen = Some(change.version);
                self.dirty
                    .extend(self.owning_rollout(&change.key, &change.object));
            }
        } else {
            let (version, rollouts) = self.cluster.list(Kind::Rollout, None);
            self.seen = Some(version);
            self.due.clear();
            self.dirty
                .extend(rollouts.iter().map(|rollout| key_of(rollout)));
        }
        let due: Vec<Key> = self
            .due
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(key, _)| key.clone())
            .collect();
        self.dirty.extend(due);
        if self
            .last_sweep
            .is_none_or(|last_sweep| now.duration_since(last_sweep).as_secs() >= SWEEP_SECONDS)
        {
            self.last_sweep = Some(now);
            events::delete_expired(&self.cluster, now);
        }
    }

    fn owning_rollout(&self, of: &Key, object: &Value) -> Option<Key> {
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
                self.owning_rollout(&key_of(&set), &set)
            }
            _ => None,
        }
    }

    fn reconcile_dirty(&mut self, count_max: usize) -> bool {
        let mut wrote = false;
        for _ in 0..count_max {
            let Some(key) = self.dirty.pop_first() else {
                break;
            };
            self.due.remove(&key);
            let Some(mut ctx) = RolloutContext::load(&self.cluster, &key) else {
                continue;
            };
            reconcile(&mut ctx, &self.metrics, self.cluster.name());
            if let Some(wake) = ctx.wake {
                self.due.insert(key, wake);
            }
            wrote |= ctx.commit(&self.cluster);
        }
        wrote
    }
}

fn key_of(object: &Value) -> Key {
    let kind = Kind::of(object).unwrap_or(Kind::Rollout);
    Key::new(
        kind,
        json::text(object, "/metadata/namespace"),
        json::text(object, "/metadata/name"),
    )
}

fn reconcile(ctx: &mut RolloutContext, metrics: &MetricSource, cluster: &str) {
    let before = ctx.status().clone();
    if status::note_pause(ctx) {
        return;
    }
    let followed = sets::follow_template(ctx);
    if followed == Followed::Created {
        return;
    }
    analysis::advance(ctx, metrics, cluster);
    experiment::advance(ctx);
    pods::advance(ctx);
    if ctx.invalid.is_none() {
        let restarts = followed == Followed::Unchanged && pods::restart(ctx);
        match (ctx.is_blue_green(), followed) {
            (true, Followed::Unchanged) => bluegreen::reconcile(ctx),
            (true, _) => bluegreen::follow_template(ctx),
            // Nothing is said of a canary whose pods were just restarted: its counts are no longer
            // true.
            (false, _) if restarts => return pods::scale(ctx),
            (false, Followed::Unchanged) => canary::reconcile(ctx),
            (false, _) => {}
        }
    }
    pods::scale(ctx);
    sets::delete_old(ctx);
    analysis::delete_old(ctx);
    status::update_counts(ctx);
    status::update_conditions(ctx, &before);
}
