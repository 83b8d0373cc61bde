//! `payops-payments`: the HTTP API, the projector, the relay and the sweeper in one process.
//!
//! On SIGTERM `/readyz` answers 503 at once. After a delay, in which load balancers notice, it
//! accepts no more requests, answers open ones, and waits for their dispatches and for the
//! projector's messages. What does not finish stays in the outbox and the queues.

mod aws;
mod config;

use std::process::ExitCode;
use std::time::Duration;

use payops_core::domain::metric::PAYMENTS_API;
use payops_core::usecase::{OldestProcessing, Relay, RollingReconciler, Sweeper};
use payops_payments::api::{ApiState, router};
use payops_payments::{gauges, projector, relay, serve, sweeper};
use payops_runtime::settings::{CONSUME, CommonSettings, DISPATCH, PROVIDER};
use payops_runtime::{BoxError, Heartbeat, Metrics, run_process, serve_health, shutdown_signal};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use config::{PAYMENTS, Settings};

/// A loop that has not turned for this long is stuck.
const SILENCE_MAX: Duration = Duration::from_mins(5);

fn main() -> ExitCode {
    let tables = [DISPATCH, PROVIDER, CONSUME, PAYMENTS];
    run_process(
        "payops-payments",
        "serves the payments API, and keeps the ledger and the search index up to date",
        &tables,
        Settings::read,
        run,
    )
}

async fn run(common: CommonSettings, settings: Settings) -> Result<(), BoxError> {
    let shutdown = shutdown_signal()?;
    let listener = TcpListener::bind(&settings.listen).await?;
    let health = TcpListener::bind(&common.health_listen).await?;
    let adapters = aws::build_adapters(&common, &settings).await?;
    let metrics = Metrics::new(&[PAYMENTS_API]);
    let state = ApiState::new(
        adapters.ports.clone(),
        adapters.secrets.clone(),
        settings.api,
        shutdown.clone(),
        metrics.clone(),
    );
    let heartbeats = [(); 3].map(|()| Heartbeat::new(SILENCE_MAX));
    tokio::spawn(serve_health(
        health,
        heartbeats.to_vec(),
        shutdown.clone(),
        metrics.clone(),
    ));
    let stop_loops = CancellationToken::new();
    let loops = start_loops(
        adapters,
        settings.clone(),
        stop_loops.clone(),
        heartbeats,
        metrics,
    );

    let stop_serving = CancellationToken::new();
    let serving = tokio::spawn(serve(
        listener,
        router(state.clone()),
        stop_serving.clone(),
        settings.serve,
    ));
    tracing::info!(listen = settings.listen, "payops-payments is ready");
    shutdown.cancelled().await;
    tokio::time::sleep(settings.shutdown_delay).await;
    stop_serving.cancel();
    let served = serving.await?;
    let unfinished = state.drain(settings.serve.drain).await;
    stop_loops.cancel();
    loops.wait().await;
    tracing::info!(
        cut_off = served.cut_off,
        dispatches_unfinished = unfinished,
        "payops-payments has stopped"
    );
    Ok(())
}

fn start_loops(
    adapters: aws::Adapters,
    settings: Settings,
    stop: CancellationToken,
    heartbeats: [Heartbeat; 3],
    metrics: Metrics,
) -> TaskTracker {
    let loops = TaskTracker::new();
    let [relay_heartbeat, sweeper_heartbeat, projector_heartbeat] = heartbeats;
    let dispatcher = adapters.ports.dispatcher.clone();
    let relaying = Relay {
        dispatcher: dispatcher.clone(),
        grace: settings.relay_grace,
    };
    let sweeping = Sweeper {
        dispatcher,
        limits: adapters.ports.limits.clone(),
    };
    let token = stop.clone();
    loops.spawn(async move {
        relay::run(relaying, settings.relay_every, &token, &relay_heartbeat).await;
    });
    let token = stop.clone();
    loops.spawn(async move {
        sweeper::run(sweeping, settings.sweep_every, &token, &sweeper_heartbeat).await;
    });
    let oldest = OldestProcessing {
        store: adapters.ports.store.clone(),
        clock: adapters.ports.clock.clone(),
    };
    let (token, gauges_of, every) = (stop.clone(), metrics.clone(), settings.oldest_every);
    loops.spawn(async move {
        // A look that hangs is no reason to restart the API.
        let heartbeat = Heartbeat::new(SILENCE_MAX);
        gauges::watch_oldest(oldest, every, &token, &heartbeat, &gauges_of).await;
    });
    loops.spawn(async move {
        let Some(connected) = adapters
            .connect_projector(&settings, &stop, &projector_heartbeat)
            .await
        else {
            return;
        };
        let reconciler = RollingReconciler::new(connected.reconciler, settings.reconcile_payments);
        let heartbeat = Heartbeat::new(SILENCE_MAX);
        let every = settings.reconcile_every;
        tokio::join!(
            projector::run(
                connected.projector,
                settings.consume.settings,
                &stop,
                &projector_heartbeat,
                &metrics,
            ),
            gauges::reconcile(reconciler, every, &stop, &heartbeat, &metrics),
        );
    });
    loops.close();
    loops
}
