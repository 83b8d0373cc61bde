//! Watches: what has happened since a version, then what happens.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};

use super::objects::{selectors, wanted_version};
use super::path::At;
use super::{ApiBody, BoxError, Call, Reply, View};
use crate::faults::WatchFault;
use crate::kinds::Kind;
use crate::select::{Fields, Labels};
use crate::store::{Change, ChangeKind};
use crate::{ApiError, Cluster, table};

/// How long a watch lasts that says nothing of it: half an hour, the least of a real server.
const TIMEOUT: Duration = Duration::from_mins(30);

/// Which objects a watch is about, and how it shows them.
struct Wanted {
    kind: Kind,
    namespace: Option<String>,
    labels: Labels,
    fields: Fields,
    view: View,
}

struct Watch {
    cluster: Cluster,
    wanted: Wanted,
    seen: u64,
    columns_sent: bool,
    pending: VecDeque<Value>,
    bookmarks: bool,
    bookmark_at: Instant,
    ends_at: Instant,
    changed: Receiver<u64>,
    cuts: Receiver<u64>,
    over: bool,
}

pub(crate) fn start(cluster: &Cluster, call: &Call, at: &At) -> Result<Reply, ApiError> {
    // Before the list is read, so that no change falls in between.
    let (changed, mut cuts) = (cluster.watch_version(), cluster.faults().cuts());
    cuts.mark_unchanged();
    let (labels, fields) = selectors(call, at)?;
    let initial = call.query.get("sendInitialEvents");
    let at_least = call.query.get("resourceVersionMatch") == Some("NotOlderThan");
    if initial.is_some() != at_least {
        let why = "sendInitialEvents and resourceVersionMatch=NotOlderThan go together in a watch";
        return Err(ApiError::new(
            422,
            "Invalid",
            format!("ListOptions.meta.k8s.io \"\" is invalid: {why}"),
        ));
    }
    let too_old = || ApiError::expired("The resourceVersion for the provided watch is too old.");
    let fault = cluster.faults().watch_fault();
    if fault == Some(WatchFault::Gone) {
        return Err(too_old());
    }
    let bookmarks = call.query.flag("allowWatchBookmarks");
    let timeout = call
        .query
        .get("timeoutSeconds")
        .and_then(|text| text.parse().ok())
        .filter(|seconds| *seconds > 0);
    let now = Instant::now();
    let wanted = Wanted {
        kind: at.kind,
        namespace: at.namespace.clone(),
        labels,
        fields,
        view: call.view(),
    };
    let mut watch = Watch {
        cluster: cluster.clone(),
        wanted,
        seen: 0,
        columns_sent: false,
        pending: VecDeque::new(),
        bookmarks,
        bookmark_at: now + cluster.inner.options.bookmark_every,
        ends_at: now + timeout.map_or(TIMEOUT, Duration::from_secs),
        changed,
        cuts,
        over: false,
    };
    if fault == Some(WatchFault::ErrorEvent) {
        watch.fail(&too_old());
    } else {
        watch.begin(call, initial)?;
    }
    Ok(Reply::Stream(ApiBody::stream(stream::unfold(
        watch,
        |mut watch| async move {
            let chunk = watch.next().await?;
            Some((chunk, watch))
        },
    ))))
}

impl Watch {
    fn begin(&mut self, call: &Call, initial: Option<&str>) -> Result<(), ApiError> {
        // A version that is still to come is waited for, as a real server does for a moment.
        let given = call
            .query
            .get("resourceVersion")
            .and_then(|text| text.parse::<u64>().ok());
        let version = match given {
            Some(version) if version > self.cluster.version() => Some(version),
            _ => wanted_version(&self.cluster, call)?,
        };
        let streaming = initial == Some("true");
        match version {
            Some(version) if version > 0 && !streaming => self.seen = version,
            _ => {
                let (version, objects) = self
                    .cluster
                    .list(self.wanted.kind, self.wanted.namespace.as_deref());
                self.seen = version;
                if initial != Some("false") {
                    for object in objects {
                        if self.wanted.selects(&object) {
                            self.tell("ADDED", &object);
                        }
                    }
                }
                if streaming && self.bookmarks {
                    self.bookmark(true);
                }
            }
        }
        Ok(())
    }

    async fn next(&mut self) -> Option<Result<Bytes, BoxError>> {
        loop {
            if !self.pending.is_empty() {
                let mut chunk = Vec::new();
                for event in self.pending.drain(..) {
                    chunk.extend_from_slice(event.to_string().as_bytes());
                    chunk.push(b'\n');
                }
                return Some(Ok(Bytes::from(chunk)));
            }
            if self.over {
                return None;
            }
            self.changed.mark_unchanged();
            self.read();
            if !self.pending.is_empty() || self.over {
                continue;
            }
            tokio::select! {
                biased;
                cut = self.cuts.changed() => {
                    // Without a proper end: the connection breaks, as it does when a server dies.
                    self.over = true;
                    return cut.is_ok().then(|| Err("the watch was cut".into()));
                }
                changed = self.changed.changed() => self.over = changed.is_err(),
                () = sleep_until(self.ends_at) => {
                    self.over = true;
                    if self.bookmarks {
                        self.bookmark(false);
                    }
                }
                () = sleep_until(self.bookmark_at), if self.bookmarks => self.bookmark(false),
            }
        }
    }

    fn read(&mut self) {
        match self.cluster.changes_since(self.seen) {
            Ok(changes) => {
                for change in changes {
                    self.seen = change.version;
                    if let Some((what, object)) = self.wanted.event(&change) {
                        self.tell(what, object);
                    }
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    fn tell(&mut self, what: &str, object: &Value) {
        let object = match self.wanted.view {
            View::Object => object.clone(),
            View::Metadata => table::partial(object),
            View::Table(include) => {
                let meta = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
                let columns = !std::mem::replace(&mut self.columns_sent, true);
                table::table(
                    self.wanted.kind,
                    &[object],
                    &meta,
                    include,
                    columns,
                    self.cluster.now(),
                )
            }
        };
        self.pending
            .push_back(json!({"type": what, "object": object}));
    }

    fn bookmark(&mut self, initial_end: bool) {
        self.bookmark_at = Instant::now() + self.cluster.inner.options.bookmark_every;
        let info = self.wanted.kind.info();
        let mut meta = json!({"resourceVersion": self.seen.to_string(), "creationTimestamp": null});
        if initial_end {
            meta["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self.wanted.view {
            View::Object => {
                json!({"kind": info.name, "apiVersion": info.api_version(), "metadata": meta})
            }
            View::Metadata => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta})
            }
            View::Table(_) => {
                json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "columnDefinitions": [], "rows": []})
            }
        };
        self.pending
            .push_back(json!({"type": "BOOKMARK", "object": object}));
    }

    fn fail(&mut self, error: &ApiError) {
        self.pending
            .push_back(json!({"type": "ERROR", "object": error.status()}));
        self.over = true;
    }
}

impl Wanted {
    fn selects(&self, object: &Value) -> bool {
        self.labels.matches(object) && self.fields.matches(object)
    }

    /// What a change is to this watch: an object that no longer matches is gone, to it.
    fn event<'a>(&self, change: &'a Change) -> Option<(&'static str, &'a Value)> {
        if change.key.kind != self.kind
            || self
                .namespace
                .as_ref()
                .is_some_and(|namespace| *namespace != change.key.namespace)
        {
            return None;
        }
        let selected_before = change
            .before
            .as_ref()
            .is_some_and(|before| self.selects(before));
        let selected_now = change.kind != ChangeKind::Deleted && self.selects(&change.object);
        match (selected_before, selected_now) {
            (true, true) => Some(("MODIFIED", &change.object)),
            (false, true) => Some(("ADDED", &change.object)),
            (true, false) => Some(("DELETED", &change.object)),
            (false, false) => None,
        }
    }
}
