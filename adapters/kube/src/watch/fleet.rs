//! All rollouts of a cluster: watched in one go, or namespace by namespace where only that is allowed.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll, select_all, unfold};
use payops_core::domain::rollout::{Rollout, RolloutKey};
use payops_core::port::{RolloutWatch, Watched};
use serde_json::Value;

use super::source::{Event, Source};
use super::stream;
use crate::api::Api;
use crate::api::fail::Failure;
use crate::api::path::Kind;
use crate::wire;

type Told = Watched<Rollout, RolloutKey>;

/// Watches all rollouts; `namespaces` are looked at one by one where all may not be.
pub(crate) fn watch(api: &Api, namespaces: Arc<[String]>) -> RolloutWatch {
    unfold(Fleet::new(api, namespaces), |mut fleet| async move {
        let told = fleet.next().await;
        Some((told, fleet))
    })
    .boxed()
}

/// What one namespace, or the whole cluster, has said.
#[derive(Default)]
struct Scope {
    known: HashSet<RolloutKey>,
    reported: bool,
}

struct Fleet {
    api: Api,
    namespaces: Arc<[String]>,
    events: SelectAll<BoxStream<'static, (usize, Event)>>,
    scopes: Vec<Scope>,
    /// Whether the whole cluster is watched in one go.
    whole: bool,
    /// The first lists, gathered until each namespace has answered; `None` afterwards.
    first: Option<Vec<Rollout>>,
    out: VecDeque<Told>,
}

impl Fleet {
    fn new(api: &Api, namespaces: Arc<[String]>) -> Self {
        let whole = stream(Source::new(api, Kind::Rollouts, None, None), 0);
        Self {
            api: api.clone(),
            namespaces,
            events: select_all([whole]),
            scopes: vec![Scope::default()],
            whole: true,
            first: Some(Vec::new()),
            out: VecDeque::new(),
        }
    }

    /// Namespace by namespace from now on.
    fn split(&mut self) {
        let source = |namespace: &String| Source::new(&self.api, Kind::Rollouts, Some(namespace), None);
        self.events = select_all(self.namespaces.iter().enumerate().map(|(place, namespace)| stream(source(namespace), place)));
        self.scopes = self.namespaces.iter().map(|_| Scope::default()).collect();
        self.whole = false;
    }

    async fn next(&mut self) -> Told {
        loop {
            if let Some(told) = self.out.pop_front() {
                return told;
            }
            // The sources have no end, and there is always one.
            let Some((place, event)) = self.events.next().await else { std::future::pending().await };
            self.take(place, event);
        }
    }

    fn take(&mut self, place: usize, event: Event) {
        match event {
            Event::Cut { failure, retry_in } => self.cut(place, &failure, retry_in),
            Event::Listed(items) => self.listed(place, &items),
            Event::Changed(item) => {
                let rollout = wire::rollout(&item);
                if let Some(scope) = self.scopes.get_mut(place) {
                    scope.known.insert(rollout.key.clone());
                }
                self.changed(rollout);
            }
            Event::Gone(item) => {
                let key = wire::rollout(&item).key;
                if let Some(scope) = self.scopes.get_mut(place) {
                    scope.known.remove(&key);
                }
                match &mut self.first {
                    Some(first) => first.retain(|rollout| rollout.key != key),
                    None => self.out.push_back(Watched::Gone(key)),
                }
            }
        }
    }

    fn changed(&mut self, rollout: Rollout) {
        match &mut self.first {
            Some(first) => {
                first.retain(|held| held.key != rollout.key);
                first.push(rollout);
            }
            None => self.out.push_back(Watched::Changed(Box::new(rollout))),
        }
    }

    fn cut(&mut self, place: usize, failure: &Failure, retry_in: Duration) {
        let begun = self.scopes.iter().any(|scope| scope.reported);
        if self.whole && !begun && failure.code() == Some(403) && !self.namespaces.is_empty() {
            self.split();
            return;
        }
        let why = format!("{}: {}", failure.what, failure.why());
        self.out.push_back(Watched::Cut { why, retry_in });
        // One namespace that cannot be read does not hold up the others.
        if !self.whole {
            self.report(place);
        }
    }

    fn listed(&mut self, place: usize, items: &[Value]) {
        let rollouts: Vec<Rollout> = items.iter().map(wire::rollout).collect();
        let known: HashSet<RolloutKey> = rollouts.iter().map(|rollout| rollout.key.clone()).collect();
        let Some(scope) = self.scopes.get_mut(place) else { return };
        let before = std::mem::replace(&mut scope.known, known);
        if self.whole {
            self.first = None;
            scope.reported = true;
            self.out.push_back(Watched::All(rollouts));
            return;
        }
        if let Some(first) = &mut self.first {
            first.retain(|rollout| !before.contains(&rollout.key));
            first.extend(rollouts);
            self.report(place);
            return;
        }
        // The list of one namespace is not all there is: it is told as what it changes.
        self.out.extend(before.difference(&scope.known).cloned().map(Watched::Gone));
        self.out.extend(rollouts.into_iter().map(|rollout| Watched::Changed(Box::new(rollout))));
    }

    /// A namespace has answered; once all have, the first lists are told as one.
    fn report(&mut self, place: usize) {
        if let Some(scope) = self.scopes.get_mut(place) {
            scope.reported = true;
        }
        if self.scopes.iter().all(|scope| scope.reported)
            && let Some(first) = self.first.take()
        {
            self.out.push_back(Watched::All(first));
        }
    }
}
