//! Role sessions of this process: one for each environment, access level and reason, shared by all
//! asks AWS, renewed beside the work, and never in the middle of a batch.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use payops_aws::identity::{
    Identity, IdentityError, MfaCode, Person, RoleCredentials, RoleSpec, Session,
};
use payops_core::domain::access::AccessLevel;
use payops_system::SystemClock;

use crate::backend::sdk::required;
use crate::caller::Caller;
use crate::environment::AwsConfig;
use crate::error::Kind;
use crate::error::{OpsError, OpsResult};

/// The SDK's configuration with the role of the caller's access level, or with the SDK's
/// own where no roles are configured. Fails closed when it is another account.
pub(super) async fn config(
    name: &str,
    aws: &AwsConfig,
    caller: &Caller,
) -> OpsResult<(SdkConfig, Option<RoleCredentials>)> {
    match role(name, aws, caller).await? {
        None => Ok((caller.sessions.checked_config(name, aws).await?, None)),
        Some(credentials) => {
            session(&credentials, caller).await?;
            Ok((credentials.config(), Some(credentials)))
        }
    }
}

/// The role of the caller's access level, if roles are configured. Who only looks, where no role is
/// named for that, does so with the credentials of the SDK: an account such as the management
/// account has a role for emergencies alone.
pub(super) async fn role(
    name: &str,
    aws: &AwsConfig,
    caller: &Caller,
) -> OpsResult<Option<RoleCredentials>> {
    let looks = caller.level == AccessLevel::View && !aws.roles.contains_key(caller.level.as_str());
    if aws.roles.is_empty() || looks {
        return Ok(None);
    }
    let account = required(name, "account_id", aws.account_id.as_ref())?;
    let level = caller.level.as_str();
    let missing = || {
        OpsError::refused(format!(
            "environments.{name} has no role for the access level {level}"
        ))
        .hint(format!("add roles.{level} to payops.toml"))
    };
    let role = aws.roles.get(level).ok_or_else(missing)?;
    let spec = RoleSpec {
        env: name.to_owned(),
        access_level: level.to_owned(),
        account_id: account.clone(),
        role_arn: role.arn.clone(),
        external_id: role.external_id.clone(),
        mfa_serial: role.mfa_serial.clone(),
        duration: Duration::from_secs(u64::from(role.duration_minutes.unwrap_or(60)) * 60),
        session_policy: None,
        region: required(name, "region", aws.region.as_ref())?.clone(),
        endpoint_url: aws.endpoint_url.clone(),
    };
    let person = Person {
        name: caller.who.clone(),
        reason: caller.reason.clone(),
        ticket: caller.ticket.clone(),
    };
    let identity = Identity::new(
        caller.sessions.base_config(name, aws).await,
        Arc::new(SystemClock),
    );
    Ok(Some(caller.sessions.credentials(identity, spec, person)))
}

/// A session of the role; asks for a code where the role wants one and somebody is there.
pub(super) async fn session(
    credentials: &RoleCredentials,
    caller: &Caller,
) -> OpsResult<Arc<Session>> {
    match credentials.session().await {
        Err(IdentityError::MfaNeeded { .. }) => {
            let given = caller
                .mfa_code
                .clone()
                .or_else(|| std::env::var("PAYOPS_MFA_CODE").ok())
                .filter(|code| !code.is_empty());
            let code = given.or_else(|| caller.notices.ask_mfa_code());
            let needed = || {
                OpsError::new(Kind::MfaNeeded, "this role requires an MFA code")
                    .hint("set PAYOPS_MFA_CODE, or run payops account login at a terminal")
            };
            let code = MfaCode::parse(&code.ok_or_else(needed)?).map_err(to_error)?;
            credentials.renew_with(code).await.map_err(to_error)
        }
        session => session.map_err(to_error),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "used as the function that maps an error"
)]
fn to_error(error: IdentityError) -> OpsError {
    let exit = match &error {
        IdentityError::WrongAccount { .. } => Kind::WrongAccount,
        IdentityError::MfaNeeded { .. }
        | IdentityError::BadCode
        | IdentityError::MfaWrong { .. } => Kind::MfaNeeded,
        IdentityError::RoleRefused { .. } | IdentityError::NoSuchRole { .. } => Kind::Refused,
        IdentityError::Unreachable { .. } | IdentityError::Other { .. } => Kind::Failed,
        _ => Kind::NotAuthenticated,
    };
    let hint = error.next_step();
    OpsError::new(exit, error.to_string()).hint(hint)
}
