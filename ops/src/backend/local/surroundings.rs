//! What the stores of a data directory take from the machine: time, chance, limits.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use payops_core::domain::limits::PaymentLimits;
use payops_core::port::{Clock, Random};
use payops_provider::AcquirerOptions;
use payops_system::{OsRandom, SystemClock};

/// What tests turn by hand and a running platform takes from the machine.
#[derive(Clone)]
pub struct Surroundings {
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub limits: PaymentLimits,
    pub acquirer: AcquirerOptions,
    pub index_commit: Duration,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            limits: limits(),
            acquirer: AcquirerOptions {
                slow: Duration::from_millis(1200),
                timeout: Duration::from_secs(2),
            },
            index_commit: Duration::from_millis(100),
        }
    }
}

/// The platform's times on one machine: shorter than in production, so that a demo shows in
/// seconds what would take minutes.
#[must_use]
pub fn limits() -> PaymentLimits {
    PaymentLimits {
        lease: SignedDuration::from_secs(15),
        sweep_after: SignedDuration::from_secs(20),
        retry_first: SignedDuration::from_millis(500),
        retry_max: SignedDuration::from_secs(30),
        ..PaymentLimits::default()
    }
}
