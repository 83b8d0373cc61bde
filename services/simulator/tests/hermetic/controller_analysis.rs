//! The controller: analyses, aborts, retries, restarts, undo, deadlines, blue-green, experiments.

use payops_simulator::{Key, Kind};
use serde_json::{Value, json};

use crate::support::play::{Play, analysis};

fn steps(steps: &Value) -> Value {
    json!({"canary": {"steps": steps}})
}

fn measured() -> Value {
    steps(&json!([{"setWeight": 20}, analysis("fast"), {"setWeight": 60}]))
}

#[test]
fn an_analysis_that_passes_lets_it_go_on() {
    let mut play = Play::updating(&measured());
    let rollout = play.until("measured", |rollout| {
        rollout["status"]["currentStepIndex"] == 1
    });
    let hash = rollout["status"]["currentPodHash"].as_str().unwrap();
    play.pass(1);
    let run = play.run("-2-1");
    assert_eq!(run["metadata"]["name"], format!("api-{hash}-2-1"));
    assert_eq!(
        run["metadata"]["labels"]["rollouts-pod-template-hash"],
        hash
    );
    assert_eq!(run["metadata"]["labels"]["rollout-type"], "Step");
    assert_eq!(run["metadata"]["labels"]["step-index"], "1");
    assert_eq!(
        run["metadata"]["ownerReferences"][0]["uid"],
        rollout["metadata"]["uid"]
    );
    assert_eq!(run["spec"]["metrics"][0]["name"], "p95");
    let told = &play.status()["canary"]["currentStepAnalysisRunStatus"];
    assert_eq!(
        (&told["name"], &told["status"]),
        (&run["metadata"]["name"], &json!("Running"))
    );
    play.until_phase("Healthy");
    let result = &play.run("-2-1")["status"]["metricResults"][0];
    assert_eq!(
        (&result["phase"], &result["count"], &result["successful"]),
        (&json!("Successful"), &json!(3), &json!(3))
    );
    assert_eq!(result["measurements"][0]["value"], "[0.1]");
}

#[tokio::test]
async fn an_analysis_that_fails_aborts_and_a_retry_measures_anew() {
    let mut play = Play::updating(&measured());
    play.measure("p95", "[0.7]");
    let status = play.until_phase("Degraded")["status"].clone();
    let why = "RolloutAborted: Rollout aborted update to revision 2: Step-based analysis phase error/failed: \
               Metric \"p95\" assessed Failed due to failed (2) > failureLimit (1)";
    assert_eq!(status["message"], why);
    assert_eq!(
        (&status["abort"], &status["currentStepIndex"]),
        (&json!(true), &json!(0))
    );
    assert!(status["abortedAt"].is_string());
    assert!(
        status["canary"]["currentStepAnalysisRunStatus"].is_null(),
        "the run is over, and the message says how"
    );
    play.pass(20);
    assert_eq!((play.pods("api:2"), play.pods("api:1")), (0, 10));
    assert_eq!(play.told("AnalysisRunFailed").len(), 1);

    play.measure("p95", "[0.2]");
    play.patch(json!({"status": {"abort": false}})).await;
    assert_eq!(play.status()["phase"], "Progressing");
    assert!(play.status()["abortedAt"].is_null());
    play.until_phase("Healthy");
    assert_eq!(play.run("-2-1.1")["status"]["phase"], "Successful");
    assert_eq!(play.run("-2-1")["status"]["phase"], "Failed");
}

#[tokio::test]
async fn without_a_verdict_it_waits_for_somebody() {
    let mut play = Play::updating(&measured());
    play.measure("p95", "[0.4]");
    let status = play.until_phase("Paused")["status"].clone();
    assert_eq!(status["message"], "InconclusiveAnalysisRun");
    assert_eq!(
        status["canary"]["currentStepAnalysisRunStatus"]["status"],
        "Inconclusive"
    );
    assert_eq!(status["controllerPause"], true);
    play.pass(60);
    assert_eq!(play.status()["currentStepIndex"], 1);
    play.patch(json!({"status": {"pauseConditions": null, "controllerPause": false, "currentStepIndex": 2}})).await;
    play.until_phase("Healthy");
}

#[tokio::test]
async fn an_inconclusive_analysis_that_is_only_resumed_is_measured_again() {
    let mut play = Play::updating(&measured());
    play.measure("p95", "[0.4]");
    play.until_phase("Paused");
    play.measure("p95", "[0.1]");
    play.patch(json!({"status": {"pauseConditions": null}}))
        .await;
    assert_eq!(play.status()["currentStepIndex"], 1);
    play.until_phase("Healthy");
    assert_eq!(play.run("-2-1.1")["status"]["phase"], "Successful");
}

#[test]
fn the_background_analysis_runs_until_the_end_or_aborts() {
    let mut strategy = steps(&json!([{"setWeight": 20}, {"pause": {"duration": "20s"}}]));
    strategy["canary"]["analysis"] = json!({
        "templates": [{"templateName": "endless"}], "startingStep": 1,
        "args": [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}],
    });
    let mut play = Play::updating(&strategy);
    assert_eq!(play.status()["currentStepIndex"], 0);
    assert!(
        play.all(Kind::AnalysisRun).is_empty(),
        "it begins at step 1"
    );
    let status = play.until_phase("Paused")["status"].clone();
    play.pass(6);
    assert_eq!(
        play.status()["canary"]["currentBackgroundAnalysisRunStatus"]["status"],
        "Running"
    );
    assert_eq!(
        play.run("-2")["metadata"]["labels"]["rollout-type"],
        "Background"
    );
    assert_eq!(
        play.run("-2")["spec"]["args"][0]["value"],
        status["currentPodHash"]
    );
    play.until_phase("Healthy");
    play.pass(1);
    assert_eq!(play.run("-2")["status"]["phase"], "Successful");

    play.set_image("api:3");
    play.measure("errors", "[0.9]");
    let status = play.until_phase("Degraded")["status"].clone();
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .contains("revision 3: Background analysis phase error/failed: Metric \"errors\"")
    );
}

#[tokio::test]
async fn a_run_can_be_ended_by_hand() {
    let mut play = Play::updating(&steps(&json!([{"setWeight": 20}, analysis("endless")])));
    play.until("measured", |rollout| {
        rollout["status"]["currentStepIndex"] == 1
    });
    play.pass(10);
    let run = play.run("-2-1");
    let path = format!(
        "/apis/argoproj.io/v1alpha1/namespaces/payments/analysisruns/{}",
        run["metadata"]["name"].as_str().unwrap()
    );
    crate::support::merge(&play.cluster, &path, json!({"spec": {"terminate": true}})).await;
    play.until_phase("Healthy");
    assert_eq!(play.run("-2-1")["status"]["message"], "Run Terminated");
}

#[test]
fn a_template_that_is_not_there_is_said_so() {
    let mut play = Play::updating(&steps(&json!([analysis("none")])));
    let status = play.until_phase("Degraded")["status"].clone();
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .contains("AnalysisTemplate 'none' not found"),
        "{status:#}"
    );
    let mut object = play.get();
    object["spec"]["strategy"]["canary"]["steps"] = json!([]);
    play.cluster.put(object).unwrap();
    play.until_phase("Healthy");
}

#[tokio::test]
async fn an_abort_behind_a_router_takes_the_traffic_at_once_and_the_pods_later() {
    let mut strategy = steps(&json!([{"setWeight": 20}, {"pause": {}}]));
    strategy["canary"]["trafficRouting"] = json!({"nginx": {"stableIngress": "api"}});
    let mut play = Play::updating(&strategy);
    play.until_phase("Paused");
    play.patch(json!({"status": {"abort": true}})).await;
    let status = play.status();
    assert_eq!(
        status["message"],
        "RolloutAborted: Rollout aborted update to revision 2"
    );
    assert_eq!(status["canary"]["weights"]["canary"]["weight"], 0);
    assert!(status["pauseConditions"].is_null() && status["controllerPause"].is_null());
    assert_eq!(play.pods("api:2"), 2);
    play.pass(35);
    assert_eq!(play.pods("api:2"), 0);
    play.patch(json!({"status": {"promoteFull": true}})).await;
    assert_eq!(
        play.status()["phase"],
        "Progressing",
        "a full promotion ends the abort"
    );
    assert!(play.status()["abort"].is_null() && play.status()["abortedAt"].is_null());
    play.until_phase("Healthy");
    assert_eq!(play.pods("api:2"), 10);
}

#[tokio::test]
async fn an_undo_goes_back_to_the_old_replica_set() {
    let mut play = Play::healthy(&steps(&json!([{"setWeight": 50}])));
    let first = play.status()["currentPodHash"].clone();
    play.set_image("api:2");
    play.controller.settle();
    play.until_phase("Healthy");
    let sets = play.all(Kind::ReplicaSet);
    let old = sets
        .iter()
        .find(|set| set["metadata"]["labels"]["rollouts-pod-template-hash"] == first)
        .unwrap();
    let mut template = old["spec"]["template"].clone();
    template["metadata"]["labels"]
        .as_object_mut()
        .unwrap()
        .shift_remove("rollouts-pod-template-hash");
    let patch = json!([{"op": "replace", "path": "/spec/template", "value": template}]);
    let at = format!("{}/api", crate::support::ROLLOUTS);
    assert_eq!(
        crate::support::call(
            &play.cluster,
            "PATCH",
            &at,
            "application/json-patch+json",
            &patch
        )
        .await
        .0,
        200
    );
    play.controller.settle();
    assert_eq!(play.status()["currentPodHash"], first);
    let rollout = play.until_phase("Healthy");
    assert_eq!(rollout["status"]["stableRS"], first);
    assert_eq!(
        rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"],
        "3"
    );
    let sets = play.all(Kind::ReplicaSet);
    assert_eq!(sets.len(), 2);
    let back = sets
        .iter()
        .find(|set| set["metadata"]["labels"]["rollouts-pod-template-hash"] == first)
        .unwrap();
    assert_eq!(
        back["metadata"]["annotations"]["rollout.argoproj.io/revision"],
        "3"
    );
    play.pass(5);
    assert_eq!((play.pods("api:1"), play.pods("api:2")), (10, 0));
}

#[tokio::test]
async fn a_restart_replaces_all_pods_a_few_at_a_time() {
    let mut play = Play::healthy(&steps(&json!([])));
    play.pass(5);
    let before = play.all(Kind::Pod);
    let at = play.clock.now().to_string();
    play.patch(json!({"spec": {"restartAt": at}})).await;
    let mut least = 10;
    for _ in 0..60 {
        play.pass(1);
        least = least.min(play.status()["availableReplicas"].as_i64().unwrap());
    }
    assert_eq!(least, 8);
    assert_eq!(play.status()["restartedAt"], at);
    let after = play.all(Kind::Pod);
    assert_eq!(after.len(), 10);
    assert!(after.iter().all(|pod| {
        before
            .iter()
            .all(|old| old["metadata"]["uid"] != pod["metadata"]["uid"])
    }));
}

#[test]
fn a_pod_that_goes_is_replaced() {
    let mut play = Play::healthy(&steps(&json!([])));
    play.pass(5);
    let name = play.all(Kind::Pod)[0]["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    play.remove_pod(&name);
    play.pass(5);
    assert_eq!(play.status()["availableReplicas"], 10);
}

#[test]
fn pods_that_crash_end_in_a_deadline() {
    let mut strategy = steps(&json!([{"setWeight": 20}]));
    strategy["canary"]["maxSurge"] = "30%".into();
    let mut play = Play::healthy(&strategy);
    let mut object = play.get();
    object["spec"]["progressDeadlineSeconds"] = 60.into();
    object["spec"]["template"]["spec"]["containers"][0]["image"] = "api:broken".into();
    play.cluster.put(object).unwrap();
    play.controller.tick();
    let status = play.until_phase("Degraded")["status"].clone();
    let hash = status["currentPodHash"].as_str().unwrap();
    assert_eq!(
        status["message"],
        format!("ProgressDeadlineExceeded: ReplicaSet \"api-{hash}\" has timed out progressing.")
    );
    let pods = play.all(Kind::Pod);
    let pod = pods
        .iter()
        .find(|pod| pod["spec"]["containers"][0]["image"] == "api:broken")
        .unwrap();
    let container = &pod["status"]["containerStatuses"][0];
    assert_eq!(container["state"]["waiting"]["reason"], "CrashLoopBackOff");
    assert_eq!(
        container["restartCount"], 2,
        "after 10 s and 20 s more, not yet after 40 s more"
    );
    assert!(status["availableReplicas"].as_i64().unwrap() >= 8);
    play.set_image("api:3");
    play.controller.settle();
    play.until_phase("Healthy");
}

#[test]
fn an_older_new_version_is_overtaken() {
    let mut play = Play::updating(&steps(&json!([{"setWeight": 40}, {"pause": {}}])));
    play.until_phase("Paused");
    play.set_image("api:3");
    let status = play.until("begun", |rollout| {
        rollout["status"]["currentStepIndex"] == 0
    })["status"]
        .clone();
    assert!(status["pauseConditions"].is_null());
    play.until_phase("Paused");
    play.pass(5);
    assert_eq!(
        (play.pods("api:1"), play.pods("api:2"), play.pods("api:3")),
        (6, 0, 4)
    );
}

#[tokio::test]
async fn blue_green_waits_behind_its_preview() {
    let strategy = json!({"blueGreen": {"activeService": "api", "previewService": "api-preview", "autoPromotionEnabled": false,
        "prePromotionAnalysis": {"templates": [{"templateName": "fast"}]}}});
    let mut play = Play::updating(&strategy);
    let status = play.until_phase("Paused")["status"].clone();
    assert_eq!(status["message"], "BlueGreenPause");
    assert_eq!(status["blueGreen"]["activeSelector"], status["stableRS"]);
    assert_eq!(
        status["blueGreen"]["previewSelector"],
        status["currentPodHash"]
    );
    assert_eq!(
        status["blueGreen"]["prePromotionAnalysisRunStatus"]["status"],
        "Successful"
    );
    assert_eq!((play.pods("api:1"), play.pods("api:2")), (10, 10));
    play.patch(json!({"status": {"pauseConditions": null}}))
        .await;
    let status = play.until_phase("Healthy")["status"].clone();
    assert_eq!(
        status["blueGreen"]["activeSelector"],
        status["currentPodHash"]
    );
    assert_eq!(play.pods("api:1"), 10, "the old pods stay for a while");
    play.pass(45);
    assert_eq!(play.pods("api:1"), 0);
    play.set_image("api:3");
    play.controller.settle();
    play.until_phase("Paused");
    play.patch(json!({"status": {"abort": true}})).await;
    assert_eq!(play.status()["phase"], "Degraded");
    play.pass(45);
    assert_eq!((play.pods("api:2"), play.pods("api:3")), (10, 0));
}

#[test]
fn blue_green_switches_back_when_the_analysis_after_the_switch_fails() {
    let strategy = json!({"blueGreen": {"activeService": "api", "postPromotionAnalysis": {"templates": [{"templateName": "fast"}]}}});
    let mut play = Play::updating(&strategy);
    play.measure("p95", "[0.9]");
    let new = play.status()["currentPodHash"].clone();
    play.until("switched", |rollout| {
        rollout["status"]["blueGreen"]["activeSelector"] == new
    });
    assert_eq!(play.status()["message"], "waiting for analysis to complete");
    let status = play.until_phase("Degraded")["status"].clone();
    assert_eq!(status["blueGreen"]["activeSelector"], status["stableRS"]);
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .contains("Blue/green post-promotion analysis phase error/failed: Metric \"p95\"")
    );
}

#[tokio::test]
async fn a_small_preview_grows_before_it_serves() {
    let strategy = json!({"blueGreen": {"activeService": "api", "autoPromotionEnabled": false, "previewReplicaCount": 2}});
    let mut play = Play::updating(&strategy);
    let old = play.until_phase("Paused")["status"]["stableRS"].clone();
    assert_eq!(play.pods("api:2"), 2);
    play.patch(json!({"status": {"pauseConditions": null}}))
        .await;
    assert_eq!(play.status()["blueGreen"]["activeSelector"], old);
    play.until_phase("Healthy");
    assert_eq!(play.pods("api:2"), 10);
}

#[tokio::test]
async fn an_experiment_runs_its_duration_or_is_ended() {
    let step = json!({"experiment": {"duration": "30s", "templates": [{"name": "canary", "specRef": "canary"}]}});
    let mut play = Play::updating(&steps(
        &json!([step, {"pause": {}}, {"experiment": {"duration": "9h", "templates": []}}]),
    ));
    play.pass(1);
    let experiment = &play.all(Kind::Experiment)[0];
    assert_eq!(experiment["status"]["phase"], "Running");
    assert_eq!(
        play.status()["canary"]["currentExperiment"],
        experiment["metadata"]["name"]
    );
    play.pass(25);
    assert_eq!(play.status()["currentStepIndex"], 0);
    play.until_phase("Paused");
    play.patch(json!({"status": {"pauseConditions": null}}))
        .await;
    play.pass(600);
    assert_eq!(play.status()["phase"], "Progressing");
    let mut running = play
        .all(Kind::Experiment)
        .into_iter()
        .find(|one| one["status"]["phase"] == "Running")
        .unwrap();
    running["spec"]["terminate"] = true.into();
    play.cluster.put(running).unwrap();
    play.until_phase("Healthy");
}

#[test]
fn nonsense_in_a_status_is_put_right() {
    let mut play = Play::healthy(&steps(&json!([{"setWeight": 20}])));
    let mut object = play.get();
    object["status"] = json!({"canary": "x", "pauseConditions": 3, "currentStepIndex": -5, "conditions": {}, "blueGreen": []});
    play.cluster.put(object).unwrap();
    play.controller.settle();
    play.until_phase("Healthy");
    play.cluster
        .put(json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "bare", "namespace": "payments"}}))
        .unwrap();
    play.controller.settle();
    let bare = play.cluster.get(Kind::Rollout, "payments", "bare").unwrap();
    assert!(
        bare["status"]["message"]
            .as_str()
            .unwrap()
            .contains("spec.template: Required value"),
        "{bare:#}"
    );
    let mut object = play.get();
    object["spec"]["replicas"] = i64::MAX.into();
    object["spec"]["strategy"]["canary"] = json!({"steps": [{"setWeight": i64::MAX}, {"pause": {"duration": i64::MAX}}], "maxSurge": i64::MAX, "maxUnavailable": "x%"});
    object["spec"]["template"]["spec"]["containers"][0]["image"] = "api:2".into();
    play.cluster.put(object).unwrap();
    play.pass(3);
    assert_eq!(play.status()["phase"], "Progressing");
    play.cluster
        .remove_object(&Key::new(Kind::Rollout, "payments", "api"));
    play.controller.settle();
    assert!(play.all(Kind::Pod).is_empty());
}

#[test]
fn a_deadline_can_abort() {
    let mut strategy = steps(&json!([{"setWeight": 20}]));
    strategy["canary"]["maxUnavailable"] = 0.into();
    let mut play = Play::healthy(&strategy);
    let mut object = play.get();
    object["spec"]["progressDeadlineSeconds"] = 30.into();
    object["spec"]["progressDeadlineAbort"] = true.into();
    object["spec"]["template"]["spec"]["containers"][0]["image"] = "api:broken".into();
    play.cluster.put(object).unwrap();
    play.controller.tick();
    let status = play.until_phase("Degraded")["status"].clone();
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .starts_with("RolloutAborted: Rollout aborted update to revision 2: ReplicaSet")
    );
    play.pass(20);
    assert_eq!((play.pods("api:1"), play.pods("api:broken")), (10, 0));
}

#[test]
fn what_is_old_is_forgotten() {
    let mut play = Play::healthy(&steps(&json!([analysis("fast")])));
    let mut object = play.get();
    object["spec"]["revisionHistoryLimit"] = 2.into();
    object["spec"]["analysis"] = json!({"successfulRunHistoryLimit": 3});
    play.cluster.put(object).unwrap();
    for version in 2..9 {
        play.set_image(&format!("api:{version}"));
        play.controller.settle();
        play.until_phase("Healthy");
        play.pass(10);
    }
    assert_eq!(
        play.all(Kind::ReplicaSet).len(),
        3,
        "the stable one and two more"
    );
    assert_eq!(play.all(Kind::AnalysisRun).len(), 3);
    assert!(play.all(Kind::Event).len() > 20);
    play.pass(3700);
    play.set_image("api:9");
    play.controller.settle();
    assert!(
        play.told("RolloutCompleted").is_empty(),
        "events are kept for an hour"
    );
}

#[test]
fn what_somebody_else_writes_meanwhile_is_not_lost() {
    let mut play = Play::updating(&measured());
    let other = play.cluster.clone();
    // Measuring happens between the controller's reading and its writing.
    play.on_measure(move || {
        let mut object = (*other.get(Kind::Rollout, "payments", "api").unwrap()).clone();
        object["status"]["abort"] = true.into();
        other.put(object).unwrap();
    });
    let status = play.until_phase("Degraded")["status"].clone();
    assert_eq!(
        status["message"], "RolloutAborted: Rollout aborted update to revision 2",
        "somebody said so, no analysis did"
    );
    assert_eq!(
        play.run("-2-1")["status"]["metricResults"][0]["count"],
        1,
        "the refused pass left nothing behind"
    );
}
