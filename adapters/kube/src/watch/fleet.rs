//! All rollouts of a cluster: watched in one go, or namespace by namespace where only that is
//! allowed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll, select_all, unfold};
use payops_core::domain::rollout::{Rollout, RolloutKey};
use payops_core::port::{RolloutWatch, Watched};

use super::source::{Event, Source};
use super::stream;
use crate::api::Api;
use crate::api::path::Kind;
use crate::wire;

type RolloutChange = Watched<Rollout, RolloutKey>;

/// Watches all rollouts; `namespaces` are looked at one by one where all may not be.
pub(crate) fn watch(api: &Api, namespaces: Arc<[String]>) -> RolloutWatch {
    unfold(Fleet::new(api, namespaces), |mut fleet| async move {
        let told = fleet.next().await;
        Some((told, fleet))
    })
    .boxed()
}

#[derive(Default)]
struct Scope {
    /// The rollouts as they were last told, so that all can be told again once a cut is mended
    /// without asking the server for everything.
    known: BTreeMap<RolloutKey, Rollout>,
    /// Whether it has answered, if only with a failure.
    reported: bool,
    /// Whether it said that it may not be read; that is told once.
    shut: bool,
}

struct Fleet {
    api: Api,
    namespaces: Arc<[String]>,
    events: SelectAll<BoxStream<'static, (usize, Event)>>,
    scopes: Vec<Scope>,
    whole: bool,
    /// Whether everything has been told once.
    begun: bool,
    out: VecDeque<RolloutChange>,
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
            begun: false,
            out: VecDeque::new(),
        }
    }

    fn split(&mut self) {
        let source =
            |namespace: &String| Source::new(&self.api, Kind::Rollouts, Some(namespace), None);
        self.events = select_all(
            self.namespaces
                .iter()
                .enumerate()
                .map(|(place, namespace)| stream(source(namespace), place)),
        );
        self.scopes = self.namespaces.iter().map(|_| Scope::default()).collect();
        self.whole = false;
    }

    async fn next(&mut self) -> RolloutChange {
        loop {
            if let Some(told) = self.out.pop_front() {
                return told;
            }
            // The sources have no end, and there is always one.
            let Some((place, event)) = self.events.next().await else {
                std::future::pending().await
            };
            self.apply(place, event);
        }
    }

    fn apply(&mut self, place: usize, event: Event) {
        if let Event::Cut { failure, .. } = &event
            && self.whole
            && !self.begun
            && failure.code() == Some(403)
            && !self.namespaces.is_empty()
        {
            return self.split();
        }
        let whole = self.whole;
        let Some(scope) = self.scopes.get_mut(place) else {
            return;
        };
        match event {
            Event::Cut { failure, retry_in } => {
                // A namespace that may not be read from the start is no news each time it is tried.
                let shut = failure.code() == Some(403) && scope.known.is_empty();
                if !(std::mem::replace(&mut scope.shut, shut) && shut && !whole) {
                    let why = format!("{}: {}", failure.what, failure.describe());
                    self.out.push_back(Watched::Cut { why, retry_in });
                }
                // One that cannot be read does not hold up the others.
                if !whole && !std::mem::replace(&mut scope.reported, true) {
                    self.report_if_complete();
                }
            }
            Event::Listed(items) => {
                scope.known = items
                    .iter()
                    .map(wire::rollout)
                    .map(|rollout| (rollout.key.clone(), rollout))
                    .collect();
                (scope.reported, scope.shut) = (true, false);
                self.report_if_complete();
            }
            Event::Back => self.report_if_complete(),
            Event::Changed(item) => {
                let rollout = wire::rollout(&item);
                scope.known.insert(rollout.key.clone(), rollout.clone());
                if self.begun {
                    self.out.push_back(Watched::Changed(Box::new(rollout)));
                }
            }
            Event::Gone(item) => {
                let key = wire::rollout(&item).key;
                scope.known.remove(&key);
                if self.begun {
                    self.out.push_back(Watched::Gone(key));
                }
            }
        }
    }

    /// Tells everything, once each namespace has answered.
    fn report_if_complete(&mut self) {
        if self.scopes.iter().all(|scope| scope.reported) {
            self.begun = true;
            self.out.push_back(Watched::All(
                self.scopes
                    .iter()
                    .flat_map(|scope| scope.known.values())
                    .cloned()
                    .collect(),
            ));
        }
    }
}
