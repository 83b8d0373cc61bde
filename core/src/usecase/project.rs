//! The projector: brings ledger and index up to the payment's state.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::consume::Handler;
use crate::domain::bus::PROJECTIONS;
use crate::domain::doc::PaymentDoc;
use crate::domain::event::{EventKind, NewEvent, Note};
use crate::domain::id::PaymentId;
use crate::domain::ledger::{Transaction, expected_transactions};
use crate::domain::payment::Payment;
use crate::domain::work_item::{HandlerOutcome, parse};
use crate::port::{
    Clock, ErrorKind, Index, Ledger, PaymentStore, PortError, PortResult, PostOutcome, Received,
};

#[derive(Clone)]
pub struct Projector {
    pub store: Arc<dyn PaymentStore>,
    pub ledger: Arc<dyn Ledger>,
    pub index: Arc<dyn Index>,
    pub clock: Arc<dyn Clock>,
}

fn retry(what: &str, error: &PortError) -> HandlerOutcome {
    let (class, reason) = (
        format!("{what}_{}", error.class()),
        format!("{what}: {}", error.chain()),
    );
    if error.kind == ErrorKind::Permanent {
        HandlerOutcome::Dead { class, reason }
    } else {
        HandlerOutcome::Retry {
            class,
            reason,
            after: None,
        }
    }
}

#[async_trait]
impl Handler for Projector {
    async fn handle(&self, message: &Received) -> HandlerOutcome {
        match parse(&message.body) {
            Ok(item) => self.project(item.payment()).await,
            Err(error) => HandlerOutcome::Dead {
                class: error.class().to_owned(),
                reason: error.to_string(),
            },
        }
    }

    async fn mark_dead(&self, message: &Received, class: &str, reason: &str) -> PortResult<()> {
        note_dead(
            &*self.store,
            &*self.clock,
            PROJECTIONS,
            message,
            class,
            reason,
        )
        .await
    }
}

impl Projector {
    /// Brings ledger and index up to the payment's state as the store has it now, whatever
    /// event it was that asked: late, doubled and reordered events are all the same.
    pub async fn project(&self, id: &PaymentId) -> HandlerOutcome {
        let payment = match self.store.get(id).await {
            Ok(Some(payment)) => payment,
            Ok(None) => {
                return HandlerOutcome::Retry {
                    class: "orphan".to_owned(),
                    reason: format!("no payment {id}"),
                    after: None,
                };
            }
            Err(error) => return retry("store", &error),
        };
        for transaction in expected_transactions(&payment) {
            match self.ledger.post(&transaction).await {
                Ok(PostOutcome::Posted | PostOutcome::Already) => {}
                Ok(PostOutcome::Mismatch(found)) => {
                    let reason = format!(
                        "the ledger has {} {} of {} {}, the payment says {} {}",
                        found.kind.as_str(),
                        found.reference,
                        found.amount_minor(),
                        found.currency,
                        transaction.amount_minor(),
                        transaction.currency
                    );
                    return HandlerOutcome::Dead {
                        class: "ledger_mismatch".to_owned(),
                        reason,
                    };
                }
                Err(error) => return retry("ledger", &error),
            }
            if let Err(error) = self
                .note(id, &note_posting(&transaction, self.clock.now()))
                .await
            {
                return retry("store", &error);
            }
        }
        self.index(&payment).await
    }

    async fn index(&self, payment: &Payment) -> HandlerOutcome {
        match self.index.upsert(&[PaymentDoc::from(payment)]).await {
            Ok(_) => {}
            Err(error) => return retry("index", &error),
        }
        if !payment.status.is_final() {
            return HandlerOutcome::Done;
        }
        let detail = json!({"status": payment.status, "version": payment.version});
        let note = Note {
            once: format!("indexed:{}", payment.version),
            event: NewEvent::new(self.clock.now(), EventKind::Indexed, detail),
        };
        match self.note(&payment.id, &note).await {
            Ok(()) => HandlerOutcome::Done,
            Err(error) => retry("store", &error),
        }
    }

    async fn note(&self, id: &PaymentId, note: &Note) -> PortResult<()> {
        self.store.note(id, note).await.map(drop)
    }
}

fn note_posting(transaction: &Transaction, at: crate::Timestamp) -> Note {
    let kind = transaction.kind.as_str();
    let detail = json!({
        "transaction": kind, "reference": transaction.reference, "currency": transaction.currency,
        "postings": transaction.postings,
        "sum": i64::try_from(transaction.sum()).unwrap_or(i64::MAX),
    });
    Note {
        once: format!("ledger:{kind}:{}", transaction.reference),
        event: NewEvent::new(at, EventKind::Ledger, detail),
    }
}

/// Notes on the timeline that a message about the payment went to a dead-letter queue.
pub(super) async fn note_dead(
    store: &dyn PaymentStore,
    clock: &dyn Clock,
    queue: &str,
    message: &Received,
    class: &str,
    reason: &str,
) -> PortResult<()> {
    let Ok(item) = parse(&message.body) else {
        return Ok(());
    };
    let detail =
        json!({"queue": queue, "message_id": message.message_id, "class": class, "reason": reason});
    let event = NewEvent::new(clock.now(), EventKind::DeadLettered, detail);
    store
        .note(
            item.payment(),
            &Note {
                once: format!("dead:{queue}:{}", message.message_id),
                event,
            },
        )
        .await
        .map(drop)
}
