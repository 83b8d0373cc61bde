//! The store on DynamoDB: the conformance suites against an engine in this process, and what
//! happens when the service answers late, not at all, or in part.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use dynoxide::{Database, DynoxideError};
use futures::future::join_all;
use payops_aws::{DynamoApprovalStore, DynamoFreezeStore, DynamoStore, dynamo};
use payops_core::Timestamp;
use payops_core::domain::access::{Approval, ApprovalRow, Freeze};
use payops_core::domain::event::{EventKind, NewEvent, Note};
use payops_core::domain::machine::Command;
use payops_core::port::{
    Accepted, ApprovalStore as _, Committed, ErrorKind, FreezeStore as _, Noted, PaymentStore as _,
};
use payops_testkit::{ManualClock, SeededRandom, conformance, sample};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::{Asked, Reply, Service};

struct Engine(Database);

impl Engine {
    fn new() -> Arc<Self> {
        Arc::new(Self(Database::memory().expect("a database")))
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let (db, body) = (&self.0, asked.body.as_slice());
        let told = match asked.operation() {
            "CreateTable" => call(body, |q| db.create_table(q)),
            "DescribeTable" => call(body, |q| db.describe_table(q)),
            "UpdateTimeToLive" => call(body, |q| db.update_time_to_live(q)),
            "PutItem" => call(body, |q| db.put_item(q)),
            "DeleteItem" => call(body, |q| db.delete_item(q)),
            "GetItem" => call(body, |q| db.get_item(q)),
            "Query" => call(body, |q| db.query(q)),
            "Scan" => call(body, |q| db.scan(q)),
            "BatchGetItem" => call(body, |q| db.batch_get_item(q)),
            "BatchWriteItem" => call(body, |q| db.batch_write_item(q)),
            "TransactWriteItems" => call(body, |q| db.transact_write_items(q)),
            other => panic!("{other} is not answered"),
        };
        match told {
            Ok(body) => Reply::Answer(200, body),
            Err(error) => Reply::Answer(error.status_code(), error.to_json()),
        }
    }
}

fn call<Q: DeserializeOwned, A: Serialize>(
    body: &[u8],
    operation: impl FnOnce(Q) -> dynoxide::Result<A>,
) -> dynoxide::Result<String> {
    let request = serde_json::from_slice(body)
        .map_err(|error| DynoxideError::SerializationException(error.to_string()))?;
    let answer = operation(request)?;
    serde_json::to_string(&answer)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// A store on an empty table, whose requests pass through `meddle` first.
async fn store_with(
    meddle: impl Fn(&Asked, &Engine) -> Option<Reply> + Send + Sync + 'static,
) -> (DynamoStore, Service) {
    let engine = Engine::new();
    let service = Service::new(move |_, asked| {
        meddle(&asked, &engine).unwrap_or_else(|| engine.answer(&asked))
    });
    let client = service.clients().await.dynamo;
    dynamo::create_table(&client, "payments")
        .await
        .expect("create_table");
    dynamo::create_table(&client, "payments")
        .await
        .expect("a second time is fine");
    (
        DynamoStore::new(client, "payments", Arc::new(SeededRandom::new(7))),
        service,
    )
}

async fn store() -> DynamoStore {
    store_with(|_, _| None).await.0
}

/// A store whose service answers every request alike.
async fn deaf(reply: impl Fn() -> Reply + Send + Sync + 'static) -> DynamoStore {
    let service = Service::new(move |_, _| reply());
    DynamoStore::new(
        service.clients().await.dynamo,
        "payments",
        Arc::new(SeededRandom::new(7)),
    )
}

fn now() -> Timestamp {
    ManualClock::start()
}

fn note(once: &str) -> Note {
    Note {
        once: once.to_owned(),
        event: NewEvent::new(now(), EventKind::Archived, json!({"name": once})),
    }
}

fn is_transaction(asked: &Asked) -> bool {
    asked.operation() == "TransactWriteItems"
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_its_contract() {
    conformance::store::suite(&store().await, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_store_keeps_its_contract() {
    conformance::keys::suite(&store().await, 1).await;
}

#[tokio::test]
async fn accepting_survives_conflicts_with_other_transactions() {
    let left = std::sync::atomic::AtomicUsize::new(3);
    let busy = json!({"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "message": "told by the test",
        "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}, {"Code": "None"}, {"Code": "None"}]});
    let meddle = move |asked: &Asked, _: &Engine| {
        let due = is_transaction(asked)
            && left
                .fetch_update(
                    std::sync::atomic::Ordering::SeqCst,
                    std::sync::atomic::Ordering::SeqCst,
                    |n| n.checked_sub(1),
                )
                .is_ok();
        due.then(|| Reply::Answer(400, busy.to_string()))
    };
    let (store, service) = store_with(meddle).await;
    assert_eq!(
        store
            .accept(&sample::acceptance(1, now()))
            .await
            .expect("accept"),
        Accepted::New
    );
    assert_eq!(
        service
            .asked()
            .iter()
            .filter(|asked| is_transaction(asked))
            .count(),
        4
    );
}

#[tokio::test]
async fn endless_conflicts_end_as_certainly_not_written() {
    let store = deaf(|| {
        let reasons = json!([{"Code": "TransactionConflict"}]);
        Reply::Answer(
            400,
            json!({"__type": "TransactionCanceledException", "CancellationReasons": reasons})
                .to_string(),
        )
    });
    let error = store
        .await
        .accept(&sample::acceptance(1, now()))
        .await
        .expect_err("always in conflict");
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn an_acceptance_whose_answer_was_lost_is_written_once_and_said_to_be_new() {
    let lost = std::sync::atomic::AtomicBool::new(false);
    let meddle = move |asked: &Asked, engine: &Engine| {
        let first = is_transaction(asked) && !lost.swap(true, std::sync::atomic::Ordering::SeqCst);
        first.then(|| {
            engine.answer(asked);
            Reply::Reset
        })
    };
    let (store, service) = store_with(meddle).await;
    let acceptance = sample::acceptance(1, now());
    assert_eq!(
        store.accept(&acceptance).await.expect("accept"),
        Accepted::New
    );
    let tokens: Vec<Value> = service
        .asked()
        .iter()
        .filter(|asked| is_transaction(asked))
        .map(|asked| asked.json()["ClientRequestToken"].clone())
        .collect();
    assert!(
        tokens.len() == 2 && tokens[0] == tokens[1] && tokens[0].is_string(),
        "one token for both attempts: {tokens:?}"
    );
    // The same by another caller is another call, and finds the key taken.
    assert!(matches!(
        store.accept(&acceptance).await.expect("accept"),
        Accepted::KeyTaken(_)
    ));
}

#[tokio::test]
async fn equal_changes_by_two_callers_are_written_once() {
    let store = store().await;
    let acceptance = sample::acceptance(1, now());
    store.accept(&acceptance).await.expect("accept");
    let claim = Command::Claim {
        owner: "w".to_owned(),
        hop: json!({}),
    };
    let change = sample::change(&acceptance.payment, claim, now());
    let outcomes = join_all((0..4).map(|_| store.commit(&change))).await;
    let done = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Ok(Committed::Done)))
        .count();
    let stale = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Ok(Committed::Stale)))
        .count();
    assert_eq!((done, stale), (1, 3), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_and_changes_at_once_number_their_events_without_gaps() {
    let store = store().await;
    let acceptance = sample::acceptance(1, now());
    store.accept(&acceptance).await.expect("accept");
    let id = &acceptance.payment.id;
    let notes: Vec<Note> = (0..8).map(|i| note(&format!("n{i}"))).collect();
    let claim = Command::Claim {
        owner: "w".to_owned(),
        hop: json!({}),
    };
    let change = sample::change(&acceptance.payment, claim, now());
    let (outcomes, committed) = futures::future::join(
        join_all(notes.iter().map(|note| store.note(id, note))),
        store.commit(&change),
    )
    .await;
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Ok(Noted::Written))),
        "{outcomes:?}"
    );
    assert_eq!(committed.expect("commit"), Committed::Done);
    let seqs: Vec<u64> = store
        .events(id)
        .await
        .expect("events")
        .iter()
        .map(|event| event.seq)
        .collect();
    let expected = 1..=u64::try_from(acceptance.events.len() + change.events.len() + notes.len())
        .expect("few");
    assert_eq!(seqs, expected.collect::<Vec<u64>>());
    assert_eq!(
        store.note(id, &notes[0]).await.expect("note"),
        Noted::Already
    );
}

#[tokio::test]
async fn what_a_failure_means_depends_on_what_was_sent() {
    use ErrorKind::{Ambiguous, Denied, NotFound, Permanent, Throttled, Unavailable};
    type Failure = (fn() -> Reply, ErrorKind, ErrorKind);
    let failures: [Failure; 9] = [
        (|| Reply::Timeout, Ambiguous, Unavailable),
        (|| Reply::Reset, Ambiguous, Unavailable),
        (|| Reply::Refused, Unavailable, Unavailable),
        (
            || Reply::error(500, "InternalServerError"),
            Ambiguous,
            Unavailable,
        ),
        (
            || Reply::error(400, "ProvisionedThroughputExceededException"),
            Throttled,
            Throttled,
        ),
        (
            || Reply::error(400, "ResourceNotFoundException"),
            NotFound,
            NotFound,
        ),
        (
            || Reply::error(400, "ValidationException"),
            Permanent,
            Permanent,
        ),
        (
            || Reply::error(400, "ExpiredTokenException"),
            Denied,
            Denied,
        ),
        (
            || Reply::error(400, "AccessDeniedException"),
            Denied,
            Denied,
        ),
    ];
    let mut text = String::new();
    for (reply, write, read) in failures {
        let store = deaf(reply).await;
        let acceptance = sample::acceptance(1, now());
        let error = store.accept(&acceptance).await.expect_err("a failed write");
        assert_eq!(error.kind, write, "{}", error.chain());
        let error = store
            .get(&acceptance.payment.id)
            .await
            .expect_err("a failed read");
        assert_eq!(error.kind, read, "{}", error.chain());
        text = error.chain();
    }
    assert!(
        text.contains("not allowed: dynamodb:GetItem on table payments"),
        "{text}"
    );
}

#[tokio::test]
async fn a_refused_connection_after_a_lost_answer_is_still_ambiguous() {
    let service = Service::new(|before, _| {
        if before == 0 {
            Reply::Reset
        } else {
            Reply::Refused
        }
    });
    let store = DynamoStore::new(
        service.clients().await.dynamo,
        "payments",
        Arc::new(SeededRandom::new(7)),
    );
    let error = store
        .accept(&sample::acceptance(1, now()))
        .await
        .expect_err("nobody answers");
    assert!(service.asked().len() > 1, "the SDK tried again");
    assert_eq!(error.kind, ErrorKind::Ambiguous, "{}", error.chain());
}

#[tokio::test]
async fn without_credentials_nothing_is_sent() {
    let (_, service) = store_with(|_, _| None).await;
    let http = service
        .clients()
        .await
        .dynamo
        .config()
        .http_client()
        .expect("a client");
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("eu-west-1"))
        .http_client(http)
        .build();
    let store = DynamoStore::new(
        aws_sdk_dynamodb::Client::from_conf(config),
        "payments",
        Arc::new(SeededRandom::new(7)),
    );
    let before = service.asked().len();
    let error = store
        .accept(&sample::acceptance(1, now()))
        .await
        .expect_err("no credentials");
    assert!(
        matches!(error.kind, ErrorKind::Denied | ErrorKind::Unavailable),
        "{:?} {}",
        error.kind,
        error.chain()
    );
    assert_eq!(service.asked().len(), before);
}

#[tokio::test]
async fn keys_that_a_batch_left_out_are_asked_for_again() {
    let meddle = |asked: &Asked, engine: &Engine| {
        let keys = asked
            .json()
            .pointer("/RequestItems/payments/Keys")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        if asked.operation() != "BatchGetItem" || keys.len() < 2 {
            return None;
        }
        // Answers the first key only, and gives the rest back.
        let mut body = asked.json();
        body["RequestItems"]["payments"]["Keys"] = json!([keys[0]]);
        let some = Asked {
            body: body.to_string().into_bytes(),
            ..asked.clone()
        };
        let Reply::Answer(200, text) = engine.answer(&some) else {
            panic!("not answered")
        };
        let mut answer: Value = serde_json::from_str(&text).expect("JSON");
        answer["UnprocessedKeys"] =
            json!({"payments": {"Keys": keys[1..], "ConsistentRead": true}});
        Some(Reply::json(&answer))
    };
    let (store, _) = store_with(meddle).await;
    let mut ids = Vec::new();
    for n in 1..=4 {
        let acceptance = sample::acceptance(n, now());
        store.accept(&acceptance).await.expect("accept");
        ids.push(acceptance.payment.id);
    }
    ids.push(ids[0].clone());
    ids.push(sample::payment(99).id);
    let found: BTreeSet<_> = store
        .get_many(&ids)
        .await
        .expect("get_many")
        .into_iter()
        .map(|payment| payment.id)
        .collect();
    assert_eq!(found, ids[..4].iter().cloned().collect());
}

#[tokio::test]
async fn what_dynamodb_cannot_hold_is_refused_in_words() {
    let store = store().await;
    let mut acceptance = sample::acceptance(1, now());
    acceptance
        .payment
        .metadata
        .insert("long".to_owned(), "x".repeat(400 * 1024));
    let error = store
        .accept(&acceptance)
        .await
        .expect_err("an item over 400 KB");
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(error.message.contains("409600"), "{error}");

    let mut acceptance = sample::acceptance(2, now());
    acceptance.events = (0..100)
        .map(|_| NewEvent::new(now(), EventKind::Archived, json!({})))
        .collect();
    let error = store
        .accept(&acceptance)
        .await
        .expect_err("a transaction over 100 items");
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(error.message.contains("100 items"), "{error}");
    assert_eq!(
        store.get(&acceptance.payment.id).await.expect("get"),
        None,
        "nothing was written"
    );
}

#[tokio::test]
async fn an_item_of_a_newer_layout_is_not_guessed_at() {
    let (store, service) = store_with(|_, _| None).await;
    let payment = sample::payment(1);
    let item = [
        ("pk", format!("PAY#{}", payment.id)),
        ("sk", "PAY".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), AttributeValue::S(value)));
    let put = service
        .clients()
        .await
        .dynamo
        .put_item()
        .table_name("payments")
        .set_item(Some(item.into()));
    put.item("layout", AttributeValue::N("2".to_owned()))
        .send()
        .await
        .expect("put_item");
    let error = store.get(&payment.id).await.expect_err("a newer layout");
    assert_eq!(error.kind, ErrorKind::Corrupt);
    assert!(error.message.contains("layout 2"), "{error}");
}

#[tokio::test]
async fn a_scan_goes_on_where_it_stopped_and_nowhere_else() {
    let store = store().await;
    for n in 1..=5 {
        store
            .accept(&sample::acceptance(n, now()))
            .await
            .expect("accept");
    }
    let mut seen = BTreeSet::new();
    let mut from = None;
    loop {
        let page = store.scan(from.as_deref(), 2).await.expect("scan");
        assert!(page.payments.len() <= 2);
        seen.extend(page.payments.into_iter().map(|payment| payment.id));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 5);
    let error = store.scan(Some("!"), 2).await.expect_err("not a cursor");
    assert_eq!(error.kind, ErrorKind::Permanent);
}

#[tokio::test]
async fn a_freeze_is_seen_by_all_until_it_is_lifted() {
    let (store, service) = store_with(|_, _| None).await;
    let there = async || DynamoFreezeStore::new(service.clients().await.dynamo, "payments");
    assert_eq!(there().await.current().await.expect("current"), None);
    let freeze = Freeze::begin("prod", "anna", "an incident", now(), None).expect("a freeze");
    there().await.set(&freeze).await.expect("set");
    assert_eq!(
        there().await.current().await.expect("current"),
        Some(freeze)
    );
    assert!(
        store
            .scan(None, 10)
            .await
            .expect("scan")
            .payments
            .is_empty(),
        "it is no payment"
    );
    assert!(there().await.lift().await.expect("lift"));
    assert!(
        !there().await.lift().await.expect("lift"),
        "there is none any more"
    );
    assert_eq!(there().await.current().await.expect("current"), None);
}

#[tokio::test]
async fn an_approval_is_kept_under_the_name_that_a_policy_can_bind() {
    let (store, service) = store_with(|_, _| None).await;
    let there = async || DynamoApprovalStore::new(service.clients().await.dynamo, "payments");
    let row = |by: &str, principal: &str| ApprovalRow {
        approval: Approval {
            by: by.to_owned(),
            at: now(),
            plan_sha256: "aa".to_owned(),
        },
        principal: principal.to_owned(),
    };
    there()
        .await
        .keep(&row("ben b", "arn:1"))
        .await
        .expect("keep");
    there()
        .await
        .keep(&row("ben b", "arn:2"))
        .await
        .expect("keep");
    assert_eq!(
        there().await.find("ben b", "aa").await.expect("find"),
        Some(row("ben b", "arn:2")),
        "the last one holds"
    );
    for (by, plan) in [("ben b", "bb"), ("carla", "aa"), ("ben-b", "aa")] {
        assert_eq!(
            there().await.find(by, plan).await.expect("find"),
            None,
            "{by} {plan}"
        );
    }
    // The name is what STS has as the session's source identity.
    let key = |value: &str| AttributeValue::S(value.to_owned());
    let get = service
        .clients()
        .await
        .dynamo
        .get_item()
        .table_name("payments");
    let item = get
        .key("pk", key("OPS#approval#ben-b"))
        .key("sk", key("aa"))
        .send()
        .await
        .expect("get_item")
        .item;
    assert!(item.is_some());
    assert!(
        store
            .scan(None, 10)
            .await
            .expect("scan")
            .payments
            .is_empty(),
        "it is no payment"
    );
    let nameless = there()
        .await
        .keep(&row("é", "arn:1"))
        .await
        .expect_err("no name");
    assert_eq!(nameless.kind, ErrorKind::Permanent);
}
