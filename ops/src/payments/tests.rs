//! Payments as guarded acts, against an API on loopback and the embedded stores.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use payops_core::domain::payment::Status;
use payops_testkit::sample;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::backend::local::{DataDir, Stores, Surroundings};
use crate::backend::payments_api::Api;
use crate::caller::NoNotices;
use crate::environment::{Overrides, Settings};
use crate::error::Kind;
use crate::operator::Operator;
use crate::session::Session;

/// A data directory with the stores of `prod`, and a payment that was just accepted.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        let data = DataDir::open_or_create(&place.data_dir()).expect("created");
        let stores = Stores::open(&data, "prod", &Surroundings::default())
            .await
            .expect("opened");
        let acceptance = sample::acceptance(1, Timestamp::now());
        stores.ports.store.accept(&acceptance).await.expect("kept");
        stores.close().await;
        place
    }

    fn data_dir(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn session(&self) -> Arc<Session> {
        let overrides = Overrides {
            data_dir: Some(self.data_dir()),
            env: vec!["prod".to_owned()],
            ..Overrides::default()
        };
        let state = self.folder.path().join("state");
        let lookup = |name: &str| match name {
            "USER" => Some("anna".into()),
            "XDG_STATE_HOME" => Some(state.clone().into_os_string()),
            _ => None,
        };
        let settings =
            Settings::read(&overrides, &lookup, None, self.data_dir()).expect("settings");
        Operator::new(
            settings,
            None,
            CancellationToken::new(),
            Arc::new(NoNotices),
        )
        .one_session()
        .expect("prod")
    }

    fn file(&self, lines: impl IntoIterator<Item = String>) -> PaymentFile {
        let path = self.folder.path().join("payments.jsonl");
        let text: String = lines.into_iter().map(|line| line + "\n").collect();
        std::fs::write(&path, text).expect("written");
        PaymentFile::open(&path).expect("opened")
    }

    /// The lines of the audit record about `action`.
    fn record(&self, action: &str) -> Vec<Value> {
        let path = self.data_dir().join("audit.jsonl");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
            .filter(|entry| entry["action"] == action)
            .collect()
    }
}

fn line(key: &str, minor: u64, currency: &str) -> String {
    format!(
        r#"{{"idempotency_key":"{key}","amount":{minor},"currency":"{currency}","source":"tok_visa","customer":{{"email":"a@example.com"}}}}"#
    )
}

/// An API that accepts everything, each key once.
#[derive(Clone, Default)]
struct Accepting {
    keys: Arc<Mutex<HashSet<String>>>,
    is_slow: Arc<AtomicBool>,
}

impl Accepting {
    async fn start(&self) -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let api = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let api = api.clone();
                tokio::spawn(async move { api.answer(stream).await });
            }
        });
        Api::new(&url, "sk_test_x".to_owned().into()).expect("an API")
    }

    async fn answer(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let (mut key, mut length) = (String::new(), 0);
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).await.expect("a header");
            let Some((name, value)) = header.trim().split_once(':') else {
                if header.trim().is_empty() {
                    break;
                }
                continue;
            };
            match name.to_lowercase().as_str() {
                "idempotency-key" => value.trim().clone_into(&mut key),
                "content-length" => length = value.trim().parse().expect("a length"),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("a body");
        if self.is_slow.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let is_new = self.keys.lock().expect("keys").insert(key.clone());
        let body = format!(r#"{{"id":"pay-{key}","status":"processing","version":1}}"#);
        let answer = format!(
            "HTTP/1.1 202 Accepted\r\ncontent-length: {}\r\nidempotent-replayed: {}\r\nconnection: \
             close\r\n\r\n{body}",
            body.len(),
            !is_new
        );
        stream.write_all(answer.as_bytes()).await.expect("answered");
    }

    fn count(&self) -> usize {
        self.keys.lock().expect("keys").len()
    }
}

const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_file_is_one_act_with_its_count_and_sums() {
    let (place, accepting) = (Place::new().await, Accepting::default());
    let creator = Creator::with_api(&place.session(), accepting.start().await, PATIENCE);
    let file = place.file([
        line("a", 1250, "EUR"),
        line("b", 300, "JPY"),
        line("a", 1250, "EUR"),
        line("c", 750, "EUR"),
    ]);
    let loaded = creator.load(&file, 4, None, &|_| {}).await.expect("begun");
    assert!(loaded.failure.is_none(), "{:?}", loaded.failure);
    assert_eq!((loaded.tally.accepted.len(), accepting.count()), (4, 3));
    let record = place.record("payment.create");
    let outcomes: Vec<&Value> = record.iter().map(|entry| &entry["outcome"]).collect();
    assert_eq!(outcomes, ["begun", "done"]);
    for entry in &record {
        assert_eq!(entry["detail"]["payments"], "3");
        assert_eq!(entry["detail"]["sums"], "20.00 EUR, 300 JPY");
        assert_eq!(
            (&entry["who"], &entry["role"]),
            (&"anna".into(), &"operate".into())
        );
        assert_eq!(entry["reason"], Value::Null, "none is needed here");
    }
    assert_eq!(
        record[1]["detail"]["outcome"],
        "3 created (20.00 EUR, 300 JPY), 1 existed"
    );
}

#[tokio::test]
async fn one_payment_is_an_act_too() {
    let (place, accepting) = (Place::new().await, Accepting::default());
    let creator = Creator::with_api(&place.session(), accepting.start().await, PATIENCE);
    let key = idempotency_key(Some("order-7")).expect("a key");
    let money = payops_core::domain::money::Money::new(1250, "EUR".parse().expect("a currency"))
        .expect("an amount");
    let payment = NewPayment::new(money, Some("tok_visa"), Some("a@example.com"), None, key);
    let created = creator
        .create(&payment, Some("ticket 7"))
        .await
        .expect("created");
    assert_eq!(
        (created.id.as_str(), created.replayed),
        ("pay-order-7", false)
    );
    let record = place.record("payment.create");
    assert_eq!(record.len(), 2);
    assert_eq!(record[1]["reason"], "ticket 7");
    assert_eq!(record[1]["detail"]["idempotency_key"], "order-7");
    assert_eq!(
        record[1]["detail"]["outcome"],
        "pay-order-7 of 12.50 EUR created"
    );
}

#[tokio::test]
async fn a_freeze_refuses_a_file_before_anything_is_sent() {
    let (place, accepting) = (Place::new().await, Accepting::default());
    let session = place.session();
    let freeze = session.plan_freeze("an incident", None).expect("a freeze");
    session.set_freeze(&freeze).await.expect("frozen");
    let creator = Creator::with_api(&session, accepting.start().await, PATIENCE);
    let file = place.file([line("a", 1250, "EUR")]);
    let refused = creator
        .load(&file, 4, None, &|_| {})
        .await
        .expect_err("refused");
    assert_eq!(refused.kind, Kind::Refused);
    assert!(refused.message.contains("frozen by anna"), "{refused}");
    let record = place.record("payment.create");
    assert_eq!((record.len(), accepting.count()), (1, 0));
    assert_eq!(record[0]["outcome"], "refused");
    assert_eq!(record[0]["detail"]["sums"], "12.50 EUR");
}

#[tokio::test]
async fn a_freeze_stops_a_file_and_the_same_file_goes_on() {
    const LINES: u64 = 300;
    let (place, accepting) = (Place::new().await, Accepting::default());
    let session = place.session();
    accepting.is_slow.store(true, Ordering::Relaxed);
    let creator = Creator::with_api(&session, accepting.start().await, PATIENCE);
    let file = place.file((0..LINES).map(|number| line(&format!("k{number}"), 100, "EUR")));
    let freezing = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let freeze = session.plan_freeze("an incident", None).expect("a freeze");
        session.set_freeze(&freeze).await.expect("frozen");
    };
    let (loaded, ()) = tokio::join!(creator.load(&file, 2, None, &|_| {}), freezing);
    let loaded = loaded.expect("begun");
    let failure = loaded.failure.expect("stopped");
    assert_eq!(failure.kind, Kind::Refused);
    assert!(
        failure.message.contains("payment.create stopped"),
        "{failure}"
    );
    let first = loaded.tally.accepted.len();
    assert_eq!((first, loaded.tally.unanswered()), (accepting.count(), 0));
    let remaining = loaded.remaining.expect("counted");
    assert_eq!(loaded.tally.lines + remaining, LINES);
    assert!(first > 0 && remaining > 0, "{first} {remaining}");
    let end = place.record("payment.create").pop().expect("an end");
    assert_eq!(end["outcome"], "failed");
    assert!(
        end["detail"]["outcome"]
            .as_str()
            .is_some_and(|text| text.ends_with(&format!(", {remaining} not sent"))),
        "{end}"
    );
    session
        .lift_freeze(Some("it is over"))
        .await
        .expect("lifted");
    accepting.is_slow.store(false, Ordering::Relaxed);
    let again = creator.load(&file, 8, None, &|_| {}).await.expect("begun");
    let replayed = again.tally.accepted.iter().filter(|line| line.replayed);
    assert_eq!((replayed.count(), accepting.count()), (first, 300));
}

#[tokio::test]
async fn a_dry_run_leaves_record_and_stores_as_they_are() {
    let place = Place::new().await;
    let session = place.session();
    let id = sample::payment_id(1);
    let file = place.file([line("a", 1250, "EUR"), line("b", 0, "EUR")]);
    let contents = file.inspect().expect("read");
    assert_eq!((contents.payments, contents.errors.len()), (2, 1));
    let before = get(&session, &id).await.expect("there");
    let key = idempotency_key(None).expect("a key");
    let cancel = Cancel::new(before.clone(), None, key.clone()).expect("a request");
    cancel.check(&session).await.expect("allowed");
    let refund = Refund::new(before.clone(), None, None, key).expect("a request");
    let refused = refund.check(&session).await.expect_err("not charged yet");
    assert_eq!(refused.kind, Kind::Failed);
    assert_eq!(get(&session, &id).await.expect("there"), before);
    assert!(!place.data_dir().join("audit.jsonl").exists());
}

#[tokio::test]
async fn a_cancellation_is_recorded_and_a_freeze_refuses_it() {
    let place = Place::new().await;
    let session = place.session();
    let payment = get(&session, &sample::payment_id(1)).await.expect("there");
    let cancel = |reason| {
        let key = idempotency_key(None).expect("a key");
        Cancel::new(payment.clone(), reason, key).expect("a request")
    };
    let refused = cancel(None).run(&session).await.expect_err("no reason");
    assert_eq!(refused.kind, Kind::Refused);
    let freeze = session.plan_freeze("an incident", None).expect("a freeze");
    session.set_freeze(&freeze).await.expect("frozen");
    let refused = cancel(Some("late"))
        .run(&session)
        .await
        .expect_err("frozen");
    assert!(refused.message.contains("frozen by anna"), "{refused}");
    session
        .lift_freeze(Some("it is over"))
        .await
        .expect("lifted");
    let changed = cancel(Some("late")).run(&session).await.expect("canceled");
    assert_eq!(
        (changed.payment.status, changed.replayed),
        (Status::Canceled, false)
    );
    let record = place.record("payment.cancel");
    let outcomes: Vec<&Value> = record.iter().map(|entry| &entry["outcome"]).collect();
    assert_eq!(outcomes, ["refused", "refused", "begun", "done"]);
    assert!(
        record.iter().all(|entry| {
            entry["subject"] == payment.id.as_str() && entry["same_as"].is_string()
        })
    );
}
