//! Sessions of roles in this process: one for each environment, duty and reason, shared by all that
//! asks AWS, renewed beside the work, and never in the middle of a batch.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use payops_aws::identity::{
    Code, Forget, Identity, IdentityError, Person, Renewal, RoleCredentials, RoleSpec, Session,
    SessionCache,
};
use payops_system::SystemClock;

use super::Aws;
use super::with_aws::{checked_config, needed, sdk_config};
use crate::context::Caller;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;

/// Environment, duty, who, why and the ticket: what a session's name and tags are made of.
type Key = [String; 5];

#[derive(Debug)]
pub(crate) struct Sessions {
    dir: PathBuf,
    roles: Mutex<HashMap<Key, (RoleCredentials, Renewal)>>,
}

impl Sessions {
    /// None yet; those of other processes are kept in `dir`.
    pub(crate) fn new(dir: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            dir,
            roles: Mutex::default(),
        })
    }

    /// Forgets the sessions of an environment, those of other processes too.
    pub(crate) fn forget(&self, env: &str) -> CliResult<()> {
        self.roles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|[of, ..], _| of != env);
        let forgotten = SessionCache::new(self.dir.clone()).forget(Forget::Env(env));
        forgotten
            .map(drop)
            .map_err(|error| CliError::failed("kept sessions could not be removed").because(error))
    }

    /// The credentials of a role, shared by all who ask with the same reason.
    fn of(&self, identity: Identity, spec: RoleSpec, person: Person) -> RoleCredentials {
        let tags = [person.reason.clone(), person.ticket.clone()].map(Option::unwrap_or_default);
        let [reason, ticket] = tags;
        let key = [
            spec.env.clone(),
            spec.duty.clone(),
            person.name.clone(),
            reason,
            ticket,
        ];
        let mut roles = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        let (credentials, _) = roles.entry(key).or_insert_with(|| {
            let credentials = RoleCredentials::new(
                identity,
                spec,
                person,
                Some(SessionCache::new(self.dir.clone())),
            );
            let renewal = credentials.renew_in_background();
            (credentials, renewal)
        });
        credentials.clone()
    }
}

/// The SDK's configuration with the role of the caller's duty, and its credentials; with the SDK's
/// own where no roles are configured. Fails closed when it is another account.
pub(super) async fn config(
    name: &str,
    aws: &Aws,
    caller: &Caller,
) -> CliResult<(SdkConfig, Option<RoleCredentials>)> {
    match role(name, aws, caller).await? {
        None => Ok((checked_config(name, aws).await?, None)),
        Some(credentials) => {
            session(&credentials, caller).await?;
            Ok((credentials.config(), Some(credentials)))
        }
    }
}

/// The role of the caller's duty, if roles are configured.
pub(super) async fn role(
    name: &str,
    aws: &Aws,
    caller: &Caller,
) -> CliResult<Option<RoleCredentials>> {
    if aws.roles.is_empty() {
        return Ok(None);
    }
    let account = needed(name, "account_id", aws.account_id.as_ref())?;
    let duty = caller.duty.as_str();
    let missing = || {
        CliError::refused(format!("environments.{name} has no role for {duty}"))
            .hint(format!("add roles.{duty} to payops.toml"))
    };
    let role = aws.roles.get(duty).ok_or_else(missing)?;
    let spec = RoleSpec {
        env: name.to_owned(),
        duty: duty.to_owned(),
        account_id: account.clone(),
        role_arn: role.arn.clone(),
        external_id: role.external_id.clone(),
        mfa_serial: role.mfa_serial.clone(),
        duration: Duration::from_secs(u64::from(role.duration_minutes.unwrap_or(60)) * 60),
        session_policy: None,
        region: needed(name, "region", aws.region.as_ref())?.clone(),
        endpoint_url: aws.endpoint_url.clone(),
    };
    let person = Person {
        name: caller.who.clone(),
        reason: caller.reason.clone(),
        ticket: caller.ticket.clone(),
    };
    let identity = Identity::new(sdk_config(aws).await, Arc::new(SystemClock));
    Ok(Some(caller.sessions.of(identity, spec, person)))
}

/// A session of the role; asks for a code where the role wants one and somebody is there.
pub(super) async fn session(
    credentials: &RoleCredentials,
    caller: &Caller,
) -> CliResult<Arc<Session>> {
    match credentials.session().await {
        Err(IdentityError::MfaNeeded { .. }) => {
            let given = caller
                .code
                .clone()
                .or_else(|| std::env::var("PAYOPS_MFA_CODE").ok())
                .filter(|code| !code.is_empty());
            let code = given.or_else(|| if caller.asks { ask_code() } else { None });
            let needed = || {
                CliError::new(
                    Exit::CodeNeeded,
                    "this role needs an MFA code, and none was given",
                )
                .hint("set PAYOPS_MFA_CODE, or run payops account login at a terminal")
            };
            let code = Code::parse(&code.ok_or_else(needed)?).map_err(refused)?;
            credentials.renew_with(code).await.map_err(refused)
        }
        session => session.map_err(refused),
    }
}

fn ask_code() -> Option<String> {
    use std::io::{BufRead as _, Write as _};
    let mut err = std::io::stderr().lock();
    drop(write!(err, "MFA code: ").and_then(|()| err.flush()));
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).ok()?;
    Some(line.trim().to_owned())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "used as the function that maps an error"
)]
fn refused(error: IdentityError) -> CliError {
    let exit = match &error {
        IdentityError::WrongAccount { .. } => Exit::WrongAccount,
        IdentityError::MfaNeeded { .. }
        | IdentityError::BadCode
        | IdentityError::MfaWrong { .. } => Exit::CodeNeeded,
        IdentityError::RoleRefused { .. } | IdentityError::NoSuchRole { .. } => Exit::Refused,
        IdentityError::Unreachable { .. } | IdentityError::Other { .. } => Exit::Failed,
        _ => Exit::NotAuthenticated,
    };
    let hint = error.next_step();
    CliError::new(exit, error.to_string()).hint(hint)
}
