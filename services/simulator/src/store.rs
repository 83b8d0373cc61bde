//! The objects: one locked map, a resource version that counts changes, and a bounded history
//! that watches read from.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::faults::Faults;
use crate::kinds::Kind;
use crate::{ApiError, Clock};

/// Which object. The namespace is empty for kinds that have none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub kind: Kind,
    pub namespace: String,
    pub name: String,
}

impl Key {
    #[must_use]
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        Self {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    fn of(kind: Kind, object: &Value) -> Self {
        let text = |key: &str| {
            object
                .pointer(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let namespace = if kind.info().namespaced {
            text("/metadata/namespace")
        } else {
            ""
        };
        Self::new(kind, namespace, text("/metadata/name"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Added,
    Modified,
    Deleted,
}

#[derive(Clone, Debug)]
pub struct Change {
    pub version: u64,
    pub key: Key,
    pub kind: ChangeKind,
    /// The object afterwards; its last state when it was deleted.
    pub object: Arc<Value>,
    pub before: Option<Arc<Value>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Main,
    Status,
}

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Changes kept for watches to go on from; older versions are answered with 410.
    pub history_max: usize,
    /// How often a quiet watch that asked for bookmarks gets one.
    pub bookmark_every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            history_max: 10_000,
            bookmark_every: Duration::from_mins(1),
        }
    }
}

#[derive(Default)]
struct Store {
    version: u64,
    objects: BTreeMap<Key, Arc<Value>>,
    history: VecDeque<Change>,
    /// The newest version whose change is no longer in the history.
    compacted: u64,
    owned: HashMap<String, BTreeSet<Key>>,
}

pub(crate) struct Inner {
    name: String,
    pub(crate) clock: Clock,
    pub(crate) options: Options,
    store: Mutex<Store>,
    changed: watch::Sender<u64>,
    pub(crate) faults: Faults,
}

#[derive(Clone)]
pub struct Cluster {
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.inner.name)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// A cluster with nothing but the namespaces `default` and `kube-system`.
    #[must_use]
    pub fn new(name: &str, clock: Clock) -> Self {
        Self::with_options(name, clock, Options::default())
    }

    #[must_use]
    pub fn with_options(name: &str, clock: Clock, options: Options) -> Self {
        let store = Mutex::new(Store::default());
        let inner = Inner {
            name: name.to_owned(),
            clock,
            options,
            store,
            changed: watch::Sender::new(0),
            faults: Faults::new(),
        };
        let cluster = Self {
            inner: Arc::new(inner),
        };
        cluster.ensure_namespace("default");
        cluster.ensure_namespace("kube-system");
        cluster
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.inner.clock)()
    }

    #[must_use]
    pub fn version(&self) -> u64 {
        self.store().version
    }

    pub fn get(&self, kind: Kind, namespace: &str, name: &str) -> Result<Arc<Value>, ApiError> {
        let found = self
            .store()
            .objects
            .get(&Key::new(kind, namespace, name))
            .cloned();
        found.ok_or_else(|| ApiError::not_found(kind, name))
    }

    /// All objects of a kind, in a namespace or everywhere, with the version they are of.
    #[must_use]
    pub fn list(&self, kind: Kind, namespace: Option<&str>) -> (u64, Vec<Arc<Value>>) {
        let store = self.store();
        (
            store.version,
            store
                .range(kind, namespace)
                .map(|(_, object)| Arc::clone(object))
                .collect(),
        )
    }

    /// Objects of a kind that an object of that uid owns.
    #[must_use]
    pub fn owned(&self, uid: &str, kind: Kind) -> Vec<Arc<Value>> {
        let store = self.store();
        let keys = store
            .owned
            .get(uid)
            .into_iter()
            .flatten()
            .filter(|key| key.kind == kind);
        keys.filter_map(|key| store.objects.get(key).cloned())
            .collect()
    }

    /// The list as it was at `version`, by undoing what the history holds.
    pub(crate) fn list_at(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        version: u64,
        after: Option<&[String; 2]>,
    ) -> Result<Vec<Arc<Value>>, ApiError> {
        let store = self.store();
        if version < store.compacted {
            return Err(ApiError::expired(
                "The provided continue parameter is too old to display a consistent list result. \
                    You can start a new list without the continue parameter.",
            ));
        }
        let behind = |key: &Key| {
            after.is_none_or(|[namespace, name]| (&key.namespace, &key.name) > (namespace, name))
        };
        let mut objects: BTreeMap<&Key, &Arc<Value>> = store
            .range(kind, namespace)
            .filter(|(key, _)| behind(key))
            .collect();
        for change in store
            .history
            .iter()
            .rev()
            .take_while(|change| change.version > version)
        {
            let elsewhere = change.key.kind != kind
                || namespace.is_some_and(|namespace| namespace != change.key.namespace);
            if elsewhere || !behind(&change.key) {
                continue;
            }
            match &change.before {
                Some(before) => objects.insert(&change.key, before),
                None => objects.remove(&change.key),
            };
        }
        Ok(objects.into_values().map(Arc::clone).collect())
    }

    /// Changes after `version`, oldest first; `Err` with 410 when some of them are forgotten.
    pub fn changes_since(&self, version: u64) -> Result<Vec<Change>, ApiError> {
        let store = self.store();
        if version < store.compacted {
            return Err(ApiError::expired(format!(
                "too old resource version: {version} ({})",
                store.compacted
            )));
        }
        let from = store
            .history
            .partition_point(|change| change.version <= version);
        Ok(store.history.range(from..).cloned().collect())
    }

    #[must_use]
    pub fn watch_version(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// Forgets the whole history, as a compaction of the store does.
    pub fn compact(&self) {
        let mut store = self.store();
        store.compacted = store.version;
        store.history.clear();
    }

    /// Makes an object, as a POST does: a status of a kind that keeps it apart is dropped.
    pub fn create(
        &self,
        kind: Kind,
        namespace: &str,
        mut object: Value,
    ) -> Result<Arc<Value>, ApiError> {
        if kind.info().custom && kind.info().status {
            remove(&mut object, "status");
        }
        let mut store = self.store();
        if kind.info().namespaced
            && !store
                .objects
                .contains_key(&Key::new(Kind::Namespace, "", namespace))
        {
            return Err(ApiError::not_found(Kind::Namespace, namespace));
        }
        let (name, version) = (text(&object, "/metadata/name"), store.version + 1);
        let prefix = text(&object, "/metadata/generateName");
        let name = if name.is_empty() && !prefix.is_empty() {
            format!("{prefix}{}", suffix(&self.inner.name, version))
        } else {
            name
        };
        if !is_name(&name) {
            let why =
                format!("Invalid value: {name:?}: a lowercase RFC 1123 subdomain is required");
            return Err(ApiError::invalid(kind, &name, "metadata.name", &why));
        }
        let key = Key::new(kind, namespace, &name);
        if store.objects.contains_key(&key) {
            return Err(ApiError::exists(kind, &name));
        }
        let meta = metadata(&mut object);
        for given in [
            "uid",
            "creationTimestamp",
            "generation",
            "resourceVersion",
            "selfLink",
            "deletionTimestamp",
            "managedFields",
        ] {
            meta.remove(given);
        }
        meta.insert("name".to_owned(), name.into());
        self.fill(&key, &mut object, version);
        Ok(self.write(&mut store, key, object))
    }

    /// Makes or replaces an object as it is, status and all: for whoever plays a controller. A
    /// `resourceVersion` that is not the present one is a conflict. Missing namespaces are made.
    pub fn put(&self, object: Value) -> Result<Arc<Value>, ApiError> {
        let kind =
            Kind::of(&object).ok_or_else(|| ApiError::bad_request("an object of no known kind"))?;
        let key = Key::of(kind, &object);
        if kind.info().namespaced {
            self.ensure_namespace(&key.namespace);
        }
        let mut store = self.store();
        let mut object = object;
        let Some(before) = store.objects.get(&key).cloned() else {
            let version = store.version + 1;
            self.fill(&key, &mut object, version);
            return Ok(self.write(&mut store, key, object));
        };
        check_version(&key, &before, &object)?;
        keep(&before, &mut object);
        Ok(self.settle(&mut store, key, &before, object))
    }

    /// Takes an object over from another cluster as it is, but for its resource version.
    pub(crate) fn adopt(&self, object: Value) {
        let Some(kind) = Kind::of(&object) else {
            return;
        };
        let key = Key::of(kind, &object);
        if kind.info().namespaced {
            self.ensure_namespace(&key.namespace);
        }
        self.write(&mut self.store(), key, object);
    }

    pub(crate) fn update(
        &self,
        key: &Key,
        part: Part,
        change: impl FnOnce(&Value) -> Result<Value, ApiError>,
    ) -> Result<Arc<Value>, ApiError> {
        let mut store = self.store();
        let before = store
            .objects
            .get(key)
            .cloned()
            .ok_or_else(|| ApiError::not_found(key.kind, &key.name))?;
        let mut object = change(&before)?;
        check_version(key, &before, &object)?;
        for (field, pointer) in [
            ("name", "/metadata/name"),
            ("namespace", "/metadata/namespace"),
        ] {
            let (is, was) = (text(&object, pointer), text(&before, pointer));
            if is != was {
                let why = format!("Invalid value: {is:?}: field is immutable");
                return Err(ApiError::invalid(
                    key.kind,
                    &key.name,
                    &format!("metadata.{field}"),
                    &why,
                ));
            }
        }
        match part {
            Part::Status => {
                let mut with_status = (*before).clone();
                set_or_remove(&mut with_status, "status", object.get("status").cloned());
                object = with_status;
            }
            Part::Main if key.kind.info().status => {
                set_or_remove(&mut object, "status", before.get("status").cloned())
            }
            Part::Main => {}
        }
        keep(&before, &mut object);
        Ok(self.settle(&mut store, key.clone(), &before, object))
    }

    /// Deletes an object and, unless they are to be orphaned, all that it owns. `wanted` holds
    /// the uid and resource version that it must have.
    pub(crate) fn delete(
        &self,
        key: &Key,
        wanted: &Value,
        orphan: bool,
    ) -> Result<Arc<Value>, ApiError> {
        let mut store = self.store();
        let object = store
            .objects
            .get(key)
            .cloned()
            .ok_or_else(|| ApiError::not_found(key.kind, &key.name))?;
        for (field, what) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
            let (is, want) = (
                object["metadata"][field].as_str().unwrap_or_default(),
                wanted[field].as_str(),
            );
            if let Some(want) = want.filter(|want| *want != is) {
                let why = format!(
                    "the {what} in the precondition ({want}) does not match the {what} in record \
                        ({is})"
                );
                return Err(ApiError::conflict(key.kind, &key.name, &why));
            }
        }
        Ok(self.remove(&mut store, key, orphan).unwrap_or(object))
    }

    /// Deletes an object and all that it owns; does nothing if it is gone.
    pub fn remove_object(&self, key: &Key) {
        self.remove(&mut self.store(), key, false);
    }

    fn remove(&self, store: &mut Store, key: &Key, orphan: bool) -> Option<Arc<Value>> {
        let before = store.objects.remove(key)?;
        store.disown(key, &before);
        store.version += 1;
        let mut last = (*before).clone();
        metadata(&mut last).insert(
            "resourceVersion".to_owned(),
            store.version.to_string().into(),
        );
        let last = Arc::new(last);
        let change = Change {
            version: store.version,
            key: key.clone(),
            kind: ChangeKind::Deleted,
            object: Arc::clone(&last),
            before: Some(before),
        };
        self.record(store, change);
        let uid = text(&last, "/metadata/uid");
        let dependents = store.owned.get(&uid).cloned().unwrap_or_default();
        for dependent in dependents {
            // One that another living object owns too would stay in a real cluster; here each has
            // one owner.
            if !orphan {
                self.remove(store, &dependent, false);
            } else if let Some(object) = store.objects.get(&dependent).cloned() {
                let mut freed = (*object).clone();
                metadata(&mut freed).remove("ownerReferences");
                self.settle(store, dependent, &object, freed);
            }
        }
        if key.kind == Kind::Namespace {
            let inside: Vec<Key> = store
                .objects
                .keys()
                .filter(|inside| inside.namespace == key.name)
                .cloned()
                .collect();
            for inside in inside {
                self.remove(store, &inside, false);
            }
        }
        Some(last)
    }

    /// Everything, so that [`Cluster::restore`] can bring it back.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let store = self.store();
        let objects: Vec<&Value> = store.objects.values().map(AsRef::as_ref).collect();
        json!({"format": 1, "resourceVersion": store.version, "objects": objects})
    }

    /// Replaces everything by a snapshot. Resource versions go on rising from the snapshot's or
    /// the present one, whichever is higher; watches from before are answered with 410.
    pub fn restore(&self, snapshot: &Value) -> Result<(), ApiError> {
        let bad = |why: &str| {
            ApiError::bad_request(format!("this is not a snapshot of a cluster: {why}"))
        };
        let version = snapshot["resourceVersion"]
            .as_u64()
            .ok_or_else(|| bad("it has no resourceVersion"))?;
        let list = snapshot["objects"]
            .as_array()
            .ok_or_else(|| bad("it has no objects"))?;
        let mut objects = BTreeMap::new();
        for object in list {
            let kind = Kind::of(object).ok_or_else(|| bad("an object is of no known kind"))?;
            objects.insert(Key::of(kind, object), Arc::new(object.clone()));
        }
        let mut store = self.store();
        // One more, so that a watch that stands at the present version is told to start anew.
        let version = version.max(store.version) + 1;
        *store = Store {
            version,
            compacted: version,
            objects,
            ..Store::default()
        };
        let owners: Vec<(Key, Arc<Value>)> = store
            .objects
            .iter()
            .map(|(key, object)| (key.clone(), Arc::clone(object)))
            .collect();
        for (key, object) in owners {
            store.own(&key, &object);
        }
        self.inner.changed.send_replace(version);
        Ok(())
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // Every write below leaves the map whole at each step, so a poisoned lock hides nothing
        // broken.
        self.inner
            .store
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn ensure_namespace(&self, name: &str) {
        let key = Key::new(Kind::Namespace, "", name);
        let mut store = self.store();
        if store.objects.contains_key(&key) {
            return;
        }
        let mut object = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
        });
        let version = store.version + 1;
        self.fill(&key, &mut object, version);
        self.write(&mut store, key, object);
    }

    fn fill(&self, key: &Key, object: &mut Value, version: u64) {
        let info = key.kind.info();
        let made_at =
            jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%SZ", self.now()).unwrap_or_default();
        let uid = uid(&self.inner.name, key, version);
        if let Some(object) = object.as_object_mut() {
            object.insert("apiVersion".to_owned(), info.api_version().into());
            object.insert("kind".to_owned(), info.name.into());
        }
        let meta = metadata(object);
        if info.namespaced {
            meta.insert("namespace".to_owned(), key.namespace.clone().into());
        } else {
            meta.remove("namespace");
        }
        meta.entry("uid").or_insert_with(|| uid.into());
        meta.entry("creationTimestamp")
            .or_insert_with(|| made_at.into());
        if counts_generations(key.kind) {
            meta.insert("generation".to_owned(), 1.into());
        }
    }

    /// Writes what an object has become, if it has changed at all.
    fn settle(
        &self,
        store: &mut Store,
        key: Key,
        before: &Arc<Value>,
        mut object: Value,
    ) -> Arc<Value> {
        if object == **before {
            return Arc::clone(before);
        }
        if counts_generations(key.kind) && !same_spec(key.kind, before, &object) {
            let generation = before["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            metadata(&mut object).insert("generation".to_owned(), generation.into());
        }
        self.write(store, key, object)
    }

    fn write(&self, store: &mut Store, key: Key, mut object: Value) -> Arc<Value> {
        store.version += 1;
        metadata(&mut object).insert(
            "resourceVersion".to_owned(),
            store.version.to_string().into(),
        );
        let object = Arc::new(object);
        let before = store.objects.insert(key.clone(), Arc::clone(&object));
        if let Some(before) = &before {
            store.disown(&key, before);
        }
        store.own(&key, &object);
        let kind = if before.is_some() {
            ChangeKind::Modified
        } else {
            ChangeKind::Added
        };
        let change = Change {
            version: store.version,
            key,
            kind,
            object: Arc::clone(&object),
            before,
        };
        self.record(store, change);
        object
    }

    fn record(&self, store: &mut Store, change: Change) {
        let version = change.version;
        store.history.push_back(change);
        while store.history.len() > self.inner.options.history_max {
            if let Some(forgotten) = store.history.pop_front() {
                store.compacted = forgotten.version;
            }
        }
        self.inner.changed.send_replace(version);
    }
}

impl Store {
    fn range(
        &self,
        kind: Kind,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        let wanted = namespace.map(ToOwned::to_owned);
        self.objects
            .range(Key::new(kind, namespace.unwrap_or_default(), "")..)
            .take_while(move |(key, _)| {
                key.kind == kind
                    && wanted
                        .as_ref()
                        .is_none_or(|wanted| key.namespace == *wanted)
            })
    }

    fn own(&mut self, key: &Key, object: &Value) {
        for uid in owners(object) {
            self.owned
                .entry(uid.to_owned())
                .or_default()
                .insert(key.clone());
        }
    }

    fn disown(&mut self, key: &Key, object: &Value) {
        for uid in owners(object) {
            if let Some(keys) = self.owned.get_mut(uid) {
                keys.remove(key);
                if keys.is_empty() {
                    self.owned.remove(uid);
                }
            }
        }
    }
}

fn owners(object: &Value) -> impl Iterator<Item = &str> {
    let references = object
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    references
        .into_iter()
        .flatten()
        .filter_map(|reference| reference["uid"].as_str())
}

/// The object's metadata, made an object if it is none.
pub(crate) fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    into_map(
        into_map(object)
            .entry("metadata")
            .or_insert_with(|| json!({})),
    )
}

fn into_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was just made an object"),
    }
}

pub(crate) fn text(object: &Value, pointer: &str) -> String {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn remove(object: &mut Value, field: &str) {
    into_map(object).shift_remove(field);
}

fn set_or_remove(object: &mut Value, field: &str, value: Option<Value>) {
    match value {
        Some(value) => drop(into_map(object).insert(field.to_owned(), value)),
        None => remove(object, field),
    }
}

/// Refuses a write that was made from another state of the object.
fn check_version(key: &Key, before: &Value, object: &Value) -> Result<(), ApiError> {
    match object
        .pointer("/metadata/resourceVersion")
        .and_then(Value::as_str)
    {
        Some(version)
            if !version.is_empty() && version != text(before, "/metadata/resourceVersion") =>
        {
            Err(ApiError::modified(key.kind, &key.name))
        }
        _ => Ok(()),
    }
}

/// Puts back what a write may not change.
fn keep(before: &Value, object: &mut Value) {
    for field in ["apiVersion", "kind"] {
        set_or_remove(object, field, before.get(field).cloned());
    }
    let meta = metadata(object);
    for field in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "generation",
        "resourceVersion",
    ] {
        match before["metadata"].get(field) {
            Some(value) => drop(meta.insert(field.to_owned(), value.clone())),
            None => drop(meta.shift_remove(field)),
        }
    }
    meta.shift_remove("managedFields");
}

const fn counts_generations(kind: Kind) -> bool {
    kind.info().custom || matches!(kind, Kind::ReplicaSet | Kind::Deployment)
}

/// Whether nothing changed that raises the generation: of a custom resource everything but the
/// metadata (and the status, where that is kept apart), of a built-in kind the spec.
fn same_spec(kind: Kind, before: &Value, object: &Value) -> bool {
    if !kind.info().custom {
        return before.get("spec") == object.get("spec");
    }
    let counted = |value: &Value| {
        let fields = value.as_object().cloned().unwrap_or_default();
        let ignored =
            |field: &str| field == "metadata" || (kind.info().status && field == "status");
        fields
            .into_iter()
            .filter(|(field, _)| !ignored(field))
            .collect::<Map<String, Value>>()
    };
    counted(before) == counted(object)
}

fn is_name(name: &str) -> bool {
    let fits = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let (first, last) = (name.bytes().next(), name.bytes().last());
    name.len() <= 253
        && first.is_some_and(fits)
        && last.is_some_and(fits)
        && name
            .bytes()
            .all(|letter| fits(letter) || letter == b'-' || letter == b'.')
}

/// A uid that no other object of this cluster ever has: versions are used once.
fn uid(cluster: &str, key: &Key, version: u64) -> String {
    let digest = hex::encode(Sha256::digest(format!(
        "{cluster}/{}/{}/{}/{version}",
        key.kind.plural(),
        key.namespace,
        key.name
    )));
    format!(
        "{}-{}-4{}-8{}-{}",
        &digest[..8],
        &digest[8..12],
        &digest[13..16],
        &digest[17..20],
        &digest[20..32]
    )
}

pub(crate) fn suffix(seed: &str, number: u64) -> String {
    letters(&format!("{seed}/{number}"), 5)
}

/// Letters that spell no words, made from `seed`.
pub(crate) fn letters(seed: &str, count: usize) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let digest = Sha256::digest(seed);
    digest
        .iter()
        .take(count)
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
        .collect()
}
