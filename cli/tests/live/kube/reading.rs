//! What is shown of rollouts that do not go well, and to those who may not see everything.

use serde_json::json;

use super::{REASON, Twins, cluster, is_full, rollout};
use crate::common::{Done, eventually};

fn steps() -> serde_json::Value {
    json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}})
}

#[test]
fn a_crashing_canary_has_no_weight() {
    let Some(cluster) = cluster() else { return };
    let twins = Twins::new(cluster, |name| {
        vec![rollout(name, "shop/web:1", 2, &steps())]
    });
    twins.settle("Healthy", "");
    twins.set_image(
        "shop/web:crash",
        "a new rollout of main=shop/web:crash: step 1 of 2 (50 %); then pause",
    );
    let seen = twins.settle("Progressing", "more replicas need to be updated");
    assert_eq!(
        (&seen["weight_set"], &seen["weight_observed"]),
        (&json!(50.0), &json!(0.0))
    );
    let list = twins
        .payops(&["list", "-n", &twins.namespace, "-o", "json"])
        .exits(0)
        .json();
    let row = list
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["name"] == "o")
        .expect("a row");
    assert_eq!(row["weight_observed"], 0.0, "{row:#}");
}

#[test]
fn a_deadline_aborts() {
    let Some(cluster) = cluster() else { return };
    if !is_full() {
        return;
    }
    let twins = Twins::new(cluster, |name| {
        let mut rollout = rollout(name, "shop/web:1", 2, &steps());
        rollout["spec"]["progressDeadlineSeconds"] = json!(5);
        rollout["spec"]["progressDeadlineAbort"] = json!(true);
        vec![rollout]
    });
    twins.settle("Healthy", "");
    twins.set_image(
        "shop/web:pull",
        "a new rollout of main=shop/web:pull: step 1 of 2 (50 %); then pause",
    );
    let seen = twins.settle("Degraded", "RolloutAborted");
    assert_eq!(seen["weight_observed"], 0.0);
}

#[test]
fn a_spec_that_cannot_be_rolled_out_says_why() {
    let Some(cluster) = cluster() else { return };
    let strategies = [
        json!({"canary": {"steps": [{"setWeight": 50, "pause": {}}]}}),
        json!({"canary": {"canaryService": "no-such", "steps": [{"setWeight": 50}]}}),
        json!({"blueGreen": {"activeService": "no-such"}}),
    ];
    let twins = Twins::empty(cluster);
    for (place, strategy) in strategies.iter().enumerate() {
        twins.apply(&rollout(
            &format!("invalid-{place}"),
            "shop/web:1",
            1,
            strategy,
        ));
    }
    for place in 0..strategies.len() {
        let name = format!("invalid-{place}");
        let seen = eventually("an invalid spec", || {
            let seen = twins.look(&name);
            (seen["phase"] == "Degraded").then_some(seen)
        });
        assert!(
            seen["weight_set"].is_null() && seen["weight_observed"].is_null(),
            "{seen:#}"
        );
        let why = seen["waiting_why"].as_str().expect("a reason");
        assert!(
            why.starts_with("invalid spec: spec.strategy")
                || why.starts_with("invalid spec: services"),
            "{why}"
        );
        let human = twins.payops(&["get", &twins.name(&name)]).exits(0);
        assert!(
            human.out.contains("weight     – (InvalidSpec: "),
            "{}",
            human.out
        );
    }
}

#[test]
fn a_rollout_of_another_controller_is_nobodys() {
    let Some(cluster) = cluster() else { return };
    let twins = Twins::empty(cluster);
    let mut foreign = rollout("o", "shop/web:1", 2, &steps());
    foreign["metadata"]["labels"] =
        json!({"argo-rollouts.argoproj.io/controller-instance-id": "other"});
    twins.apply(&foreign);
    let seen = twins.look("o");
    assert_eq!(
        (
            &seen["phase"],
            &seen["message"],
            seen["weight_set"].is_null()
        ),
        (
            &json!("Unknown"),
            &json!("no controller has taken it up"),
            true
        )
    );
    let refused = twins.change(&["promote", &twins.name("o")]).exits(3);
    assert!(
        refused.err.contains("no controller has taken it up"),
        "{}",
        refused.err
    );
    twins.act_alone(
        &["pause", "NAME"],
        "stays at the current step until resumed",
    );
    assert_eq!(twins.rollout("o")["spec"]["paused"], true);
}

#[test]
fn who_may_read_rollouts_alone_reads_them() {
    let Some(cluster) = cluster() else { return };
    let twins = Twins::new(cluster, |name| {
        vec![rollout(name, "shop/web:1", 2, &steps())]
    });
    twins.settle("Healthy", "");
    twins.write_config("viewer");
    let seen = twins.look("o");
    let space = &twins.namespace;
    assert_eq!(seen["phase"], "Healthy");
    assert_eq!(
        seen["unreadable"],
        json!([
            format!("replicasets.apps in {space}"),
            format!("pods in {space}"),
            format!("analysisruns.argoproj.io in {space}"),
            format!("experiments.argoproj.io in {space}"),
        ])
    );
    let human = twins.payops(&["get", &twins.name("o")]).exits(0);
    assert!(
        human
            .out
            .contains(&format!("not readable: replicasets.apps in {space}")),
        "{}",
        human.out
    );
    let list = twins
        .payops(&["list", "-n", space, "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(list.as_array().expect("rows").len(), 2);
    let undo = twins.change(&["undo", &twins.name("o")]).exits(3);
    assert!(
        undo.err.contains(&format!(
            "its older revisions are not readable: replicasets.apps in {space}"
        )),
        "{}",
        undo.err
    );
    let history = twins.payops(&["history", &twins.name("o")]);
    assert!(
        history.code != 0 && history.err.contains("not readable"),
        "{}",
        history.err
    );
    for verb in ["pause", "restart"] {
        let refused = twins.change(&[verb, &twins.name("o")]).exits(3);
        let denial = format!("you may not patch rollouts.argoproj.io in namespace {space}");
        assert!(refused.err.contains(&denial), "{}", refused.err);
    }
}

#[test]
fn a_kubeconfig_is_all_that_rollouts_need() {
    let Some(cluster) = cluster() else { return };
    let twins = Twins::new(cluster, |name| {
        vec![rollout(name, "shop/web:1", 2, &steps())]
    });
    twins.settle("Healthy", "");
    std::fs::remove_file(twins.place.work().join("payops.toml")).expect("removed");
    let run = |args: &[&str]| -> Done {
        let mut command = twins.place.command(&["rollout"]);
        command
            .args(args)
            .env_remove("PAYOPS_DATA_DIR")
            .env("KUBECONFIG", &twins.cluster.kubeconfig);
        command.output().expect("payops").into()
    };
    let (space, name) = (twins.namespace.as_str(), twins.name("o"));
    for context in [&[] as &[&str], &["--context", "viewer"]] {
        let list = [&["list", "-n", space, "-o", "json"], context].concat();
        let rows = run(&list).exits(0).json();
        let names: Vec<&str> = rows
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| row["name"].as_str().expect("a name"))
            .collect();
        assert_eq!(names, ["o", "p"]);
        let env = context.last().unwrap_or(&"admin");
        assert_eq!(rows[0]["env"], *env);
    }
    let image = "main=shop/web:2";
    let consent = ["--yes", "--reason", REASON, "-o", "json"];
    let set = [&["set-image", &name, image], consent.as_slice()].concat();
    assert_eq!(run(&set).exits(0).json()["outcome"], "done");
    eventually("the new version", || {
        let seen = run(&["get", &name, "-o", "json"]).exits(0).json();
        (seen["phase"] == "Paused").then_some(())
    });
    let abort = [&["abort", &name], consent.as_slice()].concat();
    let aborted = run(&abort).exits(0);
    assert!(
        aborted
            .err
            .contains("freeze and audit record of admin are kept on this machine"),
        "{}",
        aborted.err
    );
    assert_eq!(twins.rollout("o")["status"]["abort"], true);
    let unknown = run(&["list", "--context", "nobody"]).exits(2);
    assert!(
        unknown
            .err
            .contains("contexts are admin, viewer, namespaced"),
        "{}",
        unknown.err
    );
}

#[test]
fn of_four_promotions_at_once_one_is_done() {
    let Some(cluster) = cluster() else { return };
    let strategy = json!({"canary": {"steps": [
        {"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}, {"setWeight": 75}, {"pause": {}},
    ]}});
    let twins = Twins::new(cluster, |name| {
        vec![rollout(name, "shop/web:1", 4, &strategy)]
    });
    twins.settle("Healthy", "");
    twins.set_image(
        "shop/web:2",
        "a new rollout of main=shop/web:2: step 1 of 6 (25 %); then pause",
    );
    twins.settle("Paused", "CanaryPauseStep");
    let name = twins.name("o");
    let began: Vec<std::process::Child> = (0..4)
        .map(|_| {
            twins
                .command(&["promote", &name, "--yes", "--reason", super::REASON])
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .expect("started")
        })
        .collect();
    let done = began
        .into_iter()
        .filter_map(|mut child| child.wait().expect("ended").code())
        .filter(|code| *code == 0)
        .count();
    assert!((1..=2).contains(&done), "{done} of four");
    twins.plugin(&["promote", "p"]);
    if done == 2 {
        // One came so late that it saw the next pause, and meant that.
        twins.settle_payops_at(5);
    } else {
        let seen = twins.settle("Paused", "CanaryPauseStep");
        assert_eq!(seen["step"], 3);
    }
}

impl Twins {
    fn settle_payops_at(&self, step: u64) {
        eventually("the step", || {
            let seen = self.look("o");
            (seen["phase"] == "Paused" && seen["step"] == step).then_some(())
        });
    }
}
