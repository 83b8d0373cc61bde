//! Comparing what the stores hold for one payment, and naming every break.

use serde::{Deserialize, Serialize};

use super::doc::PaymentDoc;
use super::event::Event;
use super::id::PaymentId;
use super::ledger::{Transaction, expected_transactions};
use super::money::Money;
use super::payment::{Payment, RefundState, Status};
use super::work_item::archive_key;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    Payments,
    Timeline,
    Ledger,
    Index,
    Archive,
    Provider,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakKind {
    /// Something that must be there is not.
    Missing,
    /// It is there and says something else.
    Mismatch,
    /// It is there more than once.
    Duplicate,
    Orphan,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Break {
    /// Which payment; for an orphan that names none, the name it has in its store.
    pub payment_id: String,
    pub store: Store,
    pub kind: BreakKind,
    pub detail: String,
}

impl Break {
    /// A break of `payment`.
    #[must_use]
    pub fn new(
        payment: impl Into<String>,
        store: Store,
        kind: BreakKind,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            payment_id: payment.into(),
            store,
            kind,
            detail: detail.into(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderEntry {
    pub id: String,
    pub minor: i64,
    pub currency: String,
}

impl ProviderEntry {
    /// The amount for people, in minor units where the currency is not known here.
    #[must_use]
    pub fn amount(&self) -> String {
        let money = self
            .currency
            .parse()
            .ok()
            .and_then(|currency| Money::new(self.minor, currency).ok());
        money.map_or_else(
            || format!("{} {}", self.minor, self.currency),
            |money| money.to_string(),
        )
    }
}

/// A refund as the provider knows it: paid out, or on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderRefund {
    pub entry: ProviderEntry,
    pub refund: Option<String>,
    pub paid: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderListed {
    pub entry: ProviderEntry,
    /// Which payment it says it is of, as it was written there.
    pub payment: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    pub payment: &'a Payment,
    pub events: &'a [Event],
    pub transactions: &'a [Transaction],
    pub docs: &'a [PaymentDoc],
    /// SHA-256 of the archived object, if there is one.
    pub archived_sha256: Option<&'a str>,
    /// Successful charges at the provider; `None` when it was not asked.
    pub charges: Option<&'a [ProviderEntry]>,
    /// Refunds of its charge at the provider; `None` when it was not asked.
    pub refunds: Option<&'a [ProviderRefund]>,
}

#[must_use]
pub fn check(evidence: &Evidence<'_>) -> Vec<Break> {
    let mut out = Out {
        id: evidence.payment.id.clone(),
        breaks: Vec::new(),
    };
    row(evidence.payment, &mut out);
    timeline(evidence, &mut out);
    ledger(evidence, &mut out);
    index(evidence, &mut out);
    archive(evidence, &mut out);
    provider(evidence, &mut out);
    provider_refunds(evidence, &mut out);
    out.breaks
}

struct Out {
    id: PaymentId,
    breaks: Vec<Break>,
}

impl Out {
    fn add(&mut self, store: Store, kind: BreakKind, detail: impl Into<String>) {
        self.breaks
            .push(Break::new(self.id.as_str(), store, kind, detail));
    }
}

fn row(payment: &Payment, out: &mut Out) {
    if payment.status.is_charged() != payment.charge.is_some() {
        out.add(
            Store::Payments,
            BreakKind::Mismatch,
            format!(
                "status is {} and a charge is {}",
                payment.status,
                if payment.charge.is_some() {
                    "recorded"
                } else {
                    "not recorded"
                }
            ),
        );
    }
    let set_aside = payment
        .refunds
        .iter()
        .filter(|refund| refund.state != RefundState::Failed);
    let set_aside = set_aside.fold(0_i64, |sum, refund| sum.saturating_add(refund.minor));
    let captured = if payment.charge.is_some() {
        payment.money.minor()
    } else {
        0
    };
    if payment.refundable_minor.checked_add(set_aside) != Some(captured) {
        out.add(
            Store::Payments,
            BreakKind::Mismatch,
            format!(
                "captured {captured}, refunded or set aside {set_aside}, but {} refundable",
                payment.refundable_minor
            ),
        );
    }
    if payment.has_pending_refund() && payment.due_at.is_none() && payment.dead.is_none() {
        out.add(
            Store::Payments,
            BreakKind::Mismatch,
            "a refund is pending, but nothing is scheduled to complete it",
        );
    }
    if payment.archive.key != archive_key(&payment.id) {
        out.add(
            Store::Payments,
            BreakKind::Duplicate,
            "its archive key belongs to another payment; the row looks like a copy",
        );
    }
}

fn timeline(evidence: &Evidence<'_>, out: &mut Out) {
    let payment = evidence.payment;
    let mut expected_seq = 1_u64;
    let mut version = 0_u64;
    for event in evidence.events {
        if event.seq > expected_seq {
            out.add(
                Store::Timeline,
                BreakKind::Missing,
                format!("event {expected_seq} is missing before {}", event.seq),
            );
        } else if event.seq < expected_seq {
            out.add(
                Store::Timeline,
                BreakKind::Duplicate,
                format!("event {} occurs twice", event.seq),
            );
        }
        expected_seq = event.seq.saturating_add(1);
        if event.version < version || event.version > version.saturating_add(1) {
            out.add(
                Store::Timeline,
                BreakKind::Mismatch,
                format!(
                    "event {} jumps from version {version} to {}",
                    event.seq, event.version
                ),
            );
        }
        version = event.version;
    }
    let last = expected_seq.saturating_sub(1);
    if last < payment.event_seq {
        out.add(
            Store::Timeline,
            BreakKind::Missing,
            format!(
                "the payment has {} events, but its timeline ends at {last}",
                payment.event_seq
            ),
        );
    }
    if last > payment.event_seq {
        out.add(
            Store::Timeline,
            BreakKind::Orphan,
            format!(
                "the payment has {} events, but its timeline goes to {last}",
                payment.event_seq
            ),
        );
    }
    accepted_event(evidence, out);
    if last == payment.event_seq && version != payment.version {
        out.add(
            Store::Payments,
            BreakKind::Mismatch,
            format!(
                "version is {}, but its timeline says {version}",
                payment.version
            ),
        );
    }
    if let Some(status) =
        announced_status(evidence.events).filter(|status| *status != payment.status)
    {
        out.add(
            Store::Payments,
            BreakKind::Mismatch,
            format!(
                "status is {}, but its timeline says {status}",
                payment.status
            ),
        );
    }
}

fn accepted_event(evidence: &Evidence<'_>, out: &mut Out) {
    use super::event::EventKind;
    let Some(accepted) = evidence
        .events
        .iter()
        .find(|event| event.kind == EventKind::Accepted)
    else {
        return;
    };
    let amount = accepted
        .detail
        .get("amount")
        .and_then(serde_json::Value::as_i64);
    let currency = accepted
        .detail
        .get("currency")
        .and_then(serde_json::Value::as_str);
    let money = evidence.payment.money;
    if amount.is_some_and(|amount| amount != money.minor())
        || currency.is_some_and(|code| code != money.currency().code())
    {
        let amount = amount.unwrap_or_default();
        out.add(
            Store::Payments,
            BreakKind::Mismatch,
            format!(
                "amount is {} {}, but {amount} {} was accepted",
                money.minor(),
                money.currency(),
                currency.unwrap_or("?")
            ),
        );
    }
}

/// The status that the timeline tells of, as far as it can be told.
fn announced_status(events: &[Event]) -> Option<Status> {
    use super::event::EventKind;
    let mut status = None;
    for event in events {
        status = match event.kind {
            EventKind::Accepted => Some(Status::Processing),
            EventKind::Completed => Some(Status::Completed),
            EventKind::Failed => Some(Status::Failed),
            EventKind::Canceled => Some(Status::Canceled),
            EventKind::Review => Some(Status::Review),
            // Whole or partial cannot be told from the event alone.
            EventKind::RefundSucceeded => return None,
            _ => status,
        };
    }
    status
}

fn ledger(evidence: &Evidence<'_>, out: &mut Out) {
    let mut found: Vec<&Transaction> = evidence.transactions.iter().collect();
    for expected in expected_transactions(evidence.payment) {
        let place = found
            .iter()
            .position(|tx| tx.kind == expected.kind && tx.reference == expected.reference);
        let Some(place) = place else {
            out.add(
                Store::Ledger,
                BreakKind::Missing,
                format!(
                    "no {} {} of {} {}",
                    expected.kind.as_str(),
                    expected.reference,
                    expected.amount_minor(),
                    expected.currency
                ),
            );
            continue;
        };
        let tx = found.swap_remove(place);
        if tx.sum() != 0 {
            out.add(
                Store::Ledger,
                BreakKind::Mismatch,
                format!(
                    "postings of {} {} sum to {}, not 0",
                    tx.kind.as_str(),
                    tx.reference,
                    tx.sum()
                ),
            );
        } else if !tx.same_as(&expected) {
            let (is, should) = (tx.amount_minor(), expected.amount_minor());
            out.add(
                Store::Ledger,
                BreakKind::Mismatch,
                format!(
                    "{} {} is {is} {}, should be {should} {}",
                    tx.kind.as_str(),
                    tx.reference,
                    tx.currency,
                    expected.currency
                ),
            );
        }
    }
    for tx in found {
        let kind = if evidence.payment.status.is_charged() {
            BreakKind::Duplicate
        } else {
            BreakKind::Orphan
        };
        out.add(
            Store::Ledger,
            kind,
            format!(
                "{} {} of {} {} has no counterpart in the payment ({})",
                tx.kind.as_str(),
                tx.reference,
                tx.amount_minor(),
                tx.currency,
                evidence.payment.status
            ),
        );
    }
}

fn index(evidence: &Evidence<'_>, out: &mut Out) {
    let should = PaymentDoc::from(evidence.payment);
    let Some(doc) = evidence.docs.first() else {
        out.add(
            Store::Index,
            BreakKind::Missing,
            format!("not in the index, status {}", should.status),
        );
        return;
    };
    if evidence.docs.len() > 1 {
        out.add(
            Store::Index,
            BreakKind::Duplicate,
            format!("{} documents", evidence.docs.len()),
        );
    }
    // The version only orders writes: a claim raises it without changing what the index shows.
    let same = PaymentDoc {
        version: should.version,
        updated_at: should.updated_at,
        ..doc.clone()
    };
    if same != should {
        out.add(
            Store::Index,
            BreakKind::Mismatch,
            format!(
                "says {}, should say {}",
                describe_difference(&same, &should),
                describe_difference(&should, &same)
            ),
        );
    }
}

/// The members of `doc` that `other` has otherwise; addresses are masked.
fn describe_difference(doc: &PaymentDoc, other: &PaymentDoc) -> String {
    let (Ok(doc), Ok(other)) = (serde_json::to_value(doc), serde_json::to_value(other)) else {
        return String::new();
    };
    let members = doc.as_object().into_iter().flatten();
    let parts = members.filter(|(name, value)| other.get(name.as_str()) != Some(value));
    parts
        .map(|(name, value)| format!("{name}={}", super::mask::json(value)))
        .collect::<Vec<_>>()
        .join(" ")
}

fn archive(evidence: &Evidence<'_>, out: &mut Out) {
    match evidence.archived_sha256 {
        None => out.add(
            Store::Archive,
            BreakKind::Missing,
            format!("object {} is missing", evidence.payment.archive.key),
        ),
        Some(sha256) if sha256 != evidence.payment.archive.sha256 => {
            out.add(
                Store::Archive,
                BreakKind::Mismatch,
                format!(
                    "sha256 is {sha256}, should be {}",
                    evidence.payment.archive.sha256
                ),
            );
        }
        Some(_) => {}
    }
}

fn provider(evidence: &Evidence<'_>, out: &mut Out) {
    let Some(charges) = evidence.charges else {
        return;
    };
    let payment = evidence.payment;
    if charges.len() > 1 {
        out.add(
            Store::Provider,
            BreakKind::Duplicate,
            format!("charged {} times", charges.len()),
        );
    }
    match (charges.first(), &payment.charge) {
        (None, Some(charge)) => out.add(
            Store::Provider,
            BreakKind::Missing,
            format!("does not know charge {}", charge.id),
        ),
        (Some(found), None) if payment.status.is_final() => {
            out.add(
                Store::Provider,
                BreakKind::Orphan,
                format!(
                    "made charge {} of {} {}, but the payment is {}",
                    found.id, found.minor, found.currency, payment.status
                ),
            );
        }
        (Some(found), Some(_))
            if found.minor != payment.money.minor()
                || found.currency != payment.money.currency().code() =>
        {
            out.add(
                Store::Provider,
                BreakKind::Mismatch,
                format!(
                    "charge {} is {} {}, should be {} {}",
                    found.id,
                    found.minor,
                    found.currency,
                    payment.money.minor(),
                    payment.money.currency()
                ),
            );
        }
        _ => {}
    }
}

/// Money that the provider gave back, or is giving back, against what the payment says.
fn provider_refunds(evidence: &Evidence<'_>, out: &mut Out) {
    let Some(listed) = evidence.refunds else {
        return;
    };
    let (payment, currency) = (evidence.payment, evidence.payment.money.currency().code());
    let mut seen: Vec<&str> = Vec::new();
    for found in listed {
        let what = format!("refund {} of {}", found.entry.id, found.entry.amount());
        let ours = found.refund.as_deref().and_then(|name| {
            payment
                .refunds
                .iter()
                .find(|refund| refund.id.as_str() == name)
        });
        let Some(ours) = ours else {
            out.add(
                Store::Provider,
                BreakKind::Orphan,
                format!("{what}, but the payment has no such refund"),
            );
            continue;
        };
        if seen.contains(&ours.id.as_str()) {
            out.add(
                Store::Provider,
                BreakKind::Duplicate,
                format!("{what}: {} occurs more than once", ours.id),
            );
            continue;
        }
        seen.push(ours.id.as_str());
        if found.entry.minor != ours.minor || found.entry.currency != currency {
            let should = format!("{} {currency}", ours.minor);
            out.add(
                Store::Provider,
                BreakKind::Mismatch,
                format!("{what}, {} should be {should} in minor units", ours.id),
            );
        }
        match (ours.state, found.paid) {
            (RefundState::Failed, _) => {
                out.add(
                    Store::Provider,
                    BreakKind::Mismatch,
                    format!("{what}, but the payment says that {} failed", ours.id),
                );
            }
            (RefundState::Succeeded, false) => {
                out.add(
                    Store::Provider,
                    BreakKind::Mismatch,
                    format!(
                        "{what} is not paid out, but the payment says that {} is",
                        ours.id
                    ),
                );
            }
            // A refund that is paid out and still pending with us is about to be heard of.
            (RefundState::Pending, _) | (RefundState::Succeeded, true) => {}
        }
    }
    let paid = payment
        .refunds
        .iter()
        .filter(|refund| refund.state == RefundState::Succeeded);
    for missing in paid.filter(|refund| !seen.contains(&refund.id.as_str())) {
        out.add(
            Store::Provider,
            BreakKind::Missing,
            format!(
                "does not know refund {}, or it has failed there",
                missing.id
            ),
        );
    }
}
