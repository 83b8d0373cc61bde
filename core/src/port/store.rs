//! The primary store: payments, their timelines, the outbox and idempotency rows.

use async_trait::async_trait;

use super::PortResult;
use crate::Timestamp;
use crate::domain::apikey::{ApiKeyRow, Caller};
use crate::domain::event::{Event, NewEvent, Note};
use crate::domain::id::{MerchantId, PaymentId};
use crate::domain::outbox::OutboxEvent;
use crate::domain::payment::Payment;
use crate::domain::text::IdempotencyKey;

/// The requests that a client may repeat under one idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyedRequest {
    /// A merchant creates a payment.
    CreatePayment,
    /// A merchant or an operator cancels one.
    CancelPayment,
    /// A merchant or an operator refunds one, in part or in full.
    RefundPayment,
    /// An operator ends the review of one.
    ResolvePayment,
}

impl KeyedRequest {
    /// Every request there is.
    pub const ALL: [Self; 4] = [
        Self::CreatePayment,
        Self::CancelPayment,
        Self::RefundPayment,
        Self::ResolvePayment,
    ];

    /// The name in stored rows. It must not change: a row is found by it.
    #[must_use]
    pub const fn stored_name(self) -> &'static str {
        match self {
            Self::CreatePayment => "POST /v1/payments",
            Self::CancelPayment => "POST /v1/payments/cancel",
            Self::RefundPayment => "POST /v1/payments/refunds",
            Self::ResolvePayment => "POST /v1/payments/resolve",
        }
    }

    /// The request that stored rows name so.
    #[must_use]
    pub fn from_stored_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|request| request.stored_name() == name)
    }

    /// The HTTP status of the answer. Stored rows have it, because the version before this one
    /// answers a repeated request with what it finds there.
    #[must_use]
    pub const fn stored_status(self) -> u16 {
        match self {
            Self::CreatePayment | Self::RefundPayment => 202,
            Self::CancelPayment | Self::ResolvePayment => 200,
        }
    }
}

/// Whose key it is, and for which request: the same key elsewhere is another key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyScope {
    /// The merchant that the key belongs to.
    pub merchant: MerchantId,
    /// Test and live keys apart.
    pub live: bool,
    /// The request that was made with the key.
    pub request: KeyedRequest,
    /// The key as the client sent it.
    pub key: IdempotencyKey,
}

/// What was answered to the first request with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyRow {
    /// Whose key it is, and for which request.
    pub scope: IdempotencyScope,
    /// Names what was asked for.
    pub fingerprint: String,
    /// The payment it made or changed.
    pub payment: PaymentId,
    /// The body that was answered, byte for byte.
    pub response: String,
    /// From when on the row counts as gone, whether or not it has been deleted.
    pub expires_at: Timestamp,
}

/// Everything that accepting a payment writes, at once or not at all.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// The payment, version 1. Its `event_seq` is ignored.
    pub payment: Payment,
    /// The first events of its timeline.
    pub events: Vec<NewEvent>,
    /// Its first outbox rows.
    pub outbox: Vec<OutboxEvent>,
    /// The answer for whoever asks again with the same key.
    pub idempotency: IdempotencyRow,
    /// The time; an idempotency row that expired before it does not count.
    pub now: Timestamp,
}

/// What came of an acceptance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Nothing had the key: the payment was written.
    New,
    /// The key is taken, nothing was written. The row may be of another request: compare
    /// fingerprints.
    KeyTaken(Box<IdempotencyRow>),
    /// The payment's id is taken, nothing was written.
    IdTaken,
}

/// What must still hold for a change to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precondition {
    /// The version that was decided on.
    pub version: u64,
    /// The fence the writer holds. Both must be what the row says.
    pub fence: u64,
}

/// A decided change, written at once or not at all.
#[derive(Clone, Debug)]
pub struct Change {
    /// The payment after it. Its `event_seq` is ignored.
    pub payment: Payment,
    /// What must still hold.
    pub expect: Precondition,
    /// What to add to the timeline.
    pub events: Vec<NewEvent>,
    /// What to tell the rest of the system.
    pub outbox: Vec<OutboxEvent>,
    /// The answer for whoever asks again with the same key, if a client asked for the change.
    pub idempotency: Option<IdempotencyRow>,
    /// The time; see [`Acceptance::now`].
    pub now: Timestamp,
}

/// What came of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// The whole change was written.
    Done,
    /// The payment is at another version or fence, or gone; nothing was written.
    Stale,
    /// The idempotency key is taken; nothing was written.
    KeyTaken(Box<IdempotencyRow>),
}

/// What came of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// The note was written; it was not there before.
    Written,
    /// A note of that name stands there already.
    Already,
    /// There is no such payment.
    NoPayment,
}

/// A page of payments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentPage {
    /// The payments of this page; fewer than were asked for on the last.
    pub payments: Vec<Payment>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// The primary store. Every write is atomic and durable when it returns.
#[async_trait]
pub trait PaymentStore: Send + Sync {
    /// Writes a new payment with everything that goes with it. The only commit point of accepting.
    async fn accept(&self, acceptance: &Acceptance) -> PortResult<Accepted>;

    /// Writes a decided change if its precondition holds. The events get the next numbers; the
    /// row's pending index follows `due_at`. Of two changes decided on one version, one is written.
    async fn commit(&self, change: &Change) -> PortResult<Committed>;

    /// Adds an event without changing the payment's version, unless a note of that name stands
    /// there.
    async fn note(&self, payment: &PaymentId, note: &Note) -> PortResult<Noted>;

    /// The payment as it is now (a consistent read).
    async fn get(&self, id: &PaymentId) -> PortResult<Option<Payment>>;

    /// Those of `ids` that exist, in any order (consistent).
    async fn get_many(&self, ids: &[PaymentId]) -> PortResult<Vec<Payment>>;

    /// The idempotency row, unless it has expired at `now` (consistent).
    async fn idempotency(
        &self,
        scope: &IdempotencyScope,
        now: Timestamp,
    ) -> PortResult<Option<IdempotencyRow>>;

    /// The payment's timeline, in order of `seq`.
    async fn events(&self, id: &PaymentId) -> PortResult<Vec<Event>>;

    /// The caller's payments (its merchant, its mode), newest first, after `after` if given.
    /// May be a little behind.
    async fn list(
        &self,
        caller: &Caller,
        after: Option<&PaymentId>,
        limit: usize,
    ) -> PortResult<Vec<Payment>>;

    /// All payments, in an order of the store's own, from `from` (a former page's `next`).
    async fn scan(&self, from: Option<&str>, limit: usize) -> PortResult<PaymentPage>;

    /// Payments of one pending shard whose `due_at` is at or before `now`, oldest first.
    async fn due(&self, shard: u8, now: Timestamp, limit: usize) -> PortResult<Vec<PaymentId>>;

    /// Outbox rows of one shard (of the payment's id) that are not done, oldest first.
    async fn outbox_pending(&self, shard: u8, limit: usize) -> PortResult<Vec<OutboxEvent>>;

    /// Marks outbox rows as done. Doing it twice is the same as once.
    async fn outbox_done(&self, rows: &[OutboxEvent]) -> PortResult<()>;
}

/// API keys of merchants, by the hash of the key.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// The key with that hash, revoked or not (consistent).
    async fn key(&self, hash: &str) -> PortResult<Option<ApiKeyRow>>;

    /// Writes a key, over the one with the same hash.
    async fn put_key(&self, row: &ApiKeyRow) -> PortResult<()>;
}
