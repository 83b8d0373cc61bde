//! Logs as JSON lines on standard output; of a panic, only its location.

use tracing_subscriber::EnvFilter;

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("PAYOPS_LOG must be a log filter such as info or info,payops_payments=debug")]
    InvalidFilter(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging is already set up")]
    AlreadySetUp,
}

/// Logs what `filter` lets through to standard output, one JSON object a line. Call it once,
/// first. From then on a panic is logged with its location and without its message, which may
/// quote a value that must not be logged.
pub fn init(filter: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(filter)?;
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .finish();
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|_| TelemetryError::AlreadySetUp)?;
    std::panic::set_hook(Box::new(|panic| {
        let location = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(location, "panicked");
    }));
    Ok(())
}
