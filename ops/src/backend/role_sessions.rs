//! Sessions of AWS roles in this process: one for each environment, access level and reason, shared
//! by all that asks AWS, renewed beside the work, and never in the middle of a batch.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use payops_aws::identity::{
    ForgetScope, Identity, Person, Renewal, RoleCredentials, RoleSpec, SessionCache,
};
use tokio::sync::OnceCell;

use crate::backend::sdk::{check_account, required, sdk_config};
use crate::environment::AwsConfig;
use crate::error::{OpsError, OpsResult};

/// Environment, access level, who, why and the ticket: what a session's name and tags are made of.
type Key = [String; 5];

/// Sessions of roles, and configurations of the SDK, each made once in this process.
#[derive(Debug)]
pub struct RoleSessions {
    dir: PathBuf,
    roles: Mutex<HashMap<Key, (RoleCredentials, Renewal)>>,
    /// The SDK's own configuration, by environment.
    base: Mutex<HashMap<String, Arc<OnceCell<SdkConfig>>>>,
    /// The same once STS has said that it is of the right account.
    checked: Mutex<HashMap<String, Arc<OnceCell<SdkConfig>>>>,
}

impl RoleSessions {
    /// None yet; those of other processes are kept in `dir`.
    #[must_use]
    pub fn new(dir: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            dir,
            roles: Mutex::default(),
            base: Mutex::default(),
            checked: Mutex::default(),
        })
    }

    pub(crate) async fn base_config(&self, env: &str, aws: &AwsConfig) -> SdkConfig {
        let cell = cell(&self.base, env);
        cell.get_or_init(|| sdk_config(aws)).await.clone()
    }

    pub(crate) async fn checked_config(&self, env: &str, aws: &AwsConfig) -> OpsResult<SdkConfig> {
        let cell = cell(&self.checked, env);
        let config = cell
            .get_or_try_init(|| async {
                let account = required(env, "account_id", aws.account_id.as_ref())?;
                let config = self.base_config(env, aws).await;
                check_account(env, account, &config).await?;
                Ok::<_, OpsError>(config)
            })
            .await?;
        Ok(config.clone())
    }

    /// Forgets the sessions of an environment, those of other processes too.
    pub fn forget(&self, env: &str) -> OpsResult<()> {
        self.roles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|[of, ..], _| of != env);
        let forgotten = SessionCache::new(self.dir.clone()).forget(ForgetScope::Env(env));
        forgotten
            .map(drop)
            .map_err(|error| OpsError::failed("cannot remove cached sessions").because(error))
    }

    /// The credentials of a role, shared by all who ask with the same reason.
    pub(crate) fn credentials(
        &self,
        identity: Identity,
        spec: RoleSpec,
        person: Person,
    ) -> RoleCredentials {
        let tags = [person.reason.clone(), person.ticket.clone()].map(Option::unwrap_or_default);
        let [reason, ticket] = tags;
        let key = [
            spec.env.clone(),
            spec.access_level.clone(),
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

fn cell(
    cells: &Mutex<HashMap<String, Arc<OnceCell<SdkConfig>>>>,
    env: &str,
) -> Arc<OnceCell<SdkConfig>> {
    let mut cells = cells.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(cells.entry(env.to_owned()).or_default())
}
