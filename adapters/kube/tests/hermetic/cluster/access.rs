//! How a cluster is reached, and what may be seen of it.

use std::path::PathBuf;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use kube::client::Body;
use payops_core::domain::rollout::RolloutAction;
use payops_core::port::{ErrorKind, Rollouts};
use payops_kube::KubeRollouts;
use payops_simulator::{Cluster, kubeconfig};
use serde_json::json;
use tokio::time::{Duration, timeout};
use tower::{BoxError, Service, service_fn};

use super::support::{TIMING, cluster, done, planned, rollout, told};

fn with(names: &[(&str, &str)]) -> Cluster {
    let cluster = cluster();
    for (namespace, name) in names {
        let mut object = rollout(name, json!({}));
        object["metadata"]["namespace"] = json!(namespace);
        cluster.put(object).expect("put");
    }
    cluster
}

/// A role that may look into `open` alone, and watch only what it may list.
fn limited(cluster: &Cluster, open: &'static [&'static str]) -> KubeRollouts {
    let api = cluster.service();
    let service = service_fn(move |request: Request<Body>| {
        let mut api = api.clone();
        async move {
            let path = request.uri().path().to_owned();
            if open
                .iter()
                .any(|namespace| path.contains(&format!("/namespaces/{namespace}/")))
            {
                return Ok(api
                    .call(request)
                    .await?
                    .map(|body| body.map_err(BoxError::from).boxed_unsync()));
            }
            let status =
                json!({"kind": "Status", "code": 403, "message": format!("{path} is forbidden")})
                    .to_string();
            let body = Full::from(status).map_err(BoxError::from).boxed_unsync();
            Ok::<_, BoxError>(
                Response::builder()
                    .status(StatusCode::FORBIDDEN)
                    .body(body)?,
            )
        }
    });
    KubeRollouts::from_service(service, "prod").with_timing(TIMING)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn where_the_cluster_may_not_be_read_its_namespaces_are() {
    let cluster = with(&[("payments", "api"), ("web", "shop"), ("secret", "vault")]);
    let rollouts = limited(&cluster, &["payments", "web"])
        .with_namespaces(names(&["payments", "secret", "web", "payments", ""]));
    let listed = rollouts.list().await.expect("a list");
    let keys: Vec<String> = listed
        .iter()
        .map(|rollout| rollout.key.to_string())
        .collect();
    assert_eq!(
        keys,
        ["payments/api", "web/shop"],
        "each once, whatever the configuration repeats"
    );
    let none = limited(&cluster, &[])
        .with_namespaces(names(&["payments"]))
        .list()
        .await
        .expect_err("refused");
    assert_eq!(none.kind, ErrorKind::Denied);
    let alone = limited(&cluster, &["payments"])
        .list()
        .await
        .expect_err("refused");
    assert_eq!(
        alone.message,
        "cluster prod: list rollouts: answered 403: /apis/argoproj.io/v1alpha1/rollouts is \
            forbidden"
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_falls_back_to_namespaces_and_says_once_which_is_shut() {
    let cluster = with(&[("payments", "api"), ("web", "shop"), ("secret", "vault")]);
    let rollouts = limited(&cluster, &["payments", "web"])
        .with_namespaces(names(&["payments", "secret", "web"]));
    let mut watch = rollouts.watch();
    let mut first = [told(&mut watch).await, told(&mut watch).await];
    first.sort();
    assert_eq!(first[0], "all api,shop");
    assert!(
        first[1].starts_with("cut watch rollouts in secret: answered 403"),
        "{first:?}"
    );
    let quiet = timeout(Duration::from_secs(605), told(&mut watch)).await;
    assert!(quiet.is_err(), "{quiet:?}");
    cluster.put(rollout("new", json!({}))).expect("put");
    assert_eq!(told(&mut watch).await, "changed new");
    cluster.faults().cut_watches();
    let mut told_next = Vec::new();
    while told_next
        .iter()
        .filter(|told: &&String| *told == "all api,new,shop")
        .count()
        < 2
    {
        told_next.push(told(&mut watch).await);
        assert!(told_next.len() < 10, "{told_next:?}");
    }
    assert_eq!(
        told_next
            .iter()
            .filter(|told| told.ends_with("the connection was lost"))
            .count(),
        2,
        "{told_next:?}"
    );
}

/// A kubeconfig with one context for each of `(name, url, token)`.
fn written(contexts: &[(&str, String, &str)]) -> (tempfile::TempDir, PathBuf) {
    let contexts: Vec<_> = contexts
        .iter()
        .map(|(name, url, token)| ((*name).to_owned(), url.clone(), (*token).to_owned()))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config");
    std::fs::write(&path, kubeconfig(&contexts)).expect("written");
    (folder, path)
}

#[tokio::test]
async fn a_kubeconfig_that_is_not_there_or_lacks_the_context_is_told() {
    let (folder, path) = written(&[
        ("test", "http://127.0.0.1:9".to_owned(), "t"),
        ("staging", "http://127.0.0.1:9".to_owned(), "t"),
    ]);
    let error = KubeRollouts::from_kubeconfig(Some(&path), "prod", "prod")
        .await
        .map(drop)
        .expect_err("refused");
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(
        error.message,
        format!(
            "cluster prod: context prod not found in {}; it has test, staging",
            path.display()
        )
    );
    let absent = folder.path().join("absent");
    let error = KubeRollouts::from_kubeconfig(Some(&absent), "prod", "prod")
        .await
        .map(drop)
        .expect_err("refused");
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(
        error.message.starts_with(&format!(
            "cluster prod: file {} not found",
            absent.display()
        )),
        "{error}"
    );
    std::fs::write(&path, "contexts: {{").expect("written");
    let error = KubeRollouts::from_kubeconfig(Some(&path), "prod", "prod")
        .await
        .map(drop)
        .expect_err("refused");
    assert_eq!(
        (error.kind, error.message),
        (
            ErrorKind::Permanent,
            format!("cluster prod: {} is not valid", path.display())
        )
    );
}

#[tokio::test]
async fn a_served_cluster_is_reached_with_its_token() {
    let cluster = with(&[("payments", "api")]);
    let server = cluster
        .serve(([127, 0, 0, 1], 0).into(), "s3cret")
        .await
        .expect("served");
    let server_url = server.url().clone();
    let (_folder, path) = written(&[
        ("prod", server.url(), "s3cret"),
        ("wrong", server.url(), "guessed"),
    ]);
    let rollouts = KubeRollouts::from_kubeconfig(Some(&path), "prod", "prod")
        .await
        .expect("a client")
        .with_timing(TIMING);
    assert_eq!(
        (rollouts.cluster(), rollouts.driver().as_str()),
        ("prod", "kubeconfig context prod")
    );
    let mut watch = rollouts.watch();
    assert_eq!(told(&mut watch).await, "all api");
    assert!(
        done(
            &rollouts,
            &planned(&rollouts, "api", RolloutAction::Abort).await
        )
        .await
        .aborted
    );
    assert_eq!(told(&mut watch).await, "changed api");
    let wrong = KubeRollouts::from_kubeconfig(Some(&path), "wrong", "prod")
        .await
        .expect("a client");
    assert_eq!(
        wrong.list().await.expect_err("refused").kind,
        ErrorKind::Denied
    );
    server.stop().await;
    let mut last = told(&mut watch).await;
    assert!(last.starts_with("cut "), "{last}");
    while !last.contains("cannot connect") {
        last = told(&mut watch).await;
    }
    // The kubeconfig's URL has the token in its path, which no message may.
    let refused = format!("cannot connect to {server_url}: connection refused");
    assert_eq!(last, format!("cut watch rollouts: {refused}"));
    let error = rollouts.list().await.expect_err("nobody there");
    assert_eq!(
        (error.kind, error.message.as_str()),
        (
            ErrorKind::Unavailable,
            format!("cluster prod: list rollouts: {refused}").as_str()
        )
    );
}
