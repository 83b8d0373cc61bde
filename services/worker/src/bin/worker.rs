//! `payops-worker`: serves the work queue by long polling until SIGTERM.

use std::process::ExitCode;
use std::time::Duration;

use payops_runtime::settings::{
    CONSUME, Common, Consume, DISPATCH, Dispatch, PROVIDER, ProviderSettings,
};
use payops_runtime::{Failed, Pulse, run_process, serve_health, shutdown_signal};
use payops_worker::aws;
use tokio::net::TcpListener;

struct Settings {
    dispatch: Dispatch,
    provider: ProviderSettings,
    consume: Consume,
}

fn main() -> ExitCode {
    let read = |reader: &mut payops_runtime::env::Reader<'_>| Settings {
        dispatch: Dispatch::read(reader),
        provider: ProviderSettings::read(reader),
        consume: Consume::read(reader),
    };
    run_process(
        "payops-worker",
        "processes accepted payments from the queue",
        &[DISPATCH, PROVIDER, CONSUME],
        read,
        serve,
    )
}

async fn serve(common: Common, settings: Settings) -> Result<(), Failed> {
    let stop = shutdown_signal()?;
    let listener = TcpListener::bind(&common.health_listen).await?;
    let pulse = Pulse::new(Duration::from_mins(3));
    tokio::spawn(serve_health(listener, vec![pulse.clone()], stop.clone()));
    let wired = aws::wire(&common, &settings.dispatch, &settings.provider).await?;
    let consumer = wired.consumer(settings.consume.visibility);
    tracing::info!(queue = consumer.queue, "payops-worker serves");
    payops_worker::run(consumer, settings.consume.settings, &stop, &pulse).await;
    Ok(())
}
