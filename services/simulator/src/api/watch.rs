//! Watches: changes since a version, then changes as they happen.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};

use super::list_options::{parse_selectors, requested_version};
use super::path::ResourcePath;
use super::{ApiBody, ApiReply, ApiRequest, BoxError, Representation};
use crate::faults::WatchFault;
use crate::kinds::Kind;
use crate::selectors::{FieldSelector, LabelSelector};
use crate::store::{Change, ChangeKind};
use crate::{ApiError, Cluster, table};

/// How long a watch without `timeoutSeconds` lasts: the minimum of a real server.
const TIMEOUT: Duration = Duration::from_mins(30);

/// Which objects a watch reports, and how.
struct WatchFilter {
    kind: Kind,
    namespace: Option<String>,
    labels: LabelSelector,
    fields: FieldSelector,
    representation: Representation,
}

struct Watch {
    cluster: Cluster,
    filter: WatchFilter,
    last_version: u64,
    columns_sent: bool,
    pending: VecDeque<Value>,
    bookmarks: bool,
    bookmark_at: Instant,
    ends_at: Instant,
    changed: Receiver<u64>,
    cuts: Receiver<u64>,
    ended: bool,
}

pub(crate) fn start(
    cluster: &Cluster,
    request: &ApiRequest,
    at: &ResourcePath,
) -> Result<ApiReply, ApiError> {
    // Before the list is read, so that no change is missed in between.
    let (changed, mut cuts) = (cluster.watch_version(), cluster.faults().subscribe_cuts());
    cuts.mark_unchanged();
    let (labels, fields) = parse_selectors(request, at)?;
    let initial = request.query.get("sendInitialEvents");
    let at_least = request.query.get("resourceVersionMatch") == Some("NotOlderThan");
    if initial.is_some() != at_least {
        let why = "sendInitialEvents and resourceVersionMatch=NotOlderThan go together in a watch";
        return Err(ApiError::new(
            422,
            "Invalid",
            format!("ListOptions.meta.k8s.io \"\" is invalid: {why}"),
        ));
    }
    let too_old = || ApiError::expired("The resourceVersion for the provided watch is too old.");
    let fault = cluster.faults().take_watch_fault();
    if fault == Some(WatchFault::Gone) {
        return Err(too_old());
    }
    let bookmarks = request.query.flag("allowWatchBookmarks");
    let timeout = request
        .query
        .get("timeoutSeconds")
        .and_then(|text| text.parse().ok())
        .filter(|seconds| *seconds > 0);
    let now = Instant::now();
    let filter = WatchFilter {
        kind: at.kind,
        namespace: at.namespace.clone(),
        labels,
        fields,
        representation: request.representation(),
    };
    let mut watch = Watch {
        cluster: cluster.clone(),
        filter,
        last_version: 0,
        columns_sent: false,
        pending: VecDeque::new(),
        bookmarks,
        bookmark_at: now + cluster.inner.options.bookmark_every,
        ends_at: now + timeout.map_or(TIMEOUT, Duration::from_secs),
        changed,
        cuts,
        ended: false,
    };
    if fault == Some(WatchFault::ErrorEvent) {
        watch.fail(&too_old());
    } else {
        watch.load_initial(request, initial)?;
    }
    Ok(ApiReply::Stream(ApiBody::stream(stream::unfold(
        watch,
        |mut watch| async move {
            let chunk = watch.next().await?;
            Some((chunk, watch))
        },
    ))))
}

impl Watch {
    fn load_initial(
        &mut self,
        request: &ApiRequest,
        initial: Option<&str>,
    ) -> Result<(), ApiError> {
        // Waits for a version that does not exist yet, as a real server does for a moment.
        let given = request
            .query
            .get("resourceVersion")
            .and_then(|text| text.parse::<u64>().ok());
        let version = match given {
            Some(version) if version > self.cluster.version() => Some(version),
            _ => requested_version(&self.cluster, request)?,
        };
        let streaming = initial == Some("true");
        match version {
            Some(version) if version > 0 && !streaming => self.last_version = version,
            _ => {
                let (version, objects) = self
                    .cluster
                    .list(self.filter.kind, self.filter.namespace.as_deref());
                self.last_version = version;
                if initial != Some("false") {
                    for object in objects {
                        if self.filter.matches(&object) {
                            self.push_event("ADDED", &object);
                        }
                    }
                }
                if streaming && self.bookmarks {
                    self.push_bookmark(true);
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
            if self.ended {
                return None;
            }
            self.changed.mark_unchanged();
            self.read_changes();
            if !self.pending.is_empty() || self.ended {
                continue;
            }
            tokio::select! {
                biased;
                cut = self.cuts.changed() => {
                    // The connection breaks, as it does when a server dies.
                    self.ended = true;
                    return cut.is_ok().then(|| Err("the watch was cut".into()));
                }
                changed = self.changed.changed() => self.ended = changed.is_err(),
                () = sleep_until(self.ends_at) => {
                    self.ended = true;
                    if self.bookmarks {
                        self.push_bookmark(false);
                    }
                }
                () = sleep_until(self.bookmark_at), if self.bookmarks => self.push_bookmark(false),
            }
        }
    }

    fn read_changes(&mut self) {
        match self.cluster.changes_since(self.last_version) {
            Ok(changes) => {
                for change in changes {
                    self.last_version = change.version;
                    if let Some((what, object)) = self.filter.to_event(&change) {
                        self.push_event(what, object);
                    }
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    fn push_event(&mut self, what: &str, object: &Value) {
        let object = match self.filter.representation {
            Representation::Object => object.clone(),
            Representation::Metadata => table::partial_metadata(object),
            Representation::Table(include) => {
                let meta = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
                let columns = !std::mem::replace(&mut self.columns_sent, true);
                table::render_table(
                    self.filter.kind,
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

    fn push_bookmark(&mut self, initial_end: bool) {
        self.bookmark_at = Instant::now() + self.cluster.inner.options.bookmark_every;
        let info = self.filter.kind.info();
        let mut meta =
            json!({"resourceVersion": self.last_version.to_string(), "creationTimestamp": null});
        if initial_end {
            meta["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self.filter.representation {
            Representation::Object => {
                json!({"kind": info.name, "apiVersion": info.api_version(), "metadata": meta})
            }
            Representation::Metadata => {
                json!({
                    "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                    "metadata": meta,
                })
            }
            Representation::Table(_) => {
                json!({
                    "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta,
                    "columnDefinitions": [], "rows": [],
                })
            }
        };
        self.pending
            .push_back(json!({"type": "BOOKMARK", "object": object}));
    }

    fn fail(&mut self, error: &ApiError) {
        self.pending
            .push_back(json!({"type": "ERROR", "object": error.to_status()}));
        self.ended = true;
    }
}

impl WatchFilter {
    fn matches(&self, object: &Value) -> bool {
        self.labels.matches(object) && self.fields.matches(object)
    }

    /// The event of a change in this watch. An object that no longer matches is `DELETED`.
    fn to_event<'a>(&self, change: &'a Change) -> Option<(&'static str, &'a Value)> {
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
            .is_some_and(|before| self.matches(before));
        let selected_now = change.kind != ChangeKind::Deleted && self.matches(&change.object);
        match (selected_before, selected_now) {
            (true, true) => Some(("MODIFIED", &change.object)),
            (false, true) => Some(("ADDED", &change.object)),
            (true, false) => Some(("DELETED", &change.object)),
            (false, false) => None,
        }
    }
}
