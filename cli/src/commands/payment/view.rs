//! A payment as this tool shows it. The JSON shape is part of the command line's contract.

use jiff::Timestamp;
use payops_core::domain::money::major;
use payops_core::domain::payment::Payment;
use serde::Serialize;
use serde_json::{Value, json};

use crate::output::{Cell, Document, Look, Tone, details, moment};
use payops_core::domain::privacy::Privacy;

/// A payment. Amounts are integers in minor units of `currency`; e-mail addresses and the
/// source are masked unless revealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PaymentView {
    pub(crate) id: String,
    pub(crate) status: &'static str,
    pub(crate) amount: i64,
    pub(crate) currency: &'static str,
    pub(crate) version: u64,
    pub(crate) reference: Option<String>,
    pub(crate) merchant: String,
    pub(crate) live: bool,
    pub(crate) email: String,
    pub(crate) source: String,
    pub(crate) metadata: Value,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) refunded: i64,
    pub(crate) refundable: i64,
    pub(crate) attempt: Option<AttemptView>,
    pub(crate) charge: Option<ChargeView>,
    pub(crate) failure: Option<FailureView>,
    /// Set while its message lies in a dead-letter queue.
    pub(crate) dead: Option<DeadView>,
    pub(crate) refunds: Vec<RefundView>,
    pub(crate) redrives: u32,
    pub(crate) archive_key: String,
    #[serde(skip)]
    amount_text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AttemptView {
    pub(crate) number: u32,
    /// `sent` (the outcome is not known), `not_applied`, `soft_declined` or `settled`.
    pub(crate) state: String,
    pub(crate) calls: u32,
    pub(crate) first_sent_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ChargeView {
    pub(crate) id: String,
    pub(crate) brand: Option<String>,
    pub(crate) last4: Option<String>,
    pub(crate) at: Timestamp,
}

/// Why it did not go through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FailureView {
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct DeadView {
    pub(crate) at: Timestamp,
    pub(crate) queue: String,
    pub(crate) class: String,
    pub(crate) reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RefundView {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) state: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) by: String,
    pub(crate) at: Timestamp,
}

impl PaymentView {
    /// The view of `payment`.
    pub(crate) fn new(payment: &Payment, privacy: Privacy) -> Self {
        let card = payment
            .charge
            .as_ref()
            .and_then(|charge| charge.card.as_ref());
        Self {
            id: payment.id.to_string(),
            status: payment.status.as_str(),
            amount: payment.money.minor(),
            currency: payment.money.currency().code(),
            version: payment.version,
            reference: payment
                .reference
                .as_ref()
                .map(|reference| privacy.text(reference.as_str())),
            merchant: payment.merchant.to_string(),
            live: payment.live,
            email: privacy.email(payment.email.as_str()),
            source: privacy.token(payment.source.as_str()),
            metadata: privacy.json(&json!(payment.metadata)),
            created_at: payment.created_at,
            updated_at: payment.updated_at,
            refunded: payment.refunded_minor(),
            refundable: payment.refundable_minor,
            attempt: payment.attempt.as_ref().map(|attempt| AttemptView {
                number: attempt.number,
                state: state_name(&attempt.state),
                calls: attempt.calls,
                first_sent_at: attempt.first_sent_at,
            }),
            charge: payment.charge.as_ref().map(|charge| ChargeView {
                id: charge.id.clone(),
                brand: card.map(|card| card.brand.clone()),
                last4: card.map(|card| card.last4.clone()),
                at: charge.at,
            }),
            failure: payment.failure.as_ref().map(|failure| FailureView {
                code: failure.code.clone(),
                message: privacy.text(&failure.message),
            }),
            dead: payment.dead.as_ref().map(|dead| DeadView {
                at: dead.at,
                queue: dead.queue.clone(),
                class: dead.class.clone(),
                reason: privacy.text(&dead.reason),
            }),
            refunds: payment
                .refunds
                .iter()
                .map(|refund| refund_view(refund, privacy))
                .collect(),
            redrives: payment.redrives,
            archive_key: payment.archive.key.clone(),
            amount_text: payment.money.to_string(),
        }
    }
}

fn refund_view(refund: &payops_core::domain::payment::Refund, privacy: Privacy) -> RefundView {
    RefundView {
        id: refund.id.to_string(),
        amount: refund.minor,
        state: refund.state.as_str(),
        reason: refund.reason.as_deref().map(|reason| privacy.text(reason)),
        by: refund.by.clone(),
        at: refund.at,
    }
}

/// The name of an attempt's state, as its JSON has it.
fn state_name(state: &payops_core::domain::payment::AttemptState) -> String {
    let value = serde_json::to_value(state).unwrap_or_default();
    value
        .get("state")
        .and_then(serde_json::Value::as_str)
        .unwrap_or("unknown")
        .to_owned()
}

impl Document for PaymentView {
    fn human(&self, look: &Look) -> String {
        let currency = self.currency.parse().ok();
        let money = |minor: i64| {
            currency.map_or_else(
                || minor.to_string(),
                |currency| format!("{} {}", major(minor, currency), self.currency),
            )
        };
        let card = self
            .charge
            .as_ref()
            .map(|charge| match (&charge.brand, &charge.last4) {
                (Some(brand), Some(last4)) => format!("{}  {brand} …{last4}", charge.id),
                _ => charge.id.clone(),
            });
        let attempt = self.attempt.as_ref().map(|attempt| {
            format!(
                "{}, {}, {}",
                attempt.number,
                attempt.state,
                crate::output::count(attempt.calls, "call")
            )
        });
        let failure = self.failure.as_ref().map(|failure| {
            Cell::toned(format!("{}: {}", failure.code, failure.message), Tone::Bad)
        });
        let dead = self.dead.as_ref().map(|dead| {
            Cell::toned(
                format!(
                    "{} in {}: {} ({} ago)",
                    dead.class,
                    dead.queue,
                    dead.reason,
                    look.ago(dead.at)
                ),
                Tone::Bad,
            )
        });
        let mut pairs = vec![
            ("payment", Some(Cell::from(&self.id))),
            (
                "status",
                Some(Cell::toned(self.status, Tone::of_status(self.status))),
            ),
            ("amount", Some(Cell::from(&self.amount_text))),
            (
                "refunded",
                (self.refunded > 0).then(|| Cell::from(money(self.refunded))),
            ),
            (
                "refundable",
                (self.refundable > 0).then(|| Cell::from(money(self.refundable))),
            ),
            ("reference", self.reference.as_ref().map(Cell::from)),
            ("email", Some(Cell::from(&self.email))),
            ("source", Some(Cell::from(&self.source))),
            (
                "merchant",
                Some(Cell::from(format!(
                    "{} ({})",
                    self.merchant,
                    if self.live { "live" } else { "test" }
                ))),
            ),
            ("accepted", Some(moment(look, self.created_at))),
            ("changed", Some(moment(look, self.updated_at))),
            ("attempt", attempt.map(Cell::from)),
            ("charge", card.map(Cell::from)),
            ("failure", failure),
            ("dead", dead),
            (
                "version",
                look.wide.then(|| Cell::from(self.version.to_string())),
            ),
            ("archive", look.wide.then(|| Cell::from(&self.archive_key))),
        ];
        for refund in &self.refunds {
            let reason = refund
                .reason
                .as_deref()
                .map(|reason| format!(" ({reason})"))
                .unwrap_or_default();
            let text = format!(
                "{}  {}  {}  by {}{reason}",
                refund.id,
                money(refund.amount),
                refund.state,
                refund.by
            );
            pairs.push(("refund", Some(Cell::from(text))));
        }
        for (name, value) in self.metadata.as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            pairs.push(("metadata", Some(Cell::from(format!("{name} = {value}")))));
        }
        details(look, pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use payops_testkit::sample;

    #[test]
    fn a_payment_is_shown_masked() {
        let view = PaymentView::new(&sample::completed(7), Privacy { reveal: false });
        insta::assert_json_snapshot!(view);
        insta::assert_snapshot!(view.human(&Look::plain()));
        let open = PaymentView::new(&sample::completed(7), Privacy { reveal: true });
        assert!(
            open.email.contains('@')
                && !open.email.contains('•')
                && open.source.starts_with("tok_")
                && !open.source.contains('•')
        );
    }
}
