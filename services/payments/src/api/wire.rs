//! The JSON that goes over the wire. Separate from domain types: a field added inside does not
//! appear outside, and one renamed inside keeps its name here. `payops-core` parses requests; the
//! request types here only describe them.

use std::collections::BTreeMap;

use payops_core::Timestamp;
use payops_core::domain::event::{Event, EventKind};
use payops_core::domain::payment::Payment;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A payment to create.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePaymentRequest {
    /// Amount in minor units: 1250 is 12.50 EUR, 1250 JPY or 1.250 KWD.
    #[schema(minimum = 1, maximum = 999_999_999_999_i64, example = 1250)]
    pub amount: i64,
    /// Three-letter ISO 4217 code in upper case.
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    pub currency: String,
    /// Token or payment method of the payment provider; never a card number.
    #[schema(
        pattern = "^(tok|pm)_[A-Za-z0-9_]+$",
        max_length = 128,
        example = "tok_visa"
    )]
    pub source: String,
    /// Your own reference for the payment.
    #[schema(max_length = 128, example = "INV-1")]
    pub reference: Option<String>,
    /// The customer who pays.
    pub customer: CustomerRequest,
    /// Up to 50 key-value pairs of your own: keys of up to 40 bytes, values of up to 500.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// The customer who pays.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerRequest {
    /// E-mail address that receives the receipt.
    #[schema(max_length = 254, example = "a@example.com")]
    pub email: String,
}

/// A refund to create.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRefundRequest {
    /// Amount in minor units of the payment's currency; if omitted, all that can still be refunded.
    #[schema(minimum = 1, example = 250)]
    pub amount: Option<i64>,
    /// Why the payment is refunded.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// A cancellation of a payment.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// Why the payment is canceled.
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// A payment as it is now.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Payment)]
pub struct PaymentBody {
    #[schema(example = "pay_01KAN4S0G0000000000000000A")]
    id: String,
    /// The object type, always `payment`.
    #[schema(example = "payment")]
    object: &'static str,
    /// One of `processing`, `completed`, `failed`, `canceled`, `review`, `partially_refunded` and
    /// `refunded`.
    #[schema(example = "processing")]
    status: &'static str,
    /// Amount in minor units.
    #[schema(example = 1250)]
    amount: i64,
    /// Amount refunded so far, in minor units.
    amount_refunded: i64,
    /// Amount that can still be refunded, in minor units.
    amount_refundable: i64,
    #[schema(example = "EUR")]
    currency: &'static str,
    /// `true` in live mode, `false` in test mode.
    live: bool,
    /// Starts at 1 and rises with every change.
    #[schema(example = 1)]
    version: u64,
    /// The kind of source: `token` or `payment_method`.
    #[schema(example = "token")]
    source_type: &'static str,
    reference: Option<String>,
    customer: CustomerBody,
    metadata: BTreeMap<String, String>,
    /// The charge; null until the payment is charged.
    charge: Option<ChargeBody>,
    /// Why the payment failed or is in review; otherwise null.
    failure: Option<FailureBody>,
    refunds: Vec<RefundBody>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// The customer who pays.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Customer)]
pub struct CustomerBody {
    email: String,
}

/// The charge of a payment.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Charge)]
pub struct ChargeBody {
    /// Card brand, such as `visa`.
    card_brand: Option<String>,
    /// Last four digits of the card.
    card_last4: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    charged_at: Timestamp,
}

/// Why a payment did not go through.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Failure)]
pub struct FailureBody {
    /// A stable error code, such as `card_declined`.
    code: String,
    message: String,
}

/// A refund of a payment.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Refund)]
pub struct RefundBody {
    #[schema(example = "re_01KAN4S0G0000000000000000B")]
    id: String,
    /// The object type, always `refund`.
    #[schema(example = "refund")]
    object: &'static str,
    /// Id of the refunded payment.
    payment: String,
    /// One of `pending`, `succeeded` and `failed`.
    #[schema(example = "pending")]
    status: &'static str,
    /// Amount in minor units.
    amount: i64,
    #[schema(example = "EUR")]
    currency: &'static str,
    reason: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// A page of payments, newest first. It may lag behind the newest changes.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = PaymentList)]
pub struct ListBody {
    pub(super) data: Vec<PaymentBody>,
    pub(super) has_more: bool,
    /// The `cursor` of the next page; null on the last page.
    pub(super) next_cursor: Option<String>,
}

/// The events of a payment, oldest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = EventList)]
pub struct EventsBody {
    pub(super) data: Vec<EventBody>,
}

/// An event in the timeline of a payment.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventBody {
    /// Counts the payment's events: 1, 2, 3 and so on, without gaps.
    seq: u64,
    /// The event type, such as `accepted` or `completed`.
    #[serde(rename = "type")]
    #[schema(example = "accepted")]
    kind: &'static str,
    /// The payment's version after this event.
    version: u64,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[schema(value_type = Object)]
    detail: Map<String, Value>,
}

impl From<&Payment> for PaymentBody {
    fn from(payment: &Payment) -> Self {
        let charge = payment.charge.as_ref().map(|charge| ChargeBody {
            card_brand: charge.card.as_ref().map(|card| card.brand.clone()),
            card_last4: charge.card.as_ref().map(|card| card.last4.clone()),
            charged_at: charge.at,
        });
        let failure = payment.failure.as_ref().map(|failure| FailureBody {
            code: failure.code.clone(),
            message: failure.message.clone(),
        });
        Self {
            id: payment.id.to_string(),
            object: "payment",
            status: payment.status.as_str(),
            amount: payment.money.minor(),
            amount_refunded: payment.refunded_minor(),
            amount_refundable: payment.refundable_minor,
            currency: payment.money.currency().code(),
            live: payment.live,
            version: payment.version,
            source_type: if payment.source.as_str().starts_with("pm_") {
                "payment_method"
            } else {
                "token"
            },
            reference: payment
                .reference
                .as_ref()
                .map(|reference| reference.as_str().to_owned()),
            customer: CustomerBody {
                email: payment.email.as_str().to_owned(),
            },
            metadata: payment.metadata.clone(),
            charge,
            failure,
            refunds: refunds(payment),
            created_at: payment.created_at,
            updated_at: payment.updated_at,
        }
    }
}

/// Lists a payment's refunds in the order they were requested.
#[must_use]
pub fn refunds(payment: &Payment) -> Vec<RefundBody> {
    let body = |refund: &payops_core::domain::payment::Refund| RefundBody {
        id: refund.id.to_string(),
        object: "refund",
        payment: payment.id.to_string(),
        status: refund.state.as_str(),
        amount: refund.minor,
        currency: payment.money.currency().code(),
        reason: refund.reason.clone(),
        created_at: refund.at,
    };
    payment.refunds.iter().map(body).collect()
}

impl From<&Event> for EventBody {
    fn from(event: &Event) -> Self {
        let detail = public_details(event.kind)
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), event.detail.get(*name)?.clone())));
        Self {
            seq: event.seq,
            kind: event.kind.as_str(),
            version: event.version,
            at: event.at,
            detail: detail.collect(),
        }
    }
}

/// Which details of an event the merchant sees. The others are internal: names of operators,
/// queues and workers, keys at the provider, messages of internal errors.
fn public_details(kind: EventKind) -> &'static [&'static str] {
    match kind {
        EventKind::Accepted => &["amount", "currency", "reference"],
        EventKind::Attempt => &["number", "refund_id"],
        EventKind::AttemptFailed | EventKind::AttemptUnknown => &["number", "code"],
        EventKind::Completed => &["amount", "currency"],
        EventKind::Failed => &["code", "message"],
        EventKind::Canceled => &["reason"],
        EventKind::Review => &["code"],
        EventKind::Resolved => &["as"],
        EventKind::RefundRequested => &["refund_id", "amount", "currency", "reason"],
        EventKind::RefundPending | EventKind::RefundSucceeded => &["refund_id", "amount"],
        EventKind::RefundFailed => &["refund_id", "amount", "code", "message"],
        EventKind::Archived
        | EventKind::Queued
        | EventKind::DeadLettered
        | EventKind::Redriven
        | EventKind::Replayed
        | EventKind::Ledger
        | EventKind::Indexed
        | EventKind::MailAttempt
        | EventKind::MailRefused
        | EventKind::Receipt
        | EventKind::FailureNotice
        | EventKind::RefundNotice
        | EventKind::MailUnconfirmed => &[],
    }
}
