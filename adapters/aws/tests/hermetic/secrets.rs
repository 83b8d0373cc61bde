//! Secrets Manager: kept for a minute, never printed.

use std::time::Duration;

use payops_aws::SecretsManager;
use payops_core::port::{ErrorKind, Secrets as _};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::support::{Reply, Service};

#[tokio::test]
async fn a_secret_is_asked_for_once_a_minute() {
    let service = Service::new(|before, _| {
        Reply::json(&json!({"Name": "prod/pepper", "SecretString": format!("hush-{before}")}))
    });
    let secrets = SecretsManager::new(service.clients().await.secrets, "prod/");
    let get = async || {
        secrets
            .get("pepper")
            .await
            .expect("get")
            .expose_secret()
            .to_owned()
    };
    assert_eq!(
        (get().await, get().await),
        ("hush-0".to_owned(), "hush-0".to_owned())
    );
    assert_eq!(service.asked()[0].json()["SecretId"], "prod/pepper");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    assert_eq!(get().await, "hush-1");
    assert!(!format!("{secrets:?}").contains("hush"));
}

#[tokio::test]
async fn a_missing_secret_is_not_found_and_a_forbidden_one_denied() {
    for (code, kind) in [
        ("ResourceNotFoundException", ErrorKind::NotFound),
        ("InvalidRequestException", ErrorKind::NotFound),
        ("AccessDeniedException", ErrorKind::Denied),
        ("DecryptionFailure", ErrorKind::Denied),
    ] {
        let service = Service::new(move |_, _| Reply::error(400, code));
        let secrets = SecretsManager::new(service.clients().await.secrets, "prod/");
        let error = secrets.get("pepper").await.expect_err("refused");
        assert_eq!(error.kind, kind, "{error}");
        assert!(
            error.message.contains("secretsmanager:GetSecretValue")
                && error.message.contains("prod/pepper"),
            "{error}"
        );
    }
}
