//! The controller: versions, steps, pauses and weights.

use payops_simulator::Kind;
use serde_json::{Value, json};

use crate::support::canary;
use crate::support::play::{Play, analysis};

fn routed(steps: &Value) -> Value {
    json!({"canary": {
        "canaryService": "api-canary", "stableService": "api-stable", "steps": steps,
        "trafficRouting": {"alb": {"ingress": "api", "servicePort": 443}},
    }})
}

#[test]
fn a_first_version_takes_no_steps() {
    let mut play = Play::new();
    play.cluster
        .put(crate::support::rollout("api", "api:1", &canary()))
        .unwrap();
    play.controller.settle();
    assert_eq!(play.status()["phase"], "Progressing");
    assert_eq!(play.pods("api:1"), 2, "pods come gradually");
    assert_eq!(play.all(Kind::Pod)[0]["status"]["phase"], "Pending");
    let rollout = play.until_phase("Healthy");
    let status = &rollout["status"];
    assert_eq!(status["currentStepIndex"], 4);
    assert_eq!(status["stableRS"], status["currentPodHash"]);
    assert_eq!(status["observedGeneration"], "1");
    assert_eq!(status["selector"], "app=api");
    for field in [
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "HPAReplicas",
    ] {
        assert_eq!(status[field], 10, "{field}");
    }
    assert_eq!(
        rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"],
        "1"
    );
    let set = &play.all(Kind::ReplicaSet)[0];
    let hash = status["currentPodHash"].as_str().unwrap();
    assert_eq!(set["metadata"]["name"], format!("api-{hash}"));
    assert_eq!(
        set["metadata"]["ownerReferences"][0]["uid"],
        rollout["metadata"]["uid"]
    );
    assert_eq!(
        set["metadata"]["annotations"]["rollout.argoproj.io/revision"],
        "1"
    );
    let pod = &play.all(Kind::Pod)[0];
    assert_eq!(
        pod["metadata"]["labels"]["rollouts-pod-template-hash"],
        hash
    );
    assert_eq!(
        pod["metadata"]["ownerReferences"][0]["uid"],
        set["metadata"]["uid"]
    );
    assert_eq!(pod["status"]["phase"], "Running");
}

#[test]
fn nothing_is_written_once_it_is_healthy() {
    let mut play = Play::healthy(&canary());
    play.pass(5);
    let version = play.cluster.version();
    play.pass(30);
    assert_eq!(play.cluster.version(), version);
}

#[tokio::test]
async fn weights_by_pods_and_a_pause_until_promoted() {
    let mut play = Play::updating(&canary());
    let rollout = play.until_phase("Paused");
    let status = &rollout["status"];
    assert_eq!(status["message"], "CanaryPauseStep");
    assert_eq!(status["currentStepIndex"], 1);
    assert_eq!(status["controllerPause"], true);
    assert_eq!(status["pauseConditions"][0]["reason"], "CanaryPauseStep");
    assert_eq!((play.pods("api:2"), play.pods("api:1")), (2, 8));
    assert_eq!(status["updatedReplicas"], 2);
    play.pass(120);
    assert_eq!(
        play.status()["currentStepIndex"],
        1,
        "it waits for somebody"
    );

    play.patch(json!({"status": {"pauseConditions": null}}))
        .await;
    let status = play.until("at the second pause", |rollout| {
        rollout["status"]["currentStepIndex"] == 3
    })["status"]
        .clone();
    assert_eq!(
        (play.pods("api:2"), play.pods("api:1")),
        (6, 4),
        "{status:#}"
    );
    let since = play.clock.now();
    play.until_phase("Paused");
    play.until_phase("Healthy");
    let took = play.clock.now().duration_since(since).as_secs();
    assert!(
        (300..330).contains(&took),
        "five minutes of pause took {took} s"
    );
    assert_eq!((play.pods("api:2"), play.pods("api:1")), (10, 0));
    assert!(
        play.told("RolloutStepCompleted")
            .contains(&"Rollout step 1/4 completed (setWeight: 20)".to_owned())
    );
    assert_eq!(play.told("RolloutCompleted").len(), 2);
}

#[test]
fn enough_pods_are_available_all_the_while() {
    let mut play = Play::updating(
        &json!({"canary": {"steps": [{"setWeight": 80}, {"pause": {"duration": 5}}]}}),
    );
    for _ in 0..60 {
        let status = play.status();
        assert!(
            status["availableReplicas"].as_i64().unwrap() >= 8,
            "{status:#}"
        );
        assert!(status["replicas"].as_i64().unwrap() <= 13, "{status:#}");
        let wanted: i64 = play
            .all(Kind::ReplicaSet)
            .iter()
            .map(|set| set["spec"]["replicas"].as_i64().unwrap())
            .sum();
        assert!(wanted <= 13, "{wanted} pods are wanted");
        play.pass(1);
    }
    assert_eq!(play.status()["phase"], "Healthy");
}

#[test]
fn a_router_is_told_the_weight_once_the_pods_are_there() {
    let mut play = Play::updating(&routed(
        &json!([{"setWeight": 10}, {"pause": {"duration": "10s"}}, {"setWeight": 50}, {"pause": {}}]),
    ));
    assert_eq!(play.status()["canary"]["weights"]["canary"]["weight"], 0);
    play.until("told", |rollout| {
        rollout["status"]["canary"]["weights"]["canary"]["weight"] == 10
    });
    assert_eq!(
        (play.pods("api:2"), play.pods("api:1")),
        (1, 10),
        "the stable pods stay"
    );
    let rollout = play.until("at 50", |rollout| {
        rollout["status"]["canary"]["weights"]["canary"]["weight"] == 50
    });
    let weights = &rollout["status"]["canary"]["weights"];
    assert_eq!(weights["stable"]["weight"], 50);
    assert_eq!(
        weights["stable"]["podTemplateHash"],
        rollout["status"]["stableRS"]
    );
    assert_eq!(weights["canary"]["serviceName"], "api-canary");
    assert_eq!(
        weights["verified"], false,
        "the load balancer was not seen to follow yet"
    );
    play.until_phase("Paused");
    assert_eq!(play.status()["canary"]["weights"]["verified"], true);
    assert!(
        play.told("TrafficWeightUpdated")
            .contains(&"Traffic weight updated from 10 to 50".to_owned())
    );
}

#[tokio::test]
async fn behind_a_router_old_pods_stay_for_a_while_after_the_promotion() {
    let mut play = Play::updating(&routed(&json!([{"setWeight": 10}, {"pause": {}}])));
    play.until_phase("Paused");
    play.patch(json!({"status": {"pauseConditions": null}}))
        .await;
    play.until_phase("Healthy");
    assert_eq!(play.pods("api:1"), 10);
    assert_eq!(play.status()["canary"]["weights"]["stable"]["weight"], 100);
    play.pass(40);
    assert_eq!(play.pods("api:1"), 0);
}

#[tokio::test]
async fn a_promotion_passes_over_a_running_analysis_and_ends_it() {
    let steps = json!([{"setWeight": 10}, analysis("endless"), {"pause": {}}]);
    let mut play = Play::updating(&routed(&steps));
    play.until("in the analysis", |rollout| {
        rollout["status"]["currentStepIndex"] == 1
    });
    play.pass(7);
    assert_eq!(play.run("-1")["status"]["phase"], "Running");
    play.patch(json!({"status": {"pauseConditions": null, "currentStepIndex": 2}}))
        .await;
    assert_eq!(play.status()["message"], "CanaryPauseStep");
    assert!(play.status()["canary"]["currentStepAnalysisRunStatus"].is_null());
    assert_eq!(play.run("-1")["status"]["phase"], "Successful");
    assert_eq!(play.run("-1")["status"]["message"], "Run Terminated");
}

#[tokio::test]
async fn a_full_promotion_passes_over_everything() {
    let mut play = Play::updating(&routed(
        &json!([{"setWeight": 10}, {"pause": {}}, analysis("fast"), {"pause": {}}]),
    ));
    play.until_phase("Paused");
    play.patch(json!({"status": {"promoteFull": true}})).await;
    let rollout = play.until_phase("Healthy");
    assert!(rollout["status"]["promoteFull"].is_null());
    assert!(play.all(Kind::AnalysisRun).is_empty());
    assert_eq!(rollout["status"]["currentStepIndex"], 4);
}

#[tokio::test]
async fn paused_by_hand_nothing_moves() {
    let mut play = Play::updating(
        &json!({"canary": {"steps": [{"setWeight": 20}, {"pause": {"duration": "5s"}}, {"setWeight": 60}]}}),
    );
    play.until_phase("Paused");
    play.patch(json!({"spec": {"paused": true}})).await;
    play.pass(60);
    assert_eq!(play.status()["currentStepIndex"], 1);
    assert_eq!(play.status()["message"], "manually paused");
    play.patch(json!({"spec": {"paused": false}})).await;
    play.until_phase("Healthy");
}

#[tokio::test]
async fn the_canary_can_be_scaled_apart_from_its_weight() {
    let steps = json!([
        {"setCanaryScale": {"replicas": 4}}, {"setHeaderRoute": {"name": "h"}}, {"setMirrorRoute": {"name": "m"}}, {"pause": {}},
        {"setWeight": 10}, {"setCanaryScale": {"matchTrafficWeight": true}}, {"pause": {}},
    ]);
    let mut play = Play::updating(&routed(&steps));
    play.until_phase("Paused");
    assert_eq!(play.pods("api:2"), 4);
    assert_eq!(play.status()["canary"]["weights"]["canary"]["weight"], 0);
    assert_eq!(play.status()["currentStepIndex"], 3);
    play.patch(json!({"status": {"pauseConditions": null}}))
        .await;
    play.until_phase("Paused");
    play.pass(5);
    assert_eq!(play.pods("api:2"), 1);
    assert_eq!(play.status()["canary"]["weights"]["canary"]["weight"], 10);
}

#[test]
fn other_steps_begin_the_roll_out_anew() {
    let mut play = Play::updating(&canary());
    play.until_phase("Paused");
    let mut object = play.get();
    object["spec"]["strategy"]["canary"]["steps"] = json!([{"setWeight": 40}, {"pause": {}}]);
    play.cluster.put(object).unwrap();
    play.controller.tick();
    assert_eq!(play.status()["currentStepIndex"], 0);
    play.until_phase("Paused");
    assert_eq!(play.pods("api:2"), 4);
}
