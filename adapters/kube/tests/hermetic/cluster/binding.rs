//! What a plan is bound to, when others write at the same time.

use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use kube::client::Body;
use payops_core::domain::rollout::{ImageChange, RolloutAction};
use payops_core::port::{ErrorKind, Executed, RolloutActions};
use payops_kube::KubeRollouts;
use payops_simulator::{Cluster, Key, Kind};
use serde_json::json;
use tower::{Service, service_fn};

use super::support::{Tap, change, cluster, done, lay, planned, rollout, rollouts, seen, tick};

fn with_api(spec: serde_json::Value) -> Cluster {
    let cluster = cluster();
    let mut object = rollout("api", json!({}));
    lay(&mut object["spec"], spec);
    cluster.put(object).expect("put");
    cluster
}

fn image(image: &str) -> RolloutAction {
    RolloutAction::SetImage(vec![ImageChange {
        container: "api".to_owned(),
        image: image.to_owned(),
    }])
}

#[tokio::test(start_paused = true)]
async fn of_two_who_skip_at_the_same_moment_one_does() {
    let cluster = with_api(json!({}));
    let (one, two) = (rollouts(&cluster), rollouts(&cluster));
    let plans = (
        planned(&one, "api", RolloutAction::Skip).await,
        planned(&two, "api", RolloutAction::Skip).await,
    );
    assert_eq!(plans.0.resource_version, plans.1.resource_version);
    let (first, second) = tokio::join!(one.execute(&plans.0), two.execute(&plans.1));
    let outcomes = [first.expect("an answer"), second.expect("an answer")];
    let steps: Vec<(bool, Option<usize>)> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Executed::Done(now) => (true, now.step_index),
            Executed::Moved(now) => (false, now.step_index),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(
        steps.contains(&(true, Some(2))) && steps.contains(&(false, Some(2))),
        "{steps:?}"
    );
    let stored = cluster
        .get(Kind::Rollout, "payments", "api")
        .expect("a rollout");
    assert_eq!(stored["status"]["currentStepIndex"], 2, "one step, not two");
}

#[tokio::test(start_paused = true)]
async fn an_image_is_set_while_the_status_moves() {
    let cluster = with_api(json!({}));
    let (moving, mut left) = (cluster.clone(), 3);
    let tap = Tap::on(&cluster, move |_| {
        if left > 0 {
            left -= 1;
            tick(&moving, "api");
        }
    });
    let rollouts = tap.rollouts();
    let set = planned(&rollouts, "api", image("api:3")).await;
    tick(&cluster, "api");
    assert_eq!(done(&rollouts, &set).await.images[0].image, "api:3");
    assert_eq!(tap.writes().len(), 4, "three conflicts, then done");
}

#[tokio::test(start_paused = true)]
async fn a_status_that_never_rests_does_not_make_it_try_for_ever() {
    let cluster = with_api(json!({}));
    let moving = cluster.clone();
    let tap = Tap::on(&cluster, move |_| tick(&moving, "api"));
    let rollouts = tap.rollouts();
    let set = planned(&rollouts, "api", image("api:3")).await;
    assert!(matches!(
        rollouts.execute(&set).await.expect("an answer"),
        Executed::Moved(_)
    ));
    assert_eq!(tap.writes().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn another_rollout_of_the_same_name_is_not_the_one_that_was_seen() {
    let cluster = with_api(json!({}));
    let tap = Tap::on(&cluster, |_| ());
    let rollouts = tap.rollouts();
    let set = planned(&rollouts, "api", image("api:3")).await;
    cluster.remove_object(&Key::new(Kind::Rollout, "payments", "api"));
    cluster.put(rollout("api", json!({}))).expect("put");
    let outcome = rollouts.execute(&set).await.expect("an answer");
    assert!(
        matches!(&outcome, Executed::Moved(now) if now.generation == set.generation),
        "{outcome:?}"
    );
    assert_eq!(tap.writes().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_second_call_goes_over_the_controllers_writes_but_not_over_another_spec() {
    for spec_moves in [false, true] {
        let cluster = with_api(json!({"paused": true}));
        let (moving, mut writes) = (cluster.clone(), 0);
        let tap = Tap::on(&cluster, move |_| {
            writes += 1;
            if writes == 2 && spec_moves {
                change(&moving, Kind::Rollout, "api", |object| {
                    object["spec"]["replicas"] = json!(9);
                });
            } else if writes == 2 {
                tick(&moving, "api");
            }
        });
        let rollouts = tap.rollouts();
        let promote = planned(&rollouts, "api", RolloutAction::Promote).await;
        match rollouts.execute(&promote).await.expect("an answer") {
            Executed::Done(now) => assert!(!spec_moves && !now.spec_paused),
            Executed::Partly { done: 1, now } => {
                assert!(spec_moves && now.spec_paused && now.pauses.is_empty());
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_the_second_call_does_not_deny_the_first() {
    let cluster = with_api(json!({"paused": true}));
    let (busy, mut writes) = (cluster.clone(), 0);
    let tap = Tap::on(&cluster, move |_| {
        writes += 1;
        if writes == 2 {
            busy.faults().too_many_requests(1, 1);
        }
    });
    let rollouts = tap.rollouts();
    let promote = planned(&rollouts, "api", RolloutAction::Promote).await;
    let error = rollouts.execute(&promote).await.expect_err("a failure");
    assert_eq!(error.kind, ErrorKind::Ambiguous);
    assert!(
        error.message.starts_with(
            "1 of 2 calls succeeded, then: cluster prod: promote rollout payments/api: answered 429"
        ),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_status_apart_the_same_goes_to_the_object() {
    let cluster = with_api(json!({}));
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let (api, heard) = (cluster.service(), Arc::clone(&asked));
    // A definition without subresources: there is no `/status`, and the object takes its status as
    // it takes all else.
    let bare = service_fn(move |request: Request<Body>| {
        let (mut api, heard) = (api.clone(), Arc::clone(&heard));
        async move {
            if request.method() == Method::PATCH {
                heard
                    .lock()
                    .expect("a lock")
                    .push(request.uri().path().to_owned());
            }
            if request.uri().path().ends_with("/status") {
                let (parts, body) = request.into_parts();
                let path = parts.uri.path().replace("/status", "/nosuch");
                let request = Request::builder()
                    .method(parts.method)
                    .uri(path)
                    .body(body)
                    .expect("a request");
                return api.call(request).await;
            }
            let to_status = request.method() == Method::PATCH;
            let (mut parts, body) = request.into_parts();
            if to_status {
                parts.uri = format!("{}/status", parts.uri.path())
                    .parse()
                    .expect("a path");
            }
            api.call(Request::from_parts(parts, body)).await as Result<Response<_>, _>
        }
    });
    let rollouts = KubeRollouts::from_service(bare, "prod");
    let now = done(
        &rollouts,
        &planned(&rollouts, "api", RolloutAction::Abort).await,
    )
    .await;
    assert!(now.aborted);
    let one = "/apis/argoproj.io/v1alpha1/namespaces/payments/rollouts/api";
    assert_eq!(
        *asked.lock().expect("a lock"),
        [format!("{one}/status"), one.to_owned()]
    );
}

#[tokio::test(start_paused = true)]
async fn an_abort_lands_whatever_the_step_is() {
    let cluster = with_api(json!({}));
    let rollouts = rollouts(&cluster);
    let was = seen(&rollouts, "api").await;
    let abort = planned(&rollouts, "api", RolloutAction::Abort).await;
    // The canary goes on while somebody types the reason.
    change(&cluster, Kind::Rollout, "api", |object| {
        object["status"]["currentStepIndex"] = json!(3);
    });
    let now = done(&rollouts, &abort).await;
    assert!(now.aborted);
    let moved = was.changes_besides_abort(&now).join(", ");
    assert!(
        moved.contains("step 2 → 4") && !moved.contains("aborted"),
        "{moved}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_abort_is_not_of_another_version() {
    for (field, value) in [
        ("currentPodHash", "of-somebody-else"),
        // The new version is in place: an abort would lie in wait for the next one.
        ("stableRS", "put-in-its-place"),
    ] {
        let cluster = with_api(json!({}));
        let rollouts = rollouts(&cluster);
        let abort = planned(&rollouts, "api", RolloutAction::Abort).await;
        change(&cluster, Kind::Rollout, "api", |object| {
            object["status"][field] = json!(value);
        });
        let outcome = rollouts.execute(&abort).await.expect("an answer");
        let Executed::Moved(now) = outcome else {
            panic!("{field}: {outcome:?}")
        };
        assert!(!now.aborted, "{field}");
    }
}
