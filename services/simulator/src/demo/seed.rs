//! Seeds the rollouts of an environment.
//!
//! Their history is simulated: in a separate cluster with its own clock, the controller takes each
//! version through its steps up to now. The resulting objects are then copied.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::manifests::{self, DemoApp};
use super::metrics::metrics;
use crate::controller::Controller;
use crate::controller::json::{add_seconds, into_object, object_mut};
use crate::kinds::Kind;
use crate::store::Cluster;
use crate::{ApiError, Clock};

const DAY: i64 = 86_400;

pub(super) struct History {
    pub(super) cluster: Cluster,
    controller: Controller,
    millis: Arc<AtomicI64>,
}

impl History {
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

    /// Runs the controller until `at`, from one due time to the next.
    pub(super) fn run_until(&mut self, at: Timestamp) {
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

    /// Creates the rollout or sets the image of the version, and fully promotes it if `promote`.
    pub(super) fn deploy(
        &mut self,
        app: &DemoApp,
        tag: &str,
        promote: bool,
    ) -> Result<(), ApiError> {
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
            object_mut(&mut rollout, "status").insert("promoteFull".to_owned(), true.into());
            self.cluster.put(rollout)?;
        }
        Ok(())
    }

    pub(super) fn copy_to(self, cluster: &Cluster) {
        for kind in Kind::ALL
            .into_iter()
            .filter(|kind| *kind != Kind::Namespace)
        {
            for object in self.cluster.list(kind, None).1 {
                cluster.import((*object).clone());
            }
        }
    }
}

/// Fills a cluster with the rollouts of `env` (`prod`, `preprod` or `test`), as of the cluster's
/// current time:
/// - prod: payments-api is progressing, payments-worker is paused after its analysis, payments-web
///   was aborted by its analysis, search-indexer is paused after an inconclusive one, notifier and
///   admin-web (blue-green) are healthy;
/// - other environments have fewer: payments-api is progressing, the others are healthy.
pub fn seed(cluster: &Cluster, env: &str) -> Result<(), ApiError> {
    let now = cluster.now();
    let apps = manifests::apps(env);
    let mut deploys: Vec<(Timestamp, &DemoApp, &str, bool)> = Vec::new();
    for (place, app) in (0_i64..).zip(&apps) {
        let count = app.tags.len();
        for (number, tag) in (1..).zip(app.tags) {
            let newest = app.newest_ago_s.filter(|_| number == count);
            let versions_ago = i64::try_from(count - number).unwrap_or(0) + 1;
            let ago = newest.unwrap_or(versions_ago * 2 * DAY - place * 2_220);
            deploys.push((add_seconds(now, -ago), app, tag, newest.is_none()));
        }
    }
    deploys.sort_by_key(|(at, ..)| *at);
    let begin = add_seconds(now, -30 * DAY);
    let mut history = History::new(cluster.name(), begin);
    for node in manifests::nodes(env) {
        history.cluster.put(node)?;
    }
    for app in &apps {
        let templates = manifests::templates(app.namespace);
        for object in templates.into_iter().chain(manifests::services(app)) {
            history.cluster.put(object)?;
        }
    }
    for (at, app, tag, promote) in deploys {
        history.run_until(at);
        history.deploy(app, tag, promote)?;
    }
    history.run_until(now);
    history.copy_to(cluster);
    Ok(())
}

/// Builds a healthy rollout with one older version, for [`super::seed_many`] to copy.
pub(super) fn build_plain_rollout(
    cluster: &Cluster,
    namespace: &'static str,
    name: &'static str,
    now: Timestamp,
) -> Result<Vec<Value>, ApiError> {
    let strategy =
        json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {"duration": "30s"}}]}});
    let app = DemoApp {
        namespace,
        name,
        replicas: 3,
        strategy,
        tags: &[],
        newest_ago_s: None,
    };
    let mut history = History::new(cluster.name(), add_seconds(now, -2 * DAY));
    history.deploy(&app, "1.0.0", false)?;
    history.run_until(add_seconds(now, -DAY));
    history.deploy(&app, "1.1.0", true)?;
    history.run_until(now);
    let kinds = [Kind::Rollout, Kind::ReplicaSet, Kind::Pod];
    let objects = kinds
        .into_iter()
        .flat_map(|kind| history.cluster.list(kind, Some(namespace)).1);
    Ok(objects
        .map(|object| {
            let mut object = (*object).clone();
            // Each copy gets its own when it is imported.
            into_object(&mut object["metadata"]).shift_remove("resourceVersion");
            object
        })
        .collect())
}
