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
use payops_core::domain::bus::{QUEUES, dead_letter_queue, parking_queue};
use payops_core::domain::limits::PaymentLimits;
use payops_core::port::{ApprovalStore, AuditPlace, FreezeStore, Ports};
use payops_core::usecase::OverBus;
use payops_search::{Credentials, OpenSearchIndex};

use super::sdk::{caller_identity, required, sdk_config};
use crate::backend::{Check, CheckState, not_set_up};
use crate::caller::Caller;
use crate::environment::{AwsConfig, Environment, Part};
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

/// Opens the ports of an environment. Parts that it does not have are answered with which settings
/// would give it one; where it has none that need the account, nobody is asked.
pub async fn open(env: &Environment, aws: &AwsConfig, caller: &Caller) -> OpsResult<Ports> {
    let mut ports = not_set_up::ports(env);
    ports.limits = PaymentLimits::default();
    if env.missing(Part::SearchIndex).is_none()
        && let Some(index) = search_index(&env.name, aws)?
    {
        ports.index = Arc::new(index);
    }
    let has = |part| env.missing(part).is_none();
    let needs_account = [Part::Payments, Part::Queues, Part::Archive, Part::Bus];
    if !needs_account.into_iter().chain([Part::Ledger]).any(has) {
        return Ok(ports);
    }
    let (config, credentials) = sessions::config(&env.name, aws, caller).await?;
    let (clients, account) = (clients(&config, caller), aws.account_id.clone());
    if let (true, Some(table)) = (has(Part::Payments), &aws.table) {
        let random = Arc::clone(&ports.random);
        let store = Arc::new(DynamoStore::new(
            clients.dynamo.clone(),
            table.clone(),
            random,
        ));
        (ports.store, ports.keys) = (store.clone(), store);
    }
    if let (true, Some(prefix)) = (has(Part::Queues), aws.queue_prefix()) {
        let queues = SqsQueues::with_prefix(clients.sqs.clone(), prefix, account.clone());
        ports.queue_admin = Arc::new(queues.clone());
        ports.queues = match credentials {
            Some(credentials) => Arc::new(HeldQueues {
                queues,
                credentials,
            }),
            None => Arc::new(queues),
        };
    }
    if let (true, Some(bucket)) = (has(Part::Archive), &aws.bucket) {
        let archive = S3Archive::new(clients.s3.clone(), bucket.clone(), account);
        ports.archive = Arc::new(archive);
    }
    if let (true, Some(bus)) = (has(Part::Bus), &aws.bus) {
        ports.bus = Arc::new(EventBridgeBus::new(clients.events.clone(), bus.clone()));
    }
    if has(Part::Ledger) {
        ports.ledger = Arc::new(DeferredLedger::new(&env.name, aws, &clients));
    }
    Ok(ports)
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
            return vec![Check::new(name, "identity", Err(error))];
        }
    };
    let queues = aws.queue_prefix().into_iter().flat_map(|prefix| {
        QUEUES.iter().flat_map(move |queue| {
            let names = [
                (*queue).to_owned(),
                dead_letter_queue(queue),
                parking_queue(queue),
            ];
            names.map(|name| format!("{prefix}{name}"))
        })
    });
    let wanted = payops_aws::identity::checks::CheckTargets {
        account_id: aws.account_id.clone(),
        table: aws.table.clone(),
        queues: queues.collect(),
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
        state: CheckState::of(check.ok),
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
