//! kill -9 of the platform under traffic, twenty times: every payment that a client was told of
//! is there afterwards, none was charged twice, and the stores agree.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use payops_core::domain::bus::{QUEUES, WORK, dead_letter_queue};
use payops_core::domain::id::PaymentId;
use payops_local::Access;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::common::{Place, Up, signal};

const KILLS: u64 = 20;
const SOURCES: [&str; 6] = [
    "tok_visa",
    "tok_mastercard",
    "tok_declined",
    "tok_flaky",
    "tok_timeout_charged",
    "tok_poison",
];

type Told = Arc<Mutex<BTreeMap<String, String>>>;

async fn post(
    client: reqwest::Client,
    url: String,
    api_key: String,
    key: String,
    source: &'static str,
    told: Told,
) {
    let body = json!({"amount": 1000, "currency": "EUR", "source": source, "reference": key, "customer": {"email": "k@example.com"}});
    let sent = client
        .post(format!("{url}/v1/payments"))
        .bearer_auth(api_key)
        .header("idempotency-key", &key)
        .json(&body)
        .send()
        .await;
    let Ok(answer) = sent else { return };
    if answer.status() != 202 {
        return;
    }
    if let Ok(answer) = answer.json::<Value>().await {
        told.lock()
            .unwrap()
            .insert(key, answer["id"].as_str().unwrap().to_owned());
    }
}

/// Posts while the platform lives, and kills it in the middle.
async fn one_life(place: &Place, number: u64, told: &Told) {
    let up: Up = place.up(&["--traffic", "20"]);
    let env = &up.ready["environments"][0];
    let (url, api_key) = (
        env["api_url"].as_str().unwrap(),
        env["api_key"].as_str().unwrap(),
    );
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap();
    let mut posts = JoinSet::new();
    // A different moment of the path each time.
    let count = 8 + number * 7 % 23;
    for n in 0..count {
        // Poison ends in the dead-letter queue, and one of it is enough a life.
        let source = if n == 3 {
            "tok_poison"
        } else {
            SOURCES[usize::try_from((n + number) % 5).unwrap()]
        };
        posts.spawn(post(
            client.clone(),
            url.to_owned(),
            api_key.to_owned(),
            format!("k{number}-{n}"),
            source,
            Arc::clone(told),
        ));
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    signal(up.pid(), "KILL");
    while posts.join_next().await.is_some() {}
}

async fn at_rest(place: &Place) -> Option<()> {
    let ports = payops_local::open(&place.data_dir(), "prod", Access::Read)
        .await
        .unwrap();
    for queue in QUEUES {
        let stats = ports.queue_admin.stats(queue).await.unwrap();
        if stats.visible + stats.in_flight + stats.delayed > 0 {
            return None;
        }
    }
    let dead = ports
        .queue_admin
        .stats(&dead_letter_queue(WORK))
        .await
        .unwrap()
        .visible;
    let all = ports.store.scan(None, 1_000_000).await.unwrap().payments;
    let open = all
        .iter()
        .filter(|payment| !payment.status.is_final())
        .count();
    (u64::try_from(open).unwrap() <= dead).then_some(())
}

#[test]
fn twenty_kills_lose_and_double_nothing() {
    let place = Place::new();
    let told: Told = Arc::default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    for number in 0..KILLS {
        runtime.block_on(one_life(&place, number, &told));
    }
    let up = place.up(&[]);
    let rest = async {
        while at_rest(&place).await.is_none() {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    runtime
        .block_on(async { tokio::time::timeout(Duration::from_mins(4), rest).await })
        .unwrap();
    let told = told.lock().unwrap().clone();
    let ids: Vec<PaymentId> = told.values().map(|id| id.parse().unwrap()).collect();
    let doubled = runtime.block_on(async {
        let ports = payops_local::open(&place.data_dir(), "prod", Access::Read)
            .await
            .unwrap();
        let there = ports.store.get_many(&ids).await.unwrap();
        assert_eq!(
            there.len(),
            ids.len(),
            "a payment that a client was told of is lost"
        );
        let provider = ports.provider.unwrap();
        let mut doubled = 0;
        for payment in ports.store.scan(None, 1_000_000).await.unwrap().payments {
            doubled += usize::from(provider.charges(&payment.id).await.unwrap().len() > 1);
        }
        doubled
    });
    assert_eq!(doubled, 0, "charged twice");
    for env in ["prod", "preprod", "test"] {
        let report = place
            .run(&["payment", "reconcile", "--env", env, "-o", "json"])
            .exits(0)
            .json();
        assert_eq!(report["breaks"], json!([]), "{env}");
    }
    println!(
        "{KILLS} kills, {} payments told of, none lost or doubled",
        told.len()
    );
    assert!(
        told.len() > 100,
        "the kills left too little to look at: {}",
        told.len()
    );
    assert_eq!(up.stop(), 0);
}
