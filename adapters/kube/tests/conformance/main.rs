//! The simulator goes the ways that a real cluster was recorded to go.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests say what they expect by panicking"
)]

mod common;

use std::sync::Arc;

use async_trait::async_trait;
use payops_core::Timestamp;
use payops_kube::KubeRollouts;
use payops_simulator::controller::{Controller, MetricSource};
use payops_simulator::{Clock, Cluster, Kind};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use common::scenarios::{self, SCENARIOS};
use common::{Ground, play, recorded, sequence};

/// A simulated cluster with its controller, in the time of the paused runtime.
struct Simulated {
    cluster: Cluster,
    rollouts: KubeRollouts,
    clock: Clock,
    controller: CancellationToken,
}

impl Simulated {
    fn start() -> Self {
        let begun: Timestamp = "2026-11-22T06:12:18Z".parse().expect("a time");
        let instant = Instant::now();
        let clock: Clock = Arc::new(move || {
            begun
                .checked_add(instant.elapsed())
                .expect("a time that exists")
        });
        let cluster = Cluster::new("test", Arc::clone(&clock));
        let metrics: MetricSource =
            Arc::new(|query| scenarios::measure(query.metric, query.number).to_owned());
        let controller = CancellationToken::new();
        tokio::spawn(Controller::new(cluster.clone(), metrics).run(controller.clone()));
        Self {
            rollouts: KubeRollouts::from_service(cluster.service(), "test"),
            cluster,
            clock,
            controller,
        }
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.controller.cancel();
    }
}

#[async_trait]
impl Ground for Simulated {
    fn rollouts(&self) -> &KubeRollouts {
        &self.rollouts
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn metrics(&self) -> String {
        "http://metrics.example".to_owned()
    }

    async fn create(&self, namespace: &str, objects: Vec<Value>) {
        for mut object in objects {
            // The simulator routes nothing, so it has no ingresses.
            if object["kind"] == "Ingress" {
                continue;
            }
            object["metadata"]["namespace"] = json!(namespace);
            self.cluster.put(object).expect("written");
        }
    }

    async fn scale(&self, namespace: &str, replicas: u32) {
        let rollout = self.cluster.get(Kind::Rollout, namespace, scenarios::NAME);
        let mut rollout = (*rollout.expect("a rollout")).clone();
        rollout["spec"]["replicas"] = json!(replicas);
        self.cluster.put(rollout).expect("written");
    }
}

#[tokio::test(start_paused = true)]
async fn the_simulator_goes_the_recorded_ways() {
    let mut differences = Vec::new();
    for scenario in SCENARIOS {
        let seen = play(scenario, &Simulated::start(), "shop").await;
        let difference = match seen {
            Ok(seen) => sequence::difference(&recorded(scenario), &seen),
            Err(why) => Some(why),
        };
        if let Some(difference) = difference {
            differences.push(format!("{}: {difference}", scenario.name));
        }
    }
    let count = differences.len();
    assert!(count == 0, "{count} differ\n{}", differences.join("\n\n"));
}

#[test]
fn a_difference_is_found() {
    let recorded = "one\n? two\nthree\n";
    let check = |seen: &[&str]| {
        let seen: Vec<String> = seen.iter().map(|line| (*line).to_owned()).collect();
        sequence::difference(recorded, &seen)
    };
    assert_eq!(check(&["one", "two", "three"]), None);
    assert_eq!(check(&["one", "three"]), None);
    for (seen, told) in [
        (
            &["one", "four", "three"][..],
            "line 2:\n  four\ninstead of:\n  ? two\n  three",
        ),
        (&["three", "one"], "line 1:\n  three\ninstead of:\n  one"),
        (&["one"], "it ends before:\n  three"),
        (&["one", "three", "three"], "line 3:\n  three"),
    ] {
        let difference = check(seen).expect("a difference");
        assert!(difference.starts_with(told), "{difference}");
    }
}
