//! The ledger in PostgreSQL: a primary that takes every write, and a replica for reads that may
//! lag.

mod error;

use std::time::Duration;

use async_trait::async_trait;
use payops_core::domain::id::PaymentId;
use payops_core::domain::ledger::Transaction;
use payops_core::port::{ErrorKind, Ledger, LedgerPage, PortError, PortResult, PostOutcome};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, Postgres};
use sqlx::{PgTransaction, Transaction as DatabaseTransaction};

use crate::phase::Phase;
use crate::rows;
use error::{is_conflict, port_error};

/// The version that `schema.sql` makes.
const VERSION: i32 = 1;
/// Held while tables are made, so that of several processes one makes them. Any constant does.
const MIGRATION_LOCK: i64 = 0x7061_796f_7073_0001;
/// How long a connection is waited for, and how long one statement may take.
const WAIT: Duration = Duration::from_secs(10);
/// How long a connection to the replica is waited for before the primary is asked instead.
const REPLICA_WAIT: Duration = Duration::from_secs(1);
/// How often a transaction that gave way to another is done again.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

const INSERT: &str = "WITH new AS ( \
         INSERT INTO ledger_transactions (payment, kind, reference, merchant, live, currency, \
             at_ms, posting_count) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, cardinality($8::text[])) \
         ON CONFLICT (payment, kind, reference) DO NOTHING RETURNING id, currency \
     ), lines AS ( \
         INSERT INTO ledger_postings (transaction_id, position, currency, account, minor) \
         SELECT new.id, line.position, new.currency, line.account, line.minor \
         FROM new, unnest($8::text[], $9::bigint[]) WITH ORDINALITY \
         AS line (account, minor, position) \
     ) SELECT id FROM new";
const SELECT_ONE: &str = "SELECT t.payment, t.kind, t.reference, t.merchant, t.live, t.currency, \
     t.at_ms, (SELECT coalesce(json_agg(json_build_array(p.account, p.minor)), '[]')::text \
     FROM ledger_postings p WHERE p.transaction_id = t.id) \
     FROM ledger_transactions t WHERE t.payment = $1 AND t.kind = $2 AND t.reference = $3";
const SELECT_MANY: &str = "SELECT t.payment, t.kind, t.reference, t.merchant, t.live, t.currency, \
     t.at_ms, (SELECT coalesce(json_agg(json_build_array(p.account, p.minor)), '[]')::text \
     FROM ledger_postings p WHERE p.transaction_id = t.id) \
     FROM ledger_transactions t WHERE t.payment = ANY($1)";
const SELECT_PAGE: &str = "SELECT t.payment, t.kind, t.reference, t.merchant, t.live, t.currency, \
     t.at_ms, (SELECT coalesce(json_agg(json_build_array(p.account, p.minor)), '[]')::text \
     FROM ledger_postings p WHERE p.transaction_id = t.id) \
     FROM ledger_transactions t WHERE (t.payment, t.kind, t.reference) > ($1, $2, $3) \
     ORDER BY t.payment, t.kind, t.reference LIMIT $4";

/// What [`PostgresLedger::migrate_database`] found or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migration {
    /// There were no tables.
    Created,
    /// The tables were there, of the version that this program makes or an older one that it reads.
    Unneeded,
    /// The tables are of this newer version, and were left as they are.
    Newer(i32),
}

#[derive(Debug)]
pub struct PostgresLedger {
    primary: PgPool,
    replica: Option<PgPool>,
}

impl PostgresLedger {
    /// Connects to the primary, and to the replica once it is first read from; each with up to
    /// `max_connections`. The URLs are secrets because they hold passwords.
    ///
    /// [`ErrorKind::Corrupt`] when the tables are of a newer version than this program knows.
    pub async fn connect(
        url: &SecretString,
        replica_url: Option<&SecretString>,
        max_connections: u32,
    ) -> PortResult<Self> {
        let pool = |wait| {
            PgPoolOptions::new()
                .max_connections(max_connections)
                .acquire_timeout(wait)
        };
        let fail = |error| port_error("be reached", error, Phase::Before);
        let primary = pool(WAIT).connect_with(options(url)?).await.map_err(fail)?;
        let replica = replica_url
            .map(options)
            .transpose()?
            .map(|options| pool(REPLICA_WAIT).connect_lazy_with(options));
        let ledger = Self { primary, replica };
        ledger.version().await?;
        Ok(ledger)
    }

    /// Makes the tables of the database at `url` unless they are there. Newer tables are no error
    /// here: a rollback deploys an older program onto them.
    pub async fn migrate_database(url: &SecretString) -> PortResult<Migration> {
        let primary = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(WAIT)
            .connect_with(options(url)?)
            .await
            .map_err(|error| port_error("be reached", error, Phase::Before))?;
        let ledger = Self {
            primary,
            replica: None,
        };
        let mut tx = ledger
            .primary
            .begin()
            .await
            .map_err(|error| port_error("be reached", error, Phase::Before))?;
        let version = read_version(&mut tx).await?;
        drop(tx);
        match version {
            Some(version) if version > VERSION => Ok(Migration::Newer(version)),
            Some(_) => Ok(Migration::Unneeded),
            None => ledger.migrate().await.map(|()| Migration::Created),
        }
    }

    /// Makes the tables unless they are there. Several processes may do so at once; needs the right
    /// to make tables only when there are none.
    pub async fn migrate(&self) -> PortResult<()> {
        if self.version().await?.is_some() {
            return Ok(());
        }
        let fail = |error| port_error("create its tables", error, Phase::Before);
        let mut tx = self.primary.begin().await.map_err(fail)?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(MIGRATION_LOCK)
            .execute(&mut *tx)
            .await
            .map_err(fail)?;
        if stored_version(&mut tx).await?.is_none() {
            sqlx::raw_sql(include_str!("schema.sql"))
                .execute(&mut *tx)
                .await
                .map_err(fail)?;
        }
        // Doing it again finds the tables, so a COMMIT in doubt is only a reason to try again.
        tx.commit().await.map_err(fail)
    }

    /// The version of the tables; `None` when there are none.
    async fn version(&self) -> PortResult<Option<i32>> {
        let mut tx = self
            .primary
            .begin()
            .await
            .map_err(|error| port_error("be reached", error, Phase::Before))?;
        stored_version(&mut tx).await
    }

    async fn try_post(&self, wanted: &Transaction) -> Result<PostOutcome, PostFailure> {
        let mut tx = self
            .primary
            .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
            .await?;
        let (accounts, minors): (Vec<_>, Vec<_>) = wanted
            .postings
            .iter()
            .map(|line| (line.account.clone(), line.minor))
            .unzip();
        let inserted: Option<i64> = sqlx::query_scalar(INSERT)
            .bind(wanted.payment.as_str())
            .bind(wanted.kind.as_str())
            .bind(&wanted.reference)
            .bind(wanted.merchant.as_str())
            .bind(wanted.live)
            .bind(wanted.currency.code())
            .bind(wanted.at.as_millisecond())
            .bind(accounts)
            .bind(minors)
            .fetch_optional(&mut *tx)
            .await?;
        if inserted.is_some() {
            return commit(tx).await.map(|()| PostOutcome::Posted);
        }
        // A statement of its own: only a later snapshot shows what the insert collided with.
        let row = sqlx::query_as::<_, rows::TransactionRow>(SELECT_ONE)
            .bind(wanted.payment.as_str())
            .bind(wanted.kind.as_str())
            .bind(&wanted.reference)
            .fetch_one(&mut *tx)
            .await?;
        tx.rollback().await?;
        rows::transaction(row)
            .map(|stored| rows::compare(wanted, stored))
            .map_err(PostFailure::Port)
    }

    async fn read(&self, pool: &PgPool, payments: &[PaymentId]) -> PortResult<Vec<Transaction>> {
        let ids: Vec<&str> = payments.iter().map(PaymentId::as_str).collect();
        let found = sqlx::query_as::<_, rows::TransactionRow>(SELECT_MANY)
            .bind(ids)
            .fetch_all(pool)
            .await;
        let found = found.map_err(|error| port_error("be read", error, Phase::Before))?;
        found.into_iter().map(rows::transaction).collect()
    }
}

enum PostFailure {
    Before(sqlx::Error),
    Commit(sqlx::Error),
    CommitTimedOut,
    Port(PortError),
}

impl From<sqlx::Error> for PostFailure {
    fn from(error: sqlx::Error) -> Self {
        Self::Before(error)
    }
}

impl PostFailure {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Before(error) | Self::Commit(error) if is_conflict(error))
    }

    fn into_port(self) -> PortError {
        match self {
            Self::Before(error) => port_error("take a transaction", error, Phase::Before),
            Self::Commit(error) => port_error("confirm a commit", error, Phase::Commit),
            Self::CommitTimedOut => PortError::new(
                ErrorKind::Ambiguous,
                "the ledger database did not confirm a commit in time",
            ),
            Self::Port(error) => error,
        }
    }
}

async fn commit(tx: DatabaseTransaction<'_, Postgres>) -> Result<(), PostFailure> {
    match tokio::time::timeout(WAIT, tx.commit()).await {
        Ok(result) => result.map_err(PostFailure::Commit),
        Err(_) => Err(PostFailure::CommitTimedOut),
    }
}

fn options(url: &SecretString) -> PortResult<PgConnectOptions> {
    // The parser's own message is left out: it may repeat parts of the URL.
    let options: PgConnectOptions = url.expose_secret().parse().map_err(|_| {
        PortError::new(
            ErrorKind::Permanent,
            "the ledger address is not a PostgreSQL URL",
        )
    })?;
    let wait_ms = WAIT.as_millis().to_string();
    Ok(options
        .application_name("payops")
        .options([("statement_timeout", wait_ms.as_str())]))
}

const MADE: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c
     JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relname = 'ledger_schema' AND c.relkind IN ('r', 'p')
         AND n.nspname = ANY (current_schemas(false)))";

/// The version of the tables, refused when it is newer than this program.
async fn stored_version(tx: &mut PgTransaction<'_>) -> PortResult<Option<i32>> {
    let version = read_version(tx).await?;
    if let Some(version) = version.filter(|version| *version > VERSION) {
        let message = format!(
            "the ledger database has schema version {version}; this payops supports versions up \
                to {VERSION}"
        );
        return Err(PortError::new(ErrorKind::Corrupt, message));
    }
    Ok(version)
}

async fn read_version(tx: &mut PgTransaction<'_>) -> PortResult<Option<i32>> {
    let fail = |error| port_error("report its schema version", error, Phase::Before);
    // Looked up in the catalog's rows: `to_regclass` takes no lock, and may answer from a cache
    // that has not heard yet of the tables that another migration made a moment ago.
    let made: bool = sqlx::query_scalar(MADE)
        .fetch_one(&mut **tx)
        .await
        .map_err(fail)?;
    if !made {
        return Ok(None);
    }
    let version: i32 = sqlx::query_scalar("SELECT max(version) FROM ledger_schema")
        .fetch_one(&mut **tx)
        .await
        .map_err(fail)?;
    Ok(Some(version))
}

#[async_trait]
impl Ledger for PostgresLedger {
    async fn post(&self, transaction: &Transaction) -> PortResult<PostOutcome> {
        let mut tries = 1;
        loop {
            match self.try_post(transaction).await {
                Err(failed) if failed.is_conflict() && tries < TRIES => {
                    tokio::time::sleep(BETWEEN_TRIES * tries).await;
                    tries += 1;
                }
                result => return result.map_err(PostFailure::into_port),
            }
        }
    }

    async fn of_payments(
        &self,
        payments: &[PaymentId],
        consistent: bool,
    ) -> PortResult<Vec<Transaction>> {
        let Some(replica) = self.replica.as_ref().filter(|_| !consistent) else {
            return self.read(&self.primary, payments).await;
        };
        match self.read(replica, payments).await {
            Err(error) if error.is_transient() => {
                tracing::warn!(
                    error = error.chain(),
                    "the ledger replica does not respond; reading from the primary"
                );
                self.read(&self.primary, payments).await
            }
            result => result,
        }
    }

    async fn scan(&self, from: Option<&str>, limit: usize) -> PortResult<LedgerPage> {
        let (payment, kind, reference) = rows::cursor(from)?;
        let query = sqlx::query_as::<_, rows::TransactionRow>(SELECT_PAGE)
            .bind(payment)
            .bind(kind)
            .bind(reference)
            .bind(rows::page_rows(limit));
        let found = query
            .fetch_all(&self.primary)
            .await
            .map_err(|error| port_error("be read", error, Phase::Before))?;
        rows::page(found, limit)
    }
}
