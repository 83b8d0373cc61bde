//! What the emulator's S3 does not check: signatures, credentials and checksums. Against
//! `versitygw`, which `live/run` starts.

#![expect(
    clippy::expect_used,
    reason = "tests say what they expect by panicking"
)]

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use payops_aws::{Clients, S3Archive};
use payops_core::port::{Archive as _, ErrorKind, PutOutcome};
use payops_testkit::{conformance, fresh_salt};

struct Server {
    endpoint: String,
    key: String,
    secret: String,
}

impl Server {
    fn find() -> Option<Self> {
        Some(Self {
            endpoint: crate::aws::variable("PAYOPS_LIVE_S3_ENDPOINT")?,
            key: crate::aws::variable("PAYOPS_LIVE_S3_ACCESS_KEY")?,
            secret: crate::aws::variable("PAYOPS_LIVE_S3_SECRET_KEY")?,
        })
    }

    async fn clients(&self, key: &str, secret: &str) -> Clients {
        let credentials = Credentials::new(key, secret, None, None, "live suite");
        let config: SdkConfig = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .endpoint_url(&self.endpoint)
            .credentials_provider(credentials)
            .load()
            .await;
        Clients::new(&config, None)
    }

    /// A bucket of this test's own.
    async fn bucket(&self) -> (Clients, String) {
        let clients = self.clients(&self.key, &self.secret).await;
        let bucket = format!("archive-{:x}", fresh_salt());
        let made = clients.s3.create_bucket().bucket(&bucket).send().await;
        made.expect("a bucket");
        (clients, bucket)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_keeps_its_contract() {
    let Some(server) = Server::find() else { return };
    let (clients, bucket) = server.bucket().await;
    let archive = S3Archive::new(clients.s3, bucket, None);
    conformance::archive::suite(&archive, fresh_salt(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_denied_and_nothing_is_written() {
    let Some(server) = Server::find() else { return };
    let (clients, bucket) = server.bucket().await;
    let wrong = server.clients(&server.key, "not the secret").await;
    let archive = S3Archive::new(wrong.s3, &bucket, None);
    let error = archive.put_if_absent("payments/k.json", b"{}").await;
    let error = error.expect_err("signed with something else");
    assert_eq!(error.kind, ErrorKind::Denied, "{}", error.chain());
    assert!(error.message.contains("SignatureDoesNotMatch"), "{error}");
    let error = archive.get("payments/k.json").await;
    assert_eq!(error.expect_err("denied").kind, ErrorKind::Denied);
    let archive = S3Archive::new(clients.s3, bucket, None);
    assert_eq!(archive.get("payments/k.json").await.expect("read"), None);
    let outcome = archive.put_if_absent("payments/k.json", b"{}").await;
    assert_eq!(outcome.expect("written"), PutOutcome::Created);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checksum_that_does_not_fit_is_refused() {
    let Some(server) = Server::find() else { return };
    let (clients, bucket) = server.bucket().await;
    let put = clients
        .s3
        .put_object()
        .bucket(&bucket)
        .key("k")
        // That of another body.
        .checksum_sha256("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
        .body(b"not empty".to_vec().into());
    assert!(put.send().await.is_err());
    let archive = S3Archive::new(clients.s3, bucket, None);
    assert_eq!(archive.get("k").await.expect("read"), None);
}
