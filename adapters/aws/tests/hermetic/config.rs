//! Real sockets: what the SDK's own HTTP client makes of a place where nobody listens, and of one
//! that takes the request and says nothing.

use std::sync::Arc;

use payops_aws::{AwsConfig, DynamoStore, load};
use payops_core::port::{ErrorKind, PaymentStore as _, PortError};
use payops_testkit::{ManualClock, SeededRandom, sample};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

async fn accept_at(address: std::net::SocketAddr) -> PortError {
    let config = AwsConfig {
        region: "eu-west-1".to_owned(),
        endpoint_url: Some(format!("http://{address}")),
        ..AwsConfig::default()
    };
    let clients = load(&config).await;
    let credentials =
        aws_sdk_dynamodb::config::Credentials::new("test", "test", None, None, "test");
    let with = clients
        .dynamo
        .config()
        .to_builder()
        .credentials_provider(credentials)
        .build();
    let store = DynamoStore::new(
        aws_sdk_dynamodb::Client::from_conf(with),
        "payments",
        Arc::new(SeededRandom::new(7)),
    );
    store
        .accept(&sample::acceptance(1, ManualClock::start()))
        .await
        .expect_err("nobody answers")
}

#[tokio::test]
async fn where_nobody_listens_surely_nothing_was_done() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let error = accept_at(address).await;
    assert_eq!(error.kind, ErrorKind::Unavailable, "{}", error.chain());
}

#[tokio::test]
async fn where_the_connection_ends_after_the_request_nobody_knows() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut some = [0; 1024];
            let _ = stream.read(&mut some).await;
        }
    });
    let error = accept_at(address).await;
    assert_eq!(error.kind, ErrorKind::Ambiguous, "{}", error.chain());
    server.abort();
}
