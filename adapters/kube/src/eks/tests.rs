//! A cluster of EKS is asked with a token that says who asks.

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

fn config() -> SdkConfig {
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
        .build()
}

#[tokio::test]
async fn a_cluster_is_asked_with_a_token_that_is_renewed_when_it_is_refused() {
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
    let eks = EksCluster {
        name: "prod-1".to_owned(),
        url: cluster,
        authority: None,
    };
    let rollouts = connect(&config(), eks, "prod").await.expect("reached");
    assert_eq!(
        (rollouts.cluster(), rollouts.driver().as_str()),
        ("prod", "EKS prod-1 in eu-west-1")
    );
    let listed = rollouts.list().await.expect("listed");
    assert_eq!(listed[0].key.to_string(), "payments/api");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}
