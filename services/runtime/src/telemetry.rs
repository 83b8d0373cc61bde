//! Logs as JSON lines on standard output, and panics logged by their place alone.

use tracing_subscriber::EnvFilter;

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Not a filter such as `info` or `info,payops_payments=debug`.
    #[error("not a log filter")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("logs are set up already")]
    Twice,
}

/// Sends everything that `filter` lets through to standard output, one JSON object a line. Call
/// it once, first. From then on a panic is logged with its place and without its message, which
/// may quote a value that must not be logged.
pub fn init(filter: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(filter)?;
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .finish();
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
    Ok(())
}
