//! `payops-notifier`: sends mails from the queue `notifications` by SES until SIGTERM.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use payops_aws::permissions::Principal;
use payops_aws::{AwsConfig, DynamoStore, SesMailer, SqsQueues, load};
use payops_core::domain::limits::PaymentLimits;
use payops_core::domain::metric::NOTIFIER;
use payops_core::port::Random;
use payops_core::usecase::Notifier;
use payops_runtime::env::{SettingsReader, Variable};
use payops_runtime::settings::{CONSUME, CommonSettings, ConsumerConfig};
use payops_runtime::{
    BoxError, Heartbeat, Metrics, OsRandom, SystemClock, run_process, serve_health, shutdown_signal,
};
use tokio::net::TcpListener;

const MAIL: &[Variable] = &[Variable::required(
    "PAYOPS_MAIL_FROM",
    "sender address of all mails; must be verified in SES",
)];

struct Settings {
    from: String,
    consume: ConsumerConfig,
}

fn main() -> ExitCode {
    let read = |reader: &mut SettingsReader<'_>| {
        let from = reader.text("PAYOPS_MAIL_FROM");
        if !from.is_empty() && !from.contains('@') {
            reader.problem("PAYOPS_MAIL_FROM", "must be an e-mail address");
        }
        Settings {
            from,
            consume: ConsumerConfig::read(reader),
        }
    };
    run_process(
        "payops-notifier",
        "sends receipts and failure notices by e-mail",
        &[MAIL, CONSUME],
        read,
        serve,
    )
}

async fn serve(common: CommonSettings, settings: Settings) -> Result<(), BoxError> {
    let stop = shutdown_signal()?;
    let listener = TcpListener::bind(&common.health_listen).await?;
    let heartbeat = Heartbeat::new(Duration::from_mins(3));
    let metrics = Metrics::new(&[NOTIFIER]);
    tokio::spawn(serve_health(
        listener,
        vec![heartbeat.clone()],
        stop.clone(),
        metrics.clone(),
    ));
    let config = AwsConfig {
        region: common.region,
        endpoint_url: common.endpoint,
        account_id: common.account.clone(),
        profile: None,
        by: Some(Principal::Notifier),
    };
    let clients = load(&config).await;
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    let notifier = Notifier {
        store: Arc::new(DynamoStore::new(
            clients.dynamo,
            common.table,
            Arc::clone(&random),
        )),
        mailer: Arc::new(SesMailer::new(clients.ses, settings.from)),
        clock: Arc::new(SystemClock),
        limits: PaymentLimits::default(),
    };
    let queues = Arc::new(SqsQueues::with_prefix(
        clients.sqs,
        common.queue_prefix,
        common.account,
    ));
    let consumer = payops_notifier::consumer(notifier, queues, random, settings.consume.visibility);
    tracing::info!(queue = consumer.queue, "payops-notifier serves");
    payops_runtime::consume(
        consumer,
        settings.consume.settings,
        &stop,
        &heartbeat,
        &metrics,
    )
    .await;
    Ok(())
}
