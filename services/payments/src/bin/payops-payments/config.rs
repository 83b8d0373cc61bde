//! The service's settings: all of them from environment variables, read at once.

use std::time::Duration;

use payops_core::port::PortResult;
use payops_payments::ServeLimits;
use payops_payments::api::ApiLimits;
use payops_runtime::env::{SettingsReader, Variable};
use payops_runtime::settings::{
    ConsumerConfig, DispatchSettings, ProviderSettings, address, positive_duration, url,
};

pub(crate) const PAYMENTS: &[Variable] = &[
    Variable::default(
        "PAYOPS_LISTEN",
        "0.0.0.0:8080",
        "address and port that serve the API",
    ),
    Variable::default(
        "PAYOPS_CONNECTIONS_MAX",
        "1024",
        "most connections open at the same time",
    ),
    Variable::default(
        "PAYOPS_HEAD_TIMEOUT",
        "10s",
        "how long a request's headers may take, and how long an idle connection is kept",
    ),
    Variable::default(
        "PAYOPS_UNREAD_TIMEOUT",
        "20s",
        "how long a client may go without reading its response",
    ),
    Variable::default(
        "PAYOPS_BODY_TIMEOUT",
        "10s",
        "how long a request's body may take to arrive",
    ),
    Variable::default(
        "PAYOPS_REQUEST_TIMEOUT",
        "30s",
        "how long a request may take in all",
    ),
    Variable::default(
        "PAYOPS_SOURCE_TIMEOUT",
        "2s",
        "how long to wait for the provider to check a payment source",
    ),
    Variable::default(
        "PAYOPS_SHUTDOWN_DELAY",
        "5s",
        "how long to accept requests after SIGTERM, while /readyz answers 503",
    ),
    Variable::default(
        "PAYOPS_PEPPER_SECRET",
        "api-key-pepper",
        "name of the secret that API keys are hashed with",
    ),
    Variable::default(
        "PAYOPS_CURSOR_SECRET",
        "cursor-key",
        "name of the secret that list cursors are sealed with",
    ),
    Variable::default(
        "PAYOPS_LEDGER_URL_SECRET",
        "ledger-url",
        "name of the secret that holds the ledger's PostgreSQL URL",
    ),
    Variable::default(
        "PAYOPS_LEDGER_CONNECTIONS",
        "10",
        "most connections to the ledger",
    ),
    Variable::default(
        "PAYOPS_MIGRATE",
        "true",
        "whether to create missing ledger tables and a missing index",
    ),
    Variable::required("PAYOPS_SEARCH_URL", "OpenSearch URL"),
    Variable::default(
        "PAYOPS_SEARCH_ALIAS",
        "payments",
        "alias of the search index",
    ),
    Variable::optional(
        "PAYOPS_SEARCH_USER",
        "OpenSearch user; if unset, no credentials are sent",
    ),
    Variable::default(
        "PAYOPS_SEARCH_PASSWORD_SECRET",
        "search-password",
        "name of the secret that holds the OpenSearch password",
    ),
    Variable::default(
        "PAYOPS_RELAY_EVERY",
        "2s",
        "how often the relay checks the outbox",
    ),
    Variable::default(
        "PAYOPS_RELAY_GRACE",
        "10s",
        "how old an outbox row must be before the relay sends it",
    ),
    Variable::default(
        "PAYOPS_SWEEP_EVERY",
        "60s",
        "how often the sweeper looks for overdue payments",
    ),
    Variable::default(
        "PAYOPS_OLDEST_EVERY",
        "60s",
        "how often the age of the oldest payment in processing is measured",
    ),
    Variable::default(
        "PAYOPS_RECONCILE_EVERY",
        "5m",
        "how often a part of the payments is compared with ledger, index and archive",
    ),
    Variable::default(
        "PAYOPS_RECONCILE_PAYMENTS",
        "1000",
        "payments in such a part",
    ),
];

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) listen: String,
    pub(crate) serve: ServeLimits,
    pub(crate) api: ApiLimits,
    pub(crate) shutdown_delay: Duration,
    pub(crate) pepper_secret: String,
    pub(crate) cursor_secret: String,
    pub(crate) ledger: LedgerSettings,
    pub(crate) search: SearchSettings,
    pub(crate) relay_every: Duration,
    pub(crate) relay_grace: jiff::SignedDuration,
    pub(crate) sweep_every: Duration,
    pub(crate) oldest_every: Duration,
    pub(crate) reconcile_every: Duration,
    pub(crate) reconcile_payments: usize,
    pub(crate) dispatch: DispatchSettings,
    pub(crate) provider: ProviderSettings,
    pub(crate) consume: ConsumerConfig,
}

#[derive(Clone, Debug)]
pub(crate) struct LedgerSettings {
    pub(crate) url_secret: String,
    pub(crate) connections: u32,
    pub(crate) migrate: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct SearchSettings {
    pub(crate) url: String,
    pub(crate) alias: String,
    pub(crate) user: Option<String>,
    pub(crate) password_secret: String,
}

impl Settings {
    pub(crate) fn read(reader: &mut SettingsReader<'_>) -> Self {
        let dispatch = DispatchSettings::read(reader);
        let provider = ProviderSettings::read(reader);
        let consume = ConsumerConfig::read(reader);
        let serve = ServeLimits {
            connections: reader.count("PAYOPS_CONNECTIONS_MAX"),
            head: positive_duration(reader, "PAYOPS_HEAD_TIMEOUT"),
            unread: positive_duration(reader, "PAYOPS_UNREAD_TIMEOUT"),
            drain: consume.settings.drain,
            ..ServeLimits::default()
        };
        let api = ApiLimits {
            body: positive_duration(reader, "PAYOPS_BODY_TIMEOUT"),
            request: positive_duration(reader, "PAYOPS_REQUEST_TIMEOUT"),
            source: positive_duration(reader, "PAYOPS_SOURCE_TIMEOUT"),
        };
        Self {
            listen: address(reader, "PAYOPS_LISTEN"),
            serve,
            api,
            shutdown_delay: reader.duration("PAYOPS_SHUTDOWN_DELAY"),
            pepper_secret: reader.text("PAYOPS_PEPPER_SECRET"),
            cursor_secret: reader.text("PAYOPS_CURSOR_SECRET"),
            ledger: LedgerSettings {
                url_secret: reader.text("PAYOPS_LEDGER_URL_SECRET"),
                connections: u32::try_from(reader.count("PAYOPS_LEDGER_CONNECTIONS"))
                    .unwrap_or(u32::MAX),
                migrate: reader.parse("PAYOPS_MIGRATE", "true or false"),
            },
            search: SearchSettings {
                url: url(reader, "PAYOPS_SEARCH_URL").unwrap_or_default(),
                alias: reader.text("PAYOPS_SEARCH_ALIAS"),
                user: reader.optional("PAYOPS_SEARCH_USER"),
                password_secret: reader.text("PAYOPS_SEARCH_PASSWORD_SECRET"),
            },
            relay_every: positive_duration(reader, "PAYOPS_RELAY_EVERY"),
            relay_grace: to_signed(reader.duration("PAYOPS_RELAY_GRACE")),
            sweep_every: positive_duration(reader, "PAYOPS_SWEEP_EVERY"),
            oldest_every: positive_duration(reader, "PAYOPS_OLDEST_EVERY"),
            reconcile_every: positive_duration(reader, "PAYOPS_RECONCILE_EVERY"),
            reconcile_payments: reader.count("PAYOPS_RECONCILE_PAYMENTS"),
            dispatch,
            provider,
            consume,
        }
    }
}

fn to_signed(duration: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX)
}

/// Refuses a short secret: with an empty one anybody could forge keys and cursors.
pub(crate) fn require_length(
    name: &str,
    secret: secrecy::SecretString,
) -> PortResult<secrecy::SecretString> {
    use payops_core::port::{ErrorKind, PortError};
    use secrecy::ExposeSecret as _;
    if secret.expose_secret().len() < 16 {
        return Err(PortError::new(
            ErrorKind::Permanent,
            format!("the secret {name} must have at least 16 characters"),
        ));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use payops_runtime::env::{SettingsError, WhenUnset};
    use payops_runtime::settings::{COMMON, CONSUME, DISPATCH, PROVIDER};

    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let lookup = |name: &str| {
            set.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let tables: [&[Variable]; 5] = [COMMON, DISPATCH, PROVIDER, CONSUME, PAYMENTS];
        let mut reader = SettingsReader::new(&tables, &lookup);
        let settings = Settings::read(&mut reader);
        reader.finish(settings)
    }

    const ENOUGH: [(&str, &str); 3] = [
        ("PAYOPS_BUCKET", "b"),
        ("PAYOPS_BUS", "e"),
        ("PAYOPS_SEARCH_URL", "https://search.example"),
    ];

    #[test]
    fn defaults_are_the_documented_ones() {
        let settings = read(&ENOUGH).expect("enough");
        assert_eq!(
            (settings.api, settings.serve),
            (ApiLimits::default(), ServeLimits::default())
        );
        assert_eq!(
            (
                settings.listen.as_str(),
                settings.sweep_every,
                settings.ledger.migrate
            ),
            ("0.0.0.0:8080", Duration::from_mins(1), true)
        );
    }

    #[test]
    fn all_problems_are_reported_together() {
        let SettingsError(problems) = read(&[
            ("PAYOPS_LISTEN", "everywhere"),
            ("PAYOPS_BODY_TIMEOUT", "0s"),
            ("PAYOPS_MIGRATE", "perhaps"),
            ("PAYOPS_LEDGER_CONNECTIONS", "-1"),
            ("PAYOPS_SEARCH_URL", "search.example"),
        ])
        .expect_err("problems");
        for name in [
            "PAYOPS_LISTEN",
            "PAYOPS_BODY_TIMEOUT",
            "PAYOPS_MIGRATE",
            "PAYOPS_LEDGER_CONNECTIONS",
            "PAYOPS_SEARCH_URL",
            "PAYOPS_BUCKET",
            "PAYOPS_BUS",
        ] {
            assert_eq!(
                problems
                    .iter()
                    .filter(|problem| problem.contains(&format!("  {name} ")))
                    .count(),
                1,
                "{name} in {problems:?}"
            );
        }
        assert_eq!(problems.len(), 7, "{problems:?}");
    }

    #[test]
    fn a_secret_must_be_one() {
        assert!(require_length("x", secrecy::SecretString::from("short")).is_err());
        assert!(require_length("x", secrecy::SecretString::from("long enough to be one")).is_ok());
    }

    /// Terraform makes a secret for each name that is asked for, and lets its readers read it.
    #[test]
    fn secrets_are_those_of_names_json() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../terraform/modules/names/names.json"
        );
        let text = std::fs::read_to_string(path).expect("names.json");
        let names: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let mut asked = 0;
        for (table, service) in [
            (PAYMENTS, "payments-api"),
            (PROVIDER, "payments-api"),
            (PROVIDER, "payments-worker"),
        ] {
            for variable in table.iter().filter(|one| one.name.ends_with("_SECRET")) {
                let WhenUnset::Default(secret) = variable.when_unset else {
                    panic!("{} has no default", variable.name);
                };
                let readers = names["secrets"][secret]["readers"].as_array();
                assert!(
                    readers.is_some_and(|readers| readers.iter().any(|one| one == service)),
                    "{secret} of {service}"
                );
                asked += 1;
            }
        }
        assert_eq!(asked, 6);
    }
}
