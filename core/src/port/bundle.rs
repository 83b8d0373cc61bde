//! All ports of one environment together, as the tools that operate it are handed them.

use std::sync::Arc;

use jiff::SignedDuration;

use super::{
    Archive, Bus, Clock, Index, KeyStore, Ledger, PaymentStore, Provider, QueueAdmin, Queues,
    Random,
};
use crate::domain::limits::PaymentLimits;

/// The ports of one environment.
#[derive(Clone)]
pub struct Ports {
    /// Payments, their timelines and their outbox: the source of truth.
    pub store: Arc<dyn PaymentStore>,
    /// API keys of merchants, by their hash.
    pub keys: Arc<dyn KeyStore>,
    /// The messages in the queues.
    pub queues: Arc<dyn Queues>,
    /// Counts, names, redrives and purges of the same queues.
    pub queue_admin: Arc<dyn QueueAdmin>,
    /// The requests as they were accepted, byte for byte.
    pub archive: Arc<dyn Archive>,
    /// The bus that tells other consumers of events.
    pub bus: Arc<dyn Bus>,
    /// The double-entry record of money that moved.
    pub ledger: Arc<dyn Ledger>,
    /// The search index, which lags behind the store.
    pub index: Arc<dyn Index>,
    /// The payment provider; `None` where the tool has no access to it.
    pub provider: Option<Arc<dyn Provider>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids and for jitter.
    pub random: Arc<dyn Random>,
    /// Retry times, lease times and other limits.
    pub limits: PaymentLimits,
    /// Whether whoever changes a payment here also tells the rest of the system; else the services'
    /// relay does, and no right to the bus is needed.
    pub tells: bool,
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

    /// What tells the rest of the system of a change made here; `None` where the relay does.
    #[must_use]
    pub fn own_dispatcher(&self) -> Option<crate::usecase::Dispatcher> {
        self.tells.then(|| self.dispatcher())
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
