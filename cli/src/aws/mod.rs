//! Environments in AWS: from `payops.toml` to ports. Fails closed: nothing is opened before STS
//! has said that the credentials belong to the account that the file names.

#[cfg(feature = "aws")]
mod held;
#[cfg(feature = "aws")]
mod lazy;
#[cfg(feature = "aws")]
mod sessions;

#[cfg(not(feature = "aws"))]
use std::path::PathBuf;
#[cfg(not(feature = "aws"))]
use std::sync::Arc;

use jiff::Timestamp;
use payops_core::port::Ports;
#[cfg(not(feature = "aws"))]
use payops_core::port::{ApprovalStore, AuditPlace, FreezeStore};

use crate::commands::doctor::Check;
use crate::config::Aws;
use crate::context::Caller;
use crate::error::{CliError, CliResult};

#[derive(Clone, Debug)]
pub(crate) struct Identified {
    pub(crate) account_id: String,
    pub(crate) arn: String,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) source_identity: Option<String>,
}

#[cfg(not(feature = "aws"))]
fn without(name: &str) -> CliError {
    CliError::usage(format!(
        "{name} is in AWS, and this payops was built without it"
    ))
}

/// Without the feature `aws`.
#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "the same function as with AWS")]
pub(crate) async fn whoami(name: &str, _: &Aws, _: &Caller) -> CliResult<Identified> {
    Err(without(name))
}

/// Without the feature `aws`.
#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "the same function as with AWS")]
pub(crate) async fn checks(_: &str, _: &Aws, _: &Caller) -> Vec<Check> {
    Vec::new()
}

/// Without the feature `aws`.
#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "the same function as with AWS")]
pub(crate) async fn audit_place(name: &str, _: &Aws, _: &Caller) -> CliResult<Box<dyn AuditPlace>> {
    Err(without(name))
}

/// Without the feature `aws`.
#[cfg(not(feature = "aws"))]
pub(crate) fn freezes(_: &str, _: &Aws, _: &Caller) -> Box<dyn FreezeStore> {
    Box::new(crate::access::NoFreezes)
}

/// Without the feature `aws`.
#[cfg(not(feature = "aws"))]
pub(crate) fn approvals(_: &str, _: &Aws, _: &Caller) -> Box<dyn ApprovalStore> {
    Box::new(crate::plans::NoApprovals)
}

/// Without the feature `aws`.
#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "the same function as with AWS")]
pub(crate) async fn principal(name: &str, _: &Aws) -> CliResult<String> {
    Err(without(name))
}

/// Without the feature `aws`.
#[cfg(not(feature = "aws"))]
pub(crate) fn source_identity(_: &str) -> Option<String> {
    None
}

/// Without the feature `aws` there are no sessions.
#[cfg(not(feature = "aws"))]
#[derive(Debug)]
pub(crate) struct Sessions;

#[cfg(not(feature = "aws"))]
impl Sessions {
    pub(crate) fn new(_: PathBuf) -> Arc<Self> {
        Arc::new(Self)
    }

    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "the same function as with AWS"
    )]
    pub(crate) fn forget(&self, _: &str) -> CliResult<()> {
        Ok(())
    }
}

/// Without the feature `aws`.
#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "the same function as with AWS")]
pub(crate) async fn open(name: &str, _: &Aws, _: &Caller) -> CliResult<Ports> {
    Err(without(name))
}

#[cfg(feature = "aws")]
pub(crate) use sessions::Sessions;
#[cfg(feature = "aws")]
pub(crate) use with_aws::{
    approvals, audit_place, checks, freezes, open, principal, session_config, source_identity,
    whoami,
};

#[cfg(feature = "aws")]
mod with_aws {
    use std::sync::Arc;
    use std::time::Duration;

    use aws_config::retry::RetryConfig;
    use aws_config::timeout::TimeoutConfig;
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput;
    use payops_aws::{Clients, DynamoStore, EventBridgeBus, S3Archive, SqsQueues};
    use payops_core::domain::policy::Policy;
    use payops_core::port::{ApprovalStore, AuditPlace, FreezeStore, Index, Queues, Random};
    use payops_core::usecase::OverBus;
    use payops_search::{Credentials, OpenSearchIndex};
    use payops_system::{OsRandom, SystemClock};

    use super::held::HeldQueues;
    use super::lazy::{AbsentIndex, LazyApprovals, LazyFreezes, LazyLedger, LazyTable};
    use super::{Aws, Caller, Check, CliError, CliResult, Identified, Ports, sessions};
    use crate::exit::Exit;

    /// So many digits at the end of a session's name are a time and no part of a person's.
    const MADE_UP_DIGITS: usize = 10;
    const CONNECT: Duration = Duration::from_secs(3);
    const ATTEMPT: Duration = Duration::from_secs(10);
    /// How long a call may take, all attempts and pauses included.
    const OPERATION: Duration = Duration::from_secs(30);

    /// Opens the ports of the environment `name`.
    pub(crate) async fn open(name: &str, aws: &Aws, caller: &Caller) -> CliResult<Ports> {
        let account = needed(name, "account_id", aws.account_id.as_ref())?;
        let table = needed(name, "table", aws.table.as_ref())?;
        let bucket = needed(name, "bucket", aws.bucket.as_ref())?;
        let bus = needed(name, "bus", aws.bus.as_ref())?;
        let (config, credentials) = sessions::config(name, aws, caller).await?;
        let clients = Clients::new(&config);
        let random: Arc<dyn Random> = Arc::new(OsRandom);
        let store = Arc::new(DynamoStore::new(
            clients.dynamo.clone(),
            table.clone(),
            random.clone(),
        ));
        let prefix = aws.queues.prefix.clone().unwrap_or_default();
        let queues = SqsQueues::with_prefix(clients.sqs.clone(), prefix, Some(account.clone()));
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
            archive: Arc::new(S3Archive::new(
                clients.s3.clone(),
                bucket.clone(),
                Some(account.clone()),
            )),
            bus: Arc::new(EventBridgeBus::new(clients.events.clone(), bus.clone())),
            ledger: Arc::new(LazyLedger::new(name, aws, &clients)),
            index: index(name, aws)?,
            provider: None,
            clock: Arc::new(SystemClock),
            random,
            policy: Policy::default(),
        })
    }

    /// The bus that lines of the record are put on.
    pub(crate) async fn audit_place(
        name: &str,
        aws: &Aws,
        caller: &Caller,
    ) -> CliResult<Box<dyn AuditPlace>> {
        let bus = aws.audit_bus().map(str::to_owned);
        let bus = needed(name, "audit_bus", bus.as_ref())?.clone();
        let config = session_config(name, aws, caller).await?;
        Ok(Box::new(OverBus::new(Arc::new(EventBridgeBus::new(
            Clients::new(&config).events,
            bus,
        )))))
    }

    pub(crate) async fn session_config(
        name: &str,
        aws: &Aws,
        caller: &Caller,
    ) -> CliResult<SdkConfig> {
        Ok(sessions::config(name, aws, caller).await?.0)
    }

    /// Whom STS says one is, with the role of the caller's duty.
    pub(crate) async fn whoami(name: &str, aws: &Aws, caller: &Caller) -> CliResult<Identified> {
        if let Some(credentials) = sessions::role(name, aws, caller).await? {
            let session = sessions::session(&credentials, caller).await?;
            return Ok(Identified {
                account_id: session.account_id.clone(),
                arn: session.arn.clone(),
                expires_at: Some(session.expires_at),
                source_identity: Some(session.source_identity.clone()),
            });
        }
        let identity = caller_identity(name, &checked_config(name, aws).await?).await?;
        Ok(Identified {
            account_id: identity.account().unwrap_or_default().to_owned(),
            arn: identity.arn().unwrap_or_default().to_owned(),
            expires_at: None,
            source_identity: None,
        })
    }

    /// What the caller's credentials may reach, each with the IAM action that is missing.
    pub(crate) async fn checks(name: &str, aws: &Aws, caller: &Caller) -> Vec<Check> {
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
            ]
        });
        let wanted = payops_aws::identity::checks::Wanted {
            account_id: aws.account_id.clone(),
            table: aws.table.clone(),
            queues: queues.map(|queue| format!("{prefix}{queue}")).collect(),
            bucket: aws.bucket.clone(),
            bus: aws.bus.clone(),
            secret: aws.ledger_url_secret.clone(),
        };
        let done = payops_aws::identity::checks::run(&config, &wanted).await;
        let check = |check: payops_aws::identity::checks::Check| Check {
            env: name.to_owned(),
            check: check.name,
            ok: check.ok,
            detail: check.detail,
            fix: check
                .missing_action
                .map(|action| format!("allow {action} to the role")),
        };
        done.into_iter().map(check).collect()
    }

    pub(crate) fn freezes(name: &str, aws: &Aws, caller: &Caller) -> Box<dyn FreezeStore> {
        Box::new(LazyFreezes(LazyTable {
            name: name.to_owned(),
            aws: aws.clone(),
            caller: caller.clone(),
        }))
    }

    pub(crate) fn approvals(name: &str, aws: &Aws, caller: &Caller) -> Box<dyn ApprovalStore> {
        Box::new(LazyApprovals(LazyTable {
            name: name.to_owned(),
            aws: aws.clone(),
            caller: caller.clone(),
        }))
    }

    /// Whose credentials one comes with, before any role is assumed: an ARN.
    pub(crate) async fn principal(name: &str, aws: &Aws) -> CliResult<String> {
        let arn = caller_identity(name, &sdk_config(aws).await)
            .await?
            .arn
            .unwrap_or_default();
        // The SDK names sessions of a profile's role, and of a web identity, by the time: that
        // proves no person.
        let lasting = arn.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_made_up = arn.contains(":assumed-role/")
            && arn.len().saturating_sub(lasting.len()) >= MADE_UP_DIGITS;
        Ok(if is_made_up { lasting.to_owned() } else { arn })
    }

    pub(crate) fn source_identity(who: &str) -> Option<String> {
        payops_aws::identity::label::source_identity(who)
    }

    /// The SDK's configuration of an environment, once STS has said that it is of its account.
    pub(crate) async fn checked_config(name: &str, aws: &Aws) -> CliResult<SdkConfig> {
        let account = needed(name, "account_id", aws.account_id.as_ref())?;
        let config = sdk_config(aws).await;
        check_account(name, account, &config).await?;
        Ok(config)
    }

    pub(super) fn needed<'a>(
        name: &str,
        field: &str,
        value: Option<&'a String>,
    ) -> CliResult<&'a String> {
        let missing = || {
            CliError::usage(format!("environments.{name} has no {field}"))
                .hint(format!("add {field} to payops.toml"))
        };
        value.filter(|value| !value.is_empty()).ok_or_else(missing)
    }

    pub(super) async fn sdk_config(aws: &Aws) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(3));
        if let Some(region) = &aws.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &aws.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(url) = &aws.endpoint_url {
            loader = loader.endpoint_url(url);
            if url.starts_with("http://") {
                // Without TLS there is no need to read the system's certificates.
                loader = loader.http_client(aws_smithy_http_client::Builder::new().build_http());
            }
        }
        loader.load().await
    }

    async fn caller_identity(name: &str, config: &SdkConfig) -> CliResult<GetCallerIdentityOutput> {
        aws_sdk_sts::Client::new(config)
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| {
                CliError::new(
                    Exit::NotAuthenticated,
                    format!("AWS does not say who you are in {name}"),
                )
                .because(error)
                .hint(
                    "log in again, and check profile and region in payops.toml: payops config \
                    explain",
                )
            })
    }

    /// That the credentials belong to the account that the file names.
    async fn check_account(name: &str, account: &str, config: &SdkConfig) -> CliResult<()> {
        let identity = caller_identity(name, config).await?;
        match identity.account() {
            Some(found) if found == account => Ok(()),
            found => {
                let message = format!(
                    "{name} is account {account}, and these credentials are of {}",
                    found.unwrap_or("none")
                );
                Err(CliError::new(Exit::WrongAccount, message)
                    .hint("use credentials of that account; nothing was read or changed"))
            }
        }
    }

    fn index(name: &str, aws: &Aws) -> CliResult<Arc<dyn Index>> {
        let (Some(url), Some(alias)) = (&aws.opensearch_url, &aws.index) else {
            return Ok(Arc::new(AbsentIndex(name.to_owned())));
        };
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let credentials =
            variable("PAYOPS_OPENSEARCH_USER").zip(variable("PAYOPS_OPENSEARCH_PASSWORD"));
        let credentials = credentials.map(|(user, password)| Credentials {
            user,
            password: password.into(),
        });
        let index = OpenSearchIndex::connect(url, alias, credentials.as_ref());
        Ok(Arc::new(index.map_err(|error| {
            CliError::port(format!("environments.{name}: the search index"), error)
        })?))
    }
}
