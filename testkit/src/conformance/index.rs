//! What every search index does.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use payops_core::Timestamp;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::id::PaymentId;
use payops_core::domain::payment::Status;
use payops_core::domain::search::{Clause, SearchQuery, Term};
use payops_core::port::{Index, UpsertOutcome};

use super::{number, word};
use crate::{ManualClock, eventually, sample};

const REFRESH: Duration = Duration::from_secs(15);

pub async fn suite(index: &dyn Index, salt: u64) {
    Box::pin(versions(index, salt)).await;
    let docs = planted(salt);
    let outcomes = index.upsert(&docs).await.expect("upsert");
    assert_eq!(outcomes, vec![UpsertOutcome::Applied; docs.len()]);
    let kit = Kit {
        index,
        docs,
        merchant: merchant(salt, "find"),
    };
    kit.finds(&[], "everything of this merchant").await;
    kit.terms().await;
    kit.parsed().await;
    kit.pages().await;
    Box::pin(kit.scan()).await;
    Box::pin(kit.of_payments()).await;
    kit.freshness().await;
}

fn merchant(salt: u64, name: &str) -> String {
    format!("{name}-{}", word(salt))
}

async fn stored(index: &dyn Index, id: &PaymentId, expected: &PaymentDoc) {
    let check = || async {
        let found = index
            .of_payments(std::slice::from_ref(id))
            .await
            .expect("of_payments");
        (found == [expected.clone()]).then_some(())
    };
    eventually(
        REFRESH,
        &format!("version {} of {id} is found", expected.version),
        check,
    )
    .await;
}

async fn versions(index: &dyn Index, salt: u64) {
    assert!(
        index
            .upsert(&[])
            .await
            .expect("nothing to write")
            .is_empty()
    );
    let mut doc = sample::doc(number(salt, 1));
    doc.version = 5;
    assert_eq!(
        index
            .upsert(std::slice::from_ref(&doc))
            .await
            .expect("upsert"),
        [UpsertOutcome::Applied]
    );
    stored(index, &doc.id, &doc).await;
    let at = |version: u64, status| PaymentDoc {
        version,
        status,
        ..doc.clone()
    };
    let outcome = index
        .upsert(&[at(4, Status::Failed)])
        .await
        .expect("upsert");
    assert_eq!(
        outcome,
        [UpsertOutcome::Stale],
        "an older version does not replace a newer one"
    );
    let outcome = index
        .upsert(&[at(5, Status::Failed)])
        .await
        .expect("upsert");
    assert_eq!(
        outcome,
        [UpsertOutcome::Stale],
        "the same version is there already"
    );
    stored(index, &doc.id, &doc).await;
    let newer = at(6, Status::Refunded);
    assert_eq!(
        index
            .upsert(std::slice::from_ref(&newer))
            .await
            .expect("upsert"),
        [UpsertOutcome::Applied]
    );
    stored(index, &doc.id, &newer).await;

    // Doubles and reversals within one call: the highest version stands, whatever the order.
    let one = PaymentDoc {
        version: 1,
        ..sample::doc(number(salt, 2))
    };
    let three = PaymentDoc {
        version: 3,
        status: Status::Refunded,
        ..one.clone()
    };
    let two = PaymentDoc {
        version: 2,
        ..one.clone()
    };
    let outcomes = index
        .upsert(&[one.clone(), three.clone(), two])
        .await
        .expect("upsert");
    assert_eq!(outcomes.len(), 3, "each document has its own outcome");
    assert_eq!(outcomes[2], UpsertOutcome::Stale);
    stored(index, &three.id, &three).await;
}

fn plus(seconds: u64) -> Timestamp {
    ManualClock::start()
        .checked_add(Duration::from_secs(seconds))
        .expect("within range")
}

/// Twelve documents that differ in everything that can be asked for.
fn planted(salt: u64) -> Vec<PaymentDoc> {
    let emails = [
        "Anna.Miller@Example.com",
        "björn.20@example.de",
        "maría.0@example.org",
        "o'brien.1@example.co.jp",
        "a+b@münchen.example",
        "anna@other.example",
    ];
    let references = [
        Some("INV-2026/001"),
        Some("inv-2026/002"),
        None,
        Some("Bestellung Ü 7"),
        Some("a*b?c.d"),
        Some("4242"),
    ];
    let statuses = Status::ALL;
    (0..12_usize)
        .map(|i| {
            let seconds = u64::try_from(i).expect("small");
            let mut doc = sample::doc(number(salt, 3) + seconds);
            doc.merchant = merchant(salt, "find").parse().expect("a merchant");
            doc.live = i % 3 == 0;
            doc.status = statuses[i % statuses.len()];
            doc.amount_minor = [1, 999, 1000, 1250, 4242, 999_999_999_999][i % 6];
            doc.currency = ["EUR", "JPY", "KWD"][i % 3].parse().expect("a currency");
            doc.refunded_minor = i64::from(i % 4 == 0);
            doc.email = String::from(emails[i % 6]);
            doc.reference = references[i % 6].map(str::to_owned);
            doc.brand = (i % 2 == 0).then(|| "visa".to_owned());
            doc.last4 = [Some("4242"), Some("0005"), None][i % 3].map(str::to_owned);
            doc.failure =
                [None, Some("card_declined"), Some("provider_timeout")][i % 3].map(str::to_owned);
            doc.dead = i % 5 == 0;
            doc.created_at = plus(seconds * 3600);
            doc.updated_at = plus(seconds * 3600 + 60);
            doc
        })
        .collect()
}

struct Kit<'a> {
    index: &'a dyn Index,
    docs: Vec<PaymentDoc>,
    merchant: String,
}

fn is(term: Term) -> Clause {
    Clause {
        negated: false,
        term,
    }
}

fn not(term: Term) -> Clause {
    Clause {
        negated: true,
        term,
    }
}

impl Kit<'_> {
    fn query(&self, clauses: &[Clause]) -> SearchQuery {
        let mut clauses = clauses.to_vec();
        clauses.push(is(Term::Merchant(self.merchant.clone())));
        SearchQuery { clauses }
    }

    /// The planted documents that the domain says `query` asks for, newest first.
    fn expected(&self, query: &SearchQuery) -> Vec<PaymentDoc> {
        let mut docs: Vec<PaymentDoc> = self
            .docs
            .iter()
            .filter(|doc| query.matches(doc))
            .cloned()
            .collect();
        docs.sort_by_key(|doc| std::cmp::Reverse(doc.created_at));
        docs
    }

    /// Checks that the index and the domain agree on what `clauses` ask for.
    async fn finds(&self, clauses: &[Clause], what: &str) -> usize {
        let query = self.query(clauses);
        let expected = self.expected(&query);
        let start = Instant::now();
        loop {
            let hits = self.index.search(&query, 0, 100).await.expect("search");
            if hits.docs == expected && usize::try_from(hits.total) == Ok(expected.len()) {
                return expected.len();
            }
            let late = start.elapsed() > REFRESH;
            assert!(
                !late,
                "search for {what} gives {} {:?}, not {:?}, newest first",
                hits.total,
                ids(&hits.docs),
                ids(&expected)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn terms(&self) {
        let (first, last) = (&self.docs[0], &self.docs[11]);
        let half = first.id.as_str().get(..20).expect("longer").to_owned();
        let eur = "EUR".parse().expect("a currency");
        let terms = [
            Term::Id(first.id.to_string()),
            Term::Id(half),
            Term::Email("anna".to_owned()),
            Term::Email("ANNA.MILLER@EXAMPLE.COM".to_owned()),
            Term::Email("björn.20@example.de".to_owned()),
            Term::Email("BJÖRN".to_owned()),
            Term::Email("maría".to_owned()),
            Term::Email("o'brien".to_owned()),
            Term::Email("a+b@MÜNCHEN".to_owned()),
            Term::Last4("4242".to_owned()),
            Term::Reference("INV-2026".to_owned()),
            Term::Reference("inv-2026/001".to_owned()),
            Term::Reference("BESTELLUNG ü".to_owned()),
            Term::Reference("a*b?c.".to_owned()),
            Term::Status(Status::Failed),
            Term::Status(Status::PartiallyRefunded),
            Term::Amount {
                min: 1000,
                max: 4241,
            },
            Term::Amount {
                min: 0,
                max: i64::MAX,
            },
            Term::Amount {
                min: 999_999_999_999,
                max: 999_999_999_999,
            },
            Term::Currency(eur),
            Term::Created {
                from: self.docs[3].created_at,
                to: last.created_at,
            },
            Term::Created {
                from: Timestamp::MIN,
                to: Timestamp::MAX,
            },
            Term::Failure("card_declined".to_owned()),
            Term::Dead(true),
            Term::Dead(false),
            Term::Live(true),
            Term::Live(false),
            Term::Any(vec![
                Term::Email("4242".to_owned()),
                Term::Reference("4242".to_owned()),
                Term::Last4("4242".to_owned()),
            ]),
        ];
        for term in terms {
            let what = format!("{term:?}");
            let found = self.finds(&[is(term.clone())], &what).await;
            assert!(found > 0, "{what} finds something");
            self.finds(&[not(term)], &format!("not {what}")).await;
        }
        self.finds(
            &[is(Term::Status(Status::Completed)), not(Term::Live(true))],
            "two clauses",
        )
        .await;
        self.finds(
            &[not(Term::Last4("4242".to_owned())), not(Term::Dead(true))],
            "negations alone",
        )
        .await;
        for nothing in [
            Term::Email("nobody".to_owned()),
            Term::Email(".*".to_owned()),
            Term::Reference("a*c".to_owned()),
            Term::Id("pay_00000000".to_owned()),
            Term::Amount { min: 20, max: 10 },
            Term::Merchant("find".to_owned()),
            Term::Any(Vec::new()),
        ] {
            let what = format!("{nothing:?}");
            assert_eq!(
                self.finds(&[is(nothing)], &what).await,
                0,
                "{what} finds nothing"
            );
        }
    }

    async fn parsed(&self) {
        for text in [
            "anna",
            "-status:failed amount:>999",
            "4242",
            "created:2026-11-22 live:false",
            "reference:\"Bestellung Ü\"",
            "12.50",
        ] {
            let clauses = SearchQuery::parse(text, plus(0)).expect("a query").clauses;
            self.finds(&clauses, text).await;
        }
    }

    async fn pages(&self) {
        let query = self.query(&[]);
        let expected = self.expected(&query);
        let mut found = Vec::new();
        for offset in (0..15).step_by(5) {
            let hits = self.index.search(&query, offset, 5).await.expect("search");
            assert_eq!(hits.total, 12, "the total is that of all pages");
            found.extend(hits.docs);
        }
        assert_eq!(
            ids(&found),
            ids(&expected),
            "pages follow one another, newest first"
        );
    }

    async fn scan(&self) {
        let mut found = Vec::new();
        let mut from = None;
        loop {
            let page = self.index.scan(from.as_deref(), 5).await.expect("scan");
            assert!(page.docs.len() <= 5, "a page is longer than asked for");
            found.extend(page.docs);
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert!(
            found.is_sorted_by(|a, b| a.id < b.id),
            "documents come in order of id, each once"
        );
        let ours: Vec<PaymentDoc> = found
            .into_iter()
            .filter(|doc| doc.merchant.as_str() == self.merchant)
            .collect();
        let mut expected = self.docs.clone();
        expected.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(ours, expected, "a scan gives every document, whole");
    }

    async fn of_payments(&self) {
        let mut ids: Vec<PaymentId> = self.docs.iter().take(3).map(|doc| doc.id.clone()).collect();
        ids.push(sample::payment_id(number(1, 200) ^ (1 << 40)));
        let found = self.index.of_payments(&ids).await.expect("of_payments");
        let found: BTreeSet<PaymentId> = found.into_iter().map(|doc| doc.id).collect();
        assert_eq!(
            found,
            ids[..3].iter().cloned().collect(),
            "the documents of these payments"
        );
        assert!(
            self.index
                .of_payments(&[])
                .await
                .expect("of_payments")
                .is_empty()
        );
    }

    async fn freshness(&self) {
        let newest = self.docs.iter().map(|doc| doc.updated_at).max();
        let freshness = self.index.freshness().await.expect("freshness");
        assert!(
            freshness.newest >= newest,
            "the newest document is {newest:?}: {freshness:?}"
        );
        assert!(freshness.documents >= 14, "{freshness:?}");
        assert!(!freshness.store.is_empty());
    }
}

fn ids(docs: &[PaymentDoc]) -> Vec<&str> {
    docs.iter().map(|doc| doc.id.as_str()).collect()
}
