//! Every action on a canary.

use serde_json::json;

use super::{Twins, cluster, rollout};

#[test]
fn promote_abort_retry_full_undo_pause_resume_restart() {
    let Some(cluster) = cluster() else { return };
    let strategy = json!({"canary": {"steps": [
        {"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {"duration": "1h"}},
        {"setWeight": 75},
    ]}});
    let twins = Twins::new(cluster, |name| {
        vec![rollout(name, "shop/web:1", 4, &strategy)]
    });
    twins.settle("Healthy", "");
    let at_first = "step 1 of 5 (25 %); then pause";
    twins.set_image(
        "shop/web:2",
        &format!("a new rollout of main=shop/web:2: {at_first}"),
    );
    let seen = twins.settle("Paused", "CanaryPauseStep");
    assert_eq!(
        (&seen["step"], &seen["weight_observed"]),
        (&json!(1), &json!(25.0))
    );

    twins.act(
        &["pause", "NAME"],
        &["pause", "NAME"],
        "stays at the current step until resumed",
    );
    twins.settle("Paused", "manually paused");
    // The plugin ends a pause by hand only together with that of the step.
    twins.kubectl(&[
        "patch",
        "rollout",
        "p",
        "--type",
        "merge",
        "-p",
        "{\"spec\":{\"paused\":false}}",
    ]);
    twins.act_alone(
        &["resume", "NAME"],
        "continues at step 2 of 5 (pause); then 50 % and pause 1h",
    );
    twins.settle("Paused", "CanaryPauseStep");

    twins.act(
        &["promote", "NAME"],
        &["promote", "NAME"],
        "step 3 of 5 (50 %); then pause 1h",
    );
    let seen = twins.settle("Paused", "CanaryPauseStep");
    assert_eq!(
        (&seen["step"], &seen["weight_observed"]),
        (&json!(3), &json!(50.0))
    );

    twins.act(
        &["abort", "NAME"],
        &["abort", "NAME"],
        "0 % on revision 2, 100 % on revision 1",
    );
    let seen = twins.settle("Degraded", "RolloutAborted");
    assert_eq!(
        (&seen["aborted"], &seen["weight_observed"]),
        (&json!(true), &json!(0.0))
    );
    let refused = twins.change(&["promote", &twins.name("o")]).exits(3);
    assert!(
        refused
            .err
            .contains("the rollout is aborted; a promotion does nothing until it is retried"),
        "{}",
        refused.err
    );

    twins.act(
        &["retry", "rollout", "NAME"],
        &["retry", "NAME"],
        &format!("begins revision 2 again: {at_first}"),
    );
    twins.settle("Paused", "CanaryPauseStep");
    twins.act(
        &["abort", "NAME"],
        &["abort", "NAME"],
        "0 % on revision 2, 100 % on revision 1",
    );
    twins.settle("Degraded", "RolloutAborted");
    twins.act(
        &["promote", "NAME", "--full"],
        &["promote", "NAME", "--full"],
        "brings the aborted revision 2 to 100 %, without steps or analysis, as soon as its pods \
            are ready",
    );
    let seen = twins.settle("Healthy", "");
    assert_eq!(seen["images"], json!(["shop/web:2"]));

    twins.act(
        &["undo", "NAME"],
        &["undo", "NAME"],
        &format!("a new rollout of revision 1: shop/web:1; {at_first}"),
    );
    twins.settle("Paused", "CanaryPauseStep");
    twins.act(
        &["promote", "NAME", "--skip-current-step"],
        &["skip", "NAME"],
        "step 3 of 5 (50 %); then pause 1h",
    );
    let seen = twins.settle("Paused", "CanaryPauseStep");
    assert_eq!(seen["step"], 3);
    twins.act(
        &["undo", "NAME"],
        &["undo", "NAME"],
        "back to the stable revision 2 at once, without steps: shop/web:2",
    );
    twins.settle("Healthy", "");

    twins.act(
        &["restart", "NAME"],
        &["restart", "NAME"],
        "all 4 pods are replaced gradually",
    );
    let restarted = crate::common::eventually("a restart of both", || {
        let states = twins.states();
        states
            .iter()
            .all(|state| state["restarted"] == true)
            .then_some(states)
    });
    assert_eq!(restarted[0]["current"], restarted[1]["current"]);
    twins.settle("Healthy", "");
}

#[test]
fn an_undo_within_the_rollback_window_takes_no_steps() {
    let Some(cluster) = cluster() else { return };
    let strategy = json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}});
    let twins = Twins::new(cluster, |name| {
        let mut rollout = rollout(name, "shop/web:1", 2, &strategy);
        rollout["spec"]["rollbackWindow"] = json!({"revisions": 1});
        vec![rollout]
    });
    twins.settle("Healthy", "");
    let begun = "step 1 of 2 (50 %); then pause";
    for image in ["shop/web:2", "shop/web:3"] {
        twins.set_image(image, &format!("a new rollout of main={image}: {begun}"));
        twins.settle("Paused", "CanaryPauseStep");
        twins.act(
            &["promote", "NAME", "--full"],
            &["promote", "NAME", "--full"],
            &format!(
                "100 % on revision {}, as soon as its pods are ready",
                &image[9..]
            ),
        );
        twins.settle("Healthy", "");
    }
    // Version 2 lies between, so that version 1 is out of the window.
    let plan = twins
        .payops(&[
            "undo",
            &twins.name("o"),
            "--to-revision",
            "1",
            "--dry-run",
            "-o",
            "json",
        ])
        .exits(0)
        .json();
    assert_eq!(
        plan["after"],
        format!("a new rollout of revision 1: shop/web:1; {begun}")
    );
    twins.act(
        &["undo", "NAME"],
        &["undo", "NAME"],
        "back to revision 2 without steps, as it is within the rollback window: shop/web:2",
    );
    let seen = twins.settle("Healthy", "");
    assert_eq!(seen["images"], json!(["shop/web:2"]));
}

#[test]
fn an_analysis_is_ended_and_passed_over() {
    let Some(cluster) = cluster() else { return };
    let strategy = json!({"canary": {"steps": [
        {"setWeight": 50}, {"analysis": {"templates": [{"templateName": "slow"}]}},
        {"setWeight": 100}, {"pause": {}},
    ]}});
    let twins = Twins::new(cluster, |name| {
        let job = json!({"metrics": [{"name": "job", "provider": {"job": {"spec": {
            "backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [{
                "name": "job", "image": "shop/job:1", "command": ["sleep", "600"],
            }]}},
        }}}}]});
        vec![
            json!({
                "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate",
                "metadata": {"name": "slow"}, "spec": job,
            }),
            rollout(name, "shop/web:1", 2, &strategy),
        ]
    });
    twins.settle("Healthy", "");
    let begun = "step 1 of 4 (50 %); then analysis slow";
    twins.set_image(
        "shop/web:2",
        &format!("a new rollout of main=shop/web:2: {begun}"),
    );
    let run = |name: &str| {
        crate::common::eventually("a running analysis", || {
            let status =
                twins.rollout(name)["status"]["canary"]["currentStepAnalysisRunStatus"].clone();
            (status["status"] == "Running")
                .then(|| status["name"].as_str().expect("a name").to_owned())
        })
    };
    let (theirs, ours) = (run("p"), run("o"));
    let plan = twins
        .payops(&["promote", &twins.name("o"), "--dry-run", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(plan["after"], "step 3 of 4 (100 %); then pause");
    assert!(
        plan["warnings"]
            .to_string()
            .contains("SKIPS running analysis job"),
        "{plan:#}"
    );
    twins.act(
        &["promote", "NAME"],
        &["promote", "NAME"],
        "step 3 of 4 (100 %); then pause",
    );
    twins.settle("Paused", "CanaryPauseStep");
    for (name, run) in [("p", theirs), ("o", ours)] {
        let run: serde_json::Value =
            serde_json::from_str(&twins.kubectl(&["get", "analysisrun", &run, "-o", "json"]))
                .expect("JSON");
        assert_eq!(run["spec"]["terminate"], true, "{name}");
    }

    twins.set_image(
        "shop/web:3",
        &format!("a new rollout of main=shop/web:3: {begun}"),
    );
    let (theirs, ours) = (run("p"), run("o"));
    twins.act(
        &["terminate", "analysisrun", &theirs],
        &["terminate", "NAME", "--analysis", &ours],
        &format!("analysis {ours} ends with the measurements so far"),
    );
    // A run that measured nothing is no verdict: a person decides.
    twins.settle("Paused", "InconclusiveAnalysisRun");
    twins.act(
        &["promote", "NAME"],
        &["promote", "NAME"],
        "step 3 of 4 (100 %); then pause",
    );
    let seen = twins.settle("Paused", "CanaryPauseStep");
    assert_eq!(seen["step"], 3);
}
