//! Lists and single objects.

use std::time::Duration;

use payops_core::domain::rollout::{Phase, Step, Waiting};
use payops_core::port::{ErrorKind, Rollouts};
use payops_simulator::Kind;
use serde_json::{Value, json};

use super::support::{change, cluster, key, rollout, rollouts, seen};

#[tokio::test(start_paused = true)]
async fn a_rollout_is_listed_and_got_as_what_it_means() {
    let cluster = cluster();
    cluster.put(rollout("api", json!({}))).expect("put");
    let rollouts = rollouts(&cluster);
    let listed = rollouts.list().await.expect("a list");
    let api = seen(&rollouts, "api").await;
    assert_eq!(listed, std::slice::from_ref(&api));
    assert_eq!(
        (api.phase(), api.step_index, api.steps().len()),
        ((Phase::Paused, "CanaryPauseStep"), Some(1), 5)
    );
    assert!(
        matches!(api.current_step(), Some(Step::Pause(_)))
            && matches!(api.wait_state(), Waiting::Human { .. })
    );
    assert_eq!(
        (api.generation, api.weights().expect("weights").desired),
        (1, 250)
    );
    assert_eq!(rollouts.get(&key("none")).await.expect("an answer"), None);
}

#[tokio::test(start_paused = true)]
async fn one_damaged_object_hides_no_other() {
    let cluster = cluster();
    for name in ["a", "b", "c"] {
        cluster.put(rollout(name, json!({}))).expect("put");
    }
    change(&cluster, Kind::Rollout, "b", |object| {
        object["status"] = json!({"phase": 7, "pauseConditions": "?"});
    });
    let listed = rollouts(&cluster).list().await.expect("a list");
    let phases: Vec<(&str, Phase)> = listed
        .iter()
        .map(|rollout| (rollout.key.name.as_str(), rollout.phase().0))
        .collect();
    assert_eq!(
        phases,
        [
            ("a", Phase::Paused),
            ("b", Phase::Unknown),
            ("c", Phase::Paused)
        ]
    );
    assert!(
        listed[1].phase().1.contains("pauseConditions"),
        "{:?}",
        listed[1].phase()
    );
}

#[tokio::test]
async fn ten_thousand_objects_come_in_pages() {
    let cluster = cluster();
    let model = rollout("model", json!({}));
    for number in 0..10_000 {
        let mut object = model.clone();
        object["metadata"]["name"] = Value::from(format!("r-{number:05}"));
        cluster.put(object).expect("put");
    }
    let timing = payops_kube::Timing {
        call: Duration::from_mins(1),
        ..payops_kube::Timing::default()
    };
    let listed = rollouts(&cluster)
        .with_timing(timing)
        .list()
        .await
        .expect("a list");
    assert_eq!(
        (listed.len(), listed[9_999].key.name.as_str()),
        (10_000, "r-09999")
    );
    assert_eq!(cluster.faults().count("list", "rollouts"), 20);
}

#[tokio::test(start_paused = true)]
async fn failures_say_what_they_are() {
    let cluster = cluster();
    let (faults, rollouts) = (cluster.faults(), rollouts(&cluster));
    faults.too_many_requests(1, 7);
    assert_eq!(
        rollouts.list().await.expect_err("busy").kind,
        ErrorKind::Throttled
    );
    faults.unauthorized(1);
    rollouts
        .list()
        .await
        .expect("a 401 is tried once more: a token may have run out");
    faults.reset_counts();
    faults.unauthorized(u64::MAX);
    let error = rollouts.list().await.expect_err("not believed");
    assert_eq!(error.kind, ErrorKind::Denied);
    assert_eq!(
        error.message,
        "cluster prod: list rollouts: 401: the cluster rejected the credentials; sign in again"
    );
    assert_eq!(faults.count("list", "rollouts"), 2, "and no more than once");
    faults.unauthorized(0);
    faults.stall(Some(Duration::from_mins(1)));
    let error = rollouts.list().await.expect_err("too slow");
    assert_eq!(
        (error.kind, error.message.as_str()),
        (
            ErrorKind::Unavailable,
            "cluster prod: list rollouts: no response within 2 s"
        )
    );
}
