//! The payment path on the embedded stores, measured from outside: posts over HTTP, until every
//! payment has its ledger transaction, its document and its receipt.
//!
//! For 1,000 payments already stored, then ten and a hundred times as many: how many are accepted
//! and completed a second, how long an accept takes, how long until completed, and how much CPU
//! time one payment costs. None of it should depend on how many are stored.
//!
//! `cargo bench -p payops-local --bench path` (release); `PAYOPS_BENCH_QUICK=1` for a short run.
//! `… --bench path -- --fill DIR PAYMENTS LETTERS` only fills a data directory, for other
//! measurements.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints its figures and ends when something fails"
)]

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use payops_core::domain::apikey::Caller;
use payops_core::domain::bus::{WORK, dead_letter_queue};
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::event::EventKind;
use payops_core::domain::ledger::expected_transactions;
use payops_core::domain::payment::{Charge, Payment, Status};
use payops_core::domain::work_item::attribute;
use payops_core::port::{Attributes, Outgoing};
use payops_local::{DataDir, ReadyEnv, Stores, Surroundings, UpOptions};
use payops_testkit::sample;
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

const CLIENTS: usize = 16;

#[tokio::main]
async fn main() {
    // `cargo test --benches` only wants to know that it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--fill") {
        let number = |place: usize| {
            arguments
                .get(place)
                .and_then(|text| text.parse().ok())
                .expect("a number")
        };
        let folder = std::path::Path::new(arguments.get(place + 1).expect("a folder"));
        fill(folder, 0, number(place + 2)).await;
        letters(folder, number(place + 3)).await;
        return;
    }
    let quick = std::env::var_os("PAYOPS_BENCH_QUICK").is_some();
    let (posts, stored): (u64, &[u64]) = if quick {
        (300, &[100, 1_000])
    } else {
        (3_000, &[1_000, 10_000, 100_000])
    };
    println!(
        "{posts} payments posted by {CLIENTS} clients; all of it in one process, clients included"
    );
    println!(
        "{:>9}  {:>9}  {:>11}  {:>10}  {:>10}  {:>12}  {:>12}",
        "stored",
        "accepts/s",
        "completes/s",
        "accept p50",
        "accept p99",
        "complete p50",
        "CPU/payment"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let mut there = 0;
    for &goal in stored {
        fill(folder.path(), there, goal).await;
        there = goal;
        measure(folder.path(), goal, posts).await;
        there += posts;
    }
}

/// Fills the stores up to `goal` payments that have come to their end, past the API.
async fn fill(folder: &std::path::Path, from: u64, goal: u64) {
    let data = DataDir::open_or_create(folder).expect("a data directory");
    let around = Surroundings::default();
    let stores = Stores::open(&data, "prod", &around).await.expect("stores");
    let caller = Caller {
        merchant: "acme".parse().expect("a merchant"),
        live: true,
    };
    let start = around.clock.now();
    futures::stream::iter(from..goal)
        .for_each_concurrent(256, |n| {
            let (stores, caller) = (stores.clone(), caller.clone());
            async move {
                let mut acceptance = sample::acceptance_of(&caller, n, start);
                acceptance.outbox.clear();
                let payment = &mut acceptance.payment;
                ended(payment, n);
                stores
                    .ports
                    .store
                    .accept(&acceptance)
                    .await
                    .expect("stored");
                for transaction in expected_transactions(&acceptance.payment) {
                    stores
                        .ports
                        .ledger
                        .post(&transaction)
                        .await
                        .expect("posted");
                }
                stores
                    .ports
                    .index
                    .upsert(&[PaymentDoc::from(&acceptance.payment)])
                    .await
                    .expect("indexed");
            }
        })
        .await;
    stores.close().await;
}

/// Puts that many dead letters of five causes into the work queue's dead-letter queue.
async fn letters(folder: &std::path::Path, count: u64) {
    const CAUSES: [(&str, &str); 5] = [
        ("schema_error", "amount: expected an integer"),
        ("provider_timeout", "the provider did not answer in 30 s"),
        ("provider_error", "the provider answered 503"),
        ("conflict", "the payment was changed at the same time"),
        ("unknown", "no reason recorded"),
    ];
    let data = DataDir::open_or_create(folder).expect("a data directory");
    let stores = Stores::open(&data, "prod", &Surroundings::default())
        .await
        .expect("stores");
    for first in (0..count).step_by(10) {
        let batch = (first..count.min(first + 10)).map(|n| {
            let (class, reason) = CAUSES[usize::try_from(n % 5).expect("small")];
            let at = stores.ports.clock.now();
            let attributes = [
                (attribute::CLASS, class),
                (attribute::REASON, reason),
                (attribute::RECEIVES, "5"),
            ];
            let mut attributes: Attributes = attributes
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
            attributes.insert(attribute::FIRST_SEEN.to_owned(), at.to_string());
            let body =
                serde_json::json!({"payment_id": format!("broken-{n}"), "amount": "12.50", "n": n})
                    .to_string();
            Outgoing {
                body,
                attributes,
                ..Outgoing::default()
            }
        });
        stores
            .ports
            .queues
            .send_batch(&dead_letter_queue(WORK), batch.collect())
            .await
            .expect("sent");
    }
    stores.close().await;
}

fn ended(payment: &mut Payment, n: u64) {
    payment.status = Status::Completed;
    payment.due_at = None;
    payment.charge = Some(Charge {
        id: format!("ch_filled_{n}"),
        card: None,
        at: payment.created_at,
    });
    payment.refundable_minor = payment.money.minor();
}

async fn measure(folder: &std::path::Path, stored: u64, posts: u64) {
    let shutdown = CancellationToken::new();
    let (tell, told) = tokio::sync::oneshot::channel();
    let options = UpOptions {
        data_dir: folder.to_owned(),
        ..UpOptions::default()
    };
    let on_ready = move |ready: &[ReadyEnv]| drop(tell.send(ready.to_vec()));
    let running = tokio::spawn(payops_local::up(
        options,
        on_ready,
        |_| {},
        |_| {},
        shutdown.clone(),
    ));
    let ready = told.await.expect("ready");
    let prod = ready
        .into_iter()
        .find(|env| env.name == "prod")
        .expect("prod");
    let shop = payops_local::open(folder, "prod", payops_local::Access::Read)
        .await
        .expect("stores");
    let client = reqwest::Client::new();
    let (cpu, start) = (cpu_time(), Instant::now());
    let accepted: Vec<(Duration, Instant, String)> = futures::stream::iter(0..posts)
        .map(|n| {
            let (client, prod) = (client.clone(), prod.clone());
            async move { post(&client, &prod, stored, n).await }
        })
        .buffer_unordered(CLIENTS)
        .collect()
        .await;
    let accepting = start.elapsed();
    let mut waits = Vec::new();
    for (_, since, id) in &accepted {
        let id = id.parse().expect("an id");
        loop {
            let events = shop.store.events(&id).await.expect("events");
            let done = |kind| events.iter().any(|event| event.kind == kind);
            if done(EventKind::Ledger) && done(EventKind::Indexed) && done(EventKind::Receipt) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        waits.push(since.elapsed());
    }
    let completing = start.elapsed();
    let spent = cpu_time().saturating_sub(cpu);
    let mut accepts: Vec<Duration> = accepted.iter().map(|(took, ..)| *took).collect();
    accepts.sort_unstable();
    let per_second =
        |took: Duration| f64::from(u32::try_from(posts).expect("small")) / took.as_secs_f64();
    let each = spent / u32::try_from(posts).expect("small");
    let alone = time_to_complete(&client, &prod, &shop, stored).await;
    println!(
        "{stored:>9}  {:>9.0}  {:>11.0}  {:>10.1?}  {:>10.1?}  {:>12.1?}  {:>12.2?}",
        per_second(accepting),
        per_second(completing),
        accepts[accepts.len() / 2],
        accepts[accepts.len() * 99 / 100],
        alone,
        each
    );
    shutdown.cancel();
    running
        .await
        .expect("the platform ended")
        .expect("in order");
}

/// The median time from the post to the status `completed`, one payment after the other.
async fn time_to_complete(
    client: &reqwest::Client,
    prod: &ReadyEnv,
    ports: &payops_core::port::Ports,
    stored: u64,
) -> Duration {
    let mut took = Vec::new();
    for n in 0..21 {
        let (_, since, id) = post(client, prod, stored, 1_000_000_000 + n).await;
        let (start, id) = (since, id.parse().expect("an id"));
        while ports
            .store
            .get(&id)
            .await
            .expect("the store")
            .is_none_or(|payment| payment.status != Status::Completed)
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        took.push(start.elapsed());
    }
    took.sort_unstable();
    took[10]
}

async fn post(
    client: &reqwest::Client,
    prod: &ReadyEnv,
    stored: u64,
    n: u64,
) -> (Duration, Instant, String) {
    let body = serde_json::json!({
        "amount": 100 + n % 900, "currency": "EUR", "source": "tok_visa", "reference": format!("B-{stored}-{n}"),
        "customer": {"email": format!("b{n}@example.com")}, "metadata": {},
    });
    let start = Instant::now();
    let answer = client
        .post(format!("{}/v1/payments", prod.api_url))
        .bearer_auth(prod.api_key.expose_secret())
        .header("idempotency-key", format!("bench-{stored}-{n}"))
        .json(&body)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 202);
    let answer: serde_json::Value = answer.json().await.expect("JSON");
    (
        start.elapsed(),
        start,
        answer["id"].as_str().expect("an id").to_owned(),
    )
}

fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit_once(')').expect("a name").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |place: usize| fields[place].parse::<u64>().expect("a number");
    // Fields 14 and 15 of proc(5), in ticks of 1/100 s.
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
