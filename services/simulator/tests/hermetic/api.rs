//! The API's promises: versions, watches, patches, refusals, faults.

use std::time::Duration;

use payops_simulator::{Cluster, ClusterOptions, Key, Kind, WatchFault};
use serde_json::{Value, json};

use crate::support::{ROLLOUTS, TestClock, Watch, call, canary, cluster, get, merge, rollout};

const PODS: &str = "/api/v1/namespaces/payments/pods";

fn with(names: &[&str]) -> Cluster {
    let cluster = cluster();
    for name in names {
        cluster.put(rollout(name, "api:1", &canary())).unwrap();
    }
    cluster
}

fn version(object: &Value) -> String {
    object["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn touch(cluster: &Cluster, name: &str) {
    let mut object = (*cluster.get(Kind::Rollout, "payments", name).unwrap()).clone();
    object["spec"]["replicas"] = (object["spec"]["replicas"].as_i64().unwrap() + 1).into();
    cluster.put(object).unwrap();
}

fn told(what: &str, name: &str) -> (String, String) {
    (what.to_owned(), name.to_owned())
}

#[tokio::test]
async fn a_watch_goes_on_from_a_version_and_then_lives() {
    let cluster = with(&["api", "web"]);
    let (_, list) = get(&cluster, ROLLOUTS).await;
    assert_eq!(list["kind"], "RolloutList");
    touch(&cluster, "web");
    let mut watch = Watch::open(
        &cluster,
        &format!("{ROLLOUTS}?watch=true&resourceVersion={}", version(&list)),
    )
    .await;
    assert_eq!(watch.told().await, told("MODIFIED", "web"));
    cluster.put(rollout("new", "new:1", &canary())).unwrap();
    assert_eq!(watch.told().await, told("ADDED", "new"));
    cluster.remove_object(&Key::new(Kind::Rollout, "payments", "api"));
    assert_eq!(watch.told().await, told("DELETED", "api"));
}

#[tokio::test]
async fn an_object_that_no_longer_matches_is_gone_to_the_watch() {
    let cluster = with(&["api", "web"]);
    let mut watch = Watch::open(
        &cluster,
        &format!("{ROLLOUTS}?watch=true&labelSelector=app%3Dweb"),
    )
    .await;
    assert_eq!(watch.told().await, told("ADDED", "web"));
    touch(&cluster, "api");
    let mut object = (*cluster.get(Kind::Rollout, "payments", "web").unwrap()).clone();
    object["metadata"]["labels"] = json!({"app": "other"});
    cluster.put(object).unwrap();
    assert_eq!(watch.told().await, told("DELETED", "web"));
}

#[tokio::test]
async fn a_streamed_list_ends_with_a_bookmark() {
    let cluster = with(&["api"]);
    let query =
        "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = Watch::open(&cluster, &format!("{ROLLOUTS}?{query}")).await;
    assert_eq!(watch.told().await, told("ADDED", "api"));
    let mark = watch.next().await.unwrap().unwrap();
    assert_eq!(mark["type"], "BOOKMARK");
    assert_eq!(
        mark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
    assert_eq!(version(&mark["object"]), cluster.version().to_string());
}

#[tokio::test(start_paused = true)]
async fn a_quiet_watch_gets_bookmarks_and_ends_in_time() {
    let options = ClusterOptions {
        bookmark_every: Duration::from_secs(10),
        ..ClusterOptions::default()
    };
    let cluster = Cluster::with_options("test", TestClock::new().clock(), options);
    let query = format!(
        "watch=1&allowWatchBookmarks=true&timeoutSeconds=25&resourceVersion={}",
        cluster.version()
    );
    let mut watch = Watch::open(&cluster, &format!("{ROLLOUTS}?{query}")).await;
    for _ in 0..3 {
        assert_eq!(watch.next().await.unwrap().unwrap()["type"], "BOOKMARK");
    }
    assert_eq!(watch.next().await, Ok(None));
}

#[tokio::test]
async fn a_version_that_is_forgotten_is_gone() {
    let cluster = with(&["api"]);
    let old = version(&get(&cluster, ROLLOUTS).await.1);
    touch(&cluster, "api");
    cluster.compact();
    let mut watch = Watch::open(
        &cluster,
        &format!("{ROLLOUTS}?watch=1&resourceVersion={old}"),
    )
    .await;
    let event = watch.next().await.unwrap().unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["code"]),
        (&json!("ERROR"), &json!(410))
    );
    assert_eq!(watch.next().await, Ok(None));
    let (code, _) = get(
        &cluster,
        &format!("{ROLLOUTS}?resourceVersion=999999&resourceVersionMatch=Exact"),
    )
    .await;
    assert_eq!(code, 504, "a version that is still to come");
}

#[tokio::test]
async fn the_history_has_an_end() {
    let cluster = Cluster::with_options(
        "test",
        TestClock::new().clock(),
        ClusterOptions {
            history_max: 3,
            ..ClusterOptions::default()
        },
    );
    cluster.put(rollout("api", "api:1", &canary())).unwrap();
    let old = cluster.version();
    (0..3).for_each(|_| touch(&cluster, "api"));
    assert_eq!(cluster.changes_since(old).unwrap().len(), 3);
    touch(&cluster, "api");
    assert_eq!(cluster.changes_since(old).unwrap_err().code, 410);
}

#[tokio::test]
async fn pages_are_of_one_moment() {
    let cluster = with(&["a", "b", "c"]);
    let (_, first) = get(&cluster, &format!("{ROLLOUTS}?limit=2")).await;
    assert_eq!(
        (
            first["items"].as_array().unwrap().len(),
            &first["metadata"]["remainingItemCount"]
        ),
        (2, &json!(1))
    );
    cluster.remove_object(&Key::new(Kind::Rollout, "payments", "c"));
    let next = format!(
        "{ROLLOUTS}?limit=2&continue={}",
        first["metadata"]["continue"].as_str().unwrap()
    );
    let (_, second) = get(&cluster, &next).await;
    assert_eq!(
        second["items"][0]["metadata"]["name"], "c",
        "it was there when the list was begun"
    );
    assert_eq!(version(&second), version(&first));
    cluster.compact();
    assert_eq!(get(&cluster, &next).await.0, 410);
}

#[tokio::test]
async fn status_and_spec_are_written_apart_and_the_generation_counts_specs() {
    let cluster = with(&["api"]);
    let both = json!({"spec": {"paused": true}, "status": {"abort": true}});
    let (code, object) = merge(&cluster, &format!("{ROLLOUTS}/api/status"), both.clone()).await;
    assert_eq!(
        (code, &object["spec"]["paused"], &object["status"]["abort"]),
        (200, &Value::Null, &json!(true))
    );
    assert_eq!(object["metadata"]["generation"], 1);
    let (_, object) = merge(
        &cluster,
        &format!("{ROLLOUTS}/api"),
        json!({"spec": {"paused": true}, "status": {"abort": false}}),
    )
    .await;
    assert_eq!(
        (&object["spec"]["paused"], &object["status"]["abort"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(object["metadata"]["generation"], 2);
    let (_, same) = merge(
        &cluster,
        &format!("{ROLLOUTS}/api"),
        json!({"spec": {"paused": true}}),
    )
    .await;
    assert_eq!(
        version(&same),
        version(&object),
        "what changes nothing makes no version"
    );
}

#[tokio::test]
async fn a_write_that_was_decided_on_an_old_state_is_refused() {
    let cluster = with(&["api"]);
    let seen = version(&get(&cluster, &format!("{ROLLOUTS}/api")).await.1);
    touch(&cluster, "api");
    let patch = json!({"metadata": {"resourceVersion": seen}, "status": {"pauseConditions": null}});
    let (code, status) = merge(&cluster, &format!("{ROLLOUTS}/api/status"), patch).await;
    assert_eq!((code, &status["reason"]), (409, &json!("Conflict")));
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .contains("the object has been modified")
    );
}

#[tokio::test]
async fn patches_come_in_the_formats_that_are_served() {
    let cluster = with(&["api"]);
    let at = format!("{ROLLOUTS}/api");
    let strategic = call(
        &cluster,
        "PATCH",
        &at,
        "application/strategic-merge-patch+json",
        &json!({}),
    )
    .await;
    assert_eq!(
        (strategic.0, &strategic.1["reason"]),
        (415, &json!("UnsupportedMediaType"))
    );
    assert_eq!(
        call(
            &cluster,
            "PATCH",
            &at,
            "application/apply-patch+yaml",
            &json!({})
        )
        .await
        .0,
        415
    );
    let test = json!([{"op": "test", "path": "/spec/replicas", "value": 3}]);
    assert_eq!(
        call(&cluster, "PATCH", &at, "application/json-patch+json", &test)
            .await
            .0,
        422
    );
    let replace = json!([{"op": "replace", "path": "/spec/replicas", "value": 3}]);
    let (code, object) = call(
        &cluster,
        "PATCH",
        &at,
        "application/json-patch+json",
        &replace,
    )
    .await;
    assert_eq!((code, &object["spec"]["replicas"]), (200, &json!(3)));
    assert_eq!(
        merge(&cluster, &format!("{ROLLOUTS}/none"), json!({}))
            .await
            .0,
        404
    );
    let runs = "/apis/argoproj.io/v1alpha1/namespaces/payments/analysisruns";
    assert_eq!(
        merge(&cluster, &format!("{runs}/api/status"), json!({}))
            .await
            .0,
        404,
        "it has no such subresource"
    );
}

#[tokio::test]
async fn faults_come_when_they_are_asked_for_and_requests_are_counted() {
    let cluster = with(&["api"]);
    let faults = cluster.faults();
    faults.too_many_requests(1, 7);
    let (code, status) = get(&cluster, ROLLOUTS).await;
    assert_eq!(
        (code, &status["details"]["retryAfterSeconds"]),
        (429, &json!(7))
    );
    faults.unauthorized(1);
    assert_eq!(get(&cluster, ROLLOUTS).await.0, 401);
    assert_eq!(get(&cluster, PODS).await.0, 200);
    assert_eq!(
        (
            faults.count("list", "rollouts"),
            faults.count("list", "pods")
        ),
        (2, 1)
    );
    faults.fail_watches(1, WatchFault::Gone);
    assert_eq!(get(&cluster, &format!("{ROLLOUTS}?watch=1")).await.0, 410);
    faults.fail_watches(1, WatchFault::ErrorEvent);
    let mut watch = Watch::open(&cluster, &format!("{ROLLOUTS}?watch=1")).await;
    assert_eq!(watch.next().await.unwrap().unwrap()["object"]["code"], 410);
    let mut watch = Watch::open(&cluster, &format!("{ROLLOUTS}?watch=1")).await;
    assert_eq!(watch.told().await, told("ADDED", "api"));
    faults.cut_watches();
    assert!(
        watch.next().await.is_err(),
        "it breaks off instead of ending"
    );
}

#[tokio::test]
async fn a_token_is_asked_for_on_the_socket() {
    let cluster = with(&["api"]);
    let server = cluster
        .serve("127.0.0.1:0".parse().unwrap(), "s3cret")
        .await
        .unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}{ROLLOUTS}", server.url());
    assert_eq!(client.get(&url).send().await.unwrap().status(), 401);
    assert_eq!(
        client
            .get(&url)
            .bearer_auth("s3cret")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(
        client
            .get(format!("{}/token/s3cret{ROLLOUTS}", server.url()))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    server.stop().await;
    assert!(client.get(&url).send().await.is_err());
}

#[tokio::test]
async fn a_snapshot_brings_everything_back() {
    let cluster = with(&["api", "web"]);
    let before = cluster.version();
    let snapshot = cluster.snapshot();
    cluster.remove_object(&Key::new(Kind::Rollout, "payments", "api"));
    cluster.restore(&snapshot).unwrap();
    assert!(cluster.get(Kind::Rollout, "payments", "api").is_ok());
    assert!(cluster.version() > before + 1, "versions never go back");
    assert_eq!(cluster.changes_since(before).unwrap_err().code, 410);
    assert_eq!(cluster.restore(&json!({})).unwrap_err().code, 400);
}
