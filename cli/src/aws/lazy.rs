//! Stores that not every command needs: a look at the queues must not wait for a database.

use async_trait::async_trait;
use payops_aws::{Clients, DynamoApprovalStore, DynamoFreezeStore, SecretsManager};
use payops_core::domain::access::{ApprovalRow, Freeze};
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::id::PaymentId;
use payops_core::domain::ledger::Transaction;
use payops_core::domain::search::SearchQuery;
use payops_core::port::{
    ApprovalStore, ErrorKind, FreezeStore, Freshness, Hits, Index, IndexPage, Ledger, LedgerPage,
    PortError, PortResult, PostOutcome, Secrets as _, UpsertOutcome,
};
use payops_ledger::PostgresLedger;
use secrecy::SecretString;
use tokio::sync::OnceCell;

use super::with_aws::needed;
use crate::config::Aws;
use crate::context::Caller;
use crate::error::CliError;

const CONNECTIONS_MAX: u32 = 4;

/// The ledger, connected to when it is first asked.
pub(super) struct LazyLedger {
    env: String,
    variable: Option<String>,
    secret: Option<String>,
    secrets: SecretsManager,
    ledger: OnceCell<PostgresLedger>,
}

impl LazyLedger {
    /// The ledger that `aws` names.
    pub(super) fn new(env: &str, aws: &Aws, clients: &Clients) -> Self {
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
        let held = self
            .variable
            .as_deref()
            .and_then(|name| std::env::var(name).ok())
            .filter(|url| !url.is_empty());
        match (held, &self.secret) {
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
impl Ledger for LazyLedger {
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

/// An index that the configuration does not name.
pub(super) struct AbsentIndex(pub(super) String);

impl AbsentIndex {
    fn absent<T>(&self) -> PortResult<T> {
        let message = format!(
            "environments.{} names no search index: set opensearch_url and index",
            self.0
        );
        Err(PortError::new(ErrorKind::Permanent, message))
    }
}

#[async_trait]
impl Index for AbsentIndex {
    async fn upsert(&self, _: &[PaymentDoc]) -> PortResult<Vec<UpsertOutcome>> {
        self.absent()
    }

    async fn search(&self, _: &SearchQuery, _: usize, _: usize) -> PortResult<Hits> {
        self.absent()
    }

    async fn of_payments(&self, _: &[PaymentId]) -> PortResult<Vec<PaymentDoc>> {
        self.absent()
    }

    async fn scan(&self, _: Option<&str>, _: usize) -> PortResult<IndexPage> {
        self.absent()
    }

    async fn freshness(&self) -> PortResult<Freshness> {
        self.absent()
    }
}

/// The table of an environment, reached when it is asked.
pub(super) struct LazyTable {
    pub(super) name: String,
    pub(super) aws: Aws,
    pub(super) caller: Caller,
}

impl LazyTable {
    async fn there(&self) -> PortResult<(Clients, &str)> {
        let config = Box::pin(super::session_config(&self.name, &self.aws, &self.caller))
            .await
            .map_err(CliError::into_port)?;
        let table =
            needed(&self.name, "table", self.aws.table.as_ref()).map_err(CliError::into_port)?;
        Ok((Clients::new(&config), table))
    }
}

pub(super) struct LazyApprovals(pub(super) LazyTable);

impl LazyApprovals {
    async fn there(&self) -> PortResult<DynamoApprovalStore> {
        let (clients, table) = self.0.there().await?;
        Ok(DynamoApprovalStore::new(clients.dynamo, table))
    }
}

#[async_trait]
impl ApprovalStore for LazyApprovals {
    async fn keep(&self, row: &ApprovalRow) -> PortResult<()> {
        self.there().await?.keep(row).await
    }

    async fn of(&self, by: &str, plan_sha256: &str) -> PortResult<Option<ApprovalRow>> {
        self.there().await?.of(by, plan_sha256).await
    }
}

pub(super) struct LazyFreezes(pub(super) LazyTable);

impl LazyFreezes {
    async fn there(&self) -> PortResult<DynamoFreezeStore> {
        let (clients, table) = self.0.there().await?;
        Ok(DynamoFreezeStore::new(clients.dynamo, table))
    }
}

#[async_trait]
impl FreezeStore for LazyFreezes {
    async fn current(&self) -> PortResult<Option<Freeze>> {
        self.there().await?.current().await
    }

    async fn set(&self, freeze: &Freeze) -> PortResult<()> {
        self.there().await?.set(freeze).await
    }

    async fn lift(&self) -> PortResult<bool> {
        self.there().await?.lift().await
    }
}
