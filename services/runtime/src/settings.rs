//! Settings that several services share, so that a name means the same in all of them.

use std::time::Duration;

use crate::env::{SettingsReader, Variable};

pub const COMMON: &[Variable] = &[
    Variable::default(
        "PAYOPS_LOG",
        "info",
        "log filter, such as info,payops_payments=debug",
    ),
    Variable::default(
        "PAYOPS_HEALTH_LISTEN",
        "0.0.0.0:8081",
        "address and port that serve /livez, /readyz and /metrics",
    ),
    Variable::optional(
        "PAYOPS_AWS_REGION",
        "AWS region; if unset, the AWS SDK chooses it",
    ),
    Variable::optional(
        "PAYOPS_AWS_ENDPOINT",
        "endpoint URL for all AWS services, such as an emulator's",
    ),
    Variable::optional(
        "PAYOPS_AWS_ACCOUNT",
        "AWS account id that all resources must belong to",
    ),
    Variable::required(
        "PAYOPS_TABLE",
        "DynamoDB table that holds payments and API keys",
    ),
    Variable::optional(
        "PAYOPS_QUEUE_PREFIX",
        "prefix of the SQS queue names, such as prod-",
    ),
    Variable::optional(
        "PAYOPS_SECRET_PREFIX",
        "prefix of the names in Secrets Manager, such as prod/payops/",
    ),
];

pub const DISPATCH: &[Variable] = &[
    Variable::required("PAYOPS_BUCKET", "S3 bucket that archives requests"),
    Variable::required("PAYOPS_BUS", "EventBridge bus that events are sent to"),
];

pub const PROVIDER: &[Variable] = &[
    Variable::default(
        "PAYOPS_PROVIDER_URL",
        "https://api.stripe.com",
        "base URL of the payment provider",
    ),
    Variable::default(
        "PAYOPS_PROVIDER_KEY_SECRET",
        "provider-key",
        "name of the secret that holds the provider's API key",
    ),
    Variable::default(
        "PAYOPS_PROVIDER_TIMEOUT",
        "10s",
        "time-out of one call to the provider",
    ),
];

pub const CONSUME: &[Variable] = &[
    Variable::default(
        "PAYOPS_CONCURRENCY",
        "10",
        "messages handled at the same time",
    ),
    Variable::default(
        "PAYOPS_WAIT",
        "20s",
        "how long one receive waits for messages; at most 20s",
    ),
    Variable::default(
        "PAYOPS_VISIBILITY",
        "3m",
        "visibility time-out of a received message",
    ),
    Variable::default(
        "PAYOPS_DRAIN",
        "25s",
        "how long to wait after SIGTERM for work under way",
    ),
];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommonSettings {
    pub log: String,
    pub health_listen: String,
    pub region: String,
    pub endpoint: Option<String>,
    pub account: Option<String>,
    pub table: String,
    pub queue_prefix: String,
    pub secret_prefix: String,
}

impl CommonSettings {
    pub fn read(reader: &mut SettingsReader<'_>) -> Self {
        Self {
            log: reader.text("PAYOPS_LOG"),
            health_listen: address(reader, "PAYOPS_HEALTH_LISTEN"),
            region: reader.text("PAYOPS_AWS_REGION"),
            endpoint: url(reader, "PAYOPS_AWS_ENDPOINT"),
            account: account(reader),
            table: reader.text("PAYOPS_TABLE"),
            queue_prefix: reader.text("PAYOPS_QUEUE_PREFIX"),
            secret_prefix: reader.text("PAYOPS_SECRET_PREFIX"),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DispatchSettings {
    pub bucket: String,
    pub bus: String,
}

impl DispatchSettings {
    pub fn read(reader: &mut SettingsReader<'_>) -> Self {
        Self {
            bucket: reader.text("PAYOPS_BUCKET"),
            bus: reader.text("PAYOPS_BUS"),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderSettings {
    pub url: String,
    pub key_secret: String,
    pub timeout: Duration,
}

impl ProviderSettings {
    pub fn read(reader: &mut SettingsReader<'_>) -> Self {
        Self {
            url: url(reader, "PAYOPS_PROVIDER_URL").unwrap_or_default(),
            key_secret: reader.text("PAYOPS_PROVIDER_KEY_SECRET"),
            timeout: positive_duration(reader, "PAYOPS_PROVIDER_TIMEOUT"),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsumerConfig {
    pub settings: crate::ConsumeSettings,
    pub visibility: Duration,
}

impl ConsumerConfig {
    pub fn read(reader: &mut SettingsReader<'_>) -> Self {
        let wait = reader.duration("PAYOPS_WAIT");
        if wait > Duration::from_secs(20) {
            reader.problem("PAYOPS_WAIT", "must be at most 20s");
        }
        let settings = crate::ConsumeSettings {
            concurrency: reader.count("PAYOPS_CONCURRENCY"),
            wait,
            drain: reader.duration("PAYOPS_DRAIN"),
        };
        Self {
            settings,
            visibility: positive_duration(reader, "PAYOPS_VISIBILITY"),
        }
    }
}

pub fn positive_duration(reader: &mut SettingsReader<'_>, name: &str) -> Duration {
    let value = reader.duration(name);
    if value.is_zero() && !reader.has_problem(name) {
        reader.problem(name, "must be greater than zero");
    }
    value
}

/// Reads an IP address and port such as `0.0.0.0:8080`.
pub fn address(reader: &mut SettingsReader<'_>, name: &str) -> String {
    let text = reader.text(name);
    if !text.is_empty() && text.parse::<std::net::SocketAddr>().is_err() {
        reader.problem(name, "must be an IP address and port such as 0.0.0.0:8080");
    }
    text
}

/// Reads a URL that starts with `http://` or `https://`.
pub fn url(reader: &mut SettingsReader<'_>, name: &str) -> Option<String> {
    let url = reader.optional(name)?;
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    if rest.is_none_or(str::is_empty) {
        reader.problem(name, "must be a URL that starts with https:// or http://");
    }
    Some(url)
}

fn account(reader: &mut SettingsReader<'_>) -> Option<String> {
    let account = reader.optional("PAYOPS_AWS_ACCOUNT")?;
    if account.len() != 12 || !account.bytes().all(|digit| digit.is_ascii_digit()) {
        reader.problem("PAYOPS_AWS_ACCOUNT", "must be an AWS account id: 12 digits");
    }
    Some(account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SettingsError;

    fn problems(set: &[(&str, &str)]) -> Vec<String> {
        let lookup = |name: &str| {
            set.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let tables: [&[Variable]; 4] = [COMMON, DISPATCH, PROVIDER, CONSUME];
        let mut reader = SettingsReader::new(&tables, &lookup);
        let all = (
            CommonSettings::read(&mut reader),
            DispatchSettings::read(&mut reader),
            ProviderSettings::read(&mut reader),
            ConsumerConfig::read(&mut reader),
        );
        reader
            .finish(all)
            .map_or_else(|SettingsError(problems)| problems, |_| Vec::new())
    }

    #[test]
    fn what_must_be_set_is_enough() {
        assert_eq!(
            problems(&[
                ("PAYOPS_TABLE", "t"),
                ("PAYOPS_BUCKET", "b"),
                ("PAYOPS_BUS", "e")
            ]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn every_problem_of_every_table_is_reported() {
        let bad = [
            ("PAYOPS_AWS_ACCOUNT", "12"),
            ("PAYOPS_AWS_ENDPOINT", "localhost:1"),
            ("PAYOPS_HEALTH_LISTEN", "8081"),
            ("PAYOPS_PROVIDER_URL", "ftp://x"),
            ("PAYOPS_WAIT", "1m"),
            ("PAYOPS_VISIBILITY", "0s"),
        ];
        // Those six, and table, bucket and bus that are missing.
        assert_eq!(problems(&bad).len(), 9, "{:?}", problems(&bad));
    }
}
