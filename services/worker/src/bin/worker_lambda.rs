//! `payops-worker-lambda`: the worker as a Lambda function on an SQS event source that reports
//! batch item failures.

use std::process::ExitCode;
use std::time::Duration;

use payops_runtime::env::{SettingsReader, Variable};
use payops_runtime::settings::{
    CommonSettings, DISPATCH, DispatchSettings, PROVIDER, ProviderSettings, positive_duration,
};
use payops_runtime::{BoxError, SystemClock, run_process};
use payops_worker::{BatchSettings, aws, run_lambda};

const LAMBDA: &[Variable] = &[
    Variable::default(
        "PAYOPS_CONCURRENCY",
        "10",
        "records of a batch handled at the same time; at least the batch size",
    ),
    Variable::default(
        "PAYOPS_VISIBILITY",
        "3m",
        "visibility time-out of the queue; at least six times the function's time-out",
    ),
];

struct Settings {
    dispatch: DispatchSettings,
    provider: ProviderSettings,
    concurrency: usize,
    visibility: Duration,
}

fn main() -> ExitCode {
    let read = |reader: &mut SettingsReader<'_>| Settings {
        dispatch: DispatchSettings::read(reader),
        provider: ProviderSettings::read(reader),
        concurrency: reader.count("PAYOPS_CONCURRENCY"),
        visibility: positive_duration(reader, "PAYOPS_VISIBILITY"),
    };
    run_process(
        "payops-worker-lambda",
        "processes accepted payments as a Lambda function",
        &[DISPATCH, PROVIDER, LAMBDA],
        read,
        serve,
    )
}

async fn serve(common: CommonSettings, settings: Settings) -> Result<(), BoxError> {
    let adapters = aws::build_adapters(&common, &settings.dispatch, &settings.provider).await?;
    // Lambda gives the most processor time during init.
    adapters.warm_up().await;
    let consumer = adapters.consumer(settings.visibility);
    let batch = BatchSettings {
        concurrency: settings.concurrency,
        ..BatchSettings::default()
    };
    run_lambda(&consumer, &SystemClock, batch).await
}
