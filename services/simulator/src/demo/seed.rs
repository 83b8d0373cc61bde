//! The rollouts of an environment, with the past that brought them where they are.
//!
//! The past is played: in a cluster of its own, on a clock of its own, the controller takes each
//! version through its steps up to the present. What there is then is taken over.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::manifests::{self, App};
use super::metrics::metrics;
use crate::controller::Controller;
use crate::controller::json::{later, map, part};
use crate::kinds::Kind;
use crate::store::Cluster;
use crate::{ApiError, Clock};

const DAY: i64 = 86_400;

pub(super) struct Past {
    pub(super) cluster: Cluster,
    controller: Controller,
    millis: Arc<AtomicI64>,
}

impl Past {
    pub(super) fn new(name: &str, at: Timestamp) -> Self {
        let millis = Arc::new(AtomicI64::new(at.as_millisecond()));
        let read = Arc::clone(&millis);
        let clock: Clock = Arc::new(move || {
            Timestamp::from_millisecond(read.load(Ordering::SeqCst))
                .unwrap_or(Timestamp::UNIX_EPOCH)
        });
        let cluster = Cluster::new(name, clock);
        let controller = Controller::new(cluster.clone(), metrics());
        Self {
            cluster,
            controller,
            millis,
        }
    }

    /// Plays until `at`, from one moment at which something is due to the next.
    pub(super) fn play(&mut self, at: Timestamp) {
        loop {
            self.controller.settle();
            let next = self.controller.next_due().filter(|due| *due < at);
            self.millis
                .store(next.unwrap_or(at).as_millisecond(), Ordering::SeqCst);
            if next.is_none() {
                return self.controller.settle();
            }
        }
    }

    /// Makes the rollout, or sets the image of that version; and promotes it fully if wanted.
    pub(super) fn deploy(&mut self, app: &App, tag: &str, promote: bool) -> Result<(), ApiError> {
        let Ok(rollout) = self.cluster.get(Kind::Rollout, app.namespace, app.name) else {
            self.cluster.put(manifests::rollout(app, tag))?;
            return Ok(());
        };
        let mut rollout = (*rollout).clone();
        rollout["spec"]["template"]["spec"]["containers"][0]["image"] =
            manifests::image(app.name, tag).into();
        self.cluster.put(rollout)?;
        self.controller.settle();
        if promote {
            let mut rollout = (*self.cluster.get(Kind::Rollout, app.namespace, app.name)?).clone();
            part(&mut rollout, "status").insert("promoteFull".to_owned(), true.into());
            self.cluster.put(rollout)?;
        }
        Ok(())
    }

    pub(super) fn into(self, cluster: &Cluster) {
        for kind in Kind::ALL
            .into_iter()
            .filter(|kind| *kind != Kind::Namespace)
        {
            for object in self.cluster.list(kind, None).1 {
                cluster.adopt((*object).clone());
            }
        }
    }
}

/// Fills a cluster with the rollouts of `env` (`prod`, `preprod` or `test`), as they stand at the
/// cluster's present time:
/// - prod: payments-api is on its way, payments-worker waits for somebody after its analysis,
///   payments-web was aborted by its analysis, search-indexer waits after one without a verdict,
///   notifier and admin-web (blue-green) are healthy;
/// - elsewhere payments-api is on its way and the others, of which there are fewer, are healthy.
pub fn seed(cluster: &Cluster, env: &str) -> Result<(), ApiError> {
    let now = cluster.now();
    let apps = manifests::apps(env);
    let mut deploys: Vec<(Timestamp, &App, &str, bool)> = Vec::new();
    for (place, app) in (0_i64..).zip(&apps) {
        let count = app.tags.len();
        for (number, tag) in (1..).zip(app.tags) {
            let newest = app.newest_ago.filter(|_| number == count);
            let versions_ago = i64::try_from(count - number).unwrap_or(0) + 1;
            let ago = newest.unwrap_or(versions_ago * 2 * DAY - place * 2_220);
            deploys.push((later(now, -ago), app, tag, newest.is_none()));
        }
    }
    deploys.sort_by_key(|(at, ..)| *at);
    let begin = later(now, -30 * DAY);
    let mut past = Past::new(cluster.name(), begin);
    for node in manifests::nodes(env) {
        past.cluster.put(node)?;
    }
    for app in &apps {
        let templates = manifests::templates(app.namespace);
        for object in templates.into_iter().chain(manifests::services(app)) {
            past.cluster.put(object)?;
        }
    }
    for (at, app, tag, promote) in deploys {
        past.play(at);
        past.deploy(app, tag, promote)?;
    }
    past.play(now);
    past.into(cluster);
    Ok(())
}

/// A plain rollout that is healthy, with one older version: what [`super::seed_many`] copies.
pub(super) fn plain(
    cluster: &Cluster,
    namespace: &'static str,
    name: &'static str,
    now: Timestamp,
) -> Result<Vec<Value>, ApiError> {
    let strategy =
        json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {"duration": "30s"}}]}});
    let app = App {
        namespace,
        name,
        replicas: 3,
        strategy,
        tags: &[],
        newest_ago: None,
    };
    let mut past = Past::new(cluster.name(), later(now, -2 * DAY));
    past.deploy(&app, "1.0.0", false)?;
    past.play(later(now, -DAY));
    past.deploy(&app, "1.1.0", true)?;
    past.play(now);
    let kinds = [Kind::Rollout, Kind::ReplicaSet, Kind::Pod];
    let objects = kinds
        .into_iter()
        .flat_map(|kind| past.cluster.list(kind, Some(namespace)).1);
    Ok(objects
        .map(|object| {
            let mut object = (*object).clone();
            // Each copy gets its own where it is taken over.
            map(&mut object["metadata"]).shift_remove("resourceVersion");
            object
        })
        .collect())
}
