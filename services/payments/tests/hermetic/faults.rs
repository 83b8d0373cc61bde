//! A store that fails, answers that are lost, and shutting down under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use payops_core::domain::apikey::Caller;
use payops_core::domain::id::SHARDS;
use payops_core::port::PaymentStore as _;
use payops_testkit::eventually;
use payops_testkit::fault::{Chances, Plan};
use serde_json::json;

use crate::client::{exchange, request};
use crate::harness::{Api, payment};

const NEVER: Chances = Chances {
    fail: 0,
    throttle: 0,
    lose_answer: 0,
    crash_before: 0,
    crash_after: 0,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down_is_a_503_to_come_back_from() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    api.chaos.set(Plan::Dice {
        chances: Chances {
            fail: 1000,
            ..NEVER
        },
        seed: 1,
    });
    let answer = api
        .post(&key, "/v1/payments", "k", &payment(&json!({})))
        .await;
    assert_eq!(answer.refusal(), (503, "store_unavailable".to_owned()));
    assert_eq!(
        (
            answer.header("retry-after"),
            answer.json()["retryable"].clone()
        ),
        (Some("1"), json!(true))
    );
    assert_eq!(
        api.get(&key, "/v1/payments").await.refusal(),
        (503, "store_unavailable".to_owned())
    );
    assert_eq!(api.get(&key, "/readyz").await.status, 503);
    assert_eq!(
        api.get(&key, "/livez").await.status,
        200,
        "restarting would not mend the store"
    );
    api.chaos.calm();
    assert_eq!(api.get(&key, "/readyz").await.status, 200);
    assert_eq!(
        api.post(&key, "/v1/payments", "k", &payment(&json!({})))
            .await
            .status,
        202
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_disk_takes_no_writes_the_instance_is_not_ready_and_reads_are_served() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    api.state.set_writable(false);
    let answer = api.get(&key, "/readyz").await;
    assert_eq!(answer.refusal(), (503, "storage_full".to_owned()));
    assert_eq!(
        (
            answer.header("retry-after"),
            answer.json()["retryable"].clone()
        ),
        (Some("10"), json!(true))
    );
    assert!(
        answer.text("/detail").contains("payment store"),
        "{answer:?}"
    );
    assert_eq!(
        api.get(&key, "/livez").await.status,
        200,
        "restarting would free no space"
    );
    assert_eq!(api.get(&key, "/v1/payments").await.status, 200);
    api.state.set_writable(true);
    assert_eq!(api.get(&key, "/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_is_got_by_asking_again() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    api.chaos.set(Plan::Dice {
        chances: Chances {
            lose_answer: 1000,
            ..NEVER
        },
        seed: 1,
    });
    let answer = api
        .post(&key, "/v1/payments", "k", &payment(&json!({})))
        .await;
    assert_eq!(answer.refusal(), (503, "outcome_unknown".to_owned()));
    assert!(
        answer.text("/detail").contains("same Idempotency-Key"),
        "{answer:?}"
    );
    assert_eq!(answer.json()["retryable"], json!(true));
    api.chaos.calm();
    let again = api
        .post(&key, "/v1/payments", "k", &payment(&json!({})))
        .await;
    assert_eq!(
        (again.status, again.header("idempotent-replayed")),
        (202, Some("true")),
        "it had its effect: {again:?}"
    );
    let caller = Caller {
        merchant: "acme".parse().expect("a merchant"),
        live: false,
    };
    assert_eq!(
        api.store.list(&caller, None, 10).await.expect("read").len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_ends_before_serving_does() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    api.draining.cancel();
    assert_eq!(
        api.get(&key, "/readyz").await.refusal(),
        (503, "shutting_down".to_owned())
    );
    let served = api
        .post(&key, "/v1/payments", "k", &payment(&json!({})))
        .await;
    assert_eq!(
        (served.status, served.header("connection")),
        (202, Some("close"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_under_load_loses_nothing() {
    let mut api = Api::start().await;
    let key = api.key("acme", false).await;
    let (at, ended) = (api.at, Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..16)
        .map(|client| {
            let (authorization, ended) = (format!("Bearer {key}"), Arc::clone(&ended));
            tokio::spawn(async move {
                let mut accepted = Vec::new();
                for number in 0.. {
                    let idempotency_key = format!("c{client}-{number}");
                    let headers = [
                        ("authorization", authorization.as_str()),
                        ("idempotency-key", &idempotency_key),
                        ("content-type", "application/json"),
                    ];
                    let body = payment(&json!({}));
                    let Ok(answer) =
                        exchange(at, &request("POST", "/v1/payments", &headers, Some(&body))).await
                    else {
                        // Refused or never served: only after the stop.
                        assert!(
                            ended.load(Ordering::SeqCst),
                            "a request was lost before the stop"
                        );
                        break;
                    };
                    assert_eq!(answer.status, 202, "{answer:?}");
                    accepted.push(answer.text("/id"));
                }
                accepted
            })
        })
        .collect();
    let caller = Caller {
        merchant: "acme".parse().expect("a merchant"),
        live: false,
    };
    let store = Arc::clone(&api.store);
    eventually(Duration::from_secs(30), "some load", || async {
        (store.list(&caller, None, 100).await.ok()?.len() >= 40).then_some(())
    })
    .await;
    ended.store(true, Ordering::SeqCst);
    api.draining.cancel();
    api.stop.cancel();
    let served = (&mut api.server).await.expect("ended");
    assert_eq!(served.cut_off, 0, "open requests were answered");
    api.dispatched().await;
    let mut accepted = 0;
    for client in clients {
        for id in client.await.expect("ended") {
            api.stored(&id).await;
            accepted += 1;
        }
    }
    assert!(accepted >= 40, "{accepted}");
    for shard in 0..SHARDS {
        assert_eq!(
            api.store.outbox_pending(shard, 10).await.expect("read"),
            [],
            "everything that was accepted was dispatched"
        );
    }
}
