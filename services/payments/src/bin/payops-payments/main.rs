//! `payops-payments`: the HTTP API, the projector, the relay and the sweeper in one process.
//!
//! On SIGTERM `/readyz` says no at once; after a delay, in which load balancers take notice, no
//! more requests are taken, open ones are answered, their dispatches and the projector's messages
//! are waited for, and what is left stands in the outbox and the queues.

mod aws;
mod config;

use std::process::ExitCode;
use std::time::Duration;

use payops_core::usecase::{Relay, Sweeper};
use payops_payments::api::{ApiState, router};
use payops_payments::{projector, relay, serve, sweeper};
use payops_runtime::settings::{CONSUME, Common, DISPATCH, PROVIDER};
use payops_runtime::{Failed, Pulse, run_process, serve_health, shutdown_signal};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use config::{PAYMENTS, Settings};

/// Loops that have not turned for so long are stuck.
const SILENCE_MAX: Duration = Duration::from_mins(5);

fn main() -> ExitCode {
    let tables = [DISPATCH, PROVIDER, CONSUME, PAYMENTS];
    run_process(
        "payops-payments",
        "accepts payments and keeps ledger and index up to date",
        &tables,
        Settings::read,
        run,
    )
}

async fn run(common: Common, settings: Settings) -> Result<(), Failed> {
    let asked_to_stop = shutdown_signal()?;
    let listener = TcpListener::bind(&settings.listen).await?;
    let health = TcpListener::bind(&common.health_listen).await?;
    let wired = aws::wire(&common, &settings).await?;
    let state = ApiState::new(
        wired.ports.clone(),
        wired.secrets.clone(),
        settings.api,
        asked_to_stop.clone(),
    );
    let pulses = [
        Pulse::new(SILENCE_MAX),
        Pulse::new(SILENCE_MAX),
        Pulse::new(SILENCE_MAX),
    ];
    tokio::spawn(serve_health(health, pulses.to_vec(), asked_to_stop.clone()));
    let stop_loops = CancellationToken::new();
    let loops = start_loops(wired, settings.clone(), stop_loops.clone(), pulses);

    let stop_serving = CancellationToken::new();
    let serving = tokio::spawn(serve(
        listener,
        router(state.clone()),
        stop_serving.clone(),
        settings.serve,
    ));
    tracing::info!(listen = settings.listen, "payops-payments serves");
    asked_to_stop.cancelled().await;
    tokio::time::sleep(settings.shutdown_delay).await;
    stop_serving.cancel();
    let served = serving.await?;
    let left = state.drain(settings.serve.drain).await;
    stop_loops.cancel();
    loops.wait().await;
    tracing::info!(
        cut_off = served.cut_off,
        dispatches_left = left,
        "payops-payments ended"
    );
    Ok(())
}

fn start_loops(
    wired: aws::Wired,
    settings: Settings,
    stop: CancellationToken,
    pulses: [Pulse; 3],
) -> TaskTracker {
    let loops = TaskTracker::new();
    let [relay_pulse, sweeper_pulse, projector_pulse] = pulses;
    let dispatcher = wired.ports.dispatcher.clone();
    let relaying = Relay {
        dispatcher: dispatcher.clone(),
        grace: settings.relay_grace,
    };
    let sweeping = Sweeper {
        dispatcher,
        policy: wired.ports.policy.clone(),
    };
    let token = stop.clone();
    loops.spawn(
        async move { relay::run(relaying, settings.relay_every, &token, &relay_pulse).await },
    );
    let token = stop.clone();
    loops.spawn(async move {
        sweeper::run(sweeping, settings.sweep_every, &token, &sweeper_pulse).await
    });
    loops.spawn(async move {
        if let Some(consumer) = wired.projector(&settings, &stop, &projector_pulse).await {
            projector::run(consumer, settings.consume.settings, &stop, &projector_pulse).await;
        }
    });
    loops.close();
    loops
}
