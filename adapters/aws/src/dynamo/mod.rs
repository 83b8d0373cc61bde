//! The primary store on one DynamoDB table.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | payment | `PAY#id` | `PAY` |
//! | event | `PAY#id` | `EVT#000000000001` |
//! | marker of a note | `PAY#id` | `ONCE#name` |
//! | outbox row, until it is done | `PAY#id` | `OUT#row` |
//! | idempotency row | `IDEM#hash of scope` | `IDEM` |
//! | API key | `KEY#hash` | `KEY` |
//! | freeze of the environment | `OPS#freeze` | `OPS#freeze` |
//! | approval of a plan | `OPS#approval#person` | hash of the plan |
//!
//! Every change is one `TransactWriteItems`. The indexes `due` and `outbox` are sparse and spread
//! over shards; `merchant` lists payments. Indexes lag behind the table, so whoever works through
//! one comes again; everything that decides about money reads the table itself, consistently.

mod item;
mod ops;
mod read;
mod table;
mod write;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use payops_core::Timestamp;
use payops_core::domain::apikey::{ApiKeyRow, Caller};
use payops_core::domain::event::{Event, Note};
use payops_core::domain::id::PaymentId;
use payops_core::domain::outbox::OutboxEvent;
use payops_core::domain::payment::Payment;
use payops_core::port::{
    Acceptance, Accepted, Change, Committed, IdempotencyRow, IdempotencyScope, KeyStore, Noted,
    PaymentPage, PaymentStore, PortResult, Random,
};

pub use ops::{DynamoApprovalStore, DynamoFreezeStore};
pub use table::create_table;

use crate::fail::Call;

/// The first pause before a contended write is tried again.
const PAUSE_FIRST_MS: u64 = 10;
const PAUSE_MAX_MS: u64 = 400;

/// The primary store and the API keys, on one table.
#[derive(Clone)]
pub struct DynamoStore {
    client: Client,
    table: String,
    random: Arc<dyn Random>,
}

impl std::fmt::Debug for DynamoStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DynamoStore")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

impl DynamoStore {
    /// A store on `table`, which must be there. `random` spreads the pauses of contended writes.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>, random: Arc<dyn Random>) -> Self {
        Self {
            client,
            table: table.into(),
            random,
        }
    }

    fn read_call(&self, action: &'static str) -> Call {
        Call::read(action, format!("table {}", self.table))
    }

    fn write_call(&self, action: &'static str) -> Call {
        Call::write(action, format!("table {}", self.table))
    }

    /// Waits before the next try: any time up to a limit that doubles with each.
    async fn pause(&self, tries: u32) {
        let limit_ms = PAUSE_FIRST_MS
            .saturating_mul(1 << tries.min(10))
            .min(PAUSE_MAX_MS);
        tokio::time::sleep(Duration::from_millis(1 + self.random.next_u64() % limit_ms)).await;
    }
}

#[async_trait]
impl PaymentStore for DynamoStore {
    async fn accept(&self, acceptance: &Acceptance) -> PortResult<Accepted> {
        self.write_acceptance(acceptance).await
    }

    async fn commit(&self, change: &Change) -> PortResult<Committed> {
        self.write_change(change).await
    }

    async fn note(&self, payment: &PaymentId, note: &Note) -> PortResult<Noted> {
        self.write_note(payment, note).await
    }

    async fn get(&self, id: &PaymentId) -> PortResult<Option<Payment>> {
        self.read_payment(id).await
    }

    async fn get_many(&self, ids: &[PaymentId]) -> PortResult<Vec<Payment>> {
        self.read_payments(ids).await
    }

    async fn idempotency(
        &self,
        scope: &IdempotencyScope,
        now: Timestamp,
    ) -> PortResult<Option<IdempotencyRow>> {
        self.read_idempotency(scope, now).await
    }

    async fn events(&self, id: &PaymentId) -> PortResult<Vec<Event>> {
        self.read_events(id).await
    }

    async fn list(
        &self,
        caller: &Caller,
        after: Option<&PaymentId>,
        limit: usize,
    ) -> PortResult<Vec<Payment>> {
        self.query_merchant(caller, after, limit).await
    }

    async fn scan(&self, from: Option<&str>, limit: usize) -> PortResult<PaymentPage> {
        self.scan_payments(from, limit).await
    }

    async fn due(&self, shard: u8, now: Timestamp, limit: usize) -> PortResult<Vec<PaymentId>> {
        self.query_due(shard, now, limit).await
    }

    async fn outbox_pending(&self, shard: u8, limit: usize) -> PortResult<Vec<OutboxEvent>> {
        self.query_outbox(shard, limit).await
    }

    async fn outbox_done(&self, rows: &[OutboxEvent]) -> PortResult<()> {
        self.delete_outbox(rows).await
    }
}

#[async_trait]
impl KeyStore for DynamoStore {
    async fn key(&self, hash: &str) -> PortResult<Option<ApiKeyRow>> {
        self.read_key(hash).await
    }

    async fn put_key(&self, row: &ApiKeyRow) -> PortResult<()> {
        self.write_key(row).await
    }
}
