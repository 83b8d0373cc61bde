//! Stores that hold nothing and are not asked: the messages of the benchmark are about no payment.

use async_trait::async_trait;
use payops_core::Timestamp;
use payops_core::domain::apikey::Caller;
use payops_core::domain::bus::BusEvent;
use payops_core::domain::event::{Event, Note};
use payops_core::domain::id::PaymentId;
use payops_core::domain::outbox::OutboxEvent;
use payops_core::domain::payment::Payment;
use payops_core::port::{
    Acceptance, Accepted, Archive, ArchivePage, Bus, Change, Committed, ErrorKind, IdempotencyRow,
    IdempotencyScope, Noted, PaymentPage, PaymentStore, PortError, PortResult, PutOutcome,
};

pub(crate) struct Nothing;

fn none<T>() -> PortResult<T> {
    Err(PortError::new(ErrorKind::NotFound, "there is nothing here"))
}

#[async_trait]
impl PaymentStore for Nothing {
    async fn accept(&self, _: &Acceptance) -> PortResult<Accepted> {
        none()
    }

    async fn commit(&self, _: &Change) -> PortResult<Committed> {
        none()
    }

    async fn note(&self, _: &PaymentId, _: &Note) -> PortResult<Noted> {
        none()
    }

    async fn get(&self, _: &PaymentId) -> PortResult<Option<Payment>> {
        none()
    }

    async fn get_many(&self, _: &[PaymentId]) -> PortResult<Vec<Payment>> {
        none()
    }

    async fn idempotency(
        &self,
        _: &IdempotencyScope,
        _: Timestamp,
    ) -> PortResult<Option<IdempotencyRow>> {
        none()
    }

    async fn events(&self, _: &PaymentId) -> PortResult<Vec<Event>> {
        none()
    }

    async fn list(&self, _: &Caller, _: Option<&PaymentId>, _: usize) -> PortResult<Vec<Payment>> {
        none()
    }

    async fn scan(&self, _: Option<&str>, _: usize) -> PortResult<PaymentPage> {
        none()
    }

    async fn due(&self, _: u8, _: Timestamp, _: usize) -> PortResult<Vec<PaymentId>> {
        none()
    }

    async fn outbox_pending(&self, _: u8, _: usize) -> PortResult<Vec<OutboxEvent>> {
        none()
    }

    async fn outbox_done(&self, _: &[OutboxEvent]) -> PortResult<()> {
        none()
    }
}

#[async_trait]
impl Archive for Nothing {
    async fn put_if_absent(&self, _: &str, _: &[u8]) -> PortResult<PutOutcome> {
        none()
    }

    async fn get(&self, _: &str) -> PortResult<Option<Vec<u8>>> {
        none()
    }

    async fn list(&self, _: Option<&str>, _: usize) -> PortResult<ArchivePage> {
        none()
    }
}

#[async_trait]
impl Bus for Nothing {
    async fn put(&self, _: &[BusEvent]) -> PortResult<Vec<PortResult<()>>> {
        none()
    }
}
