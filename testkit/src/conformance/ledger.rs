//! What every ledger does.

use std::collections::BTreeMap;

use futures::future::join_all;
use payops_core::domain::id::PaymentId;
use payops_core::domain::ledger::{Posting, Transaction, TransactionKind};
use payops_core::port::{ErrorKind, Ledger, PostOutcome};

use super::{LAG, number};
use crate::{eventually, sample};

pub async fn suite(ledger: &dyn Ledger, salt: u64) {
    once(ledger, number(salt, 1)).await;
    mismatch(ledger, number(salt, 2)).await;
    unbalanced(ledger, number(salt, 3)).await;
    several_per_payment(ledger, number(salt, 4)).await;
    together(ledger, number(salt, 5)).await;
    scan(ledger, number(salt, 6)).await;
}

async fn of(ledger: &dyn Ledger, payment: &PaymentId) -> Vec<Transaction> {
    ledger
        .of_payments(std::slice::from_ref(payment), true)
        .await
        .expect("of_payments")
}

async fn once(ledger: &dyn Ledger, n: u64) {
    let transaction = sample::transaction(n);
    assert_eq!(
        of(ledger, &transaction.payment).await,
        [],
        "nothing before it is posted"
    );
    assert_eq!(
        ledger.post(&transaction).await.expect("post"),
        PostOutcome::Posted
    );
    assert_eq!(
        ledger.post(&transaction).await.expect("post"),
        PostOutcome::Already
    );
    let mut later = transaction.clone();
    later.at = transaction
        .at
        .checked_add(std::time::Duration::from_secs(9))
        .expect("within range");
    assert_eq!(
        ledger.post(&later).await.expect("post"),
        PostOutcome::Already,
        "another time alone is the same transaction"
    );
    assert_eq!(
        of(ledger, &transaction.payment).await,
        std::slice::from_ref(&transaction),
        "what was posted first is read, once"
    );
    let behind = || async {
        let found = ledger
            .of_payments(std::slice::from_ref(&transaction.payment), false)
            .await
            .expect("of_payments");
        (found == [transaction.clone()]).then_some(())
    };
    eventually(LAG, "the replica has the transaction", behind).await;
    assert_eq!(
        ledger.of_payments(&[], true).await.expect("of_payments"),
        [],
        "no payments have no transactions"
    );
}

async fn mismatch(ledger: &dyn Ledger, n: u64) {
    let standing = sample::transaction(n);
    assert_eq!(
        ledger.post(&standing).await.expect("post"),
        PostOutcome::Posted
    );
    let mut amount = standing.clone();
    for posting in &mut amount.postings {
        posting.minor = posting.minor.saturating_mul(2);
    }
    let mut merchant = standing.clone();
    merchant.merchant = "somebody-else".parse().expect("a merchant");
    let mut currency = standing.clone();
    currency.currency = "USD".parse().expect("a currency");
    let mut account = standing.clone();
    account.postings[0].account = String::from("merchant:somebody-else:payable");
    let mut fewer = standing.clone();
    fewer.live = !standing.live;
    for changed in [amount, merchant, currency, account, fewer] {
        let outcome = ledger.post(&changed).await.expect("post");
        assert_eq!(
            outcome,
            PostOutcome::Mismatch(Box::new(standing.clone())),
            "posted: {changed:?}"
        );
    }
    assert_eq!(
        of(ledger, &standing.payment).await,
        [standing],
        "nothing was written over"
    );
}

async fn unbalanced(ledger: &dyn Ledger, n: u64) {
    let fine = sample::transaction(n);
    let mut off_by_one = fine.clone();
    off_by_one.postings[0].minor = off_by_one.postings[0].minor.saturating_add(1);
    let mut one_sided = fine.clone();
    one_sided.postings.truncate(1);
    for bad in [off_by_one, one_sided] {
        let error = ledger.post(&bad).await.expect_err("does not sum to zero");
        assert_eq!(error.kind, ErrorKind::Permanent, "{}", error.chain());
    }
    assert_eq!(
        of(ledger, &fine.payment).await,
        [],
        "a refused transaction leaves nothing"
    );
    assert_eq!(
        ledger.post(&fine).await.expect("post"),
        PostOutcome::Posted,
        "and does not stand in the way"
    );
}

async fn several_per_payment(ledger: &dyn Ledger, n: u64) {
    let charge = sample::transaction(n);
    let refund = |reference: &str, minor: i64| Transaction {
        kind: TransactionKind::Refund,
        reference: reference.to_owned(),
        postings: charge
            .postings
            .iter()
            .map(|p| Posting {
                account: p.account.clone(),
                minor: -p.minor.signum().saturating_mul(minor),
            })
            .collect(),
        ..charge.clone()
    };
    // A refund may carry the charge's reference: the kind is part of the name.
    let all = [
        charge.clone(),
        refund("re_1", 100),
        refund("re_2", 100),
        refund(&charge.reference, 50),
    ];
    for transaction in &all {
        assert_eq!(
            ledger.post(transaction).await.expect("post"),
            PostOutcome::Posted,
            "{transaction:?}"
        );
    }
    let other = sample::transaction(n.wrapping_add(1));
    ledger.post(&other).await.expect("post");
    let mut found = ledger
        .of_payments(&[charge.payment.clone(), other.payment.clone()], true)
        .await
        .expect("of_payments");
    found.sort_by_key(key);
    let mut expected = all.to_vec();
    expected.push(other);
    expected.sort_by_key(key);
    assert_eq!(found, expected);
}

fn key(transaction: &Transaction) -> (PaymentId, TransactionKind, String) {
    (
        transaction.payment.clone(),
        transaction.kind,
        transaction.reference.clone(),
    )
}

async fn together(ledger: &dyn Ledger, n: u64) {
    let transaction = sample::transaction(n);
    let outcomes = join_all((0..16).map(|_| ledger.post(&transaction))).await;
    let posted = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Ok(PostOutcome::Posted)))
        .count();
    let already = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Ok(PostOutcome::Already)))
        .count();
    assert_eq!((posted, already), (1, 15), "{outcomes:?}");
    assert_eq!(of(ledger, &transaction.payment).await.len(), 1);
}

async fn scan(ledger: &dyn Ledger, n: u64) {
    let ours: Vec<Transaction> = (0..25)
        .map(|i| sample::transaction(n.wrapping_add(i)))
        .collect();
    for transaction in &ours {
        ledger.post(transaction).await.expect("post");
    }
    let mut refund = ours[3].clone();
    refund.kind = TransactionKind::Refund;
    ledger.post(&refund).await.expect("post");

    let check = || async {
        let mut seen: BTreeMap<_, u32> = BTreeMap::new();
        let mut order = Vec::new();
        let mut from = None;
        loop {
            let page = ledger.scan(from.as_deref(), 7).await.expect("scan");
            assert!(
                page.transactions.len() <= 7,
                "a page is longer than asked for"
            );
            for transaction in &page.transactions {
                *seen.entry(key(transaction)).or_default() += 1;
                order.push(transaction.payment.clone());
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert!(order.is_sorted(), "not in order of payment");
        assert!(
            seen.values().all(|times| *times == 1),
            "a transaction was seen twice: {seen:?}"
        );
        (ours
            .iter()
            .all(|transaction| seen.contains_key(&key(transaction)))
            && seen.contains_key(&key(&refund)))
        .then_some(())
    };
    eventually(LAG, "a scan sees every transaction", check).await;
}
