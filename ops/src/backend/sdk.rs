//! The AWS SDK's configuration of an environment, and whose credentials it carries.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use payops_aws::identity;

use crate::environment::AwsConfig;
use crate::error::{Kind, OpsError, OpsResult};

const CONNECT: Duration = Duration::from_secs(3);
const ATTEMPT: Duration = Duration::from_secs(10);
/// How long a call may take, all attempts and pauses included.
const OPERATION: Duration = Duration::from_secs(30);

pub(crate) fn required<'a>(
    name: &str,
    field: &str,
    value: Option<&'a String>,
) -> OpsResult<&'a String> {
    let missing = || {
        OpsError::usage(format!("environments.{name} has no {field}"))
            .hint(format!("add {field} to payops.toml"))
    };
    value.filter(|value| !value.is_empty()).ok_or_else(missing)
}

pub(crate) async fn sdk_config(aws: &AwsConfig) -> SdkConfig {
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

pub(crate) async fn caller_identity(name: &str, config: &SdkConfig) -> OpsResult<identity::Caller> {
    identity::caller(config).await.map_err(|error| {
        OpsError::new(
            Kind::NotAuthenticated,
            format!("cannot determine who you are in {name}"),
        )
        .because(error)
        .hint("log in again, and check profile and region in payops.toml: payops config explain")
    })
}

/// That the credentials belong to the account that the file names.
pub(crate) async fn check_account(name: &str, account: &str, config: &SdkConfig) -> OpsResult<()> {
    let identity = caller_identity(name, config).await?;
    if identity.account_id == account {
        return Ok(());
    }
    let found = Some(identity.account_id.as_str()).filter(|found| !found.is_empty());
    let message = format!(
        "{name} is account {account}, but your credentials belong to account {}",
        found.unwrap_or("none")
    );
    Err(OpsError::new(Kind::WrongAccount, message)
        .hint("nothing was read or changed; use credentials of that account"))
}
