//! A session that STS gave, and who a set of credentials belongs to. Neither shows a secret.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use payops_core::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

const PROVIDER: &str = "payops-role";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account_id: String,
    pub arn: String,
    pub user_id: String,
}

impl Caller {
    /// Whether these credentials come from an assumed role: STS then gives sessions of an hour at
    /// most.
    #[must_use]
    pub fn is_assumed_role(&self) -> bool {
        let mut parts = self.arn.split(':');
        parts.nth(2) == Some("sts")
            && parts
                .nth(2)
                .is_some_and(|rest| rest.starts_with("assumed-role/"))
    }
}

#[derive(Clone)]
pub struct Session {
    pub env: String,
    pub access_level: String,
    pub account_id: String,
    /// The session, such as `arn:aws:sts::471122334455:assumed-role/payops-view/payops-view-anna`.
    pub arn: String,
    pub role: String,
    /// The person, as AWS logs it with every call.
    pub source_identity: String,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    /// What was asked for, when STS had to be asked for another duration: a caller that is an
    /// assumed role itself gets an hour at most.
    pub capped: Option<Duration>,
    pub(super) keys: Keys,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Session");
        shown
            .field("arn", &self.arn)
            .field("env", &self.env)
            .field("expires_at", &self.expires_at)
            .field("capped", &self.capped);
        shown.finish_non_exhaustive()
    }
}

impl Session {
    /// What is left of it at `now`; nothing when it has ended.
    #[must_use]
    pub fn time_left(&self, now: Timestamp) -> Duration {
        duration_between(now, self.expires_at)
    }

    #[must_use]
    pub fn life(&self) -> Duration {
        duration_between(self.issued_at, self.expires_at)
    }

    #[must_use]
    pub fn credentials(&self) -> Credentials {
        self.keys
            .credentials(Some(self.expires_at.into()), &self.account_id)
    }
}

/// The time from `start` to `end`; nothing when `end` comes first.
pub(super) fn duration_between(start: Timestamp, end: Timestamp) -> Duration {
    end.duration_since(start).try_into().unwrap_or_default()
}

#[derive(Clone)]
pub(super) struct Keys {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: SecretString,
    pub(super) session_token: SecretString,
}

impl Keys {
    pub(super) fn credentials(&self, expiry: Option<SystemTime>, account_id: &str) -> Credentials {
        let mut made = Credentials::builder()
            .access_key_id(self.access_key_id.clone())
            .secret_access_key(self.secret_access_key.expose_secret())
            .session_token(self.session_token.expose_secret())
            .provider_name(PROVIDER);
        made.set_expiry(expiry);
        if !account_id.is_empty() {
            made = made.account_id(account_id);
        }
        made.build()
    }
}

/// `base` with other credentials. The SDK must not keep them: it would go on with old ones long
/// after a renewal, and could change them in the middle of a batch.
pub(super) fn with_credentials(
    base: &SdkConfig,
    credentials: SharedCredentialsProvider,
) -> SdkConfig {
    base.to_builder()
        .credentials_provider(credentials)
        .identity_cache(IdentityCache::no_cache())
        .build()
}
