//! Environments in AWS: from `payops.toml` to ports. Fails closed: nothing is opened before STS
//! has said that the credentials belong to the account that the file names.

#[cfg(feature = "aws")]
mod lazy;

use payops_core::port::Ports;

use crate::config::Aws;
use crate::error::{CliError, CliResult};

/// Without the feature `aws`.
#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "the same function as with AWS")]
pub(crate) async fn open(name: &str, _: &Aws) -> CliResult<Ports> {
    Err(CliError::usage(format!("{name} is in AWS, and this payops was built without it")))
}

#[cfg(feature = "aws")]
pub(crate) use with_aws::{checked_config, open};

#[cfg(feature = "aws")]
mod with_aws {
    use std::sync::Arc;
    use std::time::Duration;

    use aws_config::retry::RetryConfig;
    use aws_config::timeout::TimeoutConfig;
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use payops_aws::{Clients, DynamoStore, EventBridgeBus, S3Archive, SqsQueues};
    use payops_core::domain::policy::Policy;
    use payops_core::port::{Index, Random};
    use payops_search::{Credentials, OpenSearchIndex};
    use payops_system::{OsRandom, SystemClock};

    use super::lazy::{AbsentIndex, LazyLedger};
    use super::{Aws, CliError, CliResult, Ports};
    use crate::exit::Exit;

    /// How long opening a connection may take.
    const CONNECT: Duration = Duration::from_secs(3);
    /// How long one attempt of a call may take.
    const ATTEMPT: Duration = Duration::from_secs(10);
    /// How long a call may take, all attempts and pauses included.
    const OPERATION: Duration = Duration::from_secs(30);

    /// Opens the ports of the environment `name`.
    pub(crate) async fn open(name: &str, aws: &Aws) -> CliResult<Ports> {
        let account = needed(name, "account_id", aws.account_id.as_ref())?;
        let table = needed(name, "table", aws.table.as_ref())?;
        let bucket = needed(name, "bucket", aws.bucket.as_ref())?;
        let bus = needed(name, "bus", aws.bus.as_ref())?;
        let config = checked_config(name, aws).await?;
        let clients = Clients::new(&config);
        let random: Arc<dyn Random> = Arc::new(OsRandom);
        let store = Arc::new(DynamoStore::new(clients.dynamo.clone(), table.clone(), random.clone()));
        let prefix = aws.queues.prefix.clone().unwrap_or_default();
        Ok(Ports {
            store: store.clone(),
            keys: store,
            queues: Arc::new(SqsQueues::with_prefix(clients.sqs.clone(), prefix, Some(account.clone()))),
            archive: Arc::new(S3Archive::new(clients.s3.clone(), bucket.clone(), Some(account.clone()))),
            bus: Arc::new(EventBridgeBus::new(clients.events.clone(), bus.clone())),
            ledger: Arc::new(LazyLedger::new(name, aws, &clients)),
            index: index(name, aws)?,
            provider: None,
            clock: Arc::new(SystemClock),
            random,
            policy: Policy::default(),
        })
    }

    /// The SDK's configuration of an environment, once STS has said that it is of its account.
    pub(crate) async fn checked_config(name: &str, aws: &Aws) -> CliResult<SdkConfig> {
        let account = needed(name, "account_id", aws.account_id.as_ref())?;
        let config = sdk_config(aws).await;
        check_account(name, account, &config).await?;
        Ok(config)
    }

    fn needed<'a>(name: &str, field: &str, value: Option<&'a String>) -> CliResult<&'a String> {
        let missing = || CliError::usage(format!("environments.{name} has no {field}")).hint(format!("add {field} to payops.toml"));
        value.filter(|value| !value.is_empty()).ok_or_else(missing)
    }

    async fn sdk_config(aws: &Aws) -> SdkConfig {
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(ATTEMPT).operation_timeout(OPERATION).build();
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

    /// That the credentials belong to the account that the file names.
    async fn check_account(name: &str, account: &str, config: &SdkConfig) -> CliResult<()> {
        let identity = aws_sdk_sts::Client::new(config).get_caller_identity().send().await;
        let identity = identity.map_err(|error| {
            CliError::new(Exit::NotAuthenticated, format!("AWS does not say who you are in {name}"))
                .because(error)
                .hint("log in again, and check profile and region in payops.toml: payops config explain")
        })?;
        match identity.account() {
            Some(found) if found == account => Ok(()),
            found => {
                let message = format!("{name} is account {account}, and these credentials are of {}", found.unwrap_or("none"));
                Err(CliError::refused(message).hint("use credentials of that account; nothing was read or changed"))
            }
        }
    }

    fn index(name: &str, aws: &Aws) -> CliResult<Arc<dyn Index>> {
        let (Some(url), Some(alias)) = (&aws.opensearch_url, &aws.index) else {
            return Ok(Arc::new(AbsentIndex(name.to_owned())));
        };
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let credentials = variable("PAYOPS_OPENSEARCH_USER").zip(variable("PAYOPS_OPENSEARCH_PASSWORD"));
        let credentials = credentials.map(|(user, password)| Credentials { user, password: password.into() });
        let index = OpenSearchIndex::connect(url, alias, credentials.as_ref());
        Ok(Arc::new(index.map_err(|error| CliError::port(format!("environments.{name}: the search index"), error))?))
    }
}
