//! For any documents and any query, tantivy finds exactly what `SearchQuery::matches` holds for.

#![expect(
    clippy::expect_used,
    reason = "tests say what they expect by panicking"
)]

use std::sync::OnceLock;
use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::id::PaymentId;
use payops_core::domain::payment::Status;
use payops_core::domain::search::{Clause, SearchQuery, Term};
use payops_core::port::Index as _;
use payops_search::{IndexOptions, TantivyIndex};
use payops_testkit::sample;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

/// Texts that collide often: shared starts, letters whose cases are odd, wildcards, the ends of
/// UTF-8's ranges.
const TEXTS: [&str; 20] = [
    "",
    "a",
    "A",
    "ab",
    "AB*",
    "a.b",
    "a.*",
    "(a|b)",
    "\\",
    "İ",
    "i̇",
    "ß",
    "SS",
    "ΟΔΟΣ",
    "οδο",
    "Ä",
    "ä@ü.example",
    "\u{D7FF}x",
    "\u{10FFFF}\u{10FFFF}",
    "4242",
];
const BASE_MS: i64 = 1_795_348_800_000;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (select(&TEXTS[..]), select(&TEXTS[..])).prop_map(|(a, b)| format!("{a}{b}")),
        1 => "\\PC{0,4}",
    ]
}

fn status() -> impl Strategy<Value = Status> {
    select(&Status::ALL[..])
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![
        -2..3_i64,
        Just(4242),
        Just(i64::MAX),
        Just(i64::MIN),
        999_999_999_998..1_000_000_000_001_i64
    ]
}

fn created() -> impl Strategy<Value = Timestamp> {
    (0..4_i64).prop_map(|ms| Timestamp::from_millisecond(BASE_MS + ms).expect("a time"))
}

/// Bounds of ranges may lie between two milliseconds, and at the ends of time.
fn bound() -> impl Strategy<Value = Timestamp> {
    let near = (0..4_000_i64)
        .prop_map(|us| Timestamp::from_microsecond(BASE_MS * 1_000 + us).expect("a time"));
    prop_oneof![8 => near, 1 => Just(Timestamp::MIN), 1 => Just(Timestamp::MAX)]
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(words).prop_map(str::to_owned)
}

fn doc() -> impl Strategy<Value = PaymentDoc> {
    let payment = (
        0..3_u64,
        0..3_u128,
        status(),
        amount(),
        word(&["EUR", "JPY", "KWD"]),
    );
    let texts = (
        text(),
        option::of(text()),
        option::of(word(&["4242", "0000"])),
        option::of(word(&["card_declined", "x"])),
    );
    (
        payment,
        texts,
        word(&["acme", "other"]),
        any::<bool>(),
        any::<bool>(),
        created(),
        1..4_u64,
    )
        .prop_map(
            |(
                (at, random, status, amount_minor, currency),
                (email, reference, last4, failure),
                merchant,
                live,
                dead,
                created_at,
                version,
            )| {
                PaymentDoc {
                    id: PaymentId::from_parts(at, random),
                    version,
                    merchant: merchant.parse().expect("a merchant"),
                    live,
                    status,
                    amount_minor,
                    currency: currency.parse().expect("a currency"),
                    email,
                    reference,
                    last4,
                    failure,
                    dead,
                    created_at,
                    updated_at: created_at,
                    ..sample::doc(1)
                }
            },
        )
}

fn leaf() -> impl Strategy<Value = Term> {
    prop_oneof![
        (0..3_u64, 0..3_u128, 0..31_usize).prop_map(|(at, random, cut)| Term::Id(
            PaymentId::from_parts(at, random)
                .as_str()
                .chars()
                .take(cut)
                .collect()
        )),
        text().prop_map(Term::Email),
        text().prop_map(Term::Reference),
        word(&["4242", "0000", "424", ""]).prop_map(Term::Last4),
        status().prop_map(Term::Status),
        (amount(), amount()).prop_map(|(min, max)| Term::Amount { min, max }),
        word(&["EUR", "JPY", "USD"])
            .prop_map(|code| Term::Currency(code.parse().expect("a currency"))),
        word(&["acme", "acm", "", "Other"]).prop_map(Term::Merchant),
        (bound(), bound()).prop_map(|(from, to)| Term::Created { from, to }),
        word(&["card_declined", "card", "x"]).prop_map(Term::Failure),
        any::<bool>().prop_map(Term::Dead),
        any::<bool>().prop_map(Term::Live),
    ]
}

fn query() -> impl Strategy<Value = SearchQuery> {
    let term = leaf().prop_recursive(2, 8, 4, |inner| vec(inner, 0..4).prop_map(Term::Any));
    vec((any::<bool>(), term), 0..4).prop_map(|clauses| SearchQuery {
        clauses: clauses
            .into_iter()
            .map(|(negated, term)| Clause { negated, term })
            .collect(),
    })
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime"))
}

/// What the index should hold: of each id the highest version, of equal ones the first.
fn kept(docs: &[PaymentDoc]) -> Vec<PaymentDoc> {
    let mut kept: Vec<PaymentDoc> = Vec::new();
    for doc in docs {
        match kept.iter_mut().find(|known| known.id == doc.id) {
            Some(known) if known.version < doc.version => *known = doc.clone(),
            Some(_) => {}
            None => kept.push(doc.clone()),
        }
    }
    kept.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    kept
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn finds_exactly_what_matches(batches in vec(vec(doc(), 1..12), 1..4), queries in vec(query(), 40)) {
        let dir = tempfile::tempdir().expect("a folder");
        let checked: Result<(), TestCaseError> = runtime().block_on(async {
            let index = TantivyIndex::open(dir.path(), IndexOptions { commit_every: Duration::ZERO }).await.expect("opens");
            for batch in &batches {
                index.upsert(batch).await.expect("writes");
            }
            let kept = kept(&batches.concat());
            for query in queries {
                let expected: Vec<PaymentDoc> = kept.iter().filter(|doc| query.matches(doc)).cloned().collect();
                let found = index.search(&query, 0, 100).await.expect("finds");
                prop_assert_eq!(found.total, expected.len() as u64, "{:?}", query);
                prop_assert_eq!(&found.docs, &expected, "{:?}", query);
            }
            Ok(())
        });
        checked?;
    }
}
