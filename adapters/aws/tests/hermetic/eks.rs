//! What EKS answers about a cluster, and what becomes of it.

use payops_aws::eks::describe_cluster;
use payops_aws::permissions::Principal;
use payops_core::port::ErrorKind;
use serde_json::json;

use crate::support::{Reply, Service};

#[tokio::test]
async fn a_cluster_is_where_eks_says() {
    let service = Service::new(|_, _| {
        Reply::json(&json!({"cluster": {
            "name": "prod-1",
            "status": "ACTIVE",
            "endpoint": "https://prod-1.test",
            "certificateAuthority": {"data": "LS0t"},
        }}))
    });
    let found = describe_cluster(&service.config().await, Some(Principal::View), "prod-1")
        .await
        .expect("described");
    assert_eq!(found.url, "https://prod-1.test");
    assert_eq!(found.authority.as_deref(), Some("LS0t"));
    assert!(service.asked()[0].uri.ends_with("/clusters/prod-1"));
}

#[tokio::test]
async fn what_eks_says_against_it_is_told() {
    let refused = |status, code: &'static str| {
        Reply::With(status, ("x-amzn-errortype", code), "{}".to_owned())
    };
    let service = Service::new(move |_, asked| match asked.uri.rsplit('/').next() {
        Some("nope") => refused(404, "ResourceNotFoundException"),
        Some("theirs") => refused(403, "AccessDeniedException"),
        _ => Reply::json(&json!({"cluster": {"name": "new", "status": "CREATING"}})),
    });
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
        let error = describe_cluster(&service.config().await, None, name)
            .await
            .expect_err("refused");
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}
