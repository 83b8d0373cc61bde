//! Payment providers: a simulated acquirer in a file, and HTTP in the shape of Stripe's API.
//!
//! What a charge means for a payment, and when to ask again, is decided elsewhere
//! (`payops_core::domain::machine`). Nothing here retries: a call is made once, and its failure
//! says whether it may have had an effect.

mod http;
mod simulated;

pub use http::HttpProvider;
pub use simulated::{AcquirerOptions, AcquirerStats, SimulatedAcquirer};
