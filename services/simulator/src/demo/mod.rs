//! Demo data: rollouts in all interesting states, brought there by the controller itself, and new
//! releases from time to time.

mod manifests;
mod many;
mod metrics;
mod releases;
mod seed;

pub use many::seed_many;
pub use metrics::metrics;
pub use releases::{release_next_version, run};
pub use seed::seed;
