//! The worker on AWS, for both binaries.

use std::sync::Arc;
use std::time::Duration;

use payops_aws::permissions::Principal;
use payops_aws::{
    AwsConfig, DynamoStore, EventBridgeBus, S3Archive, SecretsManager, SqsQueues, load,
};
use payops_core::domain::bus::WORK;
use payops_core::domain::id::PaymentId;
use payops_core::domain::limits::PaymentLimits;
use payops_core::domain::text::Source;
use payops_core::port::{Archive, PaymentStore, QueueAdmin as _, Random, Secrets as _};
use payops_core::usecase::{Consumer, Dispatcher, Worker};
use payops_provider::HttpProvider;
use payops_runtime::settings::{CommonSettings, DispatchSettings, ProviderSettings};
use payops_runtime::{BoxError, OsRandom, SystemClock};

const WARM_UP_TIMEOUT: Duration = Duration::from_secs(5);

pub struct Adapters {
    worker: Worker,
    queues: SqsQueues,
    random: Arc<dyn Random>,
}

/// Fetches only the provider's key; everything else connects when it is first used.
pub async fn build_adapters(
    common: &CommonSettings,
    dispatch: &DispatchSettings,
    provider: &ProviderSettings,
) -> Result<Adapters, BoxError> {
    let config = AwsConfig {
        region: common.region.clone(),
        endpoint_url: common.endpoint.clone(),
        account_id: common.account.clone(),
        profile: None,
        by: Some(Principal::PaymentsWorker),
    };
    let clients = load(&config).await;
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    let store: Arc<dyn PaymentStore> = Arc::new(DynamoStore::new(
        clients.dynamo.clone(),
        &common.table,
        Arc::clone(&random),
    ));
    let queues = SqsQueues::with_prefix(
        clients.sqs.clone(),
        &common.queue_prefix,
        common.account.clone(),
    );
    let archive: Arc<dyn Archive> = Arc::new(S3Archive::new(
        clients.s3.clone(),
        &dispatch.bucket,
        common.account.clone(),
    ));
    let key = SecretsManager::new(clients.secrets.clone(), &common.secret_prefix)
        .get(&provider.key_secret)
        .await?;
    let dispatcher = Dispatcher {
        store: Arc::clone(&store),
        archive: Arc::clone(&archive),
        bus: Arc::new(EventBridgeBus::new(clients.events.clone(), &dispatch.bus)),
        queues: Arc::new(queues.clone()),
        clock: Arc::new(SystemClock),
    };
    let worker = Worker {
        store,
        archive,
        provider: Arc::new(HttpProvider::new(&provider.url, &key, provider.timeout)?),
        dispatcher,
        clock: Arc::new(SystemClock),
        limits: PaymentLimits::default(),
        // Random, not a host name: no two workers may take each other's lease for their own.
        name: format!("worker-{:016x}", random.next_u64()),
        queue: WORK.to_owned(),
    };
    Ok(Adapters {
        worker,
        queues,
        random,
    })
}

impl Adapters {
    /// Builds the consumer of the work queue; see [`crate::consumer`].
    #[must_use]
    pub fn consumer(self, visibility: Duration) -> Consumer {
        crate::consumer(self.worker, Arc::new(self.queues), self.random, visibility)
    }

    /// Opens the connections that the first message would otherwise wait for. Ignores failures: the
    /// first message will meet them too.
    pub async fn warm_up(&self) {
        let unused_id = PaymentId::from_parts(0, 0);
        let token = "tok_warmup".parse::<Source>();
        let provider = async {
            if let Ok(token) = &token {
                drop(self.worker.provider.knows_source(token).await);
            }
        };
        let all = async {
            futures::join!(
                async { drop(self.worker.store.get(&unused_id).await) },
                async { drop(self.worker.archive.get("payments/warmup.json").await) },
                async { drop(self.queues.stats(WORK).await) },
                provider,
            )
        };
        drop(tokio::time::timeout(WARM_UP_TIMEOUT, all).await);
    }
}
