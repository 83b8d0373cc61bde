//! From settings to SDK clients. Credentials come from the SDK's own chain, never from settings.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};

use crate::permissions::Principal;

const CONNECT: Duration = Duration::from_secs(2);
const ATTEMPT: Duration = Duration::from_secs(5);
/// How long a call may take, all attempts and pauses included.
const OPERATION: Duration = Duration::from_secs(15);
/// Attempts of a call, the first included.
const ATTEMPTS_MAX: u32 = 3;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AwsConfig {
    /// The region, such as `eu-west-1`; empty for the SDK's own choice (environment, profile).
    pub region: String,
    /// Another place that speaks AWS's protocols, such as an emulator. Plain `http://` works.
    pub endpoint_url: Option<String>,
    /// The account that everything belongs to, to hand to `S3Archive::new` and
    /// `SqsQueues::with_prefix`: a bucket or queue of the same name in another account is then not
    /// touched.
    pub account_id: Option<String>,
    /// The profile of the shared configuration files to take credentials from.
    pub profile: Option<String>,
    /// Whose calls these are; debug builds refuse those that it is not listed to make.
    pub by: Option<Principal>,
}

/// A client that makes listed calls alone. The interceptor stands in each client's own settings:
/// `SdkConfig` carries none.
macro_rules! client {
    ($sdk:ident, $builder:expr, $by:expr) => {{
        let builder = $builder;
        #[cfg(debug_assertions)]
        let builder = builder.interceptor(crate::checked::CheckedCalls { by: $by });
        #[cfg(not(debug_assertions))]
        let _: Option<Principal> = $by;
        $sdk::Client::from_conf(builder.build())
    }};
}

/// One client of each service, all with the same credentials, time-outs and retries.
#[derive(Clone, Debug)]
pub struct Clients {
    pub dynamo: aws_sdk_dynamodb::Client,
    pub sqs: aws_sdk_sqs::Client,
    pub s3: aws_sdk_s3::Client,
    pub events: aws_sdk_eventbridge::Client,
    pub ses: aws_sdk_sesv2::Client,
    pub secrets: aws_sdk_secretsmanager::Client,
}

impl Clients {
    /// Clients that share `config`, for calls by `by`; without one, for setup and tests.
    #[must_use]
    pub fn new(config: &SdkConfig, by: Option<Principal>) -> Self {
        // An emulator has no host name of its own for each bucket.
        let path_style = config.endpoint_url().is_some();
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(path_style);
        Self {
            dynamo: client!(
                aws_sdk_dynamodb,
                aws_sdk_dynamodb::config::Builder::from(config),
                by
            ),
            sqs: client!(aws_sdk_sqs, aws_sdk_sqs::config::Builder::from(config), by),
            s3: client!(aws_sdk_s3, s3, by),
            events: client!(
                aws_sdk_eventbridge,
                aws_sdk_eventbridge::config::Builder::from(config),
                by
            ),
            ses: client!(
                aws_sdk_sesv2,
                aws_sdk_sesv2::config::Builder::from(config),
                by
            ),
            secrets: client!(
                aws_sdk_secretsmanager,
                aws_sdk_secretsmanager::config::Builder::from(config),
                by
            ),
        }
    }
}

pub(crate) fn sts_client(config: &SdkConfig) -> aws_sdk_sts::Client {
    client!(
        aws_sdk_sts,
        aws_sdk_sts::config::Builder::from(config),
        None
    )
}

pub(crate) fn eks_client(config: &SdkConfig, by: Option<Principal>) -> aws_sdk_eks::Client {
    client!(aws_sdk_eks, aws_sdk_eks::config::Builder::from(config), by)
}

/// Clients for `config`. Nothing is called yet; missing credentials show with the first call.
pub async fn load(config: &AwsConfig) -> Clients {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX));
    if !config.region.is_empty() {
        loader = loader.region(Region::new(config.region.clone()));
    }
    if let Some(profile) = &config.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &config.endpoint_url {
        loader = loader.endpoint_url(url);
        if url.starts_with("http://") {
            // Without TLS: reading the system's certificates takes longer than a call to loopback.
            loader = loader.http_client(aws_smithy_http_client::Builder::new().build_http());
        }
    }
    Clients::new(&loader.load().await, config.by)
}
