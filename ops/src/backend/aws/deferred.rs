//! The ledger, connected to on first use: a look at the queues must not wait for a database.

use async_trait::async_trait;
use payops_aws::{Clients, SecretsManager};
use payops_core::domain::id::PaymentId;
use payops_core::domain::ledger::Transaction;
use payops_core::port::{
    ErrorKind, Ledger, LedgerPage, PortError, PortResult, PostOutcome, Secrets as _,
};
use payops_ledger::PostgresLedger;
use secrecy::SecretString;
use tokio::sync::OnceCell;

use crate::environment::AwsConfig;

const CONNECTIONS_MAX: u32 = 4;

/// The ledger, connected to when it is first asked.
pub(super) struct DeferredLedger {
    env: String,
    variable: Option<String>,
    secret: Option<String>,
    secrets: SecretsManager,
    ledger: OnceCell<PostgresLedger>,
}

impl DeferredLedger {
    /// The ledger that `aws` names.
    pub(super) fn new(env: &str, aws: &AwsConfig, clients: &Clients) -> Self {
        Self {
            env: env.to_owned(),
            variable: aws.ledger_url_env.clone(),
            secret: aws.ledger_url_secret.clone(),
            secrets: SecretsManager::new(clients.secrets.clone(), ""),
            ledger: OnceCell::new(),
        }
    }

    async fn ledger(&self) -> PortResult<&PostgresLedger> {
        self.ledger
            .get_or_try_init(|| async {
                let url = self.url().await?;
                PostgresLedger::connect(&url, None, CONNECTIONS_MAX).await
            })
            .await
    }

    /// The variable comes before the secret, so that a tunnel can be used for once.
    async fn url(&self) -> PortResult<SecretString> {
        let from_variable = self
            .variable
            .as_deref()
            .and_then(|name| std::env::var(name).ok())
            .filter(|url| !url.is_empty());
        match (from_variable, &self.secret) {
            (Some(url), _) => Ok(SecretString::from(url)),
            (None, Some(secret)) => self.secrets.get(secret).await,
            (None, None) => {
                let message = format!(
                    "environments.{} names no ledger: set ledger_url_secret or ledger_url_env, and \
                        its variable",
                    self.env
                );
                Err(PortError::new(ErrorKind::Permanent, message))
            }
        }
    }
}

#[async_trait]
impl Ledger for DeferredLedger {
    async fn post(&self, transaction: &Transaction) -> PortResult<PostOutcome> {
        self.ledger().await?.post(transaction).await
    }

    async fn of_payments(
        &self,
        payments: &[PaymentId],
        consistent: bool,
    ) -> PortResult<Vec<Transaction>> {
        self.ledger().await?.of_payments(payments, consistent).await
    }

    async fn scan(&self, from: Option<&str>, limit: usize) -> PortResult<LedgerPage> {
        self.ledger().await?.scan(from, limit).await
    }
}
