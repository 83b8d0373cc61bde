//! The index against the OpenSearch server of the live suite, which may hold documents of earlier
//! runs.

#![expect(
    clippy::expect_used,
    reason = "tests say what they expect by panicking"
)]
#![expect(clippy::print_stdout, reason = "says which tests did not run")]

use futures::future::join_all;
use payops_core::Timestamp;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::search::SearchQuery;
use payops_core::port::{ErrorKind, Index as _, UpsertOutcome};
use payops_search::{OpenSearchIndex, Visibility};
use payops_testkit::{conformance, fresh_salt, sample};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

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
async fn a_new_index_is_filled_under_the_alias_and_nothing_is_lost() {
    let Some(index) = index("rebuild").await else {
        return;
    };
    let docs: Vec<_> = (0..25)
        .map(|n| PaymentDoc {
            version: 3,
            ..sample::doc(n)
        })
        .collect();
    index.upsert(&docs).await.expect("writes");
    let now = Timestamp::now();
    let mut begun = index.begin_rebuild(now).await.expect("begins");
    assert!(!begun.is_resumed);
    let into = index.at(&begun.name);
    into.upsert(&docs[..10]).await.expect("writes");
    begun.progress.from = Some("page 2".to_owned());
    begun.progress.payments = 10;
    index.note_progress(&begun).await.expect("noted");
    // Whoever goes on finds the same index, and where it stopped.
    let mut again = index
        .begin_rebuild(Timestamp::now())
        .await
        .expect("goes on");
    assert!(again.is_resumed);
    assert_eq!(
        (&again.name, &again.progress),
        (&begun.name, &begun.progress)
    );
    into.upsert(&docs[10..]).await.expect("writes");
    // Meanwhile payments change, behind the alias: in the old index.
    let newer = PaymentDoc {
        version: 4,
        dead: !docs[0].dead,
        updated_at: now,
        ..docs[0].clone()
    };
    let applied = index
        .upsert(std::slice::from_ref(&newer))
        .await
        .expect("writes");
    assert_eq!(applied, [UpsertOutcome::Applied]);
    assert!(!index.is_swapped(&again).await.expect("asks"));
    index.swap_index(&mut again).await.expect("swaps");
    assert!(index.is_swapped(&again).await.expect("asks"));
    let old = again.progress.replaced.clone();
    assert_eq!(old.len(), 1, "{old:?}");
    // Cut off here, another run knows what is left to do.
    let resumed = index
        .begin_rebuild(Timestamp::now())
        .await
        .expect("goes on");
    assert_eq!(
        (&resumed.name, &resumed.progress),
        (&again.name, &again.progress)
    );
    index.close_replaced(&again).await.expect("closes");
    let late = index
        .at(&old[0])
        .upsert(std::slice::from_ref(&docs[2]))
        .await;
    assert!(late.is_err(), "the old index takes no writes any more");
    let changed = index.changed_since(&old[0], now, None).await;
    assert_eq!(changed.expect("finds"), (vec![newer.id.clone()], None));
    assert_eq!(
        index
            .upsert(&[newer.clone(), docs[1].clone()])
            .await
            .expect("writes"),
        [UpsertOutcome::Applied, UpsertOutcome::Stale]
    );
    let moved = into
        .of_payments(std::slice::from_ref(&newer.id))
        .await
        .expect("finds");
    assert_eq!(moved, [newer], "writes go to the new index");
    let all = index.search(&SearchQuery::default(), 0, 100).await;
    assert_eq!(all.expect("finds").total, 25);
    index.end_rebuild(&again).await.expect("ends");
    let third = index.begin_rebuild(Timestamp::now()).await.expect("begins");
    assert!(!third.is_resumed, "the last one is finished");
}

#[tokio::test]
async fn a_document_is_found_after_a_refresh_only() {
    let Some(index) = index("refresh").await else {
        return;
    };
    let later = index.clone().with_visibility(Visibility::Eventually);
    let doc = sample::doc(fresh_salt());
    // A refresh a second would hide that nobody asked for one.
    put(&index_setting(
        &later,
        json!({"index": {"refresh_interval": "-1"}}),
    ))
    .await;
    later
        .upsert(std::slice::from_ref(&doc))
        .await
        .expect("writes");
    let ids = std::slice::from_ref(&doc.id);
    assert!(later.of_payments(ids).await.expect("asks").is_empty());
    index
        .upsert(&[sample::doc(fresh_salt())])
        .await
        .expect("writes, and refreshes");
    assert_eq!(later.of_payments(ids).await.expect("finds"), [doc]);
}

/// Where and what to put, to change a setting of the index behind the alias.
fn index_setting(index: &OpenSearchIndex, setting: Value) -> (String, Value) {
    let url = std::env::var("PAYOPS_LIVE_OPENSEARCH_URL").expect("set");
    (format!("{url}/{}/_settings", index.alias()), setting)
}

async fn put((url, body): &(String, Value)) {
    let answer = reqwest::Client::new().put(url).json(body).send().await;
    let status = answer.expect("an answer").status();
    assert!(status.is_success(), "{status}");
}

#[tokio::test]
async fn a_field_that_nobody_declared_is_refused() {
    let Some(index) = index("strict").await else {
        return;
    };
    let url = std::env::var("PAYOPS_LIVE_OPENSEARCH_URL").expect("set");
    let answer = reqwest::Client::new()
        .post(format!("{url}/{}/_doc", index.alias()))
        .json(&json!({"id": "pay_1", "card": "x"}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 400);
    let told: Value = answer.json().await.expect("JSON");
    assert_eq!(told["error"]["type"], "strict_dynamic_mapping_exception");
}

/// A node of the test's own with these settings, and its address.
async fn node(settings: &[&str]) -> Option<(Child, String)> {
    let Ok(program) = std::env::var("PAYOPS_LIVE_OPENSEARCH_NODE") else {
        println!("not run: PAYOPS_LIVE_OPENSEARCH_NODE is not set");
        return None;
    };
    let mut node = tokio::process::Command::new(program)
        .args(settings)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a node");
    let stdout = node.stdout.take().expect("its words");
    let url = BufReader::new(stdout).lines().next_line().await;
    Some((node, url.expect("read").expect("its address")))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_for_the_node_goes_in_parts() {
    let Some((_node, url)) = node(&["http.max_content_length=64kb"]).await else {
        return;
    };
    let index = OpenSearchIndex::connect(&url, "payments", None)
        .expect("an address")
        .with_visibility(Visibility::AtOnce);
    index.ensure_index().await.expect("made");
    let docs: Vec<_> = (0..500).map(sample::doc).collect();
    let outcomes = index.upsert(&docs).await.expect("written");
    assert_eq!(outcomes, vec![UpsertOutcome::Applied; 500]);
    let again = index.upsert(&docs).await.expect("written");
    assert_eq!(again, vec![UpsertOutcome::Stale; 500]);
    let ids: Vec<_> = docs.iter().map(|doc| doc.id.clone()).collect();
    assert_eq!(index.of_payments(&ids).await.expect("found").len(), 500);
}

/// A node with little room refuses writes that come at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_room_is_throttled_and_loses_nothing() {
    let settings = ["thread_pool.write.size=1", "thread_pool.write.queue_size=1"];
    let Some((_node, url)) = node(&settings).await else {
        return;
    };
    let index = OpenSearchIndex::connect(&url, "payments", None)
        .expect("an address")
        .with_visibility(Visibility::Eventually);
    index.ensure_index().await.expect("made");
    let docs: Vec<_> = (0..4000).map(sample::doc).collect();
    let mut tries = 0;
    let mut refusals = 0;
    // Forty writers at once; each repeats what was refused, as the projector does.
    let mut left: Vec<&[PaymentDoc]> = docs.chunks(100).collect();
    while !left.is_empty() {
        tries += 1;
        assert!(tries < 100, "{} parts were never taken", left.len());
        let results = join_all(left.iter().map(|part| index.upsert(part))).await;
        let mut again = Vec::new();
        for (part, result) in left.iter().zip(results) {
            if let Err(error) = result {
                assert_eq!(error.kind, ErrorKind::Throttled, "{error:?}");
                refusals += 1;
                again.push(*part);
            }
        }
        left = again;
    }
    assert!(refusals > 0, "the node took everything");
    let (mut count, mut after) = (0, None);
    loop {
        let page = index.changed_since(index.alias(), Timestamp::UNIX_EPOCH, after.as_deref());
        let (ids, next) = page.await.expect("finds");
        count += ids.len();
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(count, 4000);
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
