//! A real provider over HTTP, in the shape of Stripe's API. A payment's charge is a payment intent.
//!
//! **Finding a charge.** An idempotency key cannot be looked up, only repeated, and that is the
//! caller's to decide. Intents carry the payment's id as metadata; they are found by Stripe's
//! search, which may lag behind by a minute, in an outage by an hour
//! (<https://docs.stripe.com/search#data-freshness>). That is safe here: within the day that keys
//! are known, "not found" makes the caller repeat the same key, which cannot charge twice; later it
//! makes the caller stop, and by then the search has caught up. Found intents are read again where
//! their status may be old. Where search is not offered, all intents made since the payment are
//! paged through.

mod api;
mod lookup;
mod units;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use payops_core::Timestamp;
use payops_core::domain::id::PaymentId;
use payops_core::domain::payment::{Card, Charge, Failure};
use payops_core::domain::reconcile::{ProviderEntry, ProviderRefund};
use payops_core::domain::text::Source;
use payops_core::port::{
    ChargeOutcome, ChargeRequest, ErrorKind, PortError, PortResult, Provider, ProviderPage,
    RefundOutcome, RefundRequest,
};
use reqwest::StatusCode;
use secrecy::SecretString;

use api::{Answer, Api, Rejection};
use lookup::{charge_entry, has_failed, refund_entry};
use units::to_stripe;
use wire::{AnyObject, ApiError, Expandable, Intent, RefundObject};

/// Declines after which another attempt may do better: <https://docs.stripe.com/declines/codes>.
const SOFT_DECLINES: [&str; 3] = [
    "processing_error",
    "try_again_later",
    "issuer_not_available",
];
/// Refusals of a refund that no repetition changes: nothing was paid out.
const REFUND_REFUSALS: [&str; 4] = [
    "charge_already_refunded",
    "charge_disputed",
    "charge_not_refundable",
    "refund_disputed_payment",
];
const EXPAND: [(&str, &str); 2] = [
    ("expand[]", "latest_charge"),
    ("expand[]", "payment_method"),
];
const MESSAGE_CHARS_MAX: usize = 200;

pub struct HttpProvider {
    api: Api,
}

impl std::fmt::Debug for HttpProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpProvider").finish_non_exhaustive()
    }
}

impl HttpProvider {
    /// The API at `base_url` (such as `https://api.stripe.com`), with `key` as bearer token. A call
    /// that takes longer than `timeout` in all is given up on.
    ///
    /// [`ErrorKind::Permanent`] for an address or a key that cannot be one.
    pub fn new(base_url: &str, key: &SecretString, timeout: Duration) -> PortResult<Self> {
        Ok(Self {
            api: Api::new(base_url, key, timeout)?,
        })
    }

    /// What an intent that was just asked for has come to.
    async fn outcome(&self, intent: Intent) -> PortResult<ChargeOutcome> {
        let intent = if waits_for_customer(&intent) {
            self.cancel(intent).await?
        } else {
            intent
        };
        match intent.status.as_str() {
            "succeeded" => Ok(ChargeOutcome::Approved(charge_of(&intent)?)),
            "canceled" => Ok(ChargeOutcome::Declined {
                failure: Failure {
                    code: "authentication_required".to_owned(),
                    message:
                        "the card's bank asks the customer to confirm, which is not possible here"
                            .to_owned(),
                },
                soft: false,
            }),
            "requires_payment_method" => {
                Ok(to_declined(&intent.last_payment_error.unwrap_or_default()))
            }
            // Still processing, or a status that is not known here: it may yet succeed.
            _ => Err(PortError::new(
                ErrorKind::Ambiguous,
                "the provider has not settled the charge",
            )),
        }
    }

    /// Ends an intent that waits for the customer, so that it cannot succeed behind our back.
    async fn cancel(&self, intent: Intent) -> PortResult<Intent> {
        let path = format!("/v1/payment_intents/{}", intent.id);
        // A repeated key replays the first answer: the intent may be canceled already, and then
        // this is refused.
        let canceled: PortResult<Answer<Intent>> = self
            .api
            .post(&format!("{path}/cancel"), None, &EXPAND)
            .await;
        if let Ok(Answer::Done(intent)) = canceled {
            return Ok(intent);
        }
        match self.api.get::<Intent>(&path, &EXPAND).await {
            Ok(Answer::Done(intent)) if !waits_for_customer(&intent) => Ok(intent),
            _ => Err(PortError::new(
                ErrorKind::Ambiguous,
                "a charge that waits for the customer could not be canceled",
            )),
        }
    }
}

fn waits_for_customer(intent: &Intent) -> bool {
    matches!(
        intent.status.as_str(),
        "requires_action" | "requires_confirmation" | "requires_capture"
    )
}

fn charge_of(intent: &Intent) -> PortResult<Charge> {
    let charge = intent.latest_charge.as_ref().and_then(Expandable::object);
    let method = intent.payment_method.as_ref().and_then(Expandable::object);
    // What was charged; else the method as it is now, which may have been changed since.
    let details = charge
        .and_then(|charge| charge.payment_method_details.as_ref())
        .or(method);
    let card = details.and_then(|details| details.card.as_ref());
    let card = card.and_then(|card| {
        Some(Card {
            brand: card.brand.clone()?,
            last4: card.last4.clone()?,
        })
    });
    let at = Timestamp::from_second(charge.map_or(intent.created, |charge| charge.created));
    let at = at.map_err(|error| {
        PortError::because(
            ErrorKind::Ambiguous,
            "the provider's charge has no valid time",
            error,
        )
    })?;
    Ok(Charge {
        id: intent.id.clone(),
        card,
        at,
    })
}

fn to_declined(error: &ApiError) -> ChargeOutcome {
    let code = error.safe_code().unwrap_or("card_declined").to_owned();
    let soft = [error.code.as_deref(), error.decline_code.as_deref()]
        .into_iter()
        .flatten()
        .any(|code| SOFT_DECLINES.contains(&code));
    ChargeOutcome::Declined {
        failure: Failure {
            code,
            message: message_of(error, "the card was declined"),
        },
        soft,
    }
}

/// Stripe's messages of declines are meant for customers; control characters and length are not
/// trusted.
fn message_of(error: &ApiError, otherwise: &str) -> String {
    let message: String = error
        .message
        .iter()
        .flat_map(|text| text.chars())
        .filter(|c| !c.is_control())
        .take(MESSAGE_CHARS_MAX)
        .collect();
    if message.is_empty() {
        otherwise.to_owned()
    } else {
        message
    }
}

/// What a refund has come to. Stripe's refunds may be pending for days and fail at the end:
/// <https://docs.stripe.com/refunds#failed-refunds>.
fn refund_outcome(refund: &RefundObject) -> RefundOutcome {
    if has_failed(refund) {
        let code = refund
            .failure_reason
            .as_deref()
            .filter(|code| api::is_code(code))
            .unwrap_or("refund_failed")
            .to_owned();
        return RefundOutcome::Refused(Failure {
            code,
            message: "the provider could not pay the refund out".to_owned(),
        });
    }
    let provider_id = refund.id.clone();
    match refund.status.as_deref() {
        Some("succeeded") => RefundOutcome::Paid { provider_id },
        // Pending, or a status that is not known here: it may yet be paid out.
        _ => RefundOutcome::Pending { provider_id },
    }
}

/// The code of a refusal that settles a refund; other refusals are for people to look at.
fn refund_refusal(refused: &Rejection) -> Option<String> {
    let code = refused
        .error
        .safe_code()
        .filter(|code| REFUND_REFUSALS.contains(code))
        .map(str::to_owned);
    // More than is left of the charge has no code, only the name of the parameter.
    let too_large = refused.status == StatusCode::BAD_REQUEST
        && refused.error.param.as_deref() == Some("amount");
    code.or_else(|| too_large.then(|| "refund_too_large".to_owned()))
}

#[async_trait]
impl Provider for HttpProvider {
    async fn knows_source(&self, source: &Source) -> PortResult<bool> {
        let kind = if source.as_str().starts_with("tok_") {
            "tokens"
        } else {
            "payment_methods"
        };
        match self
            .api
            .get::<AnyObject>(&format!("/v1/{kind}/{}", source.as_str()), &[])
            .await?
        {
            Answer::Done(_) => Ok(true),
            Answer::Refused(refused) if refused.status == StatusCode::NOT_FOUND => Ok(false),
            Answer::Refused(refused) => Err(refused.into_port()),
        }
    }

    async fn charge(&self, request: &ChargeRequest) -> PortResult<ChargeOutcome> {
        let amount = to_stripe(request.money.minor(), request.money.currency())?.to_string();
        let currency = request.money.currency().code().to_lowercase();
        let source = request.source.as_str();
        let mut parameters = vec![
            ("amount", amount.as_str()),
            ("currency", currency.as_str()),
            ("confirm", "true"),
            ("payment_method_types[]", "card"),
            ("metadata[payment_id]", request.payment.as_str()),
            ("metadata[provider_key]", request.key.as_str()),
        ];
        parameters.extend(EXPAND);
        // Tokens of cards are not payment methods; Stripe makes one of a token that is given so.
        if source.starts_with("tok_") {
            parameters.extend([
                ("payment_method_data[type]", "card"),
                ("payment_method_data[card][token]", source),
            ]);
        } else {
            parameters.push(("payment_method", source));
        }
        match self
            .api
            .post::<Intent>("/v1/payment_intents", Some(&request.key), &parameters)
            .await?
        {
            Answer::Done(intent) => self.outcome(intent).await,
            Answer::Refused(Rejection {
                status: StatusCode::PAYMENT_REQUIRED,
                error,
            }) => Ok(to_declined(&error)),
            Answer::Refused(refused) => Err(refused.into_port()),
        }
    }

    async fn find_charge(&self, payment: &PaymentId) -> PortResult<Option<Charge>> {
        let intents = self.intents(payment).await?;
        // The first one taken, if there should be more.
        let taken = intents
            .iter()
            .filter(|intent| intent.status == "succeeded")
            .min_by_key(|intent| intent.created);
        if let Some(intent) = taken {
            return charge_of(intent).map(Some);
        }
        if intents.iter().any(|intent| intent.status == "processing") {
            return Err(PortError::new(
                ErrorKind::Unavailable,
                "the provider is still processing a charge of the payment",
            ));
        }
        Ok(None)
    }

    async fn refund(&self, request: &RefundRequest) -> PortResult<RefundOutcome> {
        let amount = to_stripe(request.money.minor(), request.money.currency())?.to_string();
        let parameters = [
            ("payment_intent", request.charge_id.as_str()),
            ("amount", amount.as_str()),
            ("metadata[refund_id]", request.refund.as_str()),
            ("metadata[payment_id]", request.payment.as_str()),
        ];
        let refund = match self
            .api
            .post::<RefundObject>("/v1/refunds", Some(request.refund.as_str()), &parameters)
            .await?
        {
            Answer::Done(refund) => refund,
            Answer::Refused(refused) => {
                let Some(code) = refund_refusal(&refused) else {
                    return Err(refused.into_port());
                };
                return Ok(RefundOutcome::Refused(Failure {
                    code,
                    message: message_of(&refused.error, "the refund was refused"),
                }));
            }
        };
        Ok(refund_outcome(&refund))
    }

    async fn find_refund(&self, request: &RefundRequest) -> PortResult<Option<RefundOutcome>> {
        let refunds = self.refunds_of(&request.charge_id).await?;
        let ours = |refund: &&RefundObject| {
            refund
                .metadata
                .get("refund_id")
                .is_some_and(|id| id == request.refund.as_str())
        };
        let outcomes: Vec<RefundOutcome> =
            refunds.iter().filter(ours).map(refund_outcome).collect();
        // Should there be several, the one in which most money moved counts.
        let rank = |outcome: &&RefundOutcome| match outcome {
            RefundOutcome::Paid { .. } => 2,
            RefundOutcome::Pending { .. } => 1,
            RefundOutcome::Refused(_) => 0,
        };
        Ok(outcomes.iter().max_by_key(rank).cloned())
    }

    async fn charges(&self, payment: &PaymentId) -> PortResult<Vec<ProviderEntry>> {
        let intents = self
            .intents(payment)
            .await?
            .into_iter()
            .filter(|intent| intent.status == "succeeded");
        Ok(intents.map(charge_entry).collect())
    }

    async fn refunds(&self, charge_id: &str) -> PortResult<Vec<ProviderRefund>> {
        let refunds = self.refunds_of(charge_id).await?;
        let listed = refunds
            .iter()
            .filter(|refund| !has_failed(refund))
            .map(|refund| ProviderRefund {
                entry: refund_entry(refund),
                refund: refund.metadata.get("refund_id").cloned(),
                paid: refund.status.as_deref() == Some("succeeded"),
            });
        Ok(listed.collect())
    }

    async fn scan_charges(&self, from: Option<&str>, limit: usize) -> PortResult<ProviderPage> {
        self.list_charges(from, limit).await
    }

    async fn scan_refunds(&self, from: Option<&str>, limit: usize) -> PortResult<ProviderPage> {
        self.list_refunds(from, limit).await
    }
}
