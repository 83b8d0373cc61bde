//! The objects of a cluster: one locked map, a resource version that counts changes, and a bounded
//! history that watches read.

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

/// Identifies an object. The namespace is empty for cluster-scoped kinds.
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
    /// The object after the change; its last state if it was deleted.
    pub object: Arc<Value>,
    pub before: Option<Arc<Value>>,
}

/// What a write changes: all but the status, or the status subresource alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteScope {
    Object,
    Status,
}

#[derive(Clone, Copy, Debug)]
pub struct ClusterOptions {
    /// Changes kept for watches to resume from; older versions are answered with 410.
    pub history_max: usize,
    /// How often an idle watch that asked for bookmarks gets one.
    pub bookmark_every: Duration,
}

impl Default for ClusterOptions {
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

pub(crate) struct ClusterInner {
    name: String,
    pub(crate) clock: Clock,
    pub(crate) options: ClusterOptions,
    store: Mutex<Store>,
    changed: watch::Sender<u64>,
    pub(crate) faults: Faults,
}

/// A simulated cluster: its objects, without a network. Clones share them.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) inner: Arc<ClusterInner>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.inner.name)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Creates a cluster with only the namespaces `default` and `kube-system`.
    #[must_use]
    pub fn new(name: &str, clock: Clock) -> Self {
        Self::with_options(name, clock, ClusterOptions::default())
    }

    #[must_use]
    pub fn with_options(name: &str, clock: Clock, options: ClusterOptions) -> Self {
        let store = Mutex::new(Store::default());
        let inner = ClusterInner {
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

    /// Lists the objects of a kind, in one namespace or in all, with the resource version of the
    /// list.
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

    /// Lists the objects of a kind whose owner has this uid.
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

    /// Lists the objects as they were at `version`, by undoing the changes since.
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
        let is_after = |key: &Key| {
            after.is_none_or(|[namespace, name]| (&key.namespace, &key.name) > (namespace, name))
        };
        let mut objects: BTreeMap<&Key, &Arc<Value>> = store
            .range(kind, namespace)
            .filter(|(key, _)| is_after(key))
            .collect();
        for change in store
            .history
            .iter()
            .rev()
            .take_while(|change| change.version > version)
        {
            let elsewhere = change.key.kind != kind
                || namespace.is_some_and(|namespace| namespace != change.key.namespace);
            if elsewhere || !is_after(&change.key) {
                continue;
            }
            match &change.before {
                Some(before) => objects.insert(&change.key, before),
                None => objects.remove(&change.key),
            };
        }
        Ok(objects.into_values().map(Arc::clone).collect())
    }

    /// Returns the changes after `version`, oldest first; 410 if the history no longer has them
    /// all.
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

    /// Drops the whole history, as a compaction of etcd does.
    pub fn compact(&self) {
        let mut store = self.store();
        store.compacted = store.version;
        store.history.clear();
    }

    /// Creates an object as a POST does: drops the status if the kind has a status subresource.
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
            format!("{prefix}{}", name_suffix(&self.inner.name, version))
        } else {
            name
        };
        if !is_valid_name(&name) {
            let why =
                format!("Invalid value: {name:?}: a lowercase RFC 1123 subdomain is required");
            return Err(ApiError::invalid(kind, &name, "metadata.name", &why));
        }
        let key = Key::new(kind, namespace, &name);
        if store.objects.contains_key(&key) {
            return Err(ApiError::already_exists(kind, &name));
        }
        let meta = metadata(&mut object);
        for field in [
            "uid",
            "creationTimestamp",
            "generation",
            "resourceVersion",
            "selfLink",
            "deletionTimestamp",
            "managedFields",
        ] {
            meta.remove(field);
        }
        meta.insert("name".to_owned(), name.into());
        self.fill_metadata(&key, &mut object, version);
        Ok(self.write(&mut store, key, object))
    }

    /// Creates or replaces an object, status included, as a controller may. A `resourceVersion`
    /// that is not the current one is a conflict. Creates a missing namespace.
    pub fn put(&self, object: Value) -> Result<Arc<Value>, ApiError> {
        let kind = Kind::of(&object)
            .ok_or_else(|| ApiError::bad_request("the object has an unknown kind"))?;
        let key = Key::of(kind, &object);
        if kind.info().namespaced {
            self.ensure_namespace(&key.namespace);
        }
        let mut store = self.store();
        let mut object = object;
        let Some(before) = store.objects.get(&key).cloned() else {
            let version = store.version + 1;
            self.fill_metadata(&key, &mut object, version);
            return Ok(self.write(&mut store, key, object));
        };
        check_version(&key, &before, &object)?;
        restore_immutable_fields(&before, &mut object);
        Ok(self.write_if_changed(&mut store, key, &before, object))
    }

    /// Copies an object from another cluster, with a new resource version.
    pub(crate) fn import(&self, object: Value) {
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
        scope: WriteScope,
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
            let (new, old) = (text(&object, pointer), text(&before, pointer));
            if new != old {
                let why = format!("Invalid value: {new:?}: field is immutable");
                return Err(ApiError::invalid(
                    key.kind,
                    &key.name,
                    &format!("metadata.{field}"),
                    &why,
                ));
            }
        }
        match scope {
            WriteScope::Status => {
                let mut with_status = (*before).clone();
                set_or_remove(&mut with_status, "status", object.get("status").cloned());
                object = with_status;
            }
            WriteScope::Object if key.kind.info().status => {
                set_or_remove(&mut object, "status", before.get("status").cloned());
            }
            WriteScope::Object => {}
        }
        restore_immutable_fields(&before, &mut object);
        Ok(self.write_if_changed(&mut store, key.clone(), &before, object))
    }

    /// Deletes an object and, unless `orphan`, all that it owns. `preconditions` may have the `uid`
    /// and the `resourceVersion` that it must have.
    pub(crate) fn delete(
        &self,
        key: &Key,
        preconditions: &Value,
        orphan: bool,
    ) -> Result<Arc<Value>, ApiError> {
        let mut store = self.store();
        let object = store
            .objects
            .get(key)
            .cloned()
            .ok_or_else(|| ApiError::not_found(key.kind, &key.name))?;
        for (field, what) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
            let (actual, expected) = (
                object["metadata"][field].as_str().unwrap_or_default(),
                preconditions[field].as_str(),
            );
            if let Some(expected) = expected.filter(|expected| *expected != actual) {
                let why = format!(
                    "the {what} in the precondition ({expected}) does not match the {what} in \
                        record ({actual})"
                );
                return Err(ApiError::conflict(key.kind, &key.name, &why));
            }
        }
        Ok(self.remove(&mut store, key, orphan).unwrap_or(object))
    }

    /// Deletes an object and all that it owns, if it exists.
    pub fn remove_object(&self, key: &Key) {
        self.remove(&mut self.store(), key, false);
    }

    fn remove(&self, store: &mut Store, key: &Key, orphan: bool) -> Option<Arc<Value>> {
        let before = store.objects.remove(key)?;
        store.unindex_owners(key, &before);
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
            // A real cluster keeps one that has another owner; here each has one owner.
            if !orphan {
                self.remove(store, &dependent, false);
            } else if let Some(object) = store.objects.get(&dependent).cloned() {
                let mut freed = (*object).clone();
                metadata(&mut freed).remove("ownerReferences");
                self.write_if_changed(store, dependent, &object, freed);
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

    /// Dumps all objects for [`Cluster::restore`].
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let store = self.store();
        let objects: Vec<&Value> = store.objects.values().map(AsRef::as_ref).collect();
        json!({"format": 1, "resourceVersion": store.version, "objects": objects})
    }

    /// Replaces all objects by a snapshot's. Resource versions continue from the snapshot's or the
    /// current one, whichever is higher; watches from before are answered with 410.
    pub fn restore(&self, snapshot: &Value) -> Result<(), ApiError> {
        let bad = |why: &str| ApiError::bad_request(format!("not a snapshot of a cluster: {why}"));
        let version = snapshot["resourceVersion"]
            .as_u64()
            .ok_or_else(|| bad("it has no resourceVersion"))?;
        let list = snapshot["objects"]
            .as_array()
            .ok_or_else(|| bad("it has no objects"))?;
        let mut objects = BTreeMap::new();
        for object in list {
            let kind = Kind::of(object).ok_or_else(|| bad("an object has an unknown kind"))?;
            objects.insert(Key::of(kind, object), Arc::new(object.clone()));
        }
        let mut store = self.store();
        // One more, so that a watch at the current version has to start anew.
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
            store.index_owners(&key, &object);
        }
        self.inner.changed.send_replace(version);
        Ok(())
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // Writes leave the map consistent at each step, so a poisoned lock is harmless.
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
        self.fill_metadata(&key, &mut object, version);
        self.write(&mut store, key, object);
    }

    fn fill_metadata(&self, key: &Key, object: &mut Value, version: u64) {
        let info = key.kind.info();
        let created_at =
            jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%SZ", self.now()).unwrap_or_default();
        let uid = new_uid(&self.inner.name, key, version);
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
            .or_insert_with(|| created_at.into());
        if has_generation(key.kind) {
            meta.insert("generation".to_owned(), 1.into());
        }
    }

    fn write_if_changed(
        &self,
        store: &mut Store,
        key: Key,
        before: &Arc<Value>,
        mut object: Value,
    ) -> Arc<Value> {
        if object == **before {
            return Arc::clone(before);
        }
        if has_generation(key.kind) && !same_spec(key.kind, before, &object) {
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
            store.unindex_owners(&key, before);
        }
        store.index_owners(&key, &object);
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
            if let Some(oldest) = store.history.pop_front() {
                store.compacted = oldest.version;
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
        let namespace_only = namespace.map(ToOwned::to_owned);
        self.objects
            .range(Key::new(kind, namespace.unwrap_or_default(), "")..)
            .take_while(move |(key, _)| {
                key.kind == kind
                    && namespace_only
                        .as_ref()
                        .is_none_or(|namespace| key.namespace == *namespace)
            })
    }

    fn index_owners(&mut self, key: &Key, object: &Value) {
        for uid in owners(object) {
            self.owned
                .entry(uid.to_owned())
                .or_default()
                .insert(key.clone());
        }
    }

    fn unindex_owners(&mut self, key: &Key, object: &Value) {
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

/// Returns the object's metadata, and creates it if there is none.
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

/// Refuses a write based on another version of the object.
fn check_version(key: &Key, before: &Value, object: &Value) -> Result<(), ApiError> {
    match object
        .pointer("/metadata/resourceVersion")
        .and_then(Value::as_str)
    {
        Some(version)
            if !version.is_empty() && version != text(before, "/metadata/resourceVersion") =>
        {
            Err(ApiError::version_conflict(key.kind, &key.name))
        }
        _ => Ok(()),
    }
}

fn restore_immutable_fields(before: &Value, object: &mut Value) {
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

const fn has_generation(kind: Kind) -> bool {
    kind.info().custom || matches!(kind, Kind::ReplicaSet | Kind::Deployment)
}

/// Whether nothing changed that raises the generation: of a built-in kind the spec; of a custom
/// resource all but the metadata, and the status if that is a subresource.
fn same_spec(kind: Kind, before: &Value, object: &Value) -> bool {
    if !kind.info().custom {
        return before.get("spec") == object.get("spec");
    }
    let compared_fields = |value: &Value| {
        let fields = value.as_object().cloned().unwrap_or_default();
        let ignored =
            |field: &str| field == "metadata" || (kind.info().status && field == "status");
        fields
            .into_iter()
            .filter(|(field, _)| !ignored(field))
            .collect::<Map<String, Value>>()
    };
    compared_fields(before) == compared_fields(object)
}

fn is_valid_name(name: &str) -> bool {
    let fits = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let (first, last) = (name.bytes().next(), name.bytes().last());
    name.len() <= 253
        && first.is_some_and(fits)
        && last.is_some_and(fits)
        && name
            .bytes()
            .all(|letter| fits(letter) || letter == b'-' || letter == b'.')
}

/// Unique in the cluster, as each version is used once.
fn new_uid(cluster: &str, key: &Key, version: u64) -> String {
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

pub(crate) fn name_suffix(seed: &str, number: u64) -> String {
    random_characters(&format!("{seed}/{number}"), 5)
}

/// Derives `count` characters from `seed`, of an alphabet without vowels so that they spell no
/// words.
pub(crate) fn random_characters(seed: &str, count: usize) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let digest = Sha256::digest(seed);
    digest
        .iter()
        .take(count)
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
        .collect()
}
