//! The demo's clusters.

use payops_simulator::controller::Controller;
use payops_simulator::{Cluster, Kind, demo};
use serde_json::Value;

use crate::support::TestClock;

fn seeded(env: &str) -> (Cluster, TestClock) {
    let clock = TestClock::new();
    let cluster = Cluster::new(env, clock.clock());
    demo::seed(&cluster, env).unwrap();
    (cluster, clock)
}

fn status(cluster: &Cluster, namespace: &str, name: &str) -> Value {
    cluster.get(Kind::Rollout, namespace, name).unwrap()["status"].clone()
}

fn owned(cluster: &Cluster, namespace: &str, name: &str, kind: Kind) -> usize {
    cluster
        .owned(
            cluster.get(Kind::Rollout, namespace, name).unwrap()["metadata"]["uid"]
                .as_str()
                .unwrap(),
            kind,
        )
        .len()
}

#[test]
fn prod_has_every_state() {
    let (cluster, _) = seeded("prod");
    let api = status(&cluster, "payments", "payments-api");
    assert_eq!(
        (&api["phase"], &api["currentStepIndex"]),
        (&"Progressing".into(), &4.into()),
        "{api:#}"
    );
    assert_eq!(api["canary"]["weights"]["canary"]["weight"], 25);
    assert_eq!(
        api["canary"]["currentBackgroundAnalysisRunStatus"]["status"],
        "Running"
    );
    assert_eq!(
        api["canary"]["currentStepAnalysisRunStatus"]["status"],
        "Running"
    );

    let worker = status(&cluster, "payments", "payments-worker");
    assert_eq!(
        (&worker["message"], &worker["currentStepIndex"]),
        (&"CanaryPauseStep".into(), &3.into()),
        "{worker:#}"
    );
    let runs = cluster.list(Kind::AnalysisRun, Some("payments")).1;
    let run = runs
        .iter()
        .find(|run| {
            run["metadata"]["name"]
                .as_str()
                .unwrap()
                .starts_with("payments-worker")
        })
        .unwrap();
    assert_eq!(
        run["status"]["metricResults"][0]["measurements"]
            .as_array()
            .unwrap()
            .len(),
        5
    );

    let web = status(&cluster, "payments", "payments-web");
    let why = "RolloutAborted: Rollout aborted update to revision 3: Step-based analysis phase error/failed: \
               Metric \"latency-p95\" assessed Failed due to failed (2) > failureLimit (1)";
    assert_eq!(
        (&web["phase"], &web["message"]),
        (&"Degraded".into(), &why.into())
    );
    assert_eq!(
        status(&cluster, "search", "search-indexer")["message"],
        "InconclusiveAnalysisRun"
    );
    for (namespace, name, replicas) in [("notifications", "notifier", 3), ("admin", "admin-web", 2)]
    {
        let status = status(&cluster, namespace, name);
        assert_eq!(
            (&status["phase"], &status["replicas"]),
            (&"Healthy".into(), &replicas.into()),
            "{name} {status:#}"
        );
        assert_eq!(owned(&cluster, namespace, name, Kind::ReplicaSet), 2);
    }
    assert_eq!(
        owned(&cluster, "payments", "payments-api", Kind::ReplicaSet),
        3
    );
    assert!(cluster.list(Kind::Event, Some("payments")).1.len() > 20);
    assert_eq!(cluster.list(Kind::Node, None).1.len(), 6);
}

#[test]
fn elsewhere_one_is_on_its_way_and_the_others_are_healthy() {
    for env in ["preprod", "test"] {
        let (cluster, _) = seeded(env);
        let rollouts = cluster.list(Kind::Rollout, None).1;
        let going: Vec<&Value> = rollouts
            .iter()
            .map(|rollout| &rollout["metadata"]["name"])
            .zip(&rollouts)
            .filter(|(_, it)| it["status"]["phase"] != "Healthy")
            .map(|(name, _)| name)
            .collect();
        assert_eq!(going, ["payments-api"], "{env}");
        assert_eq!(rollouts.len(), 4);
    }
}

#[test]
fn a_controller_takes_over_where_the_past_ends_and_life_goes_on() {
    let (cluster, clock) = seeded("prod");
    let mut controller = Controller::new(cluster.clone(), demo::metrics());
    let image = |cluster: &Cluster| {
        let rollout = cluster
            .get(Kind::Rollout, "payments", "payments-api")
            .unwrap();
        rollout["spec"]["template"]["spec"]["containers"][0]["image"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let mut healthy_at = None;
    for second in 0..300 {
        controller.settle();
        if status(&cluster, "payments", "payments-api")["phase"] == "Healthy" {
            healthy_at = healthy_at.or(Some(second));
        }
        if demo::release_next_version(&cluster) {
            break;
        }
        clock.advance(1);
    }
    controller.settle();
    assert!(image(&cluster).ends_with(":1.42.2"));
    assert_eq!(
        status(&cluster, "payments", "payments-api")["phase"],
        "Progressing"
    );
    let rested = clock.now().as_second() - TestClock::new().now().as_second() - healthy_at.unwrap();
    assert_eq!(rested, 30);
    assert_eq!(
        status(&cluster, "payments", "payments-worker")["message"],
        "CanaryPauseStep",
        "it still waits"
    );
}

#[test]
fn very_many_are_what_a_controller_would_have_made() {
    let clock = TestClock::new();
    let cluster = Cluster::new("many", clock.clock());
    demo::seed_many(&cluster, 200).unwrap();
    for (kind, count) in [
        (Kind::Rollout, 200),
        (Kind::ReplicaSet, 400),
        (Kind::Pod, 600),
    ] {
        assert_eq!(cluster.list(kind, None).1.len(), count, "{kind:?}");
    }
    assert_eq!(
        owned(&cluster, "team-07", "service-00007", Kind::ReplicaSet),
        2
    );
    assert!(
        cluster
            .list(Kind::Rollout, None)
            .1
            .iter()
            .all(|rollout| rollout["status"]["phase"] == "Healthy")
    );
    let version = cluster.version();
    Controller::new(cluster.clone(), demo::metrics()).settle();
    assert_eq!(cluster.version(), version, "there is nothing to do on them");
}

#[tokio::test(start_paused = true)]
async fn it_runs_by_itself_until_it_is_told_to_stop() {
    let (cluster, clock) = seeded("test");
    let shutdown = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(demo::run(
        cluster.clone(),
        demo::metrics(),
        true,
        shutdown.clone(),
    ));
    let mut changed = cluster.watch_version();
    let mut images = std::collections::BTreeSet::new();
    while images.len() < 2 {
        clock.advance(1);
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), changed.changed()).await;
        let rollout = cluster
            .get(Kind::Rollout, "payments", "payments-api")
            .unwrap();
        images.insert(rollout["spec"]["template"]["spec"]["containers"][0]["image"].to_string());
    }
    shutdown.cancel();
    running.await.unwrap();
}
