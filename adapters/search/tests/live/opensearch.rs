//! The index against the OpenSearch server of the live suite, which may hold documents of earlier
//! runs.

#![expect(
    clippy::expect_used,
    reason = "tests say what they expect by panicking"
)]
#![expect(clippy::print_stdout, reason = "says which tests did not run")]

use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::search::SearchQuery;
use payops_core::port::{ErrorKind, Index as _, UpsertOutcome};
use payops_search::{OpenSearchIndex, Visibility};
use payops_testkit::{conformance, fresh_salt, sample};

/// An index of this test's own, or `None` where the server is not running.
async fn index(name: &str) -> Option<OpenSearchIndex> {
    let Ok(url) = std::env::var("PAYOPS_LIVE_OPENSEARCH_URL") else {
        println!("not run: PAYOPS_LIVE_OPENSEARCH_URL is not set");
        return None;
    };
    let alias = format!("{name}-{:x}", fresh_salt());
    let index = OpenSearchIndex::connect(&url, &alias, None)
        .expect("an address")
        .with_visibility(Visibility::AtOnce);
    let (one, two) = tokio::join!(index.ensure_index(), index.ensure_index());
    one.and(two).expect("makes the index, once");
    Some(index)
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    let Some(index) = index("contract").await else {
        return;
    };
    conformance::index::suite(&index, 1).await;
}

#[tokio::test]
async fn a_reindex_moves_the_alias_and_loses_nothing() {
    let Some(index) = index("reindex").await else {
        return;
    };
    let docs: Vec<_> = (0..25)
        .map(|n| PaymentDoc {
            version: 3,
            ..sample::doc(n)
        })
        .collect();
    index.upsert(&docs).await.expect("writes");
    let name = format!("moved-{:x}", fresh_salt());
    assert_eq!(index.reindex_into(&name).await.expect("moves"), 25);
    let newer = PaymentDoc {
        version: 4,
        dead: !docs[0].dead,
        ..docs[0].clone()
    };
    assert_eq!(
        index
            .upsert(&[newer.clone(), docs[1].clone()])
            .await
            .expect("writes"),
        [UpsertOutcome::Applied, UpsertOutcome::Stale]
    );
    let moved = index
        .at(&name)
        .of_payments(std::slice::from_ref(&newer.id))
        .await
        .expect("finds");
    assert_eq!(moved, [newer], "writes go to the new index");
    assert_eq!(
        index
            .search(&SearchQuery::default(), 0, 100)
            .await
            .expect("finds")
            .total,
        25
    );
}

#[tokio::test]
async fn offsets_beyond_the_window_are_walked() {
    let Some(index) = index("deep").await else {
        return;
    };
    let docs: Vec<_> = (0..10_030).map(sample::doc).collect();
    index.upsert(&docs).await.expect("writes");
    let mut expected = docs;
    expected.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    let found = index
        .search(&SearchQuery::default(), 10_010, 15)
        .await
        .expect("finds");
    assert_eq!(found.total, 10_030);
    assert_eq!(found.docs, expected[10_010..10_025]);
    let end = index
        .search(&SearchQuery::default(), 10_020, 500)
        .await
        .expect("finds");
    assert_eq!(end.docs, expected[10_020..]);
    assert!(
        index
            .search(&SearchQuery::default(), 20_000, 5)
            .await
            .expect("finds nothing")
            .docs
            .is_empty()
    );
}

#[tokio::test]
async fn a_missing_index_is_named() {
    let Some(index) = index("missing").await else {
        return;
    };
    let error = index
        .at("nowhere")
        .search(&SearchQuery::default(), 0, 1)
        .await
        .expect_err("no such index");
    assert_eq!(error.kind, ErrorKind::NotFound);
    let url = std::env::var("PAYOPS_LIVE_OPENSEARCH_URL").expect("set");
    let nowhere = OpenSearchIndex::connect(&url, &format!("nowhere-{:x}", fresh_salt()), None)
        .expect("an address");
    assert_eq!(
        nowhere
            .upsert(&[sample::doc(1)])
            .await
            .expect_err("no such alias")
            .kind,
        ErrorKind::NotFound
    );
    assert_eq!(
        nowhere.freshness().await.expect_err("none was made").kind,
        ErrorKind::NotFound
    );
}
