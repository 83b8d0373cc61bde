//! What every source of secrets does.

use payops_core::port::{ErrorKind, Secrets};
use secrecy::ExposeSecret as _;

/// Checks a source of secrets in which `name` holds `value`.
pub async fn suite(secrets: &dyn Secrets, name: &str, value: &str) {
    let secret = secrets.get(name).await.expect("the secret");
    assert!(
        secret.expose_secret() == value,
        "the secret is not what was put there"
    );
    assert!(
        !format!("{secret:?}").contains(value),
        "a secret prints itself"
    );

    let again = secrets.get(name).await.expect("the secret, again");
    assert!(again.expose_secret() == value, "the second read differs");

    let error = secrets
        .get(&format!("{name}-absent"))
        .await
        .expect_err("there is no such secret");
    assert_eq!(error.kind, ErrorKind::NotFound, "{}", error.chain());
    assert!(!error.chain().contains(value), "an error holds a secret");
}
