//! `payops-migrate`: creates the ledger's tables, once before a new version is rolled out, and ends.
//!
//! Exit codes: 0 when the tables are there, newer ones included; 2 for invalid settings, which
//! another try does not help; 1 for anything else, which it may.

use std::process::ExitCode;

use payops_aws::permissions::Principal;
use payops_aws::{AwsConfig, SecretsManager, load};
use payops_core::port::Secrets as _;
use payops_ledger::{Migration, PostgresLedger};
use payops_runtime::env::{SettingsReader, Variable};
use payops_runtime::settings::CommonSettings;
use payops_runtime::{BoxError, run_process};
use secrecy::SecretString;

const MIGRATE: &[Variable] = &[
    Variable::optional(
        "PAYOPS_LEDGER_URL",
        "the ledger's PostgreSQL URL; if unset, it is read from Secrets Manager",
    ),
    Variable::default(
        "PAYOPS_LEDGER_URL_SECRET",
        "ledger-url",
        "name of the secret that holds the ledger's PostgreSQL URL",
    ),
];

struct Settings {
    url: Option<SecretString>,
    url_secret: String,
}

impl Settings {
    fn read(reader: &mut SettingsReader<'_>) -> Self {
        Self {
            url: reader.optional("PAYOPS_LEDGER_URL").map(SecretString::from),
            url_secret: reader.text("PAYOPS_LEDGER_URL_SECRET"),
        }
    }
}

fn main() -> ExitCode {
    run_process(
        "payops-migrate",
        "creates the tables of the ledger, unless they are there",
        &[MIGRATE],
        Settings::read,
        migrate,
    )
}

async fn migrate(common: CommonSettings, settings: Settings) -> Result<(), BoxError> {
    let url = if let Some(url) = settings.url {
        url
    } else {
        let config = AwsConfig {
            region: common.region.clone(),
            endpoint_url: common.endpoint.clone(),
            account_id: common.account.clone(),
            profile: None,
            by: Some(Principal::Migrate),
        };
        SecretsManager::new(load(&config).await.secrets, &common.secret_prefix)
            .get(&settings.url_secret)
            .await?
    };
    match PostgresLedger::migrate_database(&url).await? {
        Migration::Created => tracing::info!("the ledger's tables are created"),
        Migration::Unneeded => tracing::info!("the ledger's tables are there"),
        Migration::Newer(version) => {
            tracing::warn!(
                version,
                "the ledger's tables are newer than this program; left alone"
            );
        }
    }
    Ok(())
}
