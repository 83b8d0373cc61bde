//! All ports of one environment together, as the tools that operate it are handed them.

use std::sync::Arc;

use jiff::SignedDuration;

use super::{
    Archive, Bus, Clock, Index, KeyStore, Ledger, PaymentStore, Provider, QueueAdmin, Queues,
    Random,
};
use crate::domain::policy::Policy;

/// The ports of one environment.
#[derive(Clone)]
pub struct Ports {
    /// Payments.
    pub store: Arc<dyn PaymentStore>,
    /// API keys.
    pub keys: Arc<dyn KeyStore>,
    /// The messages in the queues.
    pub queues: Arc<dyn Queues>,
    /// Counts, names, redrives and purges of the same queues.
    pub queue_admin: Arc<dyn QueueAdmin>,
    /// Archived requests.
    pub archive: Arc<dyn Archive>,
    /// The event bus.
    pub bus: Arc<dyn Bus>,
    /// The ledger.
    pub ledger: Arc<dyn Ledger>,
    /// The search index.
    pub index: Arc<dyn Index>,
    /// The payment provider; `None` where the tool has no access to it.
    pub provider: Option<Arc<dyn Provider>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// Times and limits.
    pub policy: Policy,
}

impl Ports {
    /// What dispatches outbox rows here.
    #[must_use]
    pub fn dispatcher(&self) -> crate::usecase::Dispatcher {
        crate::usecase::Dispatcher {
            store: Arc::clone(&self.store),
            archive: Arc::clone(&self.archive),
            bus: Arc::clone(&self.bus),
            queues: Arc::clone(&self.queues),
            clock: Arc::clone(&self.clock),
        }
    }

    /// What compares the stores here; a payment that changed less than `settle` ago is in motion.
    #[must_use]
    pub fn reconciler(&self, settle: SignedDuration) -> crate::usecase::Reconciler {
        crate::usecase::Reconciler {
            store: Arc::clone(&self.store),
            ledger: Arc::clone(&self.ledger),
            index: Arc::clone(&self.index),
            archive: Arc::clone(&self.archive),
            provider: self.provider.clone(),
            clock: Arc::clone(&self.clock),
            settle,
        }
    }
}
