//! What every service process needs around the use cases of `payops-core`: the loop that serves a
//! queue, the loop that repeats a pass, shutdown by signal, health for probes, logs, and settings
//! from environment variables. It knows no outside system and decides nothing about payments.

mod backoff;
mod consume;
pub mod env;
mod health;
mod metrics;
mod process;
mod repeat;
pub mod settings;
mod shutdown;
pub mod telemetry;

pub use backoff::Backoff;
pub use consume::{ConsumeSettings, consume};
pub use health::{Heartbeat, serve_health};
pub use metrics::Metrics;
pub use payops_system::{OsRandom, SystemClock};
pub use process::{BoxError, run_process};
pub use repeat::{PassOutcome, repeat};
pub use shutdown::{pause, shutdown_signal};
