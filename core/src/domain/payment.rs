//! The payment as it stands after every change: what the primary store holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::apikey::Caller;
use super::id::{MerchantId, PaymentId, RefundId};
use super::limits::PaymentLimits;
use super::money::Money;
use super::request::CreatePayment;
use super::sha256_hex;
use super::text::{Email, Reference, Source};
use super::work_item::archive_key;
use crate::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted; its charge has not come to a definite end.
    Processing,
    Completed,
    /// Definitely not charged, and will not be.
    Failed,
    Canceled,
    /// Nobody knows whether it was charged: a human must look.
    Review,
    PartiallyRefunded,
    Refunded,
}

impl Status {
    pub const ALL: [Self; 7] = [
        Self::Processing,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
        Self::Review,
        Self::PartiallyRefunded,
        Self::Refunded,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Review => "review",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Processing | Self::Review)
    }

    /// Whether money was taken (some of it may have been given back since).
    #[must_use]
    pub fn is_charged(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::PartiallyRefunded | Self::Refunded
        )
    }

    /// Whether a payment may go from `self` to `next` in one change.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        use Status::{
            Canceled, Completed, Failed, PartiallyRefunded, Processing, Refunded, Review,
        };
        matches!(
            (self, next),
            (Processing, Completed | Failed | Canceled | Review)
                | (Review, Completed | Failed | Canceled)
                | (Completed | PartiallyRefunded, PartiallyRefunded | Refunded)
        )
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A payment. Every field but `event_seq` changes only by a decision of the state machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    pub id: PaymentId,
    pub merchant: MerchantId,
    /// Whether real money moves: from the API key, `true` for live keys.
    pub live: bool,
    pub status: Status,
    /// Counts state changes, from 1. Every write is conditional on it.
    pub version: u64,
    /// Counts claims. A worker's write is conditional on the fence it was given.
    pub fence: u64,
    /// Number of the last timeline event, from 1. Kept by the store.
    pub event_seq: u64,
    pub money: Money,
    pub source: Source,
    pub reference: Option<Reference>,
    pub email: Email,
    pub metadata: BTreeMap<String, String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// When the sweeper should look at it; `None` when nothing is pending.
    pub due_at: Option<Timestamp>,
    pub redrives: u32,
    pub archive: ArchiveRef,
    pub lease: Option<Lease>,
    pub attempt: Option<Attempt>,
    /// The charge, once there is one.
    pub charge: Option<Charge>,
    pub failure: Option<Failure>,
    /// Set while its message lies in a dead-letter queue.
    pub dead: Option<DeadMark>,
    pub refunds: Vec<Refund>,
    /// Minor units that may still be refunded: captured, less refunds that are pending or done.
    pub refundable_minor: i64,
}

impl Payment {
    /// The payment that `request` asks for, as it stands when it is accepted at `now`, and the
    /// document to archive for it.
    #[must_use]
    pub fn new_accepted(
        id: PaymentId,
        caller: &Caller,
        request: &CreatePayment,
        now: Timestamp,
        limits: &PaymentLimits,
    ) -> (Self, String) {
        let document = request.archive_document(&id, caller, now);
        let archive = ArchiveRef {
            key: archive_key(&id),
            sha256: sha256_hex(document.as_bytes()),
            bytes: u64::try_from(document.len()).unwrap_or(u64::MAX),
        };
        let payment = Self {
            id,
            merchant: caller.merchant.clone(),
            live: caller.live,
            status: Status::Processing,
            version: 1,
            fence: 0,
            event_seq: 1,
            money: request.money,
            source: request.source.clone(),
            reference: request.reference.clone(),
            email: request.email.clone(),
            metadata: request.metadata.clone(),
            created_at: now,
            updated_at: now,
            due_at: now.checked_add(limits.sweep_delay(0)).ok(),
            redrives: 0,
            archive,
            lease: None,
            attempt: None,
            charge: None,
            failure: None,
            dead: None,
            refunds: Vec::new(),
            refundable_minor: 0,
        };
        (payment, document)
    }

    /// Whether some refund has not come to its end.
    #[must_use]
    pub fn has_pending_refund(&self) -> bool {
        self.refunds
            .iter()
            .any(|refund| refund.state == RefundState::Pending)
    }

    /// Minor units given back so far (pending refunds not counted).
    #[must_use]
    pub fn refunded_minor(&self) -> i64 {
        let done = self
            .refunds
            .iter()
            .filter(|refund| refund.state == RefundState::Succeeded);
        done.fold(0_i64, |sum, refund| sum.saturating_add(refund.minor))
    }

    #[must_use]
    pub fn refund(&self, id: &RefundId) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.id == *id)
    }
}

/// Where the accepted request is archived, and what must be found there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveRef {
    /// The object's key; a function of the payment's id alone.
    pub key: String,
    /// SHA-256 of the object, lower-case hexadecimal.
    pub sha256: String,
    pub bytes: u64,
}

/// The right to work on a payment until a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub owner: String,
    /// Until when nobody else may claim it.
    pub until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1. A new number only after a definite decline.
    pub number: u32,
    /// The idempotency key given to the provider: `payment:number`.
    pub provider_key: String,
    /// When the provider may first have seen the key.
    pub first_sent_at: Timestamp,
    pub state: AttemptState,
    /// How often the provider was called, or may have been.
    pub calls: u32,
    /// Whether some call of it was never answered, so that it may yet turn out to have charged.
    pub ambiguous: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum AttemptState {
    /// The provider may have been called; no answer is known. Ambiguous, never a failure.
    Sent,
    NotApplied,
    SoftDeclined,
    Settled,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    pub id: String,
    pub card: Option<Card>,
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    pub brand: String,
    pub last4: String,
}

/// Why a payment did not go through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable word, such as `card_declined`.
    pub code: String,
    pub message: String,
}

/// That the payment's message lies in a dead-letter queue, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadMark {
    pub at: Timestamp,
    pub queue: String,
    #[serde(default)]
    pub message_id: String,
    pub class: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    pub id: RefundId,
    /// How much, in minor units of the payment's currency.
    pub minor: i64,
    pub reason: Option<String>,
    /// Who asked: `merchant` or an operator's name.
    pub by: String,
    pub at: Timestamp,
    pub state: RefundState,
    /// When the provider may first have seen it.
    pub first_sent_at: Option<Timestamp>,
    /// The provider's name for it, once the provider has taken it on.
    pub provider_id: Option<String>,
}

impl Refund {
    /// Whether the provider has taken it on and not settled it.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.state == RefundState::Pending && self.provider_id.is_some()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    Pending,
    Succeeded,
    /// Definitely refused by the provider; the amount may be refunded again.
    Failed,
}

impl RefundState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}
