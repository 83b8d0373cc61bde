//! Accepting a payment: one commit point, and the same answer however often the client asks.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::json;

use crate::Timestamp;
use crate::domain::apikey::Caller;
use crate::domain::event::{EventKind, NewEvent};
use crate::domain::id::PaymentId;
use crate::domain::limits::PaymentLimits;
use crate::domain::outbox::{OutboxEvent, OutboxKind};
use crate::domain::payment::Payment;
use crate::domain::request::CreatePayment;
use crate::domain::text::IdempotencyKey;
use crate::port::{
    Acceptance, Accepted, Clock, IdempotencyRow, IdempotencyScope, KeyedRequest, PaymentStore,
    PortError, Random,
};

pub(super) const KEY_KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Writes the answer for a payment; the text is stored and given again to a repeated request.
pub type Render<'a> = &'a (dyn Fn(&Payment) -> String + Send + Sync);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub request: KeyedRequest,
    pub body: String,
    pub payment: PaymentId,
    pub replayed: bool,
}

/// Why a payment was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// The store failed; the client asks again with the same key.
    #[error("the payment could not be stored")]
    Store(#[from] PortError),
}

#[derive(Clone)]
pub struct Accept {
    pub store: Arc<dyn PaymentStore>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub limits: PaymentLimits,
}

impl Accept {
    /// Accepts a payment, or gives the answer of the request that did with the same key. When
    /// this returns a payment, it is stored for ever; what is still to be done stands in the
    /// outbox.
    pub async fn accept(
        &self,
        caller: &Caller,
        key: &IdempotencyKey,
        request: &CreatePayment,
        render: Render<'_>,
    ) -> Result<(Answer, Option<Payment>), AcceptError> {
        let fingerprint = request.fingerprint();
        let scope = IdempotencyScope {
            merchant: caller.merchant.clone(),
            live: caller.live,
            request: KeyedRequest::CreatePayment,
            key: key.clone(),
        };
        loop {
            let now = self.clock.now();
            let (payment, document) = self.payment(caller, request, now);
            let body = render(&payment);
            let acceptance = acceptance(
                payment,
                document,
                scope.clone(),
                fingerprint.clone(),
                body,
                now,
            );
            match self.store.accept(&acceptance).await? {
                Accepted::New => {
                    let row = acceptance.idempotency;
                    let answer = Answer {
                        request: row.scope.request,
                        body: row.response,
                        payment: row.payment,
                        replayed: false,
                    };
                    return Ok((answer, Some(acceptance.payment)));
                }
                Accepted::KeyTaken(row) => {
                    return repeat_answer(*row, &fingerprint)
                        .map(|answer| (answer, None))
                        .ok_or(AcceptError::KeyReused);
                }
                // Another payment has the id: 80 random bits make this a matter of theory.
                Accepted::IdTaken => {}
            }
        }
    }

    fn payment(
        &self,
        caller: &Caller,
        request: &CreatePayment,
        now: Timestamp,
    ) -> (Payment, String) {
        let random =
            (u128::from(self.random.next_u64()) << 64) | u128::from(self.random.next_u64());
        let id = PaymentId::from_parts(u64::try_from(now.as_millisecond()).unwrap_or(0), random);
        Payment::new_accepted(id, caller, request, now, &self.limits)
    }
}

fn acceptance(
    payment: Payment,
    document: String,
    scope: IdempotencyScope,
    fingerprint: String,
    response: String,
    now: Timestamp,
) -> Acceptance {
    let detail = json!({
        "amount": payment.money.minor(), "currency": payment.money.currency(),
        "reference": payment.reference,
    });
    let mut outbox = OutboxEvent::new(
        &payment.id,
        payment.version,
        OutboxKind::PaymentAccepted,
        now,
    );
    outbox.payload = Some(document);
    let idempotency = IdempotencyRow {
        scope,
        fingerprint,
        payment: payment.id.clone(),
        response,
        expires_at: now.checked_add(KEY_KEPT).unwrap_or(Timestamp::MAX),
    };
    Acceptance {
        payment,
        events: vec![NewEvent::new(now, EventKind::Accepted, detail)],
        outbox: vec![outbox],
        idempotency,
        now,
    }
}

/// The answer that `row` holds, if it was given to the same request.
pub(super) fn repeat_answer(row: IdempotencyRow, fingerprint: &str) -> Option<Answer> {
    (row.fingerprint == fingerprint).then_some(Answer {
        request: row.scope.request,
        body: row.response,
        payment: row.payment,
        replayed: true,
    })
}
