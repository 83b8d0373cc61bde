//! `payops-worker`: polls the work queue until SIGTERM.

use std::process::ExitCode;
use std::time::Duration;

use payops_core::domain::metric::PAYMENTS_WORKER;
use payops_runtime::settings::{
    CONSUME, CommonSettings, ConsumerConfig, DISPATCH, DispatchSettings, PROVIDER, ProviderSettings,
};
use payops_runtime::{BoxError, Heartbeat, Metrics, run_process, serve_health, shutdown_signal};
use payops_worker::aws;
use tokio::net::TcpListener;

struct Settings {
    dispatch: DispatchSettings,
    provider: ProviderSettings,
    consume: ConsumerConfig,
}

fn main() -> ExitCode {
    let read = |reader: &mut payops_runtime::env::SettingsReader<'_>| Settings {
        dispatch: DispatchSettings::read(reader),
        provider: ProviderSettings::read(reader),
        consume: ConsumerConfig::read(reader),
    };
    run_process(
        "payops-worker",
        "processes accepted payments from an SQS queue",
        &[DISPATCH, PROVIDER, CONSUME],
        read,
        serve,
    )
}

async fn serve(common: CommonSettings, settings: Settings) -> Result<(), BoxError> {
    let stop = shutdown_signal()?;
    let listener = TcpListener::bind(&common.health_listen).await?;
    let heartbeat = Heartbeat::new(Duration::from_mins(3));
    let metrics = Metrics::new(&[PAYMENTS_WORKER]);
    tokio::spawn(serve_health(
        listener,
        vec![heartbeat.clone()],
        stop.clone(),
        metrics.clone(),
    ));
    let adapters = aws::build_adapters(&common, &settings.dispatch, &settings.provider).await?;
    let consumer = adapters.consumer(settings.consume.visibility);
    tracing::info!(queue = consumer.queue, "payops-worker is ready");
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
