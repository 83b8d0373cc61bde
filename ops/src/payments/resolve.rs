//! Deciding how a payment in review ended. The provider is asked first, and money that it took is
//! never called "not charged".

use std::sync::Arc;

use payops_core::domain::access::Action;
use payops_core::domain::id::PaymentId;
use payops_core::domain::payment::Payment;
use payops_core::domain::resolve::{Basis, Contradiction, ResolvePayment, Settlement};
use payops_core::domain::text::IdempotencyKey;
use payops_core::usecase::{ResolveError, Resolver};

use super::change::{ChangedPayment, equivalent_change, finish, invalid, render, to_error};
use crate::act::{Act, Done};
use crate::error::{Kind, OpsError, OpsResult};
use crate::session::Session;

/// An operator's decision about a payment in review.
#[derive(Clone, Debug)]
pub struct Resolve {
    pub payment: Payment,
    key: IdempotencyKey,
    request: ResolvePayment,
}

impl Resolve {
    /// `force`: the operator's word counts for a charge that the provider does not list, or cannot
    /// be asked about.
    pub fn new(
        payment: Payment,
        word: Settlement,
        reason: &str,
        force: bool,
        key: IdempotencyKey,
    ) -> OpsResult<Self> {
        Ok(Self {
            payment,
            key,
            request: ResolvePayment::new(word, reason, force).map_err(invalid)?,
        })
    }

    fn outcome(&self) -> &'static str {
        match self.request.settlement {
            Settlement::Charged { .. } => "charged",
            Settlement::NotCharged => "not charged",
        }
    }

    /// What will be done, after "This will".
    #[must_use]
    pub fn what(&self) -> String {
        let Payment { money, id, .. } = &self.payment;
        format!("resolve {money} of {id} as {}", self.outcome())
    }

    /// Asks the provider, and says what the decision rests on. Nothing is changed or recorded.
    pub async fn weigh(&self, session: &Session) -> OpsResult<Basis> {
        Resolver::from(session.ports().await?)
            .weigh(&self.payment, &self.request)
            .await
            .map(|resolution| resolution.basis)
            .map_err(|error| resolve_error(session, error, &self.payment.id, &self.key))
    }

    pub async fn run(&self, session: &Arc<Session>) -> OpsResult<ChangedPayment> {
        let id = &self.payment.id;
        let act = Act::new(Action::PaymentResolve)
            .subject(id.as_str())
            .reason(Some(&self.request.reason))
            .detail("as", self.outcome())
            .equivalent(equivalent_change(session, &self.payment));
        session
            .act(act, async |permit| {
                let ports = permit.ports().await?;
                let answer = Resolver::from(&ports)
                    .resolve(session.who(), id, &self.key, &self.request, &render)
                    .await
                    .map_err(|error| resolve_error(session, error, id, &self.key))?;
                Ok(Done::new(finish(&ports, &self.payment, answer).await))
            })
            .await
    }
}

fn resolve_error(
    session: &Session,
    error: ResolveError,
    id: &PaymentId,
    key: &IdempotencyKey,
) -> OpsError {
    let contradiction = match error {
        ResolveError::Change(error) => return to_error(session, error, (id, "resolved"), key),
        ResolveError::Contradicted(contradiction) => contradiction,
    };
    let hint = match &contradiction {
        Contradiction::Charged { .. } => {
            format!(
                "resolve it with --as charged, then refund it with: {}",
                session.command(&format!("payment refund {id}"))
            )
        }
        Contradiction::NoCharge => {
            "a recent charge may not be listed yet; wait, or use --charge-id and --force".to_owned()
        }
        Contradiction::OtherCharge { .. } => {
            "use the charge ID that is listed, or omit --charge-id".to_owned()
        }
        Contradiction::Several { .. } => {
            "name the valid charge with --charge-id, and refund the others at the provider"
                .to_owned()
        }
        Contradiction::OtherAmount { .. } => {
            "clarify this with the provider; the payment stays in review".to_owned()
        }
        Contradiction::NoChargeId => {
            "add --charge-id with the ID that the provider's console shows".to_owned()
        }
        Contradiction::NoAnswer { .. } => {
            "try again later; an unknown outcome must not be treated as a failure".to_owned()
        }
    };
    let kind = if contradiction == Contradiction::NoChargeId {
        Kind::Usage
    } else {
        Kind::Failed
    };
    OpsError::new(kind, format!("{id} was not changed: {contradiction}")).hint(hint)
}
