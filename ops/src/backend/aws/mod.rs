//! Environments in AWS: from `payops.toml` to ports. Fails closed: nothing is opened before STS
//! has said that the credentials belong to the account that the file names.

mod deferred;
mod held;
mod sessions;
use std::sync::Arc;

use aws_config::SdkConfig;
use deferred::DeferredLedger;
use held::HeldQueues;
use jiff::Timestamp;
use payops_aws::permissions::Principal;
use payops_aws::{
    Clients, DynamoApprovalStore, DynamoFreezeStore, DynamoStore, EventBridgeBus, S3Archive,
    SqsQueues,
};
use payops_core::domain::limits::PaymentLimits;
use payops_core::port::{
    ApprovalStore, AuditPlace, ErrorKind, FreezeStore, Index, Ports, QueueAdmin, Queues, Random,
};
use payops_core::usecase::OverBus;
use payops_search::{Credentials, OpenSearchIndex};
use payops_system::{OsRandom, SystemClock};

use super::sdk::{caller_identity, required, sdk_config};
use super::unavailable::UnavailableIndex;
use crate::backend::Check;
use crate::caller::Caller;
use crate::environment::AwsConfig;
use crate::error::{OpsError, OpsResult};

/// Whom STS says the operator is.
#[derive(Clone, Debug)]
pub struct CallerIdentity {
    pub account_id: String,
    pub arn: String,
    pub expires_at: Option<Timestamp>,
    pub source_identity: Option<String>,
}

/// So many digits at the end of a session's name are a time and no part of a person's.
const MADE_UP_DIGITS: usize = 10;
/// Opens the ports of the environment `name`.
pub async fn open(name: &str, aws: &AwsConfig, caller: &Caller) -> OpsResult<Ports> {
    let account = required(name, "account_id", aws.account_id.as_ref())?;
    let table = required(name, "table", aws.table.as_ref())?;
    let bucket = required(name, "bucket", aws.bucket.as_ref())?;
    let bus = required(name, "bus", aws.bus.as_ref())?;
    let (config, credentials) = sessions::config(name, aws, caller).await?;
    let clients = clients(&config, caller);
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    let store = Arc::new(DynamoStore::new(
        clients.dynamo.clone(),
        table.clone(),
        random.clone(),
    ));
    let prefix = aws.queues.prefix.clone().unwrap_or_default();
    let queues = SqsQueues::with_prefix(clients.sqs.clone(), prefix, Some(account.clone()));
    let queue_admin: Arc<dyn QueueAdmin> = Arc::new(queues.clone());
    let queues: Arc<dyn Queues> = match credentials {
        Some(credentials) => Arc::new(HeldQueues {
            queues,
            credentials,
        }),
        None => Arc::new(queues),
    };
    Ok(Ports {
        store: store.clone(),
        keys: store,
        queues,
        queue_admin,
        archive: Arc::new(S3Archive::new(
            clients.s3.clone(),
            bucket.clone(),
            Some(account.clone()),
        )),
        bus: Arc::new(EventBridgeBus::new(clients.events.clone(), bus.clone())),
        ledger: Arc::new(DeferredLedger::new(name, aws, &clients)),
        index: index(name, aws)?,
        provider: None,
        clock: Arc::new(SystemClock),
        random,
        limits: PaymentLimits::default(),
        tells: false,
    })
}

fn clients(config: &SdkConfig, caller: &Caller) -> Clients {
    Clients::new(config, Some(Principal::of_person(caller.level)))
}

/// The bus that lines of the record are put on.
pub async fn audit_place(
    name: &str,
    aws: &AwsConfig,
    caller: &Caller,
) -> OpsResult<Box<dyn AuditPlace>> {
    let bus = aws.audit_bus().map(str::to_owned);
    let bus = required(name, "audit_bus", bus.as_ref())?.clone();
    let config = session_config(name, aws, caller).await?;
    Ok(Box::new(OverBus::new(Arc::new(EventBridgeBus::new(
        clients(&config, caller).events,
        bus,
    )))))
}

pub async fn session_config(name: &str, aws: &AwsConfig, caller: &Caller) -> OpsResult<SdkConfig> {
    Ok(sessions::config(name, aws, caller).await?.0)
}

/// Whom STS says one is, with the role of the caller's access level.
pub async fn whoami(name: &str, aws: &AwsConfig, caller: &Caller) -> OpsResult<CallerIdentity> {
    if let Some(credentials) = sessions::role(name, aws, caller).await? {
        let session = sessions::session(&credentials, caller).await?;
        return Ok(CallerIdentity {
            account_id: session.account_id.clone(),
            arn: session.arn.clone(),
            expires_at: Some(session.expires_at),
            source_identity: Some(session.source_identity.clone()),
        });
    }
    let identity = caller_identity(name, &caller.sessions.checked_config(name, aws).await?).await?;
    Ok(CallerIdentity {
        account_id: identity.account_id,
        arn: identity.arn,
        expires_at: None,
        source_identity: None,
    })
}

/// What the caller's credentials may reach, each with the IAM action that is missing.
pub async fn checks(name: &str, aws: &AwsConfig, caller: &Caller) -> Vec<Check> {
    let config = match session_config(name, aws, caller).await {
        Ok(config) => config,
        Err(error) => {
            return vec![Check {
                env: name.to_owned(),
                check: "identity".to_owned(),
                ok: false,
                detail: error.message.clone(),
                fix: error.hint,
            }];
        }
    };
    let prefix = aws.queues.prefix.clone().unwrap_or_default();
    let queues = payops_core::domain::bus::QUEUES.iter().flat_map(|queue| {
        [
            (*queue).to_owned(),
            payops_core::domain::bus::dead_letter_queue(queue),
            payops_core::domain::bus::parking_queue(queue),
        ]
    });
    let wanted = payops_aws::identity::checks::CheckTargets {
        account_id: aws.account_id.clone(),
        table: aws.table.clone(),
        queues: queues.map(|queue| format!("{prefix}{queue}")).collect(),
        bucket: aws.bucket.clone(),
        buses: [&aws.bus, &aws.audit_bus]
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
        secret: aws.ledger_url_secret.clone(),
    };
    let by = Some(Principal::of_person(caller.level));
    let done = payops_aws::identity::checks::run(&config, by, &wanted).await;
    let check = |check: payops_aws::identity::checks::Check| Check {
        env: name.to_owned(),
        check: check.name,
        ok: check.ok,
        detail: check.detail,
        fix: check
            .missing_action
            .map(|action| format!("allow {action} for the role")),
    };
    done.into_iter().map(check).collect()
}

/// The freeze of the environment, an item of its table.
pub async fn freeze_store(
    name: &str,
    aws: &AwsConfig,
    caller: &Caller,
) -> OpsResult<Box<dyn FreezeStore>> {
    let (clients, table) = table_clients(name, aws, caller).await?;
    Ok(Box::new(DynamoFreezeStore::new(clients.dynamo, table)))
}

/// Approvals of plans, items of the environment's table.
pub async fn approval_store(
    name: &str,
    aws: &AwsConfig,
    caller: &Caller,
) -> OpsResult<Box<dyn ApprovalStore>> {
    let (clients, table) = table_clients(name, aws, caller).await?;
    Ok(Box::new(DynamoApprovalStore::new(clients.dynamo, table)))
}

async fn table_clients<'a>(
    name: &str,
    aws: &'a AwsConfig,
    caller: &Caller,
) -> OpsResult<(Clients, &'a str)> {
    let table = required(name, "table", aws.table.as_ref())?;
    let config = session_config(name, aws, caller).await?;
    Ok((clients(&config, caller), table))
}

/// Whose credentials one comes with, before any role is assumed: an ARN.
pub async fn principal(name: &str, aws: &AwsConfig) -> OpsResult<String> {
    let arn = caller_identity(name, &sdk_config(aws).await).await?.arn;
    // The SDK names sessions of a profile's role, and of a web identity, by the time: that
    // proves no person.
    let lasting = arn.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_made_up =
        arn.contains(":assumed-role/") && arn.len().saturating_sub(lasting.len()) >= MADE_UP_DIGITS;
    Ok(if is_made_up { lasting.to_owned() } else { arn })
}

#[must_use]
pub fn source_identity(who: &str) -> Option<String> {
    payops_aws::identity::label::source_identity(who)
}

fn index(name: &str, aws: &AwsConfig) -> OpsResult<Arc<dyn Index>> {
    match search_index(name, aws)? {
        Some(index) => Ok(Arc::new(index)),
        None => Ok(Arc::new(UnavailableIndex {
            kind: ErrorKind::Permanent,
            message: no_index(name),
        })),
    }
}

/// That the environment `name` has no search index.
#[must_use]
pub fn no_index(name: &str) -> String {
    format!("environments.{name} names no search index: set opensearch_url and index")
}

/// The search index of the environment, if it names one.
pub fn search_index(name: &str, aws: &AwsConfig) -> OpsResult<Option<OpenSearchIndex>> {
    let (Some(url), Some(alias)) = (&aws.opensearch_url, &aws.index) else {
        return Ok(None);
    };
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let credentials =
        variable("PAYOPS_OPENSEARCH_USER").zip(variable("PAYOPS_OPENSEARCH_PASSWORD"));
    let credentials = credentials.map(|(user, password)| Credentials {
        user,
        password: password.into(),
    });
    OpenSearchIndex::connect(url, alias, credentials.as_ref())
        .map(Some)
        .map_err(|error| OpsError::port(format!("environments.{name}: the search index"), error))
}
