//! Opening the stores of one environment in a data directory.

use std::path::Path;
use std::sync::Arc;

use payops_core::domain::apikey;
use payops_core::port::{
    ErrorKind, Index, KeyStore as _, Mailer, PortError, Ports, Provider, Random, Secrets as _,
};
use payops_embedded::{
    EmbeddedBus, EmlMailer, FileArchive, FileSecrets, SqliteQueues, SqliteStore,
};
use payops_ledger::SqliteLedger;
use payops_provider::SimulatedAcquirer;
use payops_search::{IndexOptions, TantivyIndex};
use payops_system::takes_files;
use secrecy::SecretString;

use super::data_dir::DataDir;
use super::error::LocalError;
use super::index::{self, Rebuild};
use super::surroundings::Surroundings;
use crate::backend::unavailable::UnavailableIndex;
use crate::caller::Access;

/// The stores of one environment, as the platform itself opens them.
#[derive(Clone)]
pub struct Stores {
    pub env: String,
    pub ports: Ports,
    pub payments: Arc<SqliteStore>,
    pub queues: Arc<SqliteQueues>,
    pub index: Arc<TantivyIndex>,
    /// What is to be done before the index is whole.
    pub rebuild: Option<Rebuild>,
    pub acquirer: Arc<SimulatedAcquirer>,
    pub mailer: Arc<dyn Mailer>,
    pub pepper: SecretString,
    pub cursor_key: SecretString,
    pub api_key: SecretString,
}

const FROM: &str = "payments@payops.example";

impl Stores {
    /// Opens everything for the process that runs the platform, and makes what is not there yet.
    pub async fn open(
        data: &DataDir,
        env: &str,
        around: &Surroundings,
    ) -> Result<Self, LocalError> {
        let dir = data.env(env)?;
        let payments = Arc::new(
            SqliteStore::open(&dir.join("payments.db"), Arc::clone(&around.clock))
                .await
                .map_err(LocalError::store("payments", env))?,
        );
        let queues = SqliteQueues::open(
            &dir.join("queues.db"),
            around.clock.clone(),
            around.random.clone(),
        )
        .await
        .map_err(LocalError::store("queues", env))?;
        // The consumer gives up by itself, with a reason. The queue's own limit is there for
        // messages that no consumer lives to judge.
        let backstop = around.limits.receives_max.saturating_mul(2);
        queues
            .create_platform_queues(backstop)
            .await
            .map_err(LocalError::store("queues", env))?;
        let queues = Arc::new(queues);
        let bus = Arc::new(EmbeddedBus::new(
            queues.clone(),
            around.clock.clone(),
            around.random.clone(),
        ));
        let archive = FileArchive::open(
            &dir.join("archive"),
            bus.clone(),
            around.clock.clone(),
            around.random.clone(),
        )
        .map_err(LocalError::store("archive", env))?;
        let ledger = SqliteLedger::open(&dir.join("ledger.db"))
            .await
            .map_err(LocalError::store("ledger", env))?;
        let options = IndexOptions {
            commit_every: around.index_commit,
        };
        let any_payments = !payments
            .counts()
            .await
            .map_err(LocalError::store("payments", env))?
            .is_empty();
        let (index, rebuild) =
            index::open(&dir, env, options, any_payments, around.clock.now()).await?;
        let index = Arc::new(index);
        let acquirer = SimulatedAcquirer::open(
            &dir.join("acquirer.db"),
            around.clock.clone(),
            around.acquirer,
        )
        .await;
        let acquirer = Arc::new(acquirer.map_err(LocalError::store("acquirer", env))?);
        let from = FROM.parse().map_err(|error| {
            LocalError::store("mail", env)(PortError::because(
                ErrorKind::Permanent,
                "the sender's address",
                error,
            ))
        })?;
        let mailer = EmlMailer::open(
            &dir.join("mail"),
            from,
            around.clock.clone(),
            around.random.clone(),
        )
        .map_err(LocalError::store("mail", env))?;
        let secrets = FileSecrets::open(&dir.join("secrets"), around.random.clone())
            .map_err(LocalError::store("secrets", env))?;
        let pepper = secrets
            .get_or_create("api-key-pepper")
            .await
            .map_err(LocalError::store("secrets", env))?;
        let cursor_key = secrets
            .get_or_create("cursor-key")
            .await
            .map_err(LocalError::store("secrets", env))?;
        let live = env == "prod";
        secrets
            .put_if_absent("api-key", new_key(live, &*around.random))
            .await
            .map_err(LocalError::store("secrets", env))?;
        let api_key = secrets
            .get("api-key")
            .await
            .map_err(LocalError::store("secrets", env))?;
        let ports = Ports {
            store: payments.clone(),
            keys: payments.clone(),
            queues: queues.clone(),
            queue_admin: queues.clone(),
            archive: Arc::new(archive),
            bus,
            ledger: Arc::new(ledger),
            index: index.clone(),
            provider: Some(acquirer.clone()),
            clock: around.clock.clone(),
            random: around.random.clone(),
            limits: around.limits.clone(),
            tells: true,
        };
        let (env, mailer) = (env.to_owned(), Arc::new(mailer));
        let stores = Self {
            env,
            ports,
            payments,
            queues,
            index,
            rebuild,
            acquirer,
            mailer,
            pepper,
            cursor_key,
            api_key,
        };
        stores.enroll(live).await?;
        Ok(stores)
    }

    /// Waits until every write handed in is done and closes the files.
    pub async fn close(&self) {
        self.payments.close().await;
        self.queues.close().await;
    }

    async fn enroll(&self, live: bool) -> Result<(), LocalError> {
        let merchant = "acme".parse().map_err(|_| LocalError::NoEnvironment {
            name: self.env.clone(),
        })?;
        let row = apikey::row(
            &self.api_key,
            &merchant,
            live,
            &self.pepper,
            self.ports.clock.now(),
        );
        let failed = |error| LocalError::store("payments", &self.env)(error);
        if self
            .payments
            .key(&row.hash)
            .await
            .map_err(failed)?
            .is_none()
        {
            self.payments.put_key(&row).await.map_err(failed)?;
        }
        Ok(())
    }
}

/// Opens the ports of one environment for a command, beside a platform that may be running.
pub async fn open(data_dir: &Path, env: &str, access: Access) -> Result<Ports, LocalError> {
    let data = DataDir::open(data_dir)?;
    if !super::data_dir::ENVIRONMENTS.contains(&env) {
        return Err(LocalError::NoEnvironment {
            name: env.to_owned(),
        });
    }
    let dir = data.root().join(env);
    if !dir.join("payments.db").exists() {
        return Err(LocalError::NotADataDir { dir });
    }
    let around = Surroundings::default();
    let clock = || Arc::clone(&around.clock);
    let write = access == Access::Write;
    let (payments, queues, ledger) = (
        dir.join("payments.db"),
        dir.join("queues.db"),
        dir.join("ledger.db"),
    );
    let payments = if write {
        SqliteStore::open(&payments, clock()).await
    } else {
        SqliteStore::open_read_only(&payments, clock()).await
    };
    let payments = Arc::new(payments.map_err(LocalError::store("payments", env))?);
    let queues = if write {
        SqliteQueues::open(&queues, clock(), around.random.clone()).await
    } else {
        SqliteQueues::open_read_only(&queues, clock(), around.random.clone()).await
    };
    let queues = Arc::new(queues.map_err(LocalError::store("queues", env))?);
    let ledger = if write {
        SqliteLedger::open(&ledger).await
    } else {
        SqliteLedger::open_read_only(&ledger).await
    };
    // A damaged index must not keep anybody from the payments: only what needs it fails.
    let index: Arc<dyn Index> = match index::open_reader(&dir).await {
        Ok(index) => index.into(),
        Err(error) => {
            let what = error.chain();
            let message = format!(
                "the search index of {env} cannot be opened: {what}; payops local up or payops \
                    local reindex rebuilds it"
            );
            Arc::new(UnavailableIndex {
                kind: error.kind,
                message,
            })
        }
    };
    let provider = provider(&dir, env, access, &around).await?;
    let bus = Arc::new(EmbeddedBus::new(
        queues.clone(),
        around.clock.clone(),
        around.random.clone(),
    ));
    let archive = FileArchive::open(
        &dir.join("archive"),
        bus.clone(),
        clock(),
        around.random.clone(),
    )
    .map_err(LocalError::store("archive", env))?;
    Ok(Ports {
        store: payments.clone(),
        keys: payments,
        queues: queues.clone(),
        queue_admin: queues,
        archive: Arc::new(archive),
        bus,
        ledger: Arc::new(ledger.map_err(LocalError::store("ledger", env))?),
        index,
        provider,
        clock: around.clock.clone(),
        random: around.random.clone(),
        limits: around.limits,
        tells: true,
    })
}

/// The acquirer, for a command. One that only looks goes without when the file cannot be opened
/// on a disk that takes no writes.
async fn provider(
    dir: &Path,
    env: &str,
    access: Access,
    around: &Surroundings,
) -> Result<Option<Arc<dyn Provider>>, LocalError> {
    let path = dir.join("acquirer.db");
    let opened = match access {
        Access::Write => {
            SimulatedAcquirer::open(&path, around.clock.clone(), around.acquirer).await
        }
        Access::Read => SimulatedAcquirer::open_read_only(&path, around.clock.clone()).await,
    };
    match opened {
        Ok(acquirer) => Ok(Some(Arc::new(acquirer))),
        Err(error) if access == Access::Read && path.exists() && !takes_files(dir) => {
            tracing::warn!(env, error = error.chain(), "the acquirer cannot be read");
            Ok(None)
        }
        Err(error) => Err(LocalError::store("acquirer", env)(error)),
    }
}

/// Mends something that was broken on purpose: `poison` makes the acquirer take `tok_poison`.
pub async fn fix(data_dir: &Path, env: &str, what: &str) -> Result<(), LocalError> {
    if what != "poison" {
        return Err(LocalError::NothingToFix {
            what: what.to_owned(),
        });
    }
    let data = DataDir::open(data_dir)?;
    let around = Surroundings::default();
    let path = data.env(env)?.join("acquirer.db");
    let acquirer = SimulatedAcquirer::open(&path, around.clock, around.acquirer)
        .await
        .map_err(LocalError::store("acquirer", env))?;
    acquirer
        .fix_poison()
        .await
        .map_err(LocalError::store("acquirer", env))
}

fn new_key(live: bool, random: &dyn Random) -> SecretString {
    let (high, low) = (u128::from(random.next_u64()), u128::from(random.next_u64()));
    apikey::make(live, ((high << 64) | low).to_be_bytes())
}
