//! Telling the rest of the system what happened: one idempotent function with three callers.
//! The service dispatches at once after its commit; the relay what that missed; the sweeper
//! finds payments that came to no end although everything was told.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::json;

use super::change::build_change;
use crate::domain::bus::{BusEvent, SOURCE, WORK, envelope};
use crate::domain::event::{EventKind, NewEvent, Note};
use crate::domain::id::{PaymentId, SHARDS};
use crate::domain::limits::PaymentLimits;
use crate::domain::machine::{Command, TransitionRefusal, decide};
use crate::domain::outbox::{OutboxEvent, OutboxKind};
use crate::domain::payment::{Payment, Refund, RefundState, Status};
use crate::domain::sha256_hex;
use crate::domain::work_item::{REDRIVE, archive_key, redrive_detail};
use crate::port::{
    Archive, Bus, Clock, Committed, Outgoing, PaymentStore, PortError, PortResult, PutOutcome,
    Queues,
};

#[derive(Clone)]
pub struct Dispatcher {
    pub store: Arc<dyn PaymentStore>,
    pub archive: Arc<dyn Archive>,
    pub bus: Arc<dyn Bus>,
    pub queues: Arc<dyn Queues>,
    pub clock: Arc<dyn Clock>,
}

impl Dispatcher {
    /// Does what the rows owe and marks them as done. Doing it again, or cut off half-way and
    /// then again, is harmless: consumers act on the payment's state, not on the event.
    pub async fn dispatch(&self, rows: &[OutboxEvent]) -> PortResult<()> {
        for row in rows {
            if row.kind == OutboxKind::PaymentAccepted {
                self.archive(row).await?;
            }
        }
        let events: Vec<BusEvent> = rows.iter().map(bus_event).collect();
        let mut failed = None;
        let mut done = Vec::with_capacity(rows.len());
        for (rows, events) in rows.chunks(10).zip(events.chunks(10)) {
            let results = self.bus.put(events).await?;
            for (row, result) in rows.iter().zip(results) {
                match result {
                    Ok(()) => done.push(row.clone()),
                    Err(error) => failed = Some(error),
                }
            }
        }
        self.store.outbox_done(&done).await?;
        failed.map_or(Ok(()), Err)
    }

    /// Archives the request. The archive's own event starts the work, so that archive and
    /// trigger are one write; a put that meets an object makes no event, so then the work
    /// message is sent from here.
    async fn archive(&self, row: &OutboxEvent) -> PortResult<()> {
        let Some(payload) = row.payload.as_deref() else {
            return Ok(());
        };
        let key = archive_key(&row.payment);
        let outcome = self.archive.put_if_absent(&key, payload.as_bytes()).await?;
        let sha256 = sha256_hex(payload.as_bytes());
        let same = match &outcome {
            PutOutcome::Created => true,
            PutOutcome::Exists { sha256: found } => *found == sha256,
        };
        if outcome != PutOutcome::Created {
            // Another object there is the worker's to find: it verifies what it reads.
            self.send_work(&row.payment).await?;
        }
        let detail = json!({"key": key, "sha256": sha256, "bytes": payload.len(), "same": same});
        let note = Note {
            once: "archived".to_owned(),
            event: NewEvent::new(self.clock.now(), EventKind::Archived, detail),
        };
        self.store.note(&row.payment, &note).await?;
        Ok(())
    }

    pub async fn send_work(&self, id: &PaymentId) -> PortResult<()> {
        let event = BusEvent {
            source: SOURCE.to_owned(),
            detail_type: REDRIVE.to_owned(),
            detail: redrive_detail(id),
            at: self.clock.now(),
        };
        let body = envelope(&format!("redrive-{id}"), &event);
        self.queues
            .send(
                WORK,
                Outgoing {
                    body,
                    ..Outgoing::default()
                },
            )
            .await
            .map(drop)
    }
}

fn bus_event(row: &OutboxEvent) -> BusEvent {
    BusEvent {
        source: SOURCE.to_owned(),
        detail_type: row.kind.as_str().to_owned(),
        detail: row.detail(),
        at: row.at,
    }
}

#[derive(Clone)]
pub struct Relay {
    pub dispatcher: Dispatcher,
    /// Rows younger than this are left to the service that wrote them.
    pub grace: SignedDuration,
}

impl Relay {
    /// One pass over all shards; how many rows were dispatched, and the last failure, if any.
    /// A row that fails does not hold up the others.
    pub async fn run_once(&self) -> (usize, Option<PortError>) {
        let mut count = 0_usize;
        let mut failure = None;
        for shard in 0..SHARDS {
            let rows = match self.dispatcher.store.outbox_pending(shard, 100).await {
                Ok(rows) => rows,
                Err(error) => {
                    failure = Some(error);
                    continue;
                }
            };
            let now = self.dispatcher.clock.now();
            let ripe = rows
                .into_iter()
                .filter(|row| now.duration_since(row.at) >= self.grace);
            for row in ripe {
                match self.dispatcher.dispatch(std::slice::from_ref(&row)).await {
                    Ok(()) => count = count.saturating_add(1),
                    Err(error) => failure = Some(error),
                }
            }
        }
        (count, failure)
    }
}

/// Sends the messages of payments again that came to no end in time.
#[derive(Clone)]
pub struct Sweeper {
    pub dispatcher: Dispatcher,
    pub limits: PaymentLimits,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepCounts {
    pub redriven: usize,
    /// Payments that were given up on: a human must look.
    pub reviewed: usize,
}

impl Sweeper {
    /// One pass over all shards, and the last failure, if any.
    pub async fn run_once(&self) -> (SweepCounts, Option<PortError>) {
        let mut counts = SweepCounts::default();
        let mut failure = None;
        for shard in 0..SHARDS {
            let due = self
                .dispatcher
                .store
                .due(shard, self.dispatcher.clock.now(), 100)
                .await;
            let ids = due.unwrap_or_else(|error| {
                failure = Some(error);
                Vec::new()
            });
            for id in ids {
                match self.sweep(&id).await {
                    Ok(Some(Status::Review)) => counts.reviewed = counts.reviewed.saturating_add(1),
                    Ok(Some(_)) => counts.redriven = counts.redriven.saturating_add(1),
                    Ok(None) => {}
                    Err(error) => failure = Some(error),
                }
            }
        }
        (counts, failure)
    }

    async fn sweep(&self, id: &PaymentId) -> PortResult<Option<Status>> {
        let dispatcher = &self.dispatcher;
        let Some(payment) = dispatcher.store.get(id).await? else {
            return Ok(None);
        };
        let now = dispatcher.clock.now();
        // Somebody was faster, or nothing is pending any more.
        let Ok(decision) = decide(&payment, Command::Redrive, now, &self.limits) else {
            return Ok(None);
        };
        let next = decision.payment.clone();
        let outbox = decision.outbox.clone();
        // Sent before the commit: a message too many is harmless, one too few is not.
        if next.status != Status::Review {
            self.send(&next).await?;
        }
        if dispatcher
            .store
            .commit(&build_change(&payment, decision, now))
            .await?
            != Committed::Done
        {
            return Ok(None);
        }
        dispatcher.dispatch(&outbox).await?;
        Ok(Some(next.status))
    }

    async fn send(&self, payment: &Payment) -> PortResult<()> {
        if !payment.status.is_final() {
            return self.dispatcher.send_work(&payment.id).await;
        }
        // A refund whose message is dead is an operator's to replay; which one that is cannot be
        // told, so then only those are asked about that have no message.
        let wanted = |refund: &&Refund| {
            refund.state == RefundState::Pending
                && (payment.dead.is_none() || refund.is_under_way())
        };
        for refund in payment.refunds.iter().filter(wanted) {
            let mut row = OutboxEvent::new(
                &payment.id,
                payment.version,
                OutboxKind::RefundRequested,
                self.dispatcher.clock.now(),
            );
            row.refund = Some(refund.id.clone());
            let body = envelope(&format!("redrive-{}", refund.id), &bus_event(&row));
            self.dispatcher
                .queues
                .send(
                    WORK,
                    Outgoing {
                        body,
                        ..Outgoing::default()
                    },
                )
                .await?;
        }
        Ok(())
    }
}

/// Decides and commits, again while others are faster; the payment after it and its outbox rows.
pub(super) async fn apply(
    store: &dyn PaymentStore,
    clock: &dyn Clock,
    limits: &PaymentLimits,
    id: &PaymentId,
    command: &Command,
) -> PortResult<Result<(Payment, Vec<OutboxEvent>), Option<TransitionRefusal>>> {
    for _ in 0..10_u8 {
        let Some(payment) = store.get(id).await? else {
            return Ok(Err(None));
        };
        let now = clock.now();
        let decision = match decide(&payment, command.clone(), now, limits) {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Err(Some(refusal))),
        };
        let change = build_change(&payment, decision, now);
        if store.commit(&change).await? == Committed::Done {
            return Ok(Ok((change.payment, change.outbox)));
        }
    }
    Err(PortError::new(
        crate::port::ErrorKind::Unavailable,
        "the payment keeps changing",
    ))
}
