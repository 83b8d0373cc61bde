//! One proxy for all ports: each call goes through [`Chaos`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use payops_core::Timestamp;
use payops_core::domain::apikey::Caller;
use payops_core::domain::bus::BusEvent;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::event::{Event, Note};
use payops_core::domain::id::PaymentId;
use payops_core::domain::ledger::Transaction;
use payops_core::domain::mail::Mail;
use payops_core::domain::outbox::OutboxEvent;
use payops_core::domain::payment::{Charge, Payment};
use payops_core::domain::reconcile::{ProviderEntry, ProviderRefund};
use payops_core::domain::replay::JournalEntry;
use payops_core::domain::search::SearchQuery;
use payops_core::domain::text::Source;
use payops_core::port::{
    Acceptance, Accepted, Archive, ArchivePage, Browsed, Bus, Change, ChargeOutcome, ChargeRequest,
    Committed, Freshness, Hits, IdempotencyRow, IdempotencyScope, Index, IndexPage, Journal,
    Ledger, LedgerPage, Mailer, Move, MoveResult, Noted, Outgoing, PaymentPage, PaymentStore,
    PortResult, PostOutcome, Provider, ProviderPage, PutOutcome, QueueAdmin, QueueStats, Queues,
    Received, RefundOutcome, RefundRequest, SendResult, TransferOutcome, UpsertOutcome,
};

use super::Chaos;

/// A port behind a proxy that lets calls go wrong as `chaos` has it.
#[must_use]
pub fn faulty<P: ?Sized>(port: Arc<P>, chaos: &Arc<Chaos>) -> Arc<Faulty<P>> {
    Arc::new(Faulty {
        port,
        chaos: Arc::clone(chaos),
    })
}

pub struct Faulty<P: ?Sized> {
    port: Arc<P>,
    chaos: Arc<Chaos>,
}

#[async_trait]
impl<P: PaymentStore + ?Sized> PaymentStore for Faulty<P> {
    async fn accept(&self, acceptance: &Acceptance) -> PortResult<Accepted> {
        self.chaos
            .around("store.accept", self.port.accept(acceptance))
            .await
    }

    async fn commit(&self, change: &Change) -> PortResult<Committed> {
        self.chaos
            .around("store.commit", self.port.commit(change))
            .await
    }

    async fn note(&self, payment: &PaymentId, note: &Note) -> PortResult<Noted> {
        self.chaos
            .around("store.note", self.port.note(payment, note))
            .await
    }

    async fn get(&self, id: &PaymentId) -> PortResult<Option<Payment>> {
        self.chaos.around("store.get", self.port.get(id)).await
    }

    async fn get_many(&self, ids: &[PaymentId]) -> PortResult<Vec<Payment>> {
        self.chaos
            .around("store.get_many", self.port.get_many(ids))
            .await
    }

    async fn idempotency(
        &self,
        scope: &IdempotencyScope,
        now: Timestamp,
    ) -> PortResult<Option<IdempotencyRow>> {
        self.chaos
            .around("store.idempotency", self.port.idempotency(scope, now))
            .await
    }

    async fn events(&self, id: &PaymentId) -> PortResult<Vec<Event>> {
        self.chaos
            .around("store.events", self.port.events(id))
            .await
    }

    async fn list(
        &self,
        caller: &Caller,
        after: Option<&PaymentId>,
        limit: usize,
    ) -> PortResult<Vec<Payment>> {
        self.chaos
            .around("store.list", self.port.list(caller, after, limit))
            .await
    }

    async fn scan(&self, from: Option<&str>, limit: usize) -> PortResult<PaymentPage> {
        self.chaos
            .around("store.scan", self.port.scan(from, limit))
            .await
    }

    async fn due(&self, shard: u8, now: Timestamp, limit: usize) -> PortResult<Vec<PaymentId>> {
        self.chaos
            .around("store.due", self.port.due(shard, now, limit))
            .await
    }

    async fn outbox_pending(&self, shard: u8, limit: usize) -> PortResult<Vec<OutboxEvent>> {
        self.chaos
            .around(
                "store.outbox_pending",
                self.port.outbox_pending(shard, limit),
            )
            .await
    }

    async fn outbox_done(&self, rows: &[OutboxEvent]) -> PortResult<()> {
        self.chaos
            .around("store.outbox_done", self.port.outbox_done(rows))
            .await
    }
}

#[async_trait]
impl<P: Queues + ?Sized> Queues for Faulty<P> {
    async fn send(&self, queue: &str, message: Outgoing) -> PortResult<String> {
        self.chaos
            .around("queues.send", self.port.send(queue, message))
            .await
    }

    async fn send_batch(
        &self,
        queue: &str,
        messages: Vec<Outgoing>,
    ) -> PortResult<Vec<SendResult>> {
        self.chaos
            .around("queues.send_batch", self.port.send_batch(queue, messages))
            .await
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> PortResult<Vec<Received>> {
        self.chaos
            .around(
                "queues.receive",
                self.port.receive(queue, max, visibility, wait),
            )
            .await
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> PortResult<Vec<bool>> {
        self.chaos
            .around("queues.delete", self.port.delete(queue, receipts))
            .await
    }

    async fn change_visibility(
        &self,
        queue: &str,
        receipt: &str,
        visibility: Duration,
    ) -> PortResult<bool> {
        self.chaos
            .around(
                "queues.change_visibility",
                self.port.change_visibility(queue, receipt, visibility),
            )
            .await
    }

    async fn transfer(
        &self,
        from: &str,
        receipt: &str,
        to: &str,
        message: Outgoing,
    ) -> PortResult<TransferOutcome> {
        self.chaos
            .around(
                "queues.transfer",
                self.port.transfer(from, receipt, to, message),
            )
            .await
    }

    async fn transfer_batch(
        &self,
        from: &str,
        to: &str,
        moves: Vec<Move>,
    ) -> PortResult<Vec<MoveResult>> {
        self.chaos
            .around(
                "queues.transfer_batch",
                self.port.transfer_batch(from, to, moves),
            )
            .await
    }

    async fn change_visibilities(
        &self,
        queue: &str,
        receipts: &[String],
        visibility: Duration,
    ) -> PortResult<Vec<bool>> {
        self.chaos
            .around(
                "queues.change_visibilities",
                self.port.change_visibilities(queue, receipts, visibility),
            )
            .await
    }

    fn transfer_is_atomic(&self) -> bool {
        self.port.transfer_is_atomic()
    }
}

#[async_trait]
impl<P: QueueAdmin + ?Sized> QueueAdmin for Faulty<P> {
    async fn browse(&self, queue: &str, limit: usize) -> PortResult<Browsed> {
        self.chaos
            .around("queues.browse", self.port.browse(queue, limit))
            .await
    }

    async fn stats(&self, queue: &str) -> PortResult<QueueStats> {
        self.chaos
            .around("queues.stats", self.port.stats(queue))
            .await
    }

    async fn names(&self) -> PortResult<Vec<String>> {
        self.chaos.around("queues.names", self.port.names()).await
    }
}

#[async_trait]
impl<P: Journal + ?Sized> Journal for Faulty<P> {
    async fn append(&self, entries: &[JournalEntry]) -> PortResult<()> {
        self.chaos
            .around("journal.append", self.port.append(entries))
            .await
    }
}

#[async_trait]
impl<P: Archive + ?Sized> Archive for Faulty<P> {
    async fn put_if_absent(&self, key: &str, bytes: &[u8]) -> PortResult<PutOutcome> {
        self.chaos
            .around("archive.put_if_absent", self.port.put_if_absent(key, bytes))
            .await
    }

    async fn get(&self, key: &str) -> PortResult<Option<Vec<u8>>> {
        self.chaos.around("archive.get", self.port.get(key)).await
    }

    async fn list(&self, from: Option<&str>, limit: usize) -> PortResult<ArchivePage> {
        self.chaos
            .around("archive.list", self.port.list(from, limit))
            .await
    }
}

#[async_trait]
impl<P: Bus + ?Sized> Bus for Faulty<P> {
    async fn put(&self, events: &[BusEvent]) -> PortResult<Vec<PortResult<()>>> {
        self.chaos.around("bus.put", self.port.put(events)).await
    }
}

#[async_trait]
impl<P: Ledger + ?Sized> Ledger for Faulty<P> {
    async fn post(&self, transaction: &Transaction) -> PortResult<PostOutcome> {
        self.chaos
            .around("ledger.post", self.port.post(transaction))
            .await
    }

    async fn of_payments(
        &self,
        payments: &[PaymentId],
        consistent: bool,
    ) -> PortResult<Vec<Transaction>> {
        self.chaos
            .around(
                "ledger.of_payments",
                self.port.of_payments(payments, consistent),
            )
            .await
    }

    async fn scan(&self, from: Option<&str>, limit: usize) -> PortResult<LedgerPage> {
        self.chaos
            .around("ledger.scan", self.port.scan(from, limit))
            .await
    }
}

#[async_trait]
impl<P: Index + ?Sized> Index for Faulty<P> {
    async fn upsert(&self, docs: &[PaymentDoc]) -> PortResult<Vec<UpsertOutcome>> {
        self.chaos
            .around("index.upsert", self.port.upsert(docs))
            .await
    }

    async fn search(&self, query: &SearchQuery, offset: usize, limit: usize) -> PortResult<Hits> {
        self.chaos
            .around("index.search", self.port.search(query, offset, limit))
            .await
    }

    async fn of_payments(&self, payments: &[PaymentId]) -> PortResult<Vec<PaymentDoc>> {
        self.chaos
            .around("index.of_payments", self.port.of_payments(payments))
            .await
    }

    async fn scan(&self, from: Option<&str>, limit: usize) -> PortResult<IndexPage> {
        self.chaos
            .around("index.scan", self.port.scan(from, limit))
            .await
    }

    async fn freshness(&self) -> PortResult<Freshness> {
        self.chaos
            .around("index.freshness", self.port.freshness())
            .await
    }
}

#[async_trait]
impl<P: Mailer + ?Sized> Mailer for Faulty<P> {
    async fn send(&self, mail: &Mail) -> PortResult<String> {
        self.chaos.around("mailer.send", self.port.send(mail)).await
    }
}

#[async_trait]
impl<P: Provider + ?Sized> Provider for Faulty<P> {
    async fn knows_source(&self, source: &Source) -> PortResult<bool> {
        self.chaos
            .around("provider.knows_source", self.port.knows_source(source))
            .await
    }

    async fn charge(&self, request: &ChargeRequest) -> PortResult<ChargeOutcome> {
        self.chaos
            .around("provider.charge", self.port.charge(request))
            .await
    }

    async fn find_charge(&self, payment: &PaymentId) -> PortResult<Option<Charge>> {
        self.chaos
            .around("provider.find_charge", self.port.find_charge(payment))
            .await
    }

    async fn refund(&self, request: &RefundRequest) -> PortResult<RefundOutcome> {
        self.chaos
            .around("provider.refund", self.port.refund(request))
            .await
    }

    async fn find_refund(&self, request: &RefundRequest) -> PortResult<Option<RefundOutcome>> {
        self.chaos
            .around("provider.find_refund", self.port.find_refund(request))
            .await
    }

    async fn charges(&self, payment: &PaymentId) -> PortResult<Vec<ProviderEntry>> {
        self.chaos
            .around("provider.charges", self.port.charges(payment))
            .await
    }

    async fn refunds(&self, charge_id: &str) -> PortResult<Vec<ProviderRefund>> {
        self.chaos
            .around("provider.refunds", self.port.refunds(charge_id))
            .await
    }

    async fn scan_charges(&self, from: Option<&str>, limit: usize) -> PortResult<ProviderPage> {
        self.chaos
            .around("provider.scan_charges", self.port.scan_charges(from, limit))
            .await
    }

    async fn scan_refunds(&self, from: Option<&str>, limit: usize) -> PortResult<ProviderPage> {
        self.chaos
            .around("provider.scan_refunds", self.port.scan_refunds(from, limit))
            .await
    }
}
