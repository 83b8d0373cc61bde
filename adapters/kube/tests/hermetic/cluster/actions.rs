//! Every action: the exact call, and what it does to the object.

use http::Method;
use payops_core::domain::rollout::{ImageChange, Rollout, RolloutAction, plan};
use payops_core::port::{Depth, ErrorKind, Executed, RolloutActions, Rollouts};
use payops_simulator::{Cluster, Kind};
use serde_json::{Value, json};

use super::support::{Tap, Write, cluster, done, owned, planned, rollout, rollouts, seen};

const ONE: &str = "/apis/argoproj.io/v1alpha1/namespaces/payments/rollouts/api";
const STATUS: &str = "/apis/argoproj.io/v1alpha1/namespaces/payments/rollouts/api/status";

/// A cluster with the rollout `api`, its spec and status laid over.
fn with(spec: Value, status: Value) -> Cluster {
    let cluster = cluster();
    let mut object = rollout("api", status);
    super::support::lay(&mut object["spec"], spec);
    cluster.put(object).expect("put");
    cluster
}

fn stored(cluster: &Cluster) -> Value {
    (*cluster
        .get(Kind::Rollout, "payments", "api")
        .expect("a rollout"))
    .clone()
}

/// The body of a merge patch without what binds it, which is there.
fn unbound(write: &Write) -> (&str, Value) {
    let (method, path, content, body) = write;
    assert_eq!(
        (method, content.as_str()),
        (&Method::PATCH, "application/merge-patch+json")
    );
    let mut body = body.clone();
    let metadata = body
        .as_object_mut()
        .and_then(|body| body.shift_remove("metadata"))
        .expect("bound to a version");
    assert!(
        metadata["resourceVersion"]
            .as_str()
            .is_some_and(|version| !version.is_empty()),
        "{metadata}"
    );
    (path, body)
}

/// Does `action`, and compares the calls with the patches that they should be.
async fn check(
    cluster: &Cluster,
    action: RolloutAction,
    calls: &[(&str, Value)],
) -> (Rollout, Value) {
    let tap = Tap::on(cluster, |_| ());
    let rollouts = tap.rollouts();
    let now = done(&rollouts, &planned(&rollouts, "api", action).await).await;
    let writes = tap.writes();
    let made: Vec<(&str, Value)> = writes.iter().map(unbound).collect();
    assert_eq!(made, calls);
    assert_eq!(
        now,
        seen(&rollouts, "api").await,
        "the answer is how it stands"
    );
    (now, stored(cluster))
}

#[tokio::test(start_paused = true)]
async fn promote_ends_a_pause() {
    let cluster = with(json!({}), json!({}));
    let (now, object) = check(
        &cluster,
        RolloutAction::Promote,
        &[(STATUS, json!({"status": {"pauseConditions": null}}))],
    )
    .await;
    assert!(now.pauses.is_empty() && object["status"].get("pauseConditions").is_none());
    assert_eq!(
        (
            object["status"]["currentStepIndex"].as_u64(),
            &object["metadata"]["generation"]
        ),
        (Some(1), &json!(1))
    );
}

#[tokio::test(start_paused = true)]
async fn promote_passes_over_a_step_that_is_no_pause() {
    let cluster = with(
        json!({}),
        json!({"pauseConditions": null, "controllerPause": null, "currentStepIndex": 3, "phase": "Progressing"}),
    );
    let calls = [(
        STATUS,
        json!({"status": {"pauseConditions": null, "currentStepIndex": 4}}),
    )];
    assert_eq!(
        check(&cluster, RolloutAction::Promote, &calls)
            .await
            .0
            .step_index,
        Some(4)
    );
    let last = with(
        json!({}),
        json!({"pauseConditions": null, "controllerPause": null, "currentStepIndex": 4, "phase": "Progressing"}),
    );
    let calls = [(
        STATUS,
        json!({"status": {"pauseConditions": null, "currentStepIndex": 5}}),
    )];
    check(&last, RolloutAction::Promote, &calls).await;
}

#[tokio::test(start_paused = true)]
async fn promote_passes_over_an_inconclusive_analysis() {
    let run = json!({"currentStepAnalysisRunStatus": {"name": "r", "status": "Inconclusive"}});
    let pause = json!([{"reason": "InconclusiveAnalysisRun", "startTime": "2026-11-22T06:10:00Z"}]);
    let cluster = with(
        json!({}),
        json!({"canary": run, "pauseConditions": pause, "currentStepIndex": 3}),
    );
    let calls = [(
        STATUS,
        json!({"status": {"pauseConditions": null, "controllerPause": false, "currentStepIndex": 4}}),
    )];
    check(&cluster, RolloutAction::Promote, &calls).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_paused_by_hand_is_unpaused_by_a_second_call() {
    let unpause = (ONE, json!({"spec": {"paused": false}}));
    let cluster = with(json!({"paused": true}), json!({}));
    let (now, object) = check(
        &cluster,
        RolloutAction::Promote,
        &[
            (STATUS, json!({"status": {"pauseConditions": null}})),
            unpause.clone(),
        ],
    )
    .await;
    assert!(!now.spec_paused && now.pauses.is_empty());
    assert_eq!(
        (&object["spec"]["paused"], &object["metadata"]["generation"]),
        (&json!(false), &json!(2))
    );
    let cluster = with(json!({"paused": true}), json!({}));
    check(
        &cluster,
        RolloutAction::PromoteFull,
        &[
            (STATUS, json!({"status": {"promoteFull": true}})),
            unpause.clone(),
        ],
    )
    .await;
    let cluster = with(json!({"paused": true}), json!({}));
    let skip = json!({"status": {"pauseConditions": null, "currentStepIndex": 2}});
    check(
        &cluster,
        RolloutAction::Skip,
        &[(STATUS, skip), unpause.clone()],
    )
    .await;
    let cluster = with(json!({"paused": true}), json!({}));
    check(&cluster, RolloutAction::Resume, &[unpause]).await;
}

#[tokio::test(start_paused = true)]
async fn the_other_patches() {
    let cluster = with(json!({}), json!({}));
    assert!(
        check(
            &cluster,
            RolloutAction::PromoteFull,
            &[(STATUS, json!({"status": {"promoteFull": true}}))]
        )
        .await
        .0
        .promoting_full
    );
    let cluster = with(json!({}), json!({}));
    let tap = Tap::on(&cluster, |_| ());
    let direct = tap.rollouts();
    let abort = planned(&direct, "api", RolloutAction::Abort).await;
    assert!(done(&direct, &abort).await.aborted);
    let seen_before = stored(&cluster);
    assert_eq!(
        tap.writes(),
        [(
            Method::PATCH,
            STATUS.to_owned(),
            "application/json-patch+json".to_owned(),
            json!([
                {"op": "test", "path": "/metadata/uid", "value": seen_before["metadata"]["uid"]},
                {"op": "test", "path": "/status/currentPodHash", "value": seen_before["status"]["currentPodHash"]},
                {"op": "test", "path": "/status/stableRS", "value": seen_before["status"]["stableRS"]},
                {"op": "add", "path": "/status/abort", "value": true},
            ])
        )]
    );
    assert!(
        !check(
            &cluster,
            RolloutAction::Retry,
            &[(STATUS, json!({"status": {"abort": false}}))]
        )
        .await
        .0
        .aborted
    );
    let (now, object) = check(
        &cluster,
        RolloutAction::Pause,
        &[(ONE, json!({"spec": {"paused": true}}))],
    )
    .await;
    assert!(now.spec_paused);
    assert_eq!(
        object["status"]["phase"], "Paused",
        "a patch of the spec leaves the status alone"
    );
    let at = "2026-11-22T06:20:00Z";
    let restart = RolloutAction::Restart {
        at: at.parse().expect("a time"),
    };
    let (_, object) = check(
        &cluster,
        restart,
        &[(ONE, json!({"spec": {"restartAt": at}}))],
    )
    .await;
    assert_eq!(object["spec"]["restartAt"], at);
}

#[tokio::test(start_paused = true)]
async fn undo_brings_the_older_template_back_without_the_label() {
    let cluster = with(json!({}), json!({}));
    let owner = stored(&cluster);
    for (name, hash, revision, image) in [
        ("api-old", "old", "6", "api:1"),
        ("api-new", "new", "7", "api:2"),
    ] {
        let template = json!({"metadata": {"labels": {"app": "api", "rollouts-pod-template-hash": hash}},
            "spec": {"containers": [{"name": "api", "image": image}]}});
        let mut set = owned(
            Kind::ReplicaSet,
            name,
            &owner,
            hash,
            json!({"spec": {"replicas": 1, "template": template}}),
        );
        set["metadata"]["annotations"] = json!({"rollout.argoproj.io/revision": revision});
        cluster.put(set).expect("put");
    }
    let tap = Tap::on(&cluster, |_| ());
    let rollouts = tap.rollouts();
    let api = seen(&rollouts, "api").await;
    let related = rollouts.related(&api, Depth::Runs).await.expect("related");
    let undo = plan(RolloutAction::Undo { revision: None }, &api, Some(&related)).expect("a plan");
    let now = done(&rollouts, &undo).await;
    assert_eq!(
        (
            now.images.len(),
            now.images[0].image.as_str(),
            now.generation
        ),
        (1, "api:1", 2)
    );
    let template = json!({"metadata": {"labels": {"app": "api"}}, "spec": {"containers": [{"name": "api", "image": "api:1"}]}});
    assert_eq!(stored(&cluster)["spec"]["template"], template);
    let test =
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": api.resource_version});
    let body = json!([test, {"op": "replace", "path": "/spec/template", "value": template}]);
    assert_eq!(
        tap.writes(),
        [(
            Method::PATCH,
            ONE.to_owned(),
            "application/json-patch+json".to_owned(),
            body
        )]
    );
}

#[tokio::test(start_paused = true)]
async fn images_are_set_in_every_list_of_containers() {
    let cluster = with(json!({}), json!({}));
    let change = |container: &str| ImageChange {
        container: container.to_owned(),
        image: "api:3".to_owned(),
    };
    let tap = Tap::on(&cluster, |_| ());
    let rollouts = tap.rollouts();
    let set = RolloutAction::SetImage(vec![change("api"), change("migrate")]);
    done(&rollouts, &planned(&rollouts, "api", set).await).await;
    let mut expected = rollout("api", json!({}))["spec"].clone();
    expected["template"]["spec"]["containers"][0]["image"] = json!("api:3");
    expected["template"]["spec"]["initContainers"][0]["image"] = json!("api:3");
    assert_eq!(stored(&cluster)["spec"], expected);
    let writes = tap.writes();
    assert_eq!(
        (writes.len(), &writes[0].0, writes[0].1.as_str()),
        (1, &Method::PUT, ONE)
    );
}

#[tokio::test(start_paused = true)]
async fn an_analysis_and_an_experiment_are_ended_if_they_are_the_rollouts() {
    let cluster = with(json!({}), json!({}));
    let (owner, other) = (
        stored(&cluster),
        json!({"kind": "Rollout", "metadata": {"name": "web", "uid": "web-uid"}}),
    );
    let running = || json!({"spec": {"metrics": []}, "status": {"phase": "Running"}});
    cluster
        .put(owned(Kind::AnalysisRun, "run", &owner, "new", running()))
        .expect("put");
    cluster
        .put(owned(Kind::AnalysisRun, "theirs", &other, "new", running()))
        .expect("put");
    cluster
        .put(owned(
            Kind::AnalysisRun,
            "over",
            &owner,
            "new",
            json!({"status": {"phase": "Failed"}}),
        ))
        .expect("put");
    cluster
        .put(owned(Kind::Experiment, "try", &owner, "new", running()))
        .expect("put");
    let tap = Tap::on(&cluster, |_| ());
    let rollouts = tap.rollouts();
    let analysis = |name: &str| RolloutAction::TerminateAnalysis {
        name: name.to_owned(),
    };
    done(&rollouts, &planned(&rollouts, "api", analysis("run")).await).await;
    done(
        &rollouts,
        &planned(
            &rollouts,
            "api",
            RolloutAction::TerminateExperiment {
                name: "try".to_owned(),
            },
        )
        .await,
    )
    .await;
    for (kind, name) in [(Kind::AnalysisRun, "run"), (Kind::Experiment, "try")] {
        assert_eq!(
            cluster.get(kind, "payments", name).expect("a run")["spec"]["terminate"],
            true
        );
    }
    let over = rollouts
        .execute(&planned(&rollouts, "api", analysis("over")).await)
        .await
        .expect("an answer");
    assert!(matches!(over, Executed::Moved(_)), "{over:?}");
    let theirs = rollouts
        .execute(&planned(&rollouts, "api", analysis("theirs")).await)
        .await
        .expect_err("refused");
    assert_eq!(theirs.kind, ErrorKind::Permanent);
    assert!(
        theirs
            .message
            .ends_with("it does not belong to rollout payments/api"),
        "{theirs}"
    );
    assert_eq!(tap.writes().len(), 2);
    assert_eq!(tap.writes()[0].3["spec"], json!({"terminate": true}));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_to_a_rollout_that_is_gone() {
    let cluster = with(json!({}), json!({}));
    let rollouts = rollouts(&cluster);
    let abort = planned(&rollouts, "api", RolloutAction::Abort).await;
    cluster.remove_object(&payops_simulator::Key::new(
        Kind::Rollout,
        "payments",
        "api",
    ));
    assert_eq!(
        rollouts.execute(&abort).await.expect("an answer"),
        Executed::Gone
    );
}

#[tokio::test(start_paused = true)]
async fn rights_are_asked_for_once_for_each_namespace_and_verb() {
    let cluster = with(json!({}), json!({}));
    cluster.faults().deny("patch", "rollouts/status");
    let rollouts = rollouts(&cluster);
    let rollout = seen(&rollouts, "api").await;
    let denial = "you may not patch rollouts.argoproj.io/status in namespace payments";
    for action in [
        RolloutAction::Promote,
        RolloutAction::Abort,
        RolloutAction::Promote,
    ] {
        let denied = rollouts.find_denial(&rollout, &action).await;
        assert_eq!(denied.as_deref(), Some(denial), "{action:?}");
    }
    let allowed = rollouts.find_denial(&rollout, &RolloutAction::Pause).await;
    assert_eq!(allowed, None);
    let asked = cluster.faults().count("create", "selfsubjectaccessreviews");
    assert_eq!(asked, 2, "patch of the status, and of the rollout");
    let other = payops_core::domain::rollout::RolloutKey {
        namespace: "search".to_owned(),
        name: "api".to_owned(),
    };
    let other = Rollout {
        key: other,
        ..rollout
    };
    let denied = rollouts.find_denial(&other, &RolloutAction::Abort).await;
    assert!(denied.is_some_and(|denied| denied.ends_with("in namespace search")));
    let asked = cluster.faults().count("create", "selfsubjectaccessreviews");
    assert_eq!(asked, 3);
}
