//! What belongs to one rollout: watched only while somebody looks at it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll, select_all, unfold};
use payops_core::domain::rollout::Rollout;
use payops_core::port::Depth;
use payops_core::port::PortResult;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::source::{Event, Source};
use super::stream;
use crate::api::Api;
use crate::api::path::Kind;
use crate::wire::{self, HASH_LABEL, text};

/// Fires when something of `rollout` changed, and once at the beginning, when all is listed.
pub(crate) fn watch_related(
    api: &Api,
    rollout: &Rollout,
    depth: Depth,
) -> BoxStream<'static, PortResult<()>> {
    unfold(
        RelatedWatch::new(api, rollout, depth),
        |mut watch| async move { Some((watch.next().await, watch)) },
    )
    .boxed()
}

struct RelatedWatch {
    api: Api,
    namespace: Arc<str>,
    uid: String,
    events: SelectAll<BoxStream<'static, (Kind, Event)>>,
    /// Whether pods are watched, and their watch once a `ReplicaSet` is known.
    depth: Depth,
    pods: Option<BoxStream<'static, (Kind, Event)>>,
    pods_of: Option<String>,
    /// Hashes of the rollout's `ReplicaSets` by uid.
    sets: BTreeMap<String, String>,
    /// When the first change came that has not been told.
    changed: Option<Instant>,
}

impl RelatedWatch {
    fn new(api: &Api, rollout: &Rollout, depth: Depth) -> Self {
        let namespace: Arc<str> = rollout.key.namespace.as_str().into();
        let source = |kind| {
            stream(
                Source::new(api, kind, Some(&namespace), Some(HASH_LABEL.to_owned())),
                kind,
            )
        };
        let events =
            select_all([Kind::ReplicaSets, Kind::AnalysisRuns, Kind::Experiments].map(source));
        Self {
            api: api.clone(),
            uid: rollout.uid.clone(),
            events,
            depth,
            pods: None,
            pods_of: None,
            sets: BTreeMap::new(),
            changed: None,
            namespace,
        }
    }

    async fn next(&mut self) -> PortResult<()> {
        loop {
            let tell_at = self.changed.map(|since| since + self.api.timing.gather);
            let (kind, event) = tokio::select! {
                () = sleep_until(tell_at.unwrap_or_else(Instant::now)), if tell_at.is_some() => {
                    self.changed = None;
                    return Ok(());
                }
                Some(told) = self.events.next() => told,
                told = next_pod_event(&mut self.pods) => told,
            };
            match event {
                // A kind that the cluster does not have, or that may not be read, is no reason to
                // speak of.
                Event::Cut { failure, .. } if matches!(failure.code(), Some(403 | 404)) => {}
                Event::Cut { failure, .. } => return Err(failure.into()),
                Event::Back => self.touch(),
                Event::Listed(items) => {
                    if kind == Kind::ReplicaSets {
                        self.sets.clear();
                    }
                    for item in &items {
                        self.note(kind, item);
                    }
                    self.touch();
                }
                Event::Changed(item) => {
                    if self.note(kind, &item) {
                        self.touch();
                    }
                }
                Event::Gone(item) => {
                    if self.is_ours(kind, &item) {
                        self.sets.remove(text(&item, "/metadata/uid"));
                        self.touch();
                    }
                }
            }
            if kind == Kind::ReplicaSets {
                self.follow_pods();
            }
        }
    }

    fn touch(&mut self) {
        self.changed.get_or_insert_with(Instant::now);
    }

    fn is_ours(&self, kind: Kind, item: &Value) -> bool {
        match kind {
            Kind::Pods => {
                wire::owners(item).any(|owner| self.sets.contains_key(text(owner, "/uid")))
            }
            _ => wire::is_owned_by(item, &self.uid),
        }
    }

    /// Whether `item` is the rollout's; its `ReplicaSets` are kept in mind.
    fn note(&mut self, kind: Kind, item: &Value) -> bool {
        let ours = self.is_ours(kind, item);
        if ours && kind == Kind::ReplicaSets {
            let hash = item
                .pointer(&format!("/metadata/labels/{HASH_LABEL}"))
                .and_then(Value::as_str)
                .unwrap_or_default();
            self.sets
                .insert(text(item, "/metadata/uid").to_owned(), hash.to_owned());
        }
        ours
    }

    /// Watches the pods of the `ReplicaSets` that are known now.
    fn follow_pods(&mut self) {
        if self.depth == Depth::Runs {
            return;
        }
        let selector = crate::related::pods_selector(self.sets.values());
        if selector == self.pods_of {
            return;
        }
        self.pods = selector.clone().map(|selector| {
            stream(
                Source::new(&self.api, Kind::Pods, Some(&self.namespace), Some(selector)),
                Kind::Pods,
            )
        });
        self.pods_of = selector;
    }
}

async fn next_pod_event(pods: &mut Option<BoxStream<'static, (Kind, Event)>>) -> (Kind, Event) {
    if let Some(pods) = pods
        && let Some(told) = pods.next().await
    {
        return told;
    }
    std::future::pending().await
}
