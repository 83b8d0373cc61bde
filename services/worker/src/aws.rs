//! The worker on AWS: what both binaries wire in the same way.

use std::sync::Arc;
use std::time::Duration;

use payops_aws::{
    AwsConfig, DynamoStore, EventBridgeBus, S3Archive, SecretsManager, SqsQueues, load,
};
use payops_core::domain::bus::WORK;
use payops_core::domain::id::PaymentId;
use payops_core::domain::policy::Policy;
use payops_core::domain::text::Source;
use payops_core::port::{Archive, PaymentStore, Queues, Random, Secrets as _};
use payops_core::usecase::{Consumer, Dispatcher, Worker};
use payops_provider::HttpProvider;
use payops_runtime::settings::{Common, Dispatch, ProviderSettings};
use payops_runtime::{Failed, OsRandom, SystemClock};

const WARM_MAX: Duration = Duration::from_secs(5);

pub struct Wired {
    worker: Worker,
    queues: Arc<dyn Queues>,
    random: Arc<dyn Random>,
}

/// Makes the adapters. Only the provider's key is fetched; everything else connects when used.
pub async fn wire(
    common: &Common,
    dispatch: &Dispatch,
    provider: &ProviderSettings,
) -> Result<Wired, Failed> {
    let config = AwsConfig {
        region: common.region.clone(),
        endpoint_url: common.endpoint.clone(),
        account_id: common.account.clone(),
        profile: None,
    };
    let clients = load(&config).await;
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    let store: Arc<dyn PaymentStore> = Arc::new(DynamoStore::new(
        clients.dynamo.clone(),
        &common.table,
        Arc::clone(&random),
    ));
    let queues: Arc<dyn Queues> = Arc::new(SqsQueues::with_prefix(
        clients.sqs.clone(),
        &common.queue_prefix,
        common.account.clone(),
    ));
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
        queues: Arc::clone(&queues),
        clock: Arc::new(SystemClock),
    };
    let worker = Worker {
        store,
        archive,
        provider: Arc::new(HttpProvider::new(&provider.url, &key, provider.timeout)?),
        dispatcher,
        clock: Arc::new(SystemClock),
        policy: Policy::default(),
        // Unlike a host name, surely nobody else's; leases must not be mistaken for one's own.
        name: format!("worker-{:016x}", random.next_u64()),
        queue: WORK.to_owned(),
    };
    Ok(Wired {
        worker,
        queues,
        random,
    })
}

impl Wired {
    /// The consumer of the work queue; see [`crate::consumer`].
    #[must_use]
    pub fn consumer(self, visibility: Duration) -> Consumer {
        crate::consumer(self.worker, self.queues, self.random, visibility)
    }

    /// Makes the connections that the first message would otherwise wait for. Failures are left
    /// to the first message, too.
    pub async fn warm(&self) {
        let nobody = PaymentId::from_parts(0, 0);
        let token = "tok_warmup".parse::<Source>();
        let provider = async {
            if let Ok(token) = &token {
                drop(self.worker.provider.knows_source(token).await);
            }
        };
        let all = async {
            futures::join!(
                async { drop(self.worker.store.get(&nobody).await) },
                async { drop(self.worker.archive.get("payments/warmup.json").await) },
                async { drop(self.queues.stats(WORK).await) },
                provider,
            )
        };
        drop(tokio::time::timeout(WARM_MAX, all).await);
    }
}
