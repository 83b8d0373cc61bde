//! S3: objects that stand there already, puts that meet, and what may not be read.

use payops_aws::S3Archive;
use payops_core::domain::sha256_hex;
use payops_core::port::{Archive as _, ErrorKind, PutOutcome};

use crate::support::{Asked, Reply, Service};

async fn archive(
    answer: impl Fn(usize, Asked) -> Reply + Send + Sync + 'static,
) -> (S3Archive, Service) {
    let service = Service::new(answer);
    (
        S3Archive::new(
            service.clients().await.s3,
            "archive",
            Some("123456789012".to_owned()),
        ),
        service,
    )
}

fn xml(status: u16, code: &str) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>told by the \
            test</Message><RequestId>r1</RequestId></Error>"
    );
    Reply::With(status, ("content-type", "application/xml"), body)
}

#[tokio::test]
async fn a_put_writes_only_where_nothing_stands_and_says_what_it_wrote() {
    let (archive, service) =
        archive(|_, _| Reply::With(200, ("etag", "\"e\""), String::new())).await;
    assert_eq!(
        archive
            .put_if_absent("payments/a.json", b"{}")
            .await
            .expect("put_if_absent"),
        PutOutcome::Created
    );
    let asked = &service.asked()[0];
    let header = |name: &str| asked.headers.get(name).map(String::as_str);
    assert_eq!(asked.method, "PUT");
    assert!(
        asked
            .uri
            .starts_with("http://service.test/archive/payments/a.json"),
        "{}",
        asked.uri
    );
    assert_eq!(header("if-none-match"), Some("*"));
    assert_eq!(
        header("x-amz-meta-sha256"),
        Some(sha256_hex(b"{}").as_str())
    );
    assert_eq!(
        header("x-amz-checksum-sha256"),
        Some("RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=")
    );
    assert_eq!(header("x-amz-expected-bucket-owner"), Some("123456789012"));
}

#[tokio::test]
async fn what_stands_there_is_told_by_its_bytes() {
    let answer = |_: usize, asked: Asked| match asked.method.as_str() {
        "PUT" => xml(412, "PreconditionFailed"),
        // Its metadata says otherwise; the bytes are what counts.
        _ => Reply::With(200, ("x-amz-meta-sha256", "00"), "other bytes".to_owned()),
    };
    let (archive, _) = archive(answer).await;
    let outcome = archive
        .put_if_absent("payments/a.json", b"{}")
        .await
        .expect("put_if_absent");
    assert_eq!(
        outcome,
        PutOutcome::Exists {
            sha256: sha256_hex(b"other bytes")
        }
    );
}

#[tokio::test]
async fn a_put_that_meets_another_is_tried_again_and_not_for_ever() {
    let (meeting, service) = archive(|before, _| {
        if before == 0 {
            xml(409, "ConditionalRequestConflict")
        } else {
            Reply::With(200, ("etag", "\"e\""), String::new())
        }
    })
    .await;
    assert_eq!(
        meeting
            .put_if_absent("k", b"{}")
            .await
            .expect("put_if_absent"),
        PutOutcome::Created
    );
    assert_eq!(service.asked().len(), 2);

    let (stuck, _) = archive(|_, _| xml(409, "ConditionalRequestConflict")).await;
    assert_eq!(
        stuck
            .put_if_absent("k", b"{}")
            .await
            .expect_err("always in conflict")
            .kind,
        ErrorKind::Unavailable
    );
}

#[tokio::test]
async fn failures_are_told_apart() {
    let check = async |reply: fn() -> Reply, put: ErrorKind, get: Option<ErrorKind>| {
        let (archive, _) = archive(move |_, _| reply()).await;
        let error = archive
            .put_if_absent("k", b"{}")
            .await
            .expect_err("a failed put");
        assert_eq!(error.kind, put, "{}", error.chain());
        assert_eq!(
            archive.get("k").await.map_err(|error| error.kind).err(),
            get
        );
        error.message
    };
    check(
        || xml(503, "SlowDown"),
        ErrorKind::Throttled,
        Some(ErrorKind::Throttled),
    )
    .await;
    check(
        || xml(404, "NoSuchBucket"),
        ErrorKind::NotFound,
        Some(ErrorKind::NotFound),
    )
    .await;
    check(
        || xml(500, "InternalError"),
        ErrorKind::Ambiguous,
        Some(ErrorKind::Unavailable),
    )
    .await;
    check(
        || Reply::Timeout,
        ErrorKind::Ambiguous,
        Some(ErrorKind::Unavailable),
    )
    .await;
    check(|| xml(404, "NoSuchKey"), ErrorKind::NotFound, None).await;
    let text = check(
        || xml(403, "AccessDenied"),
        ErrorKind::Denied,
        Some(ErrorKind::Denied),
    )
    .await;
    assert!(
        text.contains("not allowed: s3:PutObject on bucket archive"),
        "{text}"
    );
}
