//! The demo: clusters with rollouts in all the states that one wants to see, reached by the
//! controller itself, and a life that goes on.

mod life;
mod manifests;
mod many;
mod metrics;
mod seed;

pub use life::{life, run};
pub use many::seed_many;
pub use metrics::metrics;
pub use seed::seed;
