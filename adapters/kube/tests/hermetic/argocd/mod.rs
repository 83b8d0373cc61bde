//! The Argo CD driver against a small Argo CD over loopback.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests say what they expect by panicking"
)]

mod server;

use std::time::Duration;

use futures::StreamExt;
use payops_core::domain::rollout::{
    ImageChange, Insist, RolloutAction, RolloutKey, RolloutPlan, plan_insisting,
};
use payops_core::port::{
    Depth, ErrorKind, Executed, PortResult, RolloutActions, RolloutWatch, Rollouts,
};
use payops_kube::{ArgoCdRollouts, Timing};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::told::line;
use server::{ArgoCd, TOKEN};

async fn connect(url: &str) -> PortResult<ArgoCdRollouts> {
    ArgoCdRollouts::connect(url, SecretString::from(TOKEN), "prod").await
}

async fn reached(argo: &ArgoCd) -> ArgoCdRollouts {
    let timing = Timing {
        poll: Duration::from_millis(20),
        backoff_min: Duration::from_millis(20),
        backoff_max: Duration::from_millis(100),
        ..Timing::default()
    };
    connect(&argo.url)
        .await
        .expect("reached")
        .with_timing(timing)
}

fn key(name: &str) -> RolloutKey {
    RolloutKey {
        namespace: "payments".to_owned(),
        name: name.to_owned(),
    }
}

async fn planned(rollouts: &ArgoCdRollouts, action: RolloutAction) -> RolloutPlan {
    let api = rollouts
        .get(&key("api"))
        .await
        .expect("an answer")
        .expect("a rollout");
    // No controller takes what these tests write.
    plan_insisting(action, &api, None, Insist::Yes).expect("a plan")
}

async fn act(rollouts: &ArgoCdRollouts, action: RolloutAction) -> PortResult<Executed> {
    let planned = planned(rollouts, action).await;
    rollouts.execute(&planned).await
}

#[tokio::test]
async fn rollouts_of_all_applications_are_listed_and_what_is_not_made_yet_hides_nothing() {
    let argo = ArgoCd::start("v3.1.2+abc").await;
    let rollouts = reached(&argo).await;
    assert_eq!(
        (rollouts.cluster(), rollouts.driver().as_str()),
        ("prod", "Argo CD 127.0.0.1")
    );
    let names: Vec<String> = rollouts
        .list()
        .await
        .expect("a list")
        .iter()
        .map(|rollout| rollout.key.to_string())
        .collect();
    assert_eq!(
        names,
        ["payments/api", "payments/web"],
        "`new` is wanted by its application and not there yet"
    );
    assert_eq!(rollouts.get(&key("new")).await.expect("an answer"), None);
    assert!(!rollouts.can(&RolloutAction::SetImage(vec![ImageChange {
        container: "a".to_owned(),
        image: "b".to_owned()
    }])));
    assert!(rollouts.can(&RolloutAction::Abort));
}

#[tokio::test]
async fn what_belongs_to_a_rollout_comes_from_the_tree() {
    let argo = ArgoCd::start("v3.1.2").await;
    let rollouts = reached(&argo).await;
    let api = rollouts
        .get(&key("api"))
        .await
        .expect("an answer")
        .expect("a rollout");
    let related = rollouts.related(&api, Depth::Runs).await.expect("related");
    assert_eq!(
        related
            .replica_sets
            .iter()
            .map(|set| set.name.as_str())
            .collect::<Vec<_>>(),
        ["api-new"]
    );
    assert_eq!(
        (
            related.analysis_runs[0].name.as_str(),
            related.analysis_runs.len(),
            related.pods
        ),
        ("api-run", 1, None)
    );
    assert!(
        argo.asked().iter().all(|asked| !asked.contains("kind=Pod")),
        "{:?}",
        argo.asked()
    );
    let pods = rollouts
        .related(&api, Depth::Pods)
        .await
        .expect("related")
        .pods
        .expect("pods");
    assert_eq!(
        pods.iter().map(|pod| pod.name.as_str()).collect::<Vec<_>>(),
        ["api-new-1"]
    );
}

#[tokio::test]
async fn promote_is_resume_at_a_pause_and_skip_else() {
    let argo = ArgoCd::start("v3.1.2").await;
    let rollouts = reached(&argo).await;
    assert!(matches!(
        act(&rollouts, RolloutAction::Promote)
            .await
            .expect("an answer"),
        Executed::Done(_)
    ));
    argo.change("api", |object| {
        object["status"]["pauseConditions"] = Value::Null;
        object["status"]["phase"] = json!("Progressing");
    });
    assert!(matches!(
        act(&rollouts, RolloutAction::Promote)
            .await
            .expect("an answer"),
        Executed::Done(_)
    ));
    assert!(matches!(
        act(&rollouts, RolloutAction::Skip)
            .await
            .expect("an answer"),
        Executed::Done(_)
    ));
    let Executed::Done(now) = act(&rollouts, RolloutAction::Abort)
        .await
        .expect("an answer")
    else {
        panic!("not done")
    };
    assert!(now.aborted, "as it is afterwards");
    let body = |action: &str| {
        json!({"namespace": "payments", "resourceName": "api", "version": "v1alpha1", "group": "argoproj.io", "kind": "Rollout",
            "action": action, "appNamespace": "argocd"})
    };
    let path = "/api/v1/applications/payments/resource/actions/v2";
    let expected = ["resume", "skip-current-step", "skip-current-step", "abort"]
        .map(|action| (path.to_owned(), body(action)));
    assert_eq!(argo.posted(), expected);
}

#[tokio::test]
async fn an_older_argo_cd_takes_the_actions_name_alone() {
    let query = "namespace=payments&resourceName=api&version=v1alpha1&group=argoproj.io&kind=Rollout&appNamespace=argocd";
    let old = (
        format!("/api/v1/applications/payments/resource/actions?{query}"),
        json!("abort"),
    );
    let argo = ArgoCd::start("v3.0.12+f8ee4f0").await;
    act(&reached(&argo).await, RolloutAction::Abort)
        .await
        .expect("an answer");
    assert_eq!(
        argo.posted(),
        std::slice::from_ref(&old),
        "known by its version"
    );
    for missing in [405, 404] {
        let argo = ArgoCd::start("latest").await;
        argo.state().v2_missing = Some(missing);
        let rollouts = reached(&argo).await;
        act(&rollouts, RolloutAction::Abort)
            .await
            .expect("an answer");
        act(&rollouts, RolloutAction::Retry)
            .await
            .expect("an answer");
        let posted = argo.posted();
        assert!(
            posted[0].0.ends_with("/v2") && posted[1] == old,
            "found out: {posted:?}"
        );
        assert_eq!(
            (posted.len(), &posted[2].1),
            (3, &json!("retry")),
            "and kept in mind"
        );
    }
}

#[tokio::test]
async fn what_moved_is_not_acted_on() {
    let argo = ArgoCd::start("v3.1.2").await;
    let rollouts = reached(&argo).await;
    let promote = planned(&rollouts, RolloutAction::Promote).await;
    argo.change("api", |object| {
        object["status"]["currentStepIndex"] = json!(2);
    });
    let Executed::Moved(now) = rollouts.execute(&promote).await.expect("an answer") else {
        panic!("not moved")
    };
    assert_eq!(now.step_index, Some(2));
    argo.state()
        .objects
        .retain(|object| object["metadata"]["name"] != "api");
    assert_eq!(
        rollouts.execute(&promote).await.expect("an answer"),
        Executed::Gone
    );
    assert_eq!(argo.posted(), []);
}

#[tokio::test]
async fn what_it_would_do_otherwise_is_refused() {
    let argo = ArgoCd::start("v3.1.2").await;
    let rollouts = reached(&argo).await;
    argo.change("api", |object| object["spec"]["paused"] = json!(true));
    for action in [
        RolloutAction::PromoteFull,
        RolloutAction::Skip,
        RolloutAction::Resume,
    ] {
        let error = act(&rollouts, action).await.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Permanent);
        assert!(
            error.message.contains("use the cluster's own API"),
            "{error}"
        );
    }
    assert_eq!(argo.posted(), []);
}

#[tokio::test]
async fn a_refusal_and_an_answer_that_is_lost_are_told_apart() {
    let argo = ArgoCd::start("v3.1.2").await;
    let rollouts = reached(&argo).await;
    argo.state().action_code = 403;
    let error = act(&rollouts, RolloutAction::Abort)
        .await
        .expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Denied);
    assert!(
        error
            .message
            .contains("(Argo CD): abort rollout payments/api: answered 403: permission denied"),
        "{error}"
    );
    argo.state().action_code = 500;
    assert_eq!(
        act(&rollouts, RolloutAction::Abort)
            .await
            .expect_err("who knows")
            .kind,
        ErrorKind::Ambiguous
    );
    argo.state().action_code = 200;
    argo.state().deaf_after_action = true;
    let error = act(&rollouts, RolloutAction::Abort)
        .await
        .expect_err("done, and not seen");
    assert_eq!(error.kind, ErrorKind::Ambiguous, "{error}");
    assert!(error.message.contains("the action was applied"), "{error}");
}

#[tokio::test]
async fn its_token_goes_over_tls_or_nowhere() {
    for url in [
        "http://argocd.example.com",
        "http://127.0.0.1.example.com",
        "ftp://localhost",
        "argocd.example.com",
    ] {
        let error = connect(url).await.map(drop).expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Permanent, "{error}");
        assert!(!format!("{error:?}").contains(TOKEN));
    }
    let argo = ArgoCd::start("v3.1.2").await;
    argo.state().token = "another".to_owned();
    assert_eq!(
        reached(&argo).await.list().await.expect_err("refused").kind,
        ErrorKind::Denied
    );
}

async fn told(watch: &mut RolloutWatch) -> String {
    let told = timeout(Duration::from_secs(30), watch.next()).await;
    line(&told.expect("told in time").expect("no end"))
}

#[tokio::test]
async fn a_watch_looks_again_and_tells_what_is_different() {
    let argo = ArgoCd::start("v3.1.2").await;
    let mut watch = reached(&argo).await.watch();
    assert_eq!(told(&mut watch).await, "all api,web");
    argo.change("web", |object| {
        object["status"]["phase"] = json!("Degraded");
    });
    assert_eq!(told(&mut watch).await, "changed web");
    argo.state()
        .objects
        .retain(|object| object["metadata"]["name"] != "api");
    assert_eq!(told(&mut watch).await, "gone api");
    argo.state().deaf = true;
    assert_eq!(
        told(&mut watch).await,
        "cut cluster prod (Argo CD): list applications: answered 503: Service Unavailable"
    );
    argo.state().deaf = false;
    let mut next = told(&mut watch).await;
    while next.starts_with("cut ") {
        next = told(&mut watch).await;
    }
    assert_eq!(next, "all web", "after a failure everything is told anew");
}
