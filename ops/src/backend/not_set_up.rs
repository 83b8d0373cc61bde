//! What stands in for the parts that an environment does not have: each question is answered with
//! which settings would give it one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use payops_core::Timestamp;
use payops_core::domain::apikey::{ApiKeyRow, Caller};
use payops_core::domain::bus::BusEvent;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::event::{Event, Note};
use payops_core::domain::id::PaymentId;
use payops_core::domain::ledger::Transaction;
use payops_core::domain::limits::PaymentLimits;
use payops_core::domain::outbox::OutboxEvent;
use payops_core::domain::payment::Payment;
use payops_core::domain::search::SearchQuery;
use payops_core::port::{
    Acceptance, Accepted, Archive, ArchivePage, Browsed, Bus, Change, Committed, Freshness, Hits,
    IdempotencyRow, IdempotencyScope, Index, IndexPage, KeyStore, Ledger, LedgerPage, Move,
    MoveResult, Noted, Outgoing, PaymentPage, PaymentStore, PortError, PortResult, Ports,
    PostOutcome, PutOutcome, QueueAdmin, QueueStats, Queues, Received, Redrive, SendResult,
    TransferOutcome, UpsertOutcome,
};
use payops_system::{OsRandom, SystemClock};

use crate::environment::{Environment, Part};
use crate::error::OpsError;

/// A part that is not there.
struct NotSetUp {
    env: Environment,
    part: Part,
}

/// The ports of an environment without any part.
pub(crate) fn ports(env: &Environment) -> Ports {
    let part = |part| {
        Arc::new(NotSetUp {
            env: env.clone(),
            part,
        })
    };
    Ports {
        store: part(Part::Payments),
        keys: part(Part::Payments),
        queues: part(Part::Queues),
        queue_admin: part(Part::Queues),
        archive: part(Part::Archive),
        bus: part(Part::Bus),
        ledger: part(Part::Ledger),
        index: part(Part::SearchIndex),
        provider: None,
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
        limits: PaymentLimits::default(),
        tells: false,
    }
}

impl NotSetUp {
    fn error(&self) -> PortError {
        let missing = self.env.missing(self.part);
        let missing = missing.unwrap_or_else(|| {
            OpsError::usage(format!("{} has no {}", self.env.name, self.part.as_str()))
        });
        missing.into_not_set_up()
    }

    fn answer<T>(&self) -> PortResult<T> {
        Err(self.error())
    }
}

#[async_trait]
impl PaymentStore for NotSetUp {
    async fn accept(&self, _: &Acceptance) -> PortResult<Accepted> {
        self.answer()
    }

    async fn commit(&self, _: &Change) -> PortResult<Committed> {
        self.answer()
    }

    async fn note(&self, _: &PaymentId, _: &Note) -> PortResult<Noted> {
        self.answer()
    }

    async fn get(&self, _: &PaymentId) -> PortResult<Option<Payment>> {
        self.answer()
    }

    async fn get_many(&self, _: &[PaymentId]) -> PortResult<Vec<Payment>> {
        self.answer()
    }

    async fn idempotency(
        &self,
        _: &IdempotencyScope,
        _: Timestamp,
    ) -> PortResult<Option<IdempotencyRow>> {
        self.answer()
    }

    async fn events(&self, _: &PaymentId) -> PortResult<Vec<Event>> {
        self.answer()
    }

    async fn list(&self, _: &Caller, _: Option<&PaymentId>, _: usize) -> PortResult<Vec<Payment>> {
        self.answer()
    }

    async fn scan(&self, _: Option<&str>, _: usize) -> PortResult<PaymentPage> {
        self.answer()
    }

    async fn due(&self, _: u8, _: Timestamp, _: usize) -> PortResult<Vec<PaymentId>> {
        self.answer()
    }

    async fn outbox_pending(&self, _: u8, _: usize) -> PortResult<Vec<OutboxEvent>> {
        self.answer()
    }

    async fn outbox_done(&self, _: &[OutboxEvent]) -> PortResult<()> {
        self.answer()
    }
}

#[async_trait]
impl KeyStore for NotSetUp {
    async fn key(&self, _: &str) -> PortResult<Option<ApiKeyRow>> {
        self.answer()
    }

    async fn put_key(&self, _: &ApiKeyRow) -> PortResult<()> {
        self.answer()
    }
}

#[async_trait]
impl Queues for NotSetUp {
    async fn send(&self, _: &str, _: Outgoing) -> PortResult<String> {
        self.answer()
    }

    async fn send_batch(&self, _: &str, _: Vec<Outgoing>) -> PortResult<Vec<SendResult>> {
        self.answer()
    }

    async fn receive(
        &self,
        _: &str,
        _: usize,
        _: Duration,
        _: Duration,
    ) -> PortResult<Vec<Received>> {
        self.answer()
    }

    async fn delete(&self, _: &str, _: &[String]) -> PortResult<Vec<bool>> {
        self.answer()
    }

    async fn change_visibility(&self, _: &str, _: &str, _: Duration) -> PortResult<bool> {
        self.answer()
    }

    async fn transfer(
        &self,
        _: &str,
        _: &str,
        _: &str,
        _: Outgoing,
    ) -> PortResult<TransferOutcome> {
        self.answer()
    }

    async fn transfer_batch(&self, _: &str, _: &str, _: Vec<Move>) -> PortResult<Vec<MoveResult>> {
        self.answer()
    }

    fn transfer_is_atomic(&self) -> bool {
        false
    }
}

#[async_trait]
impl QueueAdmin for NotSetUp {
    async fn browse(&self, _: &str, _: usize) -> PortResult<Browsed> {
        self.answer()
    }

    async fn stats(&self, _: &str) -> PortResult<QueueStats> {
        self.answer()
    }

    async fn names(&self) -> PortResult<Vec<String>> {
        self.answer()
    }

    async fn start_redrive(&self, _: &str, _: &str, _: Option<u32>) -> PortResult<String> {
        self.answer()
    }

    async fn redrives(&self, _: &str) -> PortResult<Vec<Redrive>> {
        self.answer()
    }

    async fn cancel_redrive(&self, _: &str, _: &str) -> PortResult<u64> {
        self.answer()
    }

    async fn purge(&self, _: &str) -> PortResult<()> {
        self.answer()
    }
}

#[async_trait]
impl Archive for NotSetUp {
    async fn put_if_absent(&self, _: &str, _: &[u8]) -> PortResult<PutOutcome> {
        self.answer()
    }

    async fn get(&self, _: &str) -> PortResult<Option<Vec<u8>>> {
        self.answer()
    }

    async fn list(&self, _: Option<&str>, _: usize) -> PortResult<ArchivePage> {
        self.answer()
    }
}

#[async_trait]
impl Bus for NotSetUp {
    async fn put(&self, _: &[BusEvent]) -> PortResult<Vec<PortResult<()>>> {
        self.answer()
    }
}

#[async_trait]
impl Ledger for NotSetUp {
    async fn post(&self, _: &Transaction) -> PortResult<PostOutcome> {
        self.answer()
    }

    async fn of_payments(&self, _: &[PaymentId], _: bool) -> PortResult<Vec<Transaction>> {
        self.answer()
    }

    async fn scan(&self, _: Option<&str>, _: usize) -> PortResult<LedgerPage> {
        self.answer()
    }
}

#[async_trait]
impl Index for NotSetUp {
    async fn upsert(&self, _: &[PaymentDoc]) -> PortResult<Vec<UpsertOutcome>> {
        self.answer()
    }

    async fn search(&self, _: &SearchQuery, _: usize, _: usize) -> PortResult<Hits> {
        self.answer()
    }

    async fn of_payments(&self, _: &[PaymentId]) -> PortResult<Vec<PaymentDoc>> {
        self.answer()
    }

    async fn scan(&self, _: Option<&str>, _: usize) -> PortResult<IndexPage> {
        self.answer()
    }

    async fn freshness(&self) -> PortResult<Freshness> {
        self.answer()
    }
}
