//! Everything that a decision about one rollout reads and writes: working copies of the rollout
//! and of what it owns. Nothing here touches the cluster but [`Scene::load`] and [`Scene::commit`].

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::json::{flag, list, map, number, part, text};
use super::{events, hash};
use crate::kinds::Kind;
use crate::store::{Cluster, Key};

pub(super) struct Held {
    before: Arc<Value>,
    after: Option<Value>,
}

impl Held {
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

pub(super) struct Scene {
    pub(super) now: Timestamp,
    pub(super) rollout: Held,
    pub(super) sets: Vec<Held>,
    /// Its pods, those of all its `ReplicaSets`.
    pub(super) pods: Vec<Held>,
    pub(super) runs: Vec<Held>,
    pub(super) experiments: Vec<Held>,
    /// Analysis templates that its spec names, by kind and name.
    pub(super) templates: Vec<Arc<Value>>,
    pub(super) nodes: Vec<String>,
    pub(super) created: Vec<Value>,
    pub(super) removed: Vec<Key>,
    pub(super) notes: Vec<events::Note>,
    /// When to look again though nothing changed.
    pub(super) wake: Option<Timestamp>,
    /// Why the spec cannot be followed.
    pub(super) invalid: Option<String>,
}

impl Scene {
    /// Reads it; `None` when the rollout is gone.
    pub(super) fn load(cluster: &Cluster, key: &Key) -> Option<Self> {
        let rollout = cluster.get(Kind::Rollout, &key.namespace, &key.name).ok()?;
        let uid = text(&rollout, "/metadata/uid");
        let held = |kind| {
            cluster
                .owned(uid, kind)
                .into_iter()
                .map(Held::new)
                .collect::<Vec<Held>>()
        };
        let sets = held(Kind::ReplicaSet);
        let pods = sets
            .iter()
            .flat_map(|set| cluster.owned(text(set.get(), "/metadata/uid"), Kind::Pod))
            .map(Held::new)
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
        let mut scene = Self {
            now: cluster.now(),
            runs: held(Kind::AnalysisRun),
            experiments: held(Kind::Experiment),
            sets,
            pods,
            rollout: Held::new(rollout),
            templates,
            nodes,
            created: Vec::new(),
            removed: Vec::new(),
            notes: Vec::new(),
            wake: None,
            invalid: None,
        };
        // Anybody may have written nonsense there; the code below counts on objects.
        for name in ["canary", "blueGreen"] {
            if !scene.rollout.get()["status"][name].is_object() {
                part(
                    map(scene.rollout.edit())
                        .entry("status")
                        .or_insert(Value::Null),
                    name,
                );
            }
        }
        Some(scene)
    }

    /// Writes what has changed. The rollout goes first: when somebody else was quicker there, all
    /// is left as it was, for the next pass to decide anew.
    pub(super) fn commit(mut self, cluster: &Cluster) -> bool {
        let status = part(self.rollout.edit(), "status");
        status.retain(|_, value| {
            !value.is_null() && value.as_object().is_none_or(|inner| !inner.is_empty())
        });
        let name = self.rollout.name().to_owned();
        let put = |object: Value, what: &str| match cluster.put(object) {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(%error, rollout = %name, what, "a write of the controller was \
                    refused; the next pass tries again");
                false
            }
        };
        let owned = self
            .sets
            .iter_mut()
            .chain(&mut self.pods)
            .chain(&mut self.runs)
            .chain(&mut self.experiments);
        let after: Vec<Value> = owned.filter_map(|held| held.after.take()).collect();
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
        for (index, note) in self.notes.iter().enumerate() {
            put(
                events::event(self.rollout.get(), note, self.now, cluster.version(), index),
                "event",
            );
        }
        cluster.version() != before
    }

    /// Looks again at `at`, if nothing makes it look earlier.
    pub(super) fn wake_at(&mut self, at: Timestamp) {
        if at > self.now {
            self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
        }
    }

    pub(super) fn note(&mut self, reason: &'static str, message: String) {
        self.notes.push(events::Note {
            warning: false,
            reason,
            message,
        });
    }

    pub(super) fn warn(&mut self, reason: &'static str, message: String) {
        self.notes.push(events::Note {
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
            part(self.rollout.edit(), "status").insert(field.to_owned(), value);
        }
    }

    /// Sets a field of `status.canary` or `status.blueGreen`; null removes it.
    pub(super) fn set_strategy_status(&mut self, strategy: &str, field: &str, value: Value) {
        if self.status()[strategy][field] == value {
            return;
        }
        let status = map(&mut self.rollout.edit()["status"])
            .entry(strategy)
            .or_insert(Value::Null);
        if value.is_null() {
            map(status).shift_remove(field);
        } else {
            map(status).insert(field.to_owned(), value);
        }
    }

    pub(super) fn name(&self) -> &str {
        self.rollout.name()
    }

    pub(super) fn namespace(&self) -> &str {
        text(self.rollout.get(), "/metadata/namespace")
    }

    /// Pods wanted; one when the spec does not say.
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
        self.rollout.get()["metadata"]["annotations"][super::sets::REVISION]
            .as_str()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    }

    /// The `ReplicaSet` of a hash, by its place in `sets`.
    pub(super) fn set_of(&self, hash: &str) -> Option<usize> {
        self.sets
            .iter()
            .position(|set| !hash.is_empty() && set.hash() == hash)
    }

    /// The reference that makes the rollout the owner of an object.
    pub(super) fn owner(&self) -> Value {
        json!([{
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": self.name(), "uid": self.rollout.get()["metadata"]["uid"],
            "controller": true, "blockOwnerDeletion": true,
        }])
    }
}
