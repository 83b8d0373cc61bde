//! The payments service on AWS, PostgreSQL and OpenSearch.

use std::sync::Arc;
use std::time::Duration;

use payops_aws::permissions::Principal;
use payops_aws::{
    AwsConfig, DynamoStore, EventBridgeBus, S3Archive, SecretsManager, SqsQueues, load,
};
use payops_core::domain::limits::PaymentLimits;
use payops_core::domain::mask;
use payops_core::port::{Clock, PaymentStore, PortResult, Queues, Random, Secrets};
use payops_core::usecase::{Consumer, Dispatcher, Projector, Reconciler};
use payops_ledger::PostgresLedger;
use payops_payments::api::{ApiPorts, ApiSecrets};
use payops_payments::projector;
use payops_provider::HttpProvider;
use payops_runtime::settings::CommonSettings;
use payops_runtime::{Backoff, BoxError, Heartbeat, OsRandom, SystemClock, pause};
use payops_search::{Credentials, OpenSearchIndex};
use tokio_util::sync::CancellationToken;

use crate::config::{Settings, require_length};

/// A payment that changed less than this ago may still be on its way to ledger and index.
const SETTLE: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

/// What needs the ledger and the index.
pub(crate) struct Connected {
    pub(crate) projector: Consumer,
    pub(crate) reconciler: Reconciler,
}

pub(crate) struct Adapters {
    pub(crate) ports: ApiPorts,
    pub(crate) secrets: ApiSecrets,
    queues: Arc<dyn Queues>,
    vault: Arc<dyn Secrets>,
}

/// Builds the adapters and fetches the secrets that accepting payments needs. It does not need the
/// ledger and the index: see [`Adapters::connect_projector`].
pub(crate) async fn build_adapters(
    common: &CommonSettings,
    settings: &Settings,
) -> Result<Adapters, BoxError> {
    let config = AwsConfig {
        region: common.region.clone(),
        endpoint_url: common.endpoint.clone(),
        account_id: common.account.clone(),
        profile: None,
        by: Some(Principal::PaymentsApi),
    };
    let clients = load(&config).await;
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let dynamo = Arc::new(DynamoStore::new(
        clients.dynamo,
        &common.table,
        Arc::clone(&random),
    ));
    let store: Arc<dyn PaymentStore> = dynamo.clone();
    let queues: Arc<dyn Queues> = Arc::new(SqsQueues::with_prefix(
        clients.sqs,
        &common.queue_prefix,
        common.account.clone(),
    ));
    let vault: Arc<dyn Secrets> =
        Arc::new(SecretsManager::new(clients.secrets, &common.secret_prefix));
    let key = vault.get(&settings.provider.key_secret).await?;
    let secrets = ApiSecrets {
        pepper: require_length(
            &settings.pepper_secret,
            vault.get(&settings.pepper_secret).await?,
        )?,
        cursor: require_length(
            &settings.cursor_secret,
            vault.get(&settings.cursor_secret).await?,
        )?,
    };
    let dispatcher = Dispatcher {
        store: Arc::clone(&store),
        archive: Arc::new(S3Archive::new(
            clients.s3,
            &settings.dispatch.bucket,
            common.account.clone(),
        )),
        bus: Arc::new(EventBridgeBus::new(clients.events, &settings.dispatch.bus)),
        queues: Arc::clone(&queues),
        clock: Arc::clone(&clock),
    };
    let provider = Arc::new(HttpProvider::new(
        &settings.provider.url,
        &key,
        settings.provider.timeout,
    )?);
    let ports = ApiPorts {
        store,
        keys: dynamo,
        provider,
        dispatcher,
        clock,
        random,
        limits: PaymentLimits::default(),
    };
    Ok(Adapters {
        ports,
        secrets,
        queues,
        vault,
    })
}

impl Adapters {
    /// Waits until the ledger and the index can be reached; the API is served meanwhile. Returns
    /// `None` if `stop` is canceled first.
    pub(crate) async fn connect_projector(
        &self,
        settings: &Settings,
        stop: &CancellationToken,
        heartbeat: &Heartbeat,
    ) -> Option<Connected> {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
        loop {
            heartbeat.beat();
            let connected = tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                connected = self.connect(settings) => connected,
            };
            match connected {
                Ok(connected) => return Some(connected),
                Err(error) => {
                    tracing::warn!(
                        class = error.class(),
                        error = mask::text(&error.chain()),
                        "the projector cannot reach the ledger or the index; retrying"
                    );
                    pause(backoff.next_delay(), stop).await;
                }
            }
        }
    }

    async fn connect(&self, settings: &Settings) -> PortResult<Connected> {
        let url = self.vault.get(&settings.ledger.url_secret).await?;
        let ledger = PostgresLedger::connect(&url, None, settings.ledger.connections).await?;
        let credentials = match &settings.search.user {
            Some(user) => Some(Credentials {
                user: user.clone(),
                password: self.vault.get(&settings.search.password_secret).await?,
            }),
            None => None,
        };
        let index = OpenSearchIndex::connect(
            &settings.search.url,
            &settings.search.alias,
            credentials.as_ref(),
        )?;
        if settings.ledger.migrate {
            ledger.migrate().await?;
            index.ensure_index().await?;
        }
        let ports = &self.ports;
        let projector = Projector {
            store: Arc::clone(&ports.store),
            ledger: Arc::new(ledger),
            index: Arc::new(index),
            clock: Arc::clone(&ports.clock),
        };
        let reconciler = Reconciler {
            store: Arc::clone(&ports.store),
            ledger: Arc::clone(&projector.ledger),
            index: Arc::clone(&projector.index),
            archive: Arc::clone(&ports.dispatcher.archive),
            provider: None,
            clock: Arc::clone(&ports.clock),
            settle: SETTLE,
        };
        let (queues, random) = (Arc::clone(&self.queues), Arc::clone(&ports.random));
        let projector = projector::consumer(
            projector,
            queues,
            random,
            ports.limits.clone(),
            settings.consume.visibility,
        );
        Ok(Connected {
            projector,
            reconciler,
        })
    }
}
