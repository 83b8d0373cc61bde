//! Between stored rows and transactions, the same for both databases. Knows no SQL.

use payops_core::Timestamp;
use payops_core::domain::id::PaymentId;
use payops_core::domain::ledger::{Posting, Transaction, TransactionKind};
use payops_core::port::{ErrorKind, LedgerPage, PortError, PortResult, PostOutcome};

/// Payment, kind, reference, merchant, live, currency, milliseconds, postings as
/// `[["account",minor],…]`.
pub(crate) type TransactionRow = (String, String, String, String, bool, String, i64, String);

/// The most transactions that one page may hold, whatever was asked for.
const PAGE_MAX: usize = 10_000;

/// What a row says. A row that says nothing sensible is [`ErrorKind::Corrupt`], named by its
/// payment.
pub(crate) fn transaction(row: TransactionRow) -> PortResult<Transaction> {
    let (payment, kind, reference, merchant, live, currency, at_ms, postings) = row;
    let corrupt = |what: &str| {
        PortError::new(
            ErrorKind::Corrupt,
            format!("a ledger transaction of `{payment}` has no valid {what}"),
        )
    };
    let lines: Vec<(String, i64)> =
        serde_json::from_str(&postings).map_err(|_| corrupt("postings"))?;
    let mut postings: Vec<Posting> = lines
        .into_iter()
        .map(|(account, minor)| Posting { account, minor })
        .collect();
    postings.sort();
    Ok(Transaction {
        payment: payment.parse().map_err(|_| corrupt("payment id"))?,
        kind: TransactionKind::from_name(&kind).ok_or_else(|| corrupt("kind"))?,
        reference,
        merchant: merchant.parse().map_err(|_| corrupt("merchant"))?,
        live,
        currency: currency.parse().map_err(|_| corrupt("currency"))?,
        at: Timestamp::from_millisecond(at_ms).map_err(|_| corrupt("time"))?,
        postings,
    })
}

/// The answer when a transaction of that name was there already.
pub(crate) fn compare(wanted: &Transaction, stored: Transaction) -> PostOutcome {
    let mut wanted = wanted.clone();
    wanted.postings.sort();
    if stored.same_as(&wanted) {
        PostOutcome::Already
    } else {
        PostOutcome::Mismatch(Box::new(stored))
    }
}

/// The payments as the JSON array that the queries take.
pub(crate) fn json_ids(payments: &[PaymentId]) -> String {
    payments
        .iter()
        .map(PaymentId::as_str)
        .collect::<serde_json::Value>()
        .to_string()
}

/// Where a page starts: after this payment, kind and reference.
pub(crate) fn cursor(from: Option<&str>) -> PortResult<(String, String, String)> {
    let Some(from) = from else {
        return Ok((String::new(), String::new(), String::new()));
    };
    serde_json::from_str(from).map_err(|error| {
        PortError::because(
            ErrorKind::Permanent,
            "not a valid cursor of the ledger",
            error,
        )
    })
}

/// How many rows to ask for: one more than the page holds, to know whether there are more.
pub(crate) fn page_rows(limit: usize) -> i64 {
    i64::try_from(limit.clamp(1, PAGE_MAX).saturating_add(1)).unwrap_or(i64::MAX)
}

/// A page of at most `limit` of `rows`, which were asked for with [`page_rows`].
pub(crate) fn page(rows: Vec<TransactionRow>, limit: usize) -> PortResult<LedgerPage> {
    let limit = limit.clamp(1, PAGE_MAX);
    let more = rows.len() > limit;
    let transactions = rows
        .into_iter()
        .take(limit)
        .map(transaction)
        .collect::<PortResult<Vec<_>>>()?;
    let last = transactions.last().filter(|_| more);
    let next = last.map(|tx| {
        serde_json::json!([tx.payment.as_str(), tx.kind.as_str(), tx.reference]).to_string()
    });
    Ok(LedgerPage { transactions, next })
}
