//! A cluster of EKS, from its description to a request that says who asks.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use payops_core::port::Rollouts;
use serde_json::json;
use tokio::net::TcpListener;

use super::*;

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn config(endpoint: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "AKIDEXAMPLE",
            "secret",
            None,
            None,
            "test",
        )))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .endpoint_url(endpoint)
        .build()
}

#[tokio::test]
async fn a_cluster_is_described_and_asked_with_a_token_that_is_renewed_when_it_is_refused() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let cluster = serve(Router::new().route(
        "/apis/argoproj.io/v1alpha1/rollouts",
        get(move |headers: HeaderMap| async move {
            let bearer = headers
                .get("authorization")
                .and_then(|value| value.to_str().ok());
            if !bearer.is_some_and(|bearer| bearer.starts_with("Bearer k8s-aws-v1.")) {
                return (StatusCode::FORBIDDEN, "no token").into_response();
            }
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                return (StatusCode::UNAUTHORIZED, "the token has expired").into_response();
            }
            let metadata = json!({"name": "api", "namespace": "payments", "uid": "u"});
            let rollout = json!({"metadata": metadata, "status": {"phase": "Healthy"}});
            let list = json!({"metadata": {"resourceVersion": "1"}, "items": [rollout]});
            axum::Json(list).into_response()
        }),
    ))
    .await;
    let answer = json!({"cluster": {"name": "prod-1", "status": "ACTIVE", "endpoint": cluster}});
    let eks = serve(Router::new().route(
        "/clusters/prod-1",
        get(move || async move { axum::Json(answer) }),
    ))
    .await;
    let rollouts = connect(&config(&eks), "prod-1", "prod")
        .await
        .expect("reached");
    assert_eq!(
        (rollouts.cluster(), rollouts.driver().as_str()),
        ("prod", "EKS prod-1 in eu-west-1")
    );
    let listed = rollouts.list().await.expect("listed");
    assert_eq!(listed[0].key.to_string(), "payments/api");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_eks_says_against_it_is_told() {
    let missing = || async {
        let body = json!({"message": "No cluster found for name: nope."});
        (
            StatusCode::NOT_FOUND,
            [("x-amzn-errortype", "ResourceNotFoundException")],
            axum::Json(body),
        )
    };
    let denied = || async {
        (
            StatusCode::FORBIDDEN,
            [("x-amzn-errortype", "AccessDeniedException")],
            axum::Json(json!({"message": "no"})),
        )
    };
    let creating =
        || async { axum::Json(json!({"cluster": {"name": "new", "status": "CREATING"}})) };
    let router = Router::new()
        .route("/clusters/nope", get(missing))
        .route("/clusters/theirs", get(denied))
        .route("/clusters/new", get(creating));
    let config = config(&serve(router).await);
    for (name, kind, words) in [
        ("nope", ErrorKind::NotFound, "no EKS cluster nope"),
        (
            "theirs",
            ErrorKind::Denied,
            "these credentials may not describe the EKS cluster theirs",
        ),
        (
            "new",
            ErrorKind::Unavailable,
            "no endpoint yet; its status is CREATING",
        ),
    ] {
        let error = connect(&config, name, "prod")
            .await
            .map(|_| ())
            .expect_err("refused");
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}
