//! The service's settings: all of them from environment variables, read at once.

use std::time::Duration;

use payops_core::port::PortResult;
use payops_payments::ServeLimits;
use payops_payments::api::ApiLimits;
use payops_runtime::env::{Reader, Variable};
use payops_runtime::settings::{Consume, Dispatch, ProviderSettings, address, positive, url};

pub(crate) const PAYMENTS: &[Variable] = &[
    Variable::default("PAYOPS_LISTEN", "0.0.0.0:8080", "where the API is served"),
    Variable::default("PAYOPS_CONNECTIONS_MAX", "1024", "connections open at once"),
    Variable::default(
        "PAYOPS_HEAD_TIMEOUT",
        "10s",
        "how long a request's head may take, and how long an idle connection is kept",
    ),
    Variable::default(
        "PAYOPS_UNREAD_TIMEOUT",
        "20s",
        "how long a client may read nothing of its answer",
    ),
    Variable::default(
        "PAYOPS_BODY_TIMEOUT",
        "10s",
        "how long a body may take to arrive",
    ),
    Variable::default(
        "PAYOPS_REQUEST_TIMEOUT",
        "30s",
        "how long a request may take in all",
    ),
    Variable::default(
        "PAYOPS_SOURCE_TIMEOUT",
        "2s",
        "how long the provider may take to say whether it knows a source",
    ),
    Variable::default(
        "PAYOPS_SHUTDOWN_DELAY",
        "5s",
        "how long requests are still taken after SIGTERM, while /readyz says no",
    ),
    Variable::default(
        "PAYOPS_PEPPER_SECRET",
        "api-key-pepper",
        "name of the secret that keys the hash of API keys",
    ),
    Variable::default(
        "PAYOPS_CURSOR_SECRET",
        "cursor-key",
        "name of the secret that seals list cursors",
    ),
    Variable::default(
        "PAYOPS_LEDGER_URL_SECRET",
        "ledger-url",
        "name of the secret that holds the ledger's PostgreSQL URL",
    ),
    Variable::default(
        "PAYOPS_LEDGER_CONNECTIONS",
        "10",
        "connections to the ledger",
    ),
    Variable::default(
        "PAYOPS_MIGRATE",
        "true",
        "whether missing ledger tables and a missing index are made",
    ),
    Variable::required("PAYOPS_SEARCH_URL", "URL of OpenSearch"),
    Variable::default("PAYOPS_SEARCH_ALIAS", "payments", "alias of the index"),
    Variable::optional(
        "PAYOPS_SEARCH_USER",
        "user of OpenSearch; without it, no credentials are sent",
    ),
    Variable::default(
        "PAYOPS_SEARCH_PASSWORD_SECRET",
        "search-password",
        "name of the secret that holds that user's password",
    ),
    Variable::default(
        "PAYOPS_RELAY_EVERY",
        "2s",
        "how often the outbox is looked through",
    ),
    Variable::default(
        "PAYOPS_RELAY_GRACE",
        "10s",
        "how old an outbox row must be for the relay to take it",
    ),
    Variable::default(
        "PAYOPS_SWEEP_EVERY",
        "60s",
        "how often payments that are due are looked for",
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
    pub(crate) dispatch: Dispatch,
    pub(crate) provider: ProviderSettings,
    pub(crate) consume: Consume,
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
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let dispatch = Dispatch::read(reader);
        let provider = ProviderSettings::read(reader);
        let consume = Consume::read(reader);
        let serve = ServeLimits {
            connections: reader.count("PAYOPS_CONNECTIONS_MAX"),
            head: positive(reader, "PAYOPS_HEAD_TIMEOUT"),
            unread: positive(reader, "PAYOPS_UNREAD_TIMEOUT"),
            drain: consume.settings.drain,
            ..ServeLimits::default()
        };
        let api = ApiLimits {
            body: positive(reader, "PAYOPS_BODY_TIMEOUT"),
            request: positive(reader, "PAYOPS_REQUEST_TIMEOUT"),
            source: positive(reader, "PAYOPS_SOURCE_TIMEOUT"),
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
                migrate: reader.parsed("PAYOPS_MIGRATE", "true or false"),
            },
            search: SearchSettings {
                url: url(reader, "PAYOPS_SEARCH_URL").unwrap_or_default(),
                alias: reader.text("PAYOPS_SEARCH_ALIAS"),
                user: reader.optional("PAYOPS_SEARCH_USER"),
                password_secret: reader.text("PAYOPS_SEARCH_PASSWORD_SECRET"),
            },
            relay_every: positive(reader, "PAYOPS_RELAY_EVERY"),
            relay_grace: signed(reader.duration("PAYOPS_RELAY_GRACE")),
            sweep_every: positive(reader, "PAYOPS_SWEEP_EVERY"),
            dispatch,
            provider,
            consume,
        }
    }
}

fn signed(duration: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX)
}

/// Whether a secret is fit for what it is used for: an empty one would make every seal forgeable.
pub(crate) fn fit(name: &str, secret: secrecy::SecretString) -> PortResult<secrecy::SecretString> {
    use payops_core::port::{ErrorKind, PortError};
    use secrecy::ExposeSecret as _;
    if secret.expose_secret().len() < 16 {
        return Err(PortError::new(
            ErrorKind::Permanent,
            format!("the secret {name} is shorter than 16 characters"),
        ));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use payops_runtime::env::Problems;
    use payops_runtime::settings::{COMMON, CONSUME, DISPATCH, PROVIDER};

    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Settings, Problems> {
        let lookup = |name: &str| {
            set.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let tables: [&[Variable]; 5] = [COMMON, DISPATCH, PROVIDER, CONSUME, PAYMENTS];
        let mut reader = Reader::new(&tables, &lookup);
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
        let Problems(problems) = read(&[
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
        assert!(fit("x", secrecy::SecretString::from("short")).is_err());
        assert!(fit("x", secrecy::SecretString::from("long enough to be one")).is_ok());
    }
}
