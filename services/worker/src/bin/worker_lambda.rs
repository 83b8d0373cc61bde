//! `payops-worker-lambda`: the worker as a Lambda function on an SQS event source that reports
//! batch item failures.

use std::process::ExitCode;
use std::time::Duration;

use payops_runtime::env::{Reader, Variable};
use payops_runtime::settings::{Common, DISPATCH, Dispatch, PROVIDER, ProviderSettings, positive};
use payops_runtime::{Failed, SystemClock, run_process};
use payops_worker::{BatchSettings, aws, run_lambda};

const LAMBDA: &[Variable] = &[
    Variable::default(
        "PAYOPS_CONCURRENCY",
        "10",
        "records of a batch handled side by side; not less than the batch size",
    ),
    Variable::default(
        "PAYOPS_VISIBILITY",
        "3m",
        "the queue's visibility time-out, at least six times the function's time-out",
    ),
];

struct Settings {
    dispatch: Dispatch,
    provider: ProviderSettings,
    concurrency: usize,
    visibility: Duration,
}

fn main() -> ExitCode {
    let read = |reader: &mut Reader<'_>| Settings {
        dispatch: Dispatch::read(reader),
        provider: ProviderSettings::read(reader),
        concurrency: reader.count("PAYOPS_CONCURRENCY"),
        visibility: positive(reader, "PAYOPS_VISIBILITY"),
    };
    run_process(
        "payops-worker-lambda",
        "processes accepted payments as a Lambda function",
        &[DISPATCH, PROVIDER, LAMBDA],
        read,
        serve,
    )
}

async fn serve(common: Common, settings: Settings) -> Result<(), Failed> {
    let wired = aws::wire(&common, &settings.dispatch, &settings.provider).await?;
    // Connections and credentials are made while Lambda gives the most processor time: in init.
    wired.warm().await;
    let consumer = wired.consumer(settings.visibility);
    let batch = BatchSettings {
        concurrency: settings.concurrency,
        ..BatchSettings::default()
    };
    run_lambda(&consumer, &SystemClock, batch).await
}
