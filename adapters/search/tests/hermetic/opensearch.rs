//! The OpenSearch adapter against answers played by a server of this process: what is sent, and
//! what failures, whole and in part, mean. The contract itself is checked by the live suite.

#![expect(
    clippy::expect_used,
    reason = "tests say what they expect by panicking"
)]

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::search::{Clause, SearchQuery, Term};
use payops_core::port::{ErrorKind, Index as _, UpsertOutcome};
use payops_search::{Credentials, OpenSearchIndex};
use payops_testkit::sample;
use secrecy::SecretString;
use serde_json::{Value, json};

type Calls = Arc<Mutex<Vec<(String, String)>>>;

#[derive(Clone)]
struct Played {
    answers: Arc<Mutex<Vec<(u16, Value)>>>,
    calls: Calls,
}

/// Plays the answers in order; keeps method, path and body of each call.
async fn play(answers: &[(u16, Value)]) -> (OpenSearchIndex, Calls) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let played = Played {
        answers: Arc::new(Mutex::new(answers.to_vec())),
        calls: Calls::default(),
    };
    let app = Router::new().fallback(answer).with_state(played.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let credentials = Credentials {
        user: "user".into(),
        password: SecretString::from("hunter2"),
    };
    (
        OpenSearchIndex::connect(&url, "payments", Some(&credentials)).expect("an address"),
        played.calls,
    )
}

async fn answer(State(played): State<Played>, request: Request) -> (StatusCode, String) {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 24).await.expect("a body");
    assert_eq!(parts.headers["authorization"], "Basic dXNlcjpodW50ZXIy");
    let call = (
        format!("{} {}", parts.method, parts.uri),
        String::from_utf8(body.to_vec()).expect("text"),
    );
    played
        .calls
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(call);
    let (status, answer) = played
        .answers
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(0);
    (
        StatusCode::from_u16(status).expect("a status"),
        answer.to_string(),
    )
}

fn call(calls: &Calls, number: usize) -> (String, String) {
    calls.lock().unwrap_or_else(PoisonError::into_inner)[number].clone()
}

fn items(statuses: &[(u16, &str)]) -> (u16, Value) {
    let item = |(status, error): &(u16, &str)| json!({"index": {"status": status, "error": {"type": error, "reason": "anna@example.com"}}});
    (
        200,
        json!({"errors": true, "items": statuses.iter().map(item).collect::<Vec<_>>()}),
    )
}

#[tokio::test]
async fn a_bulk_call_carries_versions_and_reads_each_item() {
    let (index, calls) = play(&[items(&[
        (201, ""),
        (409, "version_conflict_engine_exception"),
        (200, ""),
    ])])
    .await;
    let docs: Vec<PaymentDoc> = (1..4)
        .map(|n| PaymentDoc {
            version: n,
            ..sample::doc(n)
        })
        .collect();
    let outcomes = index.upsert(&docs).await.expect("writes");
    assert_eq!(
        outcomes,
        [
            UpsertOutcome::Applied,
            UpsertOutcome::Stale,
            UpsertOutcome::Applied
        ]
    );
    let (path, body) = call(&calls, 0);
    assert_eq!(
        path,
        "POST /payments/_bulk?refresh=false&require_alias=true"
    );
    let lines: Vec<Value> = body
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(
        lines[2],
        json!({"index": {"_id": docs[1].id.as_str(), "version": 2, "version_type": "external"}})
    );
    assert_eq!(lines[3]["email_folded"], docs[1].email.to_lowercase());
    assert_eq!(lines[3]["created_ms"], docs[1].created_at.as_millisecond());
    assert!(body.ends_with('\n'));
}

#[tokio::test]
async fn a_bulk_call_that_fails_in_part_says_how() {
    let expected = [
        (
            vec![(201, ""), (429, "rejected_execution_exception"), (201, "")],
            ErrorKind::Throttled,
        ),
        (
            vec![
                (503, "unavailable_shards_exception"),
                (429, "rejected_execution_exception"),
                (201, ""),
            ],
            ErrorKind::Throttled,
        ),
        (
            vec![
                (429, ""),
                (400, "strict_dynamic_mapping_exception"),
                (503, ""),
            ],
            ErrorKind::Permanent,
        ),
        (
            vec![(201, ""), (403, "cluster_block_exception"), (201, "")],
            ErrorKind::NotWritable,
        ),
        (vec![(201, ""), (201, "")], ErrorKind::Ambiguous),
    ];
    let docs: Vec<PaymentDoc> = (1..4).map(sample::doc).collect();
    for (statuses, kind) in expected {
        let (index, _) = play(&[items(&statuses)]).await;
        let error = index.upsert(&docs).await.expect_err("in part");
        assert_eq!(error.kind, kind, "{statuses:?}");
        assert!(!error.chain().contains("anna"), "{}", error.chain());
    }
}

#[tokio::test]
async fn many_documents_go_in_several_calls() {
    let (index, calls) = play(&[
        items(&vec![(201, ""); 1_000]),
        items(&vec![(201, ""); 1_000]),
        items(&[(201, ""); 3]),
    ])
    .await;
    let docs: Vec<PaymentDoc> = (0..2_003).map(sample::doc).collect();
    assert_eq!(index.upsert(&docs).await.expect("writes").len(), 2_003);
    assert_eq!(
        calls.lock().unwrap_or_else(PoisonError::into_inner).len(),
        3
    );
}

#[tokio::test]
async fn a_query_is_sent_without_wildcards_and_scripts() {
    let doc = sample::doc(1);
    let hits = json!({"total": {"value": 7}, "hits": [{"_source": doc}]});
    let (index, calls) = play(&[(
        200,
        json!({"timed_out": false, "_shards": {"failed": 0}, "hits": hits}),
    )])
    .await;
    let is = |negated, term| Clause { negated, term };
    let clauses = vec![
        is(false, Term::Email("ANNA*".into())),
        is(true, Term::Dead(true)),
        is(
            false,
            Term::Any(vec![Term::Amount { min: 1, max: 2 }, Term::Any(vec![])]),
        ),
    ];
    let found = index
        .search(&SearchQuery { clauses }, 20, 10)
        .await
        .expect("finds");
    assert_eq!((found.total, found.docs), (7, vec![doc]));
    let (path, body) = call(&calls, 0);
    assert_eq!(path, "POST /payments/_search");
    let expected = json!({
        "query": {"bool": {
            "filter": [
                {"prefix": {"email_folded": {"value": "anna*"}}},
                {"bool": {"should": [{"range": {"amount_minor": {"gte": 1, "lte": 2}}}, {"match_none": {}}], "minimum_should_match": 1}},
            ],
            "must_not": [{"term": {"dead": {"value": true}}}],
        }},
        "sort": [{"created_ms": "desc"}, {"id": "desc"}], "from": 20, "size": 10, "track_total_hits": true,
    });
    assert_eq!(
        serde_json::from_str::<Value>(&body).expect("JSON"),
        expected
    );
}

#[tokio::test]
async fn answers_in_part_and_failures_are_not_taken_for_nothing_found() {
    let empty = json!({"total": {"value": 0}, "hits": []});
    let expected = [
        (
            200,
            json!({"timed_out": true, "_shards": {"failed": 0}, "hits": empty}),
            ErrorKind::Unavailable,
        ),
        (
            200,
            json!({"timed_out": false, "_shards": {"failed": 1}, "hits": empty}),
            ErrorKind::Unavailable,
        ),
        (
            404,
            json!({"error": {"type": "index_not_found_exception"}}),
            ErrorKind::NotFound,
        ),
        (401, json!("<html>"), ErrorKind::Denied),
        (
            429,
            json!({"error": {"type": "circuit_breaking_exception"}}),
            ErrorKind::Throttled,
        ),
        (502, json!("<html>"), ErrorKind::Unavailable),
        (
            400,
            json!({"error": {"type": "search_phase_execution_exception"}}),
            ErrorKind::Permanent,
        ),
    ];
    for (status, body, kind) in expected {
        let (index, _) = play(&[(status, body.clone())]).await;
        assert_eq!(
            index
                .search(&SearchQuery::default(), 0, 10)
                .await
                .expect_err("fails")
                .kind,
            kind,
            "{status} {body}"
        );
    }
}

#[tokio::test]
async fn a_lost_connection_is_ambiguous_for_writes_only() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.expect("a call");
            let mut read = [0_u8; 4096];
            assert!(
                tokio::io::AsyncReadExt::read(&mut stream, &mut read)
                    .await
                    .expect("reads")
                    > 0
            );
        }
    });
    let index = OpenSearchIndex::connect(&url, "payments", None).expect("an address");
    assert_eq!(
        index
            .upsert(&[sample::doc(1)])
            .await
            .expect_err("lost")
            .kind,
        ErrorKind::Ambiguous
    );
    assert_eq!(
        index.freshness().await.expect_err("lost").kind,
        ErrorKind::Unavailable
    );
    server.await.expect("served");
    assert_eq!(
        index
            .upsert(&[sample::doc(1)])
            .await
            .expect_err("nobody listens")
            .kind,
        ErrorKind::Unavailable
    );
}

#[tokio::test]
async fn a_newer_schema_and_odd_names_are_refused() {
    let mapping =
        |version: u64| json!({"payments-v9": {"mappings": {"_meta": {"schema_version": version}}}});
    let alias = json!({"payments-v9": {"aliases": {"payments": {}}}});
    let (index, _) = play(&[
        (200, alias.clone()),
        (200, mapping(7)),
        (200, alias),
        (200, mapping(1)),
    ])
    .await;
    let error = index.ensure_index().await.expect_err("refused");
    assert!(
        error.kind == ErrorKind::Corrupt
            && error.message.contains('7')
            && error.message.contains("up to 1"),
        "{}",
        error.message
    );
    index.ensure_index().await.expect("known");
    for alias in ["", "-x", "a/b", "A", "a,b", "*"] {
        assert_eq!(
            OpenSearchIndex::connect("http://127.0.0.1:1", alias, None)
                .expect_err("refused")
                .kind,
            ErrorKind::Permanent
        );
    }
}

#[tokio::test]
async fn the_index_is_made_behind_its_alias() {
    let exists = json!({"error": {"type": "resource_already_exists_exception"}});
    let mapping = json!({"payments-v1": {"mappings": {"_meta": {"schema_version": 1}}}});
    let alias = json!({"payments-v1": {"aliases": {"payments": {}}}});
    let answers = [
        (404, json!({})),
        (200, json!({})),
        (404, json!({})),
        (400, exists.clone()),
        (200, alias),
        (200, mapping),
        (404, json!({})),
        (400, exists),
        (404, json!({})),
    ];
    let (index, calls) = play(&answers).await;
    index.ensure_index().await.expect("makes it");
    let (path, body) = call(&calls, 1);
    assert_eq!(path, "PUT /payments-v1");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["aliases"], json!({"payments": {}}));
    assert_eq!(body["mappings"]["dynamic"], "strict");
    index
        .ensure_index()
        .await
        .expect("another process was quicker");
    let error = index.ensure_index().await.expect_err("the alias is lost");
    assert_eq!(error.kind, ErrorKind::Corrupt);
    assert!(
        error.message.contains("the alias payments is not"),
        "{}",
        error.message
    );
    assert_eq!(calls.lock().expect("calls").len(), 9, "nothing was changed");
}
