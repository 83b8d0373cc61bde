//! Actions and what they are bound to, against a small store of one rollout.

use std::sync::{Arc, Mutex};

use http::Method;
use payops_core::domain::rollout::{ImageChange, RolloutAction, plan};
use payops_core::port::{ErrorKind, Executed, RolloutActions};
use serde_json::{Value, json};

use super::server::{Answer, Asked, Server, read_rollout};

fn stored() -> Value {
    json!({
        "metadata": {"name": "api", "namespace": "pay", "uid": "u1", "resourceVersion": "10", "generation": 3},
        "spec": {"template": {"spec": {"containers": [{"name": "api", "image": "a:1", "unknown": 1}]}},
            "strategy": {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]}}},
        "status": {"phase": "Paused", "observedGeneration": "3", "currentStepIndex": 1, "currentPodHash": "b", "stableRS": "a",
            "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-11-22T06:10:00Z"}]}
    })
}

fn merge(into: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        return into.clone_from(patch);
    };
    for (key, value) in fields {
        if value.is_null() {
            into.as_object_mut().expect("an object").shift_remove(key);
        } else {
            let slot = into
                .as_object_mut()
                .expect("an object")
                .entry(key.clone())
                .or_insert_with(|| json!({}));
            merge(slot, value);
        }
    }
}

/// Raises the version, and the generation if the spec changed.
fn bump(held: &mut Value, before: &Value) {
    let next: u64 = before["metadata"]["resourceVersion"]
        .as_str()
        .expect("a version")
        .parse::<u64>()
        .expect("a number")
        + 1;
    held["metadata"]["resourceVersion"] = json!(next.to_string());
    let generation = before["metadata"]["generation"]
        .as_u64()
        .expect("a generation");
    held["metadata"]["generation"] = json!(generation + u64::from(held["spec"] != before["spec"]));
}

/// What a real API does with the requests of the actions here.
fn answer(held: &mut Value, asked: &Asked) -> Answer {
    let before = held.clone();
    if asked.method == Method::GET {
        return Answer::json(200, held);
    }
    let version = |value: &Value| value["metadata"]["resourceVersion"].clone();
    if let Some(operations) = asked.body.as_array() {
        assert_eq!(operations[0]["op"], "test", "it is bound to what was seen");
        for operation in operations {
            let path = operation["path"].as_str().expect("a path");
            if operation["op"] == "test" {
                if held.pointer(path) != Some(&operation["value"]) {
                    return Answer::status(422);
                }
                continue;
            }
            let (above, name) = path.rsplit_once('/').expect("a path");
            held.pointer_mut(above).expect("an object")[name] = operation["value"].clone();
        }
    } else if version(&asked.body) != version(held) {
        return Answer::status(409);
    } else if asked.method == Method::PUT {
        held["spec"] = asked.body["spec"].clone();
    } else {
        merge(held, &asked.body);
    }
    bump(held, &before);
    Answer::json(200, held)
}

/// A store, and what happens to it before each request.
fn store(
    held: Value,
    mut meanwhile: impl FnMut(&mut Value, &Asked) + Send + 'static,
) -> (Server, Arc<Mutex<Value>>) {
    let held = Arc::new(Mutex::new(held));
    let inside = Arc::clone(&held);
    let server = Server::new(move |asked| {
        let mut held = inside.lock().expect("a lock");
        meanwhile(&mut held, asked);
        answer(&mut held, asked)
    });
    (server, held)
}

fn touch_status(held: &mut Value) {
    let before = held.clone();
    held["status"]["availableReplicas"] = json!(
        held["status"]["availableReplicas"]
            .as_u64()
            .unwrap_or_default()
            + 1
    );
    bump(held, &before);
}

fn image(image: &str) -> RolloutAction {
    RolloutAction::SetImage(vec![ImageChange {
        container: "api".to_owned(),
        image: image.to_owned(),
    }])
}

#[tokio::test(start_paused = true)]
async fn two_people_promote_at_the_same_moment() {
    let (server, held) = store(stored(), |_, _| ());
    let (one, two) = (server.rollouts(), server.rollouts());
    let rollout = read_rollout(&one).await;
    let promotion = plan(RolloutAction::Promote, &rollout, None).expect("a plan");
    let (first, second) = tokio::join!(one.execute(&promotion), two.execute(&promotion));
    let outcomes = [first.expect("an answer"), second.expect("an answer")];
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Executed::Done(_)))
            .count(),
        1,
        "{outcomes:?}"
    );
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Executed::Moved(_)))
            .count(),
        1,
        "{outcomes:?}"
    );
    assert_eq!(
        held.lock().expect("a lock")["metadata"]["resourceVersion"],
        "11",
        "one step, not two"
    );
}

#[tokio::test(start_paused = true)]
async fn a_patch_is_exact_and_bound() {
    let (server, _) = store(stored(), |_, _| ());
    let rollouts = server.rollouts();
    let promotion =
        plan(RolloutAction::Promote, &read_rollout(&rollouts).await, None).expect("a plan");
    let Executed::Done(now) = rollouts.execute(&promotion).await.expect("an answer") else {
        panic!("not done")
    };
    assert!(now.pauses.is_empty());
    let last = server.asked().pop().expect("a request");
    assert_eq!(
        last.path,
        "/apis/argoproj.io/v1alpha1/namespaces/pay/rollouts/api/status"
    );
    assert_eq!(
        last.body,
        json!({"status": {"pauseConditions": null}, "metadata": {"resourceVersion": "10"}})
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_status_apart_the_object_itself_is_patched() {
    let held = Mutex::new(stored());
    let server = Server::new(move |asked| {
        if asked.path.ends_with("/status") {
            Answer::status(404)
        } else {
            answer(&mut held.lock().expect("a lock"), asked)
        }
    });
    let rollouts = server.rollouts();
    let abort = plan(RolloutAction::Abort, &read_rollout(&rollouts).await, None).expect("a plan");
    let Executed::Done(now) = rollouts.execute(&abort).await.expect("an answer") else {
        panic!("not done")
    };
    assert!(now.aborted);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_moves_does_not_keep_an_image_from_being_set() {
    // It moves before every request, between the look and the write too, but not for ever.
    let mut left = 3;
    let (server, held) = store(stored(), move |held, asked| {
        if asked.method == Method::PUT && left > 0 {
            left -= 1;
            touch_status(held);
        }
    });
    let rollouts = server.rollouts();
    let set = plan(image("a:2"), &read_rollout(&rollouts).await, None).expect("a plan");
    touch_status(&mut held.lock().expect("a lock"));
    let Executed::Done(now) = rollouts.execute(&set).await.expect("an answer") else {
        panic!("not done")
    };
    assert_eq!(now.images[0].image, "a:2");
    assert_eq!(
        held.lock().expect("a lock")["spec"]["template"]["spec"]["containers"][0]["unknown"],
        1,
        "nothing unknown is lost"
    );
}

#[tokio::test(start_paused = true)]
async fn a_spec_that_moved_does() {
    let (server, held) = store(stored(), |_, _| ());
    let rollouts = server.rollouts();
    let set = plan(image("a:2"), &read_rollout(&rollouts).await, None).expect("a plan");
    {
        let mut held = held.lock().expect("a lock");
        let before = held.clone();
        held["spec"]["template"]["spec"]["containers"][0]["image"] = json!("a:9");
        bump(&mut held, &before);
    }
    let Executed::Moved(now) = rollouts.execute(&set).await.expect("an answer") else {
        panic!("not refused")
    };
    assert_eq!(now.images[0].image, "a:9");
    assert!(
        server
            .asked()
            .iter()
            .all(|asked| asked.method == Method::GET),
        "nothing was written"
    );
}

fn paused_by_hand() -> Value {
    let mut held = stored();
    held["spec"]["paused"] = json!(true);
    held
}

#[tokio::test(start_paused = true)]
async fn the_second_call_goes_on_over_the_controllers_own_writes() {
    // The first call wakes the controller, which writes the status before the second.
    let mut calls = 0;
    let (server, held) = store(paused_by_hand(), move |held, asked| {
        if asked.method == Method::PATCH {
            calls += 1;
            if calls == 2 {
                touch_status(held);
            }
        }
    });
    let rollouts = server.rollouts();
    let promotion =
        plan(RolloutAction::Promote, &read_rollout(&rollouts).await, None).expect("a plan");
    assert_eq!(promotion.changes.len(), 2);
    let Executed::Done(now) = rollouts.execute(&promotion).await.expect("an answer") else {
        panic!("not done")
    };
    assert!(!now.spec_paused && now.pauses.is_empty());
    assert_eq!(held.lock().expect("a lock")["spec"]["paused"], false);
}

#[tokio::test(start_paused = true)]
async fn but_not_over_another_spec() {
    let mut calls = 0;
    let (server, _) = store(paused_by_hand(), move |held, asked| {
        if asked.method == Method::PATCH {
            calls += 1;
            if calls == 2 {
                let before = held.clone();
                held["spec"]["replicas"] = json!(9);
                bump(held, &before);
            }
        }
    });
    let rollouts = server.rollouts();
    let promotion =
        plan(RolloutAction::Promote, &read_rollout(&rollouts).await, None).expect("a plan");
    let Executed::Partly { done: 1, now } = rollouts.execute(&promotion).await.expect("an answer")
    else {
        panic!("not partly")
    };
    assert!(now.spec_paused && now.pauses.is_empty());
}

#[track_caller]
fn check_error(error: payops_core::port::PortResult<Executed>, kind: ErrorKind, message: &str) {
    let error = error.expect_err("a failure");
    assert_eq!((error.kind, error.message.as_str()), (kind, message));
}

#[tokio::test(start_paused = true)]
async fn failures_name_cluster_and_verb() {
    let rollout = read_rollout(&store(stored(), |_, _| ()).0.rollouts()).await;
    let abort = plan(RolloutAction::Abort, &rollout, None).expect("a plan");
    let refused = Server::new(|_| Answer::status(403)).rollouts();
    check_error(
        refused.execute(&abort).await,
        ErrorKind::Denied,
        "cluster prod: abort rollout pay/api: answered 403: scripted 403",
    );
    let silent = Server::new(|_| Answer::lines(&[], false)).rollouts();
    check_error(
        silent.execute(&abort).await,
        ErrorKind::Ambiguous,
        "cluster prod: abort rollout pay/api: no response within 10 s",
    );
    let gone = Server::new(|_| Answer::status(404)).rollouts();
    assert_eq!(
        gone.execute(&abort).await.expect("an answer"),
        Executed::Gone
    );
}
