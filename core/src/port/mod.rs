//! Everything outside, as traits. Adapters implement them; use cases call them.
//!
//! Each trait's documentation is its contract. The crate `payops-testkit` holds one conformance
//! suite per trait, and every adapter passes it.

#![warn(missing_docs)]

mod approval_store;
mod archive;
mod audit;
mod bundle;
mod bus;
mod clock;
mod error;
mod freeze_store;
mod index;
mod journal;
mod ledger;
mod mailer;
mod provider;
mod queues;
mod redrive;
mod rollouts;
mod secrets;
mod store;

pub use approval_store::ApprovalStore;
pub use archive::{Archive, ArchiveHead, ArchivePage, PutOutcome};
pub use audit::{AuditLog, AuditPlace, Taken};
pub use bundle::Ports;
pub use bus::Bus;
pub use clock::{Clock, Random};
pub use error::{ErrorKind, PortError, PortResult, error_causes, error_chain};
pub use freeze_store::FreezeStore;
pub use index::{Freshness, Hits, Index, IndexPage, UpsertOutcome};
pub use journal::Journal;
pub use ledger::{Ledger, LedgerPage, PostOutcome};
pub use mailer::Mailer;
pub use provider::{
    ChargeOutcome, ChargeRequest, Provider, ProviderPage, RefundOutcome, RefundRequest,
};
pub use queues::{
    Attributes, Browsed, Move, MoveResult, Outgoing, QueueAdmin, QueueStats, Queues, Received,
    SendResult, TransferOutcome,
};
pub use redrive::{REDRIVE_RATE_MAX, Redrive, RedriveStatus};
pub use rollouts::{Depth, Executed, RolloutActions, RolloutWatch, Rollouts, Watched};
pub use secrets::Secrets;
pub use store::{
    Acceptance, Accepted, Change, Committed, IdempotencyRow, IdempotencyScope, KeyStore,
    KeyedRequest, Noted, PaymentPage, PaymentStore, Precondition,
};
