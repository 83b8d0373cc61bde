//! Changes that a merchant or an operator asks for: cancel and refund.

use std::sync::Arc;

use crate::Timestamp;
use crate::domain::apikey::Caller;
use crate::domain::id::{PaymentId, RefundId};
use crate::domain::limits::PaymentLimits;
use crate::domain::machine::{Command, Transition, TransitionRefusal, decide};
use crate::domain::outbox::OutboxEvent;
use crate::domain::payment::Payment;
use crate::domain::request::{CancelPayment, CreateRefund};
use crate::domain::text::IdempotencyKey;
use crate::port::{
    Change, Clock, Committed, IdempotencyRow, IdempotencyScope, KeyedRequest, PaymentStore,
    PortError, Ports, Precondition, Random,
};

use super::accept::{Answer, KEY_KEPT, Render, repeat_answer};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requester {
    /// A merchant, who sees only its own payments of its key's mode.
    Merchant(Caller),
    Operator(String),
}

impl Requester {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Merchant(_) => "merchant".to_owned(),
            Self::Operator(name) => name.clone(),
        }
    }

    fn may_see(&self, payment: &Payment) -> bool {
        match self {
            Self::Merchant(caller) => {
                payment.merchant == caller.merchant && payment.live == caller.live
            }
            Self::Operator(_) => true,
        }
    }
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no such payment, or it is not the requester's.
    #[error("payment not found")]
    NotFound,
    /// The payment does not allow it.
    #[error(transparent)]
    Refused(#[from] TransitionRefusal),
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// The payment is not the one any more that the change was planned for.
    #[error("the payment has changed since it was planned: version {planned} is now {found}")]
    Moved { planned: u64, found: u64 },
    #[error("the payment is being changed by other processes; try again")]
    Busy,
    #[error("the change could not be stored")]
    Store(#[from] PortError),
}

/// How often a change is decided again after others were faster.
const TRIES: usize = 10;

#[derive(Clone)]
pub struct Changes {
    pub store: Arc<dyn PaymentStore>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub limits: PaymentLimits,
}

impl From<&Ports> for Changes {
    fn from(ports: &Ports) -> Self {
        Self {
            store: Arc::clone(&ports.store),
            clock: Arc::clone(&ports.clock),
            random: Arc::clone(&ports.random),
            limits: ports.limits.clone(),
        }
    }
}

pub(super) struct PaymentChange<'a> {
    pub(super) by: &'a Requester,
    pub(super) id: &'a PaymentId,
    pub(super) key: &'a IdempotencyKey,
    pub(super) request: KeyedRequest,
    pub(super) fingerprint: String,
    /// Only of this version of the payment, where the change was planned for one.
    pub(super) version: Option<u64>,
}

impl Changes {
    /// Cancels a payment whose charge has not been started. The outbox rows are returned, to be
    /// dispatched at once; they are stored in any case.
    pub async fn cancel(
        &self,
        by: &Requester,
        id: &PaymentId,
        key: &IdempotencyKey,
        request: &CancelPayment,
        render: Render<'_>,
    ) -> Result<(Answer, Vec<OutboxEvent>), ChangeError> {
        let asked = PaymentChange {
            by,
            id,
            key,
            request: KeyedRequest::CancelPayment,
            fingerprint: request.fingerprint(id),
            version: None,
        };
        let command = Command::Cancel {
            by: by.name(),
            reason: request.reason.clone(),
        };
        self.change(&asked, command, render).await
    }

    /// Sets a refund's amount aside and has it paid out. See [`Changes::cancel`] for what is
    /// returned.
    pub async fn refund(
        &self,
        by: &Requester,
        id: &PaymentId,
        key: &IdempotencyKey,
        request: &CreateRefund,
        render: Render<'_>,
    ) -> Result<(Answer, Vec<OutboxEvent>), ChangeError> {
        self.refund_of(by, (id, None), key, request, render).await
    }

    /// The same; of `version` of the payment alone, if one is given.
    pub async fn refund_of(
        &self,
        by: &Requester,
        (id, version): (&PaymentId, Option<u64>),
        key: &IdempotencyKey,
        request: &CreateRefund,
        render: Render<'_>,
    ) -> Result<(Answer, Vec<OutboxEvent>), ChangeError> {
        let random =
            (u128::from(self.random.next_u64()) << 64) | u128::from(self.random.next_u64());
        let at_ms = u64::try_from(self.clock.now().as_millisecond()).unwrap_or(0);
        let refund = RefundId::from_parts(at_ms, random);
        let command = Command::RequestRefund {
            id: refund,
            minor: request.minor,
            by: by.name(),
            reason: request.reason.clone(),
        };
        self.change(
            &ask_refund(by, (id, version), key, request),
            command,
            render,
        )
        .await
    }

    /// What a refund under this key was answered, if there was one.
    pub async fn find_refund(
        &self,
        by: &Requester,
        id: &PaymentId,
        key: &IdempotencyKey,
        request: &CreateRefund,
    ) -> Result<Option<Answer>, ChangeError> {
        let (_, _, answer) = self.look(&ask_refund(by, (id, None), key, request)).await?;
        Ok(answer)
    }

    /// The payment as it is now, where the key stands, and the answer if it was used for the same
    /// request.
    pub(super) async fn look(
        &self,
        asked: &PaymentChange<'_>,
    ) -> Result<(Payment, IdempotencyScope, Option<Answer>), ChangeError> {
        let now = self.clock.now();
        let payment = self
            .store
            .get(asked.id)
            .await?
            .filter(|payment| asked.by.may_see(payment))
            .ok_or(ChangeError::NotFound)?;
        let scope = IdempotencyScope {
            merchant: payment.merchant.clone(),
            live: payment.live,
            request: asked.request,
            key: asked.key.clone(),
        };
        let answer = match self.store.idempotency(&scope, now).await? {
            Some(row) => {
                Some(repeat_answer(row, &asked.fingerprint).ok_or(ChangeError::KeyReused)?)
            }
            None => None,
        };
        Ok((payment, scope, answer))
    }

    pub(super) async fn change(
        &self,
        asked: &PaymentChange<'_>,
        command: Command,
        render: Render<'_>,
    ) -> Result<(Answer, Vec<OutboxEvent>), ChangeError> {
        for _ in 0..TRIES {
            let (payment, scope, answered) = self.look(asked).await?;
            if let Some(answer) = answered {
                return Ok((answer, Vec::new()));
            }
            if let Some(planned) = asked.version.filter(|planned| *planned != payment.version) {
                return Err(ChangeError::Moved {
                    planned,
                    found: payment.version,
                });
            }
            let now = self.clock.now();
            let decision = decide(&payment, command.clone(), now, &self.limits)?;
            let change = change(&payment, decision, asked, scope, render, now);
            match self.store.commit(&change).await? {
                Committed::Done => {
                    let Some(row) = change.idempotency else {
                        return Err(ChangeError::Busy);
                    };
                    return Ok((
                        Answer {
                            request: row.scope.request,
                            body: row.response,
                            payment: row.payment,
                            replayed: false,
                        },
                        change.outbox,
                    ));
                }
                Committed::Stale => {}
                Committed::KeyTaken(row) => {
                    return repeat_answer(*row, &asked.fingerprint)
                        .map(|answer| (answer, Vec::new()))
                        .ok_or(ChangeError::KeyReused);
                }
            }
        }
        Err(ChangeError::Busy)
    }
}

fn ask_refund<'a>(
    by: &'a Requester,
    (id, version): (&'a PaymentId, Option<u64>),
    key: &'a IdempotencyKey,
    request: &CreateRefund,
) -> PaymentChange<'a> {
    PaymentChange {
        by,
        id,
        key,
        request: KeyedRequest::RefundPayment,
        fingerprint: request.fingerprint(id),
        version,
    }
}

fn change(
    before: &Payment,
    decision: Transition,
    asked: &PaymentChange<'_>,
    scope: IdempotencyScope,
    render: Render<'_>,
    now: Timestamp,
) -> Change {
    let idempotency = IdempotencyRow {
        scope,
        fingerprint: asked.fingerprint.clone(),
        payment: before.id.clone(),
        response: render(&decision.payment),
        expires_at: now.checked_add(KEY_KEPT).unwrap_or(Timestamp::MAX),
    };
    let mut change = build_change(before, decision, now);
    change.idempotency = Some(idempotency);
    change
}

/// The change that writes `decision`, made on `before`.
pub(super) fn build_change(before: &Payment, decision: Transition, now: Timestamp) -> Change {
    Change {
        payment: decision.payment,
        expect: Precondition {
            version: before.version,
            fence: before.fence,
        },
        events: decision.events,
        outbox: decision.outbox,
        idempotency: None,
        now,
    }
}
