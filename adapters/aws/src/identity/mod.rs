//! Who payops is in AWS: sessions of roles, assumed by a person at an access level, for the command and
//! the screen.
//!
//! Base credentials are the business of the SDK's own chain (profiles, SSO, environment); this
//! module never asks for them. It fails closed: credentials of another account than the
//! environment's are dropped before anyone sees them.
//!
//! * [`Identity`] asks STS: who am I, and give me this role.
//! * [`SessionCache`] keeps sessions between commands, in files that only their owner can read.
//! * [`RoleCredentials`] hands them to the SDK and renews them; a [`SessionHold`] keeps them for a
//!   batch.
//! * [`checks`] finds out what a set of credentials may reach.

mod cache;
pub mod checks;
mod error;
mod hash;
mod hold;
pub mod label;
mod provider;
mod refusal;
mod session;
mod shared;
mod spec;
mod state;

use std::sync::Arc;
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::error::SdkError;
use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError;
use aws_sdk_sts::types::Tag;
use payops_core::Timestamp;
use payops_core::port::Clock;

pub use cache::{CacheMiss, ForgetScope, SessionCache};
pub use error::{Cause, IdentityError};
pub use hold::SessionHold;
pub use provider::{Renewal, RoleCredentials, Status};
pub use refusal::{classify, missing_action};
pub use session::{Caller, Session};
pub use spec::{DURATION_MAX, DURATION_MAX_CHAINED, DURATION_MIN, MfaCode, Person, RoleSpec};

use session::{Keys, with_credentials};

#[derive(Clone)]
pub struct Identity {
    base: SdkConfig,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("region", &self.base.region())
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// One that signs with the credentials of `base`.
    #[must_use]
    pub fn new(base: SdkConfig, clock: Arc<dyn Clock>) -> Self {
        Self { base, clock }
    }

    /// Whom the base credentials belong to, without assuming anything. `spec` says where to ask.
    pub async fn whoami(&self, spec: &RoleSpec) -> Result<Caller, IdentityError> {
        whoami(&self.config(spec), spec).await
    }

    /// Assumes the role, and confirms that the session is of the account it must be of.
    ///
    /// A session's name, source identity and tags come from `person` and `spec`; all tags are
    /// passed on when the session assumes a role in turn.
    pub async fn assume(
        &self,
        spec: &RoleSpec,
        person: &Person,
        mfa: Option<MfaCode>,
    ) -> Result<Session, IdentityError> {
        let source_identity = label::source_identity(&person.name).ok_or(IdentityError::NoName)?;
        let named = spec.account_of_role();
        if named != spec.account_id {
            return Err(wrong_account(spec, named));
        }
        if mfa.is_none() && spec.mfa_serial.is_some() {
            return Err(IdentityError::MfaNeeded {
                role_arn: spec.role_arn.clone(),
                mfa_serial: spec.mfa_serial.clone(),
            });
        }
        let config = self.config(spec);
        let chained = whoami(&config, spec).await?.is_assumed_role();
        let seconds = spec.seconds(chained);
        let issued_at = self.clock.now();
        let answer = request_session(
            &config,
            spec,
            person,
            &source_identity,
            mfa.as_ref(),
            seconds,
        )
        .await?;
        let (keys, expires_at) = read(answer)?;
        if expires_at <= self.clock.now() {
            return Err(IdentityError::EndedAlready { at: expires_at });
        }
        let caller = confirm(&config, spec, &keys).await?;
        let asked = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        Ok(Session {
            env: spec.env.clone(),
            access_level: spec.access_level.clone(),
            account_id: caller.account_id,
            arn: caller.arn,
            role: spec.role_arn.clone(),
            source_identity,
            issued_at,
            expires_at,
            capped: (asked != spec.duration).then_some(spec.duration),
            keys,
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The base's configuration, for where `spec` is.
    pub(super) fn config(&self, spec: &RoleSpec) -> SdkConfig {
        let mut config = self.base.to_builder();
        if !spec.region.is_empty() {
            config = config.region(Region::new(spec.region.clone()));
        }
        if let Some(url) = &spec.endpoint_url {
            config = config.endpoint_url(url.clone());
        }
        config.build()
    }
}

fn wrong_account(spec: &RoleSpec, found: &str) -> IdentityError {
    let found = if found.is_empty() { "not named" } else { found };
    IdentityError::WrongAccount {
        expected: spec.account_id.clone(),
        found: found.to_owned(),
    }
}

async fn whoami(config: &SdkConfig, spec: &RoleSpec) -> Result<Caller, IdentityError> {
    caller(config)
        .await
        .map_err(|error| refusal::to_error(error, spec))
}

/// Whom STS says the credentials of `config` belong to.
pub async fn caller(config: &SdkConfig) -> Result<Caller, SdkError<GetCallerIdentityError>> {
    let client = crate::config::sts_client(config);
    let answer = client.get_caller_identity().send().await?;
    Ok(Caller {
        account_id: answer.account.unwrap_or_default(),
        arn: answer.arn.unwrap_or_default(),
        user_id: answer.user_id.unwrap_or_default(),
    })
}

async fn request_session(
    config: &SdkConfig,
    spec: &RoleSpec,
    person: &Person,
    source_identity: &str,
    mfa: Option<&MfaCode>,
    seconds: i32,
) -> Result<AssumeRoleOutput, IdentityError> {
    let mut request = crate::config::sts_client(config)
        .assume_role()
        .role_arn(&spec.role_arn)
        .role_session_name(label::session_name(&spec.access_level, &person.name))
        .source_identity(source_identity)
        .duration_seconds(seconds)
        .set_external_id(spec.external_id.clone())
        .set_policy(spec.session_policy.clone());
    for (key, value) in label::tags(spec, person) {
        let tag = Tag::builder().key(key).value(value).build();
        let tag = tag.map_err(|error| IdentityError::Other {
            code: String::new(),
            message: error.to_string(),
        })?;
        request = request.tags(tag).transitive_tag_keys(key);
    }
    if let Some((code, serial)) = mfa.zip(spec.mfa_serial.as_deref()) {
        request = request.serial_number(serial).token_code(code.expose());
    }
    request
        .send()
        .await
        .map_err(|error| refusal::to_error(error, spec))
}

fn read(answer: AssumeRoleOutput) -> Result<(Keys, Timestamp), IdentityError> {
    let unreadable = || IdentityError::Other {
        code: String::new(),
        message: "the session has no credentials".to_owned(),
    };
    let given = answer.credentials.ok_or_else(unreadable)?;
    let expires_at = Timestamp::from_second(given.expiration.secs()).map_err(|_| unreadable())?;
    let keys = Keys {
        access_key_id: given.access_key_id,
        secret_access_key: given.secret_access_key.into(),
        session_token: given.session_token.into(),
    };
    Ok((keys, expires_at))
}

/// That new credentials are of the account they must be of.
async fn confirm(
    config: &SdkConfig,
    spec: &RoleSpec,
    keys: &Keys,
) -> Result<Caller, IdentityError> {
    let config = with_credentials(
        config,
        SharedCredentialsProvider::new(keys.credentials(None, "")),
    );
    let caller = whoami(&config, spec).await.map_err(|error| match error {
        // These words are about this machine's own credentials, and it is not those that were
        // refused.
        IdentityError::ExpiredBase(_) | IdentityError::UnknownBase { .. } => IdentityError::Other {
            code: String::new(),
            message: "AWS did not accept the new session".to_owned(),
        },
        error => error,
    })?;
    if caller.account_id == spec.account_id {
        Ok(caller)
    } else {
        Err(wrong_account(spec, &caller.account_id))
    }
}
