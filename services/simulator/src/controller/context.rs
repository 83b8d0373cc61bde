//! What one pass over a rollout reads and writes: working copies of the rollout and of what it
//! owns. Only [`RolloutContext::load`] and [`RolloutContext::commit`] touch the cluster.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::events::{self, PendingEvent};
use super::hash;
use super::json::{flag, into_object, list, number, object_mut, text};
use crate::kinds::Kind;
use crate::store::{Cluster, Key};

/// An object as it was read, and as the pass has changed it.
pub(super) struct WorkingCopy {
    before: Arc<Value>,
    after: Option<Value>,
}

impl WorkingCopy {
    fn new(before: Arc<Value>) -> Self {
        Self {
            before,
            after: None,
        }
    }

    pub(super) fn get(&self) -> &Value {
        self.after.as_ref().unwrap_or(&self.before)
    }

    pub(super) fn edit(&mut self) -> &mut Value {
        self.after.get_or_insert_with(|| (*self.before).clone())
    }

    pub(super) fn name(&self) -> &str {
        text(&self.before, "/metadata/name")
    }

    pub(super) fn hash(&self) -> &str {
        self.before["metadata"]["labels"][hash::LABEL]
            .as_str()
            .unwrap_or_default()
    }
}

pub(super) struct RolloutContext {
    pub(super) now: Timestamp,
    pub(super) rollout: WorkingCopy,
    pub(super) sets: Vec<WorkingCopy>,
    /// The pods of all its `ReplicaSets`.
    pub(super) pods: Vec<WorkingCopy>,
    pub(super) runs: Vec<WorkingCopy>,
    pub(super) experiments: Vec<WorkingCopy>,
    /// Analysis templates that its spec names, by kind and name.
    pub(super) templates: Vec<Arc<Value>>,
    pub(super) nodes: Vec<String>,
    pub(super) created: Vec<Value>,
    pub(super) removed: Vec<Key>,
    pub(super) events: Vec<PendingEvent>,
    /// When the next pass is due if nothing changes.
    pub(super) wake: Option<Timestamp>,
    /// Why the spec is invalid.
    pub(super) invalid: Option<String>,
}

impl RolloutContext {
    /// Returns `None` if the rollout no longer exists.
    pub(super) fn load(cluster: &Cluster, key: &Key) -> Option<Self> {
        let rollout = cluster.get(Kind::Rollout, &key.namespace, &key.name).ok()?;
        let uid = text(&rollout, "/metadata/uid");
        let owned = |kind| {
            cluster
                .owned(uid, kind)
                .into_iter()
                .map(WorkingCopy::new)
                .collect::<Vec<WorkingCopy>>()
        };
        let sets = owned(Kind::ReplicaSet);
        let pods = sets
            .iter()
            .flat_map(|set| cluster.owned(text(set.get(), "/metadata/uid"), Kind::Pod))
            .map(WorkingCopy::new)
            .collect();
        let templates = cluster.list(Kind::AnalysisTemplate, Some(&key.namespace)).1;
        let templates = templates
            .into_iter()
            .chain(cluster.list(Kind::ClusterAnalysisTemplate, None).1)
            .collect();
        let nodes = cluster
            .list(Kind::Node, None)
            .1
            .iter()
            .map(|node| text(node, "/metadata/name").to_owned())
            .collect();
        let mut ctx = Self {
            now: cluster.now(),
            runs: owned(Kind::AnalysisRun),
            experiments: owned(Kind::Experiment),
            sets,
            pods,
            rollout: WorkingCopy::new(rollout),
            templates,
            nodes,
            created: Vec::new(),
            removed: Vec::new(),
            events: Vec::new(),
            wake: None,
            invalid: None,
        };
        // Anybody may have written anything there; the code below expects objects.
        for name in ["canary", "blueGreen"] {
            if !ctx.rollout.get()["status"][name].is_object() {
                object_mut(
                    into_object(ctx.rollout.edit())
                        .entry("status")
                        .or_insert(Value::Null),
                    name,
                );
            }
        }
        Some(ctx)
    }

    /// Writes what has changed, the rollout first: if somebody else wrote it since, nothing is
    /// written, and the next pass decides anew. Returns whether anything was written.
    pub(super) fn commit(mut self, cluster: &Cluster) -> bool {
        let status = object_mut(self.rollout.edit(), "status");
        status.retain(|_, value| {
            !value.is_null() && value.as_object().is_none_or(|inner| !inner.is_empty())
        });
        let name = self.rollout.name().to_owned();
        let put = |object: Value, what: &str| match cluster.put(object) {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(%error, rollout = %name, what, "the API refused a write; the \
                    next pass retries it");
                false
            }
        };
        let owned = self
            .sets
            .iter_mut()
            .chain(&mut self.pods)
            .chain(&mut self.runs)
            .chain(&mut self.experiments);
        let after: Vec<Value> = owned.filter_map(|copy| copy.after.take()).collect();
        let before = cluster.version();
        let Some(rollout) = self.rollout.after.take() else {
            return false;
        };
        if !put(rollout, "rollout") {
            return false;
        }
        for object in after.into_iter().chain(std::mem::take(&mut self.created)) {
            put(object, "owned object");
        }
        for key in &self.removed {
            cluster.remove_object(key);
        }
        for (index, event) in self.events.iter().enumerate() {
            put(
                events::to_object(
                    self.rollout.get(),
                    event,
                    self.now,
                    cluster.version(),
                    index,
                ),
                "event",
            );
        }
        cluster.version() != before
    }

    /// Schedules a pass at `at`, unless one is due earlier.
    pub(super) fn wake_at(&mut self, at: Timestamp) {
        if at > self.now {
            self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
        }
    }

    pub(super) fn record_event(&mut self, reason: &'static str, message: String) {
        self.events.push(PendingEvent {
            warning: false,
            reason,
            message,
        });
    }

    pub(super) fn record_warning(&mut self, reason: &'static str, message: String) {
        self.events.push(PendingEvent {
            warning: true,
            reason,
            message,
        });
    }

    pub(super) fn spec(&self) -> &Value {
        &self.rollout.get()["spec"]
    }

    pub(super) fn status(&self) -> &Value {
        &self.rollout.get()["status"]
    }

    pub(super) fn set_status(&mut self, field: &str, value: impl Into<Value>) {
        let value = value.into();
        if self.status()[field] != value {
            object_mut(self.rollout.edit(), "status").insert(field.to_owned(), value);
        }
    }

    /// Sets a field of `status.canary` or `status.blueGreen`; null removes the field.
    pub(super) fn set_strategy_status(&mut self, strategy: &str, field: &str, value: Value) {
        if self.status()[strategy][field] == value {
            return;
        }
        let status = into_object(&mut self.rollout.edit()["status"])
            .entry(strategy)
            .or_insert(Value::Null);
        if value.is_null() {
            into_object(status).shift_remove(field);
        } else {
            into_object(status).insert(field.to_owned(), value);
        }
    }

    pub(super) fn name(&self) -> &str {
        self.rollout.name()
    }

    pub(super) fn namespace(&self) -> &str {
        text(self.rollout.get(), "/metadata/namespace")
    }

    /// Desired pods; one if the spec does not say.
    pub(super) fn replicas(&self) -> i64 {
        number(self.spec(), "/replicas")
            .unwrap_or(1)
            .clamp(0, i64::from(i32::MAX))
    }

    pub(super) fn steps(&self) -> &[Value] {
        list(self.spec(), "/strategy/canary/steps")
    }

    pub(super) fn step_index(&self) -> usize {
        let index = self.status()["currentStepIndex"]
            .as_u64()
            .and_then(|index| usize::try_from(index).ok());
        index.unwrap_or(0).min(self.steps().len())
    }

    pub(super) fn current_hash(&self) -> &str {
        text(self.status(), "/currentPodHash")
    }

    pub(super) fn stable_hash(&self) -> &str {
        text(self.status(), "/stableRS")
    }

    pub(super) fn is_fully_promoted(&self) -> bool {
        !self.stable_hash().is_empty() && self.stable_hash() == self.current_hash()
    }

    pub(super) fn is_blue_green(&self) -> bool {
        self.spec()["strategy"]["blueGreen"].is_object()
    }

    pub(super) fn has_router(&self) -> bool {
        self.spec()["strategy"]["canary"]["trafficRouting"].is_object()
    }

    pub(super) fn is_aborted(&self) -> bool {
        flag(self.status(), "/abort")
    }

    pub(super) fn revision(&self) -> i64 {
        super::revision::of(self.rollout.get())
    }

    /// Finds the `ReplicaSet` of a hash. Returns its index in `sets`.
    pub(super) fn find_set(&self, hash: &str) -> Option<usize> {
        self.sets
            .iter()
            .position(|set| !hash.is_empty() && set.hash() == hash)
    }

    /// Builds the `ownerReferences` of an object that the rollout owns.
    pub(super) fn owner_references(&self) -> Value {
        json!([{
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": self.name(),
            "uid": self.rollout.get()["metadata"]["uid"],
            "controller": true, "blockOwnerDeletion": true,
        }])
    }
}
