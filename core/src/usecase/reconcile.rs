//! Comparing the stores with each other, payment by payment and then the other way round, so
//! that what is missing, wrong, doubled or belongs to nothing is found in each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::try_join_all;
use jiff::SignedDuration;

use crate::domain::doc::PaymentDoc;
use crate::domain::id::PaymentId;
use crate::domain::ledger::Transaction;
use crate::domain::payment::{Payment, Status};
use crate::domain::reconcile::{Break, BreakKind, Evidence, ProviderListed, Store, check};
use crate::domain::sha256_hex;
use crate::domain::work_item::payment_of_key;
use crate::port::{
    Archive, Clock, Index, Ledger, PaymentStore, PortResult, Provider, ProviderPage,
};

const PAGE: usize = 200;

pub type ReconcileProgress<'a> = &'a (dyn Fn(u64) + Send + Sync);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub checked: u64,
    pub breaks: Vec<Break>,
    /// Payments that changed so lately that their stores may still be catching up; their
    /// breaks are not listed.
    pub in_motion: Vec<PaymentId>,
}

#[derive(Clone)]
pub struct Reconciler {
    pub store: Arc<dyn PaymentStore>,
    pub ledger: Arc<dyn Ledger>,
    pub index: Arc<dyn Index>,
    pub archive: Arc<dyn Archive>,
    /// The provider; `None` leaves it out (asking it about every payment can cost).
    pub provider: Option<Arc<dyn Provider>>,
    pub clock: Arc<dyn Clock>,
    /// A payment that changed less than this ago is in motion: its breaks are not counted yet.
    pub settle: SignedDuration,
}

impl Reconciler {
    pub async fn run(&self, progress: ReconcileProgress<'_>) -> PortResult<Report> {
        let mut report = Report::default();
        let mut from: Option<String> = None;
        loop {
            let page = self.store.scan(from.as_deref(), PAGE).await?;
            let count = u64::try_from(page.payments.len()).unwrap_or(u64::MAX);
            self.check_page(&page.payments, &mut report).await?;
            report.checked = report.checked.saturating_add(count);
            progress(report.checked);
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        self.ledger_orphans(&mut report).await?;
        self.archive_orphans(&mut report).await?;
        self.index_orphans(&mut report).await?;
        self.provider_orphans(&mut report).await?;
        report.breaks.sort();
        report.breaks.dedup();
        report.in_motion.sort();
        Ok(report)
    }

    /// Compares up to `payments_max` payments, from `from` on (what a former part returned), and
    /// looks at those with a break once more. What belongs to no payment is not looked for.
    pub async fn run_part(
        &self,
        from: Option<&str>,
        payments_max: usize,
    ) -> PortResult<(Report, Option<String>)> {
        let mut report = Report::default();
        let mut from = from.map(str::to_owned);
        let mut left = payments_max.max(1);
        loop {
            let page = self.store.scan(from.as_deref(), left.min(PAGE)).await?;
            self.check_page(&page.payments, &mut report).await?;
            left = left.saturating_sub(page.payments.len());
            from = page.next;
            if from.is_none() || left == 0 {
                break;
            }
        }
        self.confirm(&mut report).await?;
        Ok((report, from))
    }

    /// Compares these payments again; those that are no more are left out.
    pub async fn recheck(&self, ids: &[PaymentId]) -> PortResult<Report> {
        let mut report = Report::default();
        for ids in ids.chunks(PAGE) {
            let payments = self.store.get_many(ids).await?;
            report.checked = report
                .checked
                .saturating_add(u64::try_from(payments.len()).unwrap_or(u64::MAX));
            self.check_page(&payments, &mut report).await?;
        }
        report.breaks.sort();
        Ok(report)
    }

    /// Looks at every payment with a break once more: one that changed between two reads of the
    /// first pass looks broken and is not.
    pub async fn confirm(&self, report: &mut Report) -> PortResult<()> {
        let ids: BTreeSet<PaymentId> = report
            .breaks
            .iter()
            .filter_map(|found| found.payment_id.parse().ok())
            .collect();
        let missing = self.find_missing(&ids).await?;
        let known: Vec<PaymentId> = ids.difference(&missing).cloned().collect();
        let again = self.recheck(&known).await?;
        let known: BTreeSet<&str> = known.iter().map(PaymentId::as_str).collect();
        // Objects too many, and what belongs to no payment, are found by going through the other
        // stores.
        let foreign = |found: &Break| {
            found.store == Store::Archive
                && matches!(found.kind, BreakKind::Duplicate | BreakKind::Orphan)
        };
        report
            .breaks
            .retain(|found| foreign(found) || !known.contains(found.payment_id.as_str()));
        report.breaks.extend(again.breaks);
        report.breaks.sort();
        report.breaks.dedup();
        report.in_motion.extend(again.in_motion);
        report.in_motion.sort();
        report.in_motion.dedup();
        Ok(())
    }

    async fn check_page(&self, payments: &[Payment], report: &mut Report) -> PortResult<()> {
        let ids: Vec<PaymentId> = payments.iter().map(|payment| payment.id.clone()).collect();
        let mut transactions: BTreeMap<PaymentId, Vec<Transaction>> = BTreeMap::new();
        for transaction in self.ledger.of_payments(&ids, true).await? {
            transactions
                .entry(transaction.payment.clone())
                .or_default()
                .push(transaction);
        }
        let mut docs: BTreeMap<PaymentId, Vec<PaymentDoc>> = BTreeMap::new();
        for doc in self.index.of_payments(&ids).await? {
            docs.entry(doc.id.clone()).or_default().push(doc);
        }
        for payments in payments.chunks(16) {
            let checks = payments.iter().map(|payment| {
                let transactions = transactions.get(&payment.id).map_or(&[][..], Vec::as_slice);
                let docs = docs.get(&payment.id).map_or(&[][..], Vec::as_slice);
                self.check_one(payment, transactions, docs)
            });
            for (payment, breaks) in payments.iter().zip(try_join_all(checks).await?) {
                self.file(payment, breaks, report);
            }
        }
        Ok(())
    }

    async fn check_one(
        &self,
        payment: &Payment,
        transactions: &[Transaction],
        docs: &[PaymentDoc],
    ) -> PortResult<Vec<Break>> {
        let events = self.store.events(&payment.id).await?;
        let archived = self
            .archive
            .get(&payment.archive.key)
            .await?
            .map(|bytes| sha256_hex(&bytes));
        let charges = match &self.provider {
            Some(provider) => Some(provider.charges(&payment.id).await?),
            None => None,
        };
        let refunds = match (&self.provider, &payment.charge) {
            (Some(provider), Some(charge)) => Some(provider.refunds(&charge.id).await?),
            _ => None,
        };
        let evidence = Evidence {
            payment,
            events: &events,
            transactions,
            docs,
            archived_sha256: archived.as_deref(),
            charges: charges.as_deref(),
            refunds: refunds.as_deref(),
        };
        Ok(check(&evidence))
    }

    /// Counts the breaks of a payment, unless it is in motion.
    fn file(&self, payment: &Payment, breaks: Vec<Break>, report: &mut Report) {
        if breaks.is_empty() {
            return;
        }
        let still = self.clock.now().duration_since(payment.updated_at) >= self.settle;
        // While it is being processed nothing is owed to ledger and index, and the archive may be
        // late.
        let waiting = payment.status == Status::Processing && payment.dead.is_none();
        if still && !waiting {
            report.breaks.extend(breaks);
        } else if still {
            let lasting = |found: &Break| {
                !matches!(
                    (found.store, found.kind),
                    (Store::Index | Store::Archive, BreakKind::Missing)
                )
            };
            report.breaks.extend(breaks.into_iter().filter(lasting));
        } else {
            report.in_motion.push(payment.id.clone());
        }
    }

    async fn find_missing(&self, ids: &BTreeSet<PaymentId>) -> PortResult<BTreeSet<PaymentId>> {
        let wanted: Vec<PaymentId> = ids.iter().cloned().collect();
        let mut missing = ids.clone();
        for wanted in wanted.chunks(PAGE) {
            for payment in self.store.get_many(wanted).await? {
                missing.remove(&payment.id);
            }
        }
        Ok(missing)
    }

    async fn ledger_orphans(&self, report: &mut Report) -> PortResult<()> {
        let mut from: Option<String> = None;
        loop {
            let page = self.ledger.scan(from.as_deref(), PAGE).await?;
            let ids = page
                .transactions
                .iter()
                .map(|transaction| transaction.payment.clone())
                .collect();
            let missing = self.find_missing(&ids).await?;
            for transaction in page
                .transactions
                .iter()
                .filter(|transaction| missing.contains(&transaction.payment))
            {
                let (kind, minor, currency) = (
                    transaction.kind.as_str(),
                    transaction.amount_minor(),
                    transaction.currency,
                );
                let detail = format!(
                    "{kind} {} of {minor} {currency}, but the payment does not exist",
                    transaction.reference
                );
                report.breaks.push(Break::new(
                    transaction.payment.as_str(),
                    Store::Ledger,
                    BreakKind::Orphan,
                    detail,
                ));
            }
            from = page.next;
            if from.is_none() {
                return Ok(());
            }
        }
    }

    async fn archive_orphans(&self, report: &mut Report) -> PortResult<()> {
        let mut from: Option<String> = None;
        loop {
            let page = self.archive.list(from.as_deref(), PAGE).await?;
            let mut ids = BTreeSet::new();
            let mut foreign = Vec::new();
            for object in &page.objects {
                match payment_of_key(&object.key) {
                    Some(id) => {
                        ids.insert(id);
                    }
                    None => foreign.push((object.key.as_str(), payment_in(&object.key))),
                }
            }
            let named = foreign.iter().filter_map(|(_, id)| id.clone()).collect();
            let unknown = self.find_missing(&named).await?;
            for (key, id) in foreign {
                report
                    .breaks
                    .push(foreign_object(key, id.filter(|id| !unknown.contains(id))));
            }
            for id in self.find_missing(&ids).await? {
                report.breaks.push(Break::new(
                    id.as_str(),
                    Store::Archive,
                    BreakKind::Orphan,
                    "an archived request, but the payment does not exist",
                ));
            }
            from = page.next;
            if from.is_none() {
                return Ok(());
            }
        }
    }

    async fn index_orphans(&self, report: &mut Report) -> PortResult<()> {
        let mut from: Option<String> = None;
        loop {
            let page = self.index.scan(from.as_deref(), PAGE).await?;
            let ids = page.docs.iter().map(|doc| doc.id.clone()).collect();
            for id in self.find_missing(&ids).await? {
                report.breaks.push(Break::new(
                    id.as_str(),
                    Store::Index,
                    BreakKind::Orphan,
                    "a document, but the payment does not exist",
                ));
            }
            from = page.next;
            if from.is_none() {
                return Ok(());
            }
        }
    }

    /// Money that the provider moved for nobody. Charges and refunds of payments that there are
    /// have been compared with them already.
    async fn provider_orphans(&self, report: &mut Report) -> PortResult<()> {
        let Some(provider) = &self.provider else {
            return Ok(());
        };
        let mut charged: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut from: Option<String> = None;
        loop {
            let page = provider.scan_charges(from.as_deref(), PAGE).await?;
            for listed in self.find_unowned(&page).await? {
                report.breaks.push(report_unowned("charge", listed));
                if let Some(payment) = &listed.payment {
                    charged
                        .entry(payment.clone())
                        .or_default()
                        .push(listed.entry.id.clone());
                }
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        for (payment, charges) in charged.into_iter().filter(|(_, charges)| charges.len() > 1) {
            let detail = format!("charged {} times: {}", charges.len(), charges.join(", "));
            report.breaks.push(Break::new(
                payment,
                Store::Provider,
                BreakKind::Duplicate,
                detail,
            ));
        }
        loop {
            let page = provider.scan_refunds(from.as_deref(), PAGE).await?;
            report.breaks.extend(
                self.find_unowned(&page)
                    .await?
                    .into_iter()
                    .map(|listed| report_unowned("refund", listed)),
            );
            from = page.next;
            if from.is_none() {
                return Ok(());
            }
        }
    }

    /// What on the page is of no payment that there is.
    async fn find_unowned<'a>(
        &self,
        page: &'a ProviderPage,
    ) -> PortResult<Vec<&'a ProviderListed>> {
        let named = |listed: &ProviderListed| {
            listed
                .payment
                .as_deref()
                .and_then(|id| id.parse::<PaymentId>().ok())
        };
        let missing = self
            .find_missing(&page.entries.iter().filter_map(named).collect())
            .await?;
        Ok(page
            .entries
            .iter()
            .filter(|listed| named(listed).is_none_or(|id| missing.contains(&id)))
            .collect())
    }
}

/// A charge or refund whose payment there is not, or that names none.
fn report_unowned(what: &str, listed: &ProviderListed) -> Break {
    let (id, amount) = (&listed.entry.id, listed.entry.amount());
    let (payment, why) = match &listed.payment {
        Some(payment) => (payment, ", but the payment does not exist"),
        None => (id, ", which names no payment"),
    };
    Break::new(
        payment.as_str(),
        Store::Provider,
        BreakKind::Orphan,
        format!("{what} {id} of {amount}{why}"),
    )
}

/// The payment whose id stands somewhere in an object's key.
fn payment_in(key: &str) -> Option<PaymentId> {
    let start = key.find(PaymentId::PREFIX)?;
    key.get(start..start.saturating_add(30))?.parse().ok()
}

/// An object whose key is no payment's: a copy, when it names a payment that there is.
fn foreign_object(key: &str, id: Option<PaymentId>) -> Break {
    match id {
        Some(id) => Break::new(
            id.as_str(),
            Store::Archive,
            BreakKind::Duplicate,
            format!("a second object, {key}"),
        ),
        None => Break::new(
            payment_in(key).map_or_else(|| key.to_owned(), |id| id.to_string()),
            Store::Archive,
            BreakKind::Orphan,
            format!("object {key} belongs to no payment"),
        ),
    }
}
