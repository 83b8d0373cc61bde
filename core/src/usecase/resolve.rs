//! A payment in review is brought to its end by an operator, after the provider was asked.

use std::sync::Arc;

use super::accept::{Answer, Render};
use super::change::{ChangeError, Changes, PaymentChange, Requester};
use crate::domain::id::PaymentId;
use crate::domain::machine::{Command, TransitionRefusal};
use crate::domain::outbox::OutboxEvent;
use crate::domain::payment::{Payment, Status};
use crate::domain::resolve::{Contradiction, ProviderAnswer, Resolution, ResolvePayment, weigh};
use crate::domain::text::IdempotencyKey;
use crate::port::{KeyedRequest, PortResult, Ports, Provider};

/// Why a payment was not resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error(transparent)]
    Contradicted(#[from] Contradiction),
    /// The change could not be made.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

#[derive(Clone)]
pub struct Resolver {
    pub changes: Changes,
    /// Who knows whether money was taken; `None` where it cannot be asked from.
    pub provider: Option<Arc<dyn Provider>>,
}

impl From<&Ports> for Resolver {
    fn from(ports: &Ports) -> Self {
        Self {
            changes: ports.into(),
            provider: ports.provider.clone(),
        }
    }
}

impl Resolver {
    /// Asks the provider about `payment`, and says what the request comes to. Nothing is changed.
    pub async fn weigh(
        &self,
        payment: &Payment,
        request: &ResolvePayment,
    ) -> Result<Resolution, ResolveError> {
        if payment.status != Status::Review {
            return Err(ChangeError::Refused(TransitionRefusal::Status {
                status: payment.status,
            })
            .into());
        }
        let said = match &self.provider {
            None => ProviderAnswer::NotAsked,
            Some(provider) => ask(&**provider, &payment.id)
                .await
                .unwrap_or_else(|error| ProviderAnswer::NoAnswer(error.chain())),
        };
        Ok(weigh(payment, request, said, self.changes.clock.now())?)
    }

    /// Brings the payment to `completed` or `failed`; no merchant may. The provider is asked
    /// before; see [`Changes::cancel`] for what is returned.
    pub async fn resolve(
        &self,
        operator: &str,
        id: &PaymentId,
        key: &IdempotencyKey,
        request: &ResolvePayment,
        render: Render<'_>,
    ) -> Result<(Answer, Vec<OutboxEvent>), ResolveError> {
        let by = &Requester::Operator(operator.to_owned());
        let asked = PaymentChange {
            by,
            id,
            key,
            request: KeyedRequest::ResolvePayment,
            fingerprint: request.fingerprint(id),
            version: None,
        };
        // The same request again is answered as before, although the payment is in review no more.
        let (payment, _, answered) = self.changes.look(&asked).await?;
        if let Some(answer) = answered {
            return Ok((answer, Vec::new()));
        }
        let resolution = self.weigh(&payment, request).await?;
        let command = Command::Resolve {
            by: by.name(),
            reason: request.reason.clone(),
            resolution,
        };
        Ok(self.changes.change(&asked, command, render).await?)
    }
}

/// The full charge is asked for first: it is what a provider refuses to tell while a charge is
/// under way, so that an empty list is never taken for "not charged" then.
async fn ask(provider: &dyn Provider, id: &PaymentId) -> PortResult<ProviderAnswer> {
    let first = provider.find_charge(id).await?;
    let all = provider.charges(id).await?;
    if let (Some(first), true) = (&first, all.is_empty()) {
        return Ok(ProviderAnswer::NoAnswer(format!(
            "it mentions charge {} but lists none",
            first.id
        )));
    }
    Ok(ProviderAnswer::Charges { first, all })
}
