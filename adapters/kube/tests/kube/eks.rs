//! A cluster of EKS from `DescribeCluster` to the first list, over a server without TLS.

use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use payops_core::port::{ErrorKind, Rollouts};
use serde_json::json;

/// Serves `DescribeCluster` of `prod-1` and the API it points to; keeps the tokens it is sent.
async fn serve() -> (SdkConfig, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let tokens: Arc<Mutex<Vec<String>>> = Arc::default();
    let (kept, endpoint) = (Arc::clone(&tokens), url.clone());
    let answer = move |request: Request| {
        let (kept, endpoint) = (Arc::clone(&kept), endpoint.clone());
        async move {
            match request.uri().path() {
                "/clusters/prod-1" => axum::Json(json!({"cluster": {"name": "prod-1", "endpoint": endpoint}})).into_response(),
                "/apis/argoproj.io/v1alpha1/rollouts" => {
                    let token = request.headers()["authorization"].to_str().expect("a text").to_owned();
                    kept.lock().expect("a lock").push(token);
                    axum::Json(json!({"metadata": {}, "items": [{"metadata": {"name": "api"}}]})).into_response()
                }
                _ => (http::StatusCode::NOT_FOUND, axum::Json(json!({"message": "none"}))).into_response(),
            }
        }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(url)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    (config, tokens)
}

#[tokio::test]
async fn from_describe_cluster_to_a_list() {
    let (config, tokens) = serve().await;
    let rollouts = payops_kube::eks::connect(&config, "prod-1").await.expect("a cluster");
    assert_eq!((rollouts.cluster(), rollouts.driver().as_str()), ("prod-1", "EKS eu-west-1"));
    assert_eq!(rollouts.list().await.expect("a list").len(), 1);
    assert!(tokens.lock().expect("a lock")[0].starts_with("Bearer k8s-aws-v1."));
    let error = payops_kube::eks::connect(&config, "prod-2").await.err().expect("refused");
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.message, "cluster prod-2: DescribeCluster: there is no such cluster in this account and region");
}
