//! Accepting payments: the contract, and the same answer however often it is asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use payops_core::domain::apikey::Caller;
use payops_core::domain::payment::Status;
use payops_core::port::PaymentStore as _;
use serde_json::json;

use crate::harness::{Api, payment};

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_accepted_stored_and_dispatched() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    let answer = api
        .post(
            &key,
            "/v1/payments",
            "k1",
            &payment(&json!({"metadata": {"order": "7"}})),
        )
        .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.text("/id");
    assert_eq!(
        answer.header("location"),
        Some(format!("/v1/payments/{id}").as_str())
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("idempotent-replayed"), None);
    let body = answer.json();
    for (pointer, expected) in [
        ("/object", json!("payment")),
        ("/status", json!("processing")),
        ("/amount", json!(1250)),
        ("/currency", json!("EUR")),
        ("/live", json!(false)),
        ("/source_type", json!("token")),
        ("/reference", json!("INV-1")),
        ("/customer/email", json!("a@example.com")),
        ("/metadata/order", json!("7")),
        ("/amount_refundable", json!(0)),
        ("/created_at", json!("2026-11-22T12:00:00Z")),
    ] {
        assert_eq!(body.pointer(pointer), Some(&expected), "{pointer}");
    }
    assert!(
        !answer.body.contains("tok_visa"),
        "a token is not given back: {answer:?}"
    );
    let stored = api.stored(&id).await;
    assert_eq!(
        (stored.status, stored.merchant.as_str(), stored.live),
        (Status::Processing, "acme", false)
    );
    // The answer did not wait for the dispatch; it happens all the same.
    api.dispatched().await;
    let pending = api
        .store
        .outbox_pending(stored.id.shard(), 10)
        .await
        .expect("read");
    assert_eq!(pending, []);
    let events = api
        .get(&key, &format!("/v1/payments/{id}/events"))
        .await
        .json();
    let kinds: Vec<&str> = events["data"]
        .as_array()
        .expect("events")
        .iter()
        .filter_map(|event| event["type"].as_str())
        .collect();
    assert_eq!(kinds, ["accepted", "archived"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_posts_with_one_key_make_one_payment() {
    let api = Arc::new(Api::start().await);
    let key = api.key("acme", true).await;
    let posts = (0..200).map(|_| {
        let (api, key) = (Arc::clone(&api), key.clone());
        tokio::spawn(async move {
            api.post(&key, "/v1/payments", "same", &payment(&json!({})))
                .await
        })
    });
    let mut bodies = BTreeSet::new();
    let mut replayed = 0;
    for post in posts.collect::<Vec<_>>() {
        let answer = post.await.expect("ended");
        assert_eq!(answer.status, 202, "{answer:?}");
        replayed += usize::from(answer.header("idempotent-replayed") == Some("true"));
        bodies.insert(answer.body);
    }
    assert_eq!((bodies.len(), replayed), (1, 199));
    let caller = Caller {
        merchant: "acme".parse().expect("a merchant"),
        live: true,
    };
    assert_eq!(
        api.store.list(&caller, None, 10).await.expect("read").len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_belongs_to_one_request() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    let first = api
        .post(&key, "/v1/payments", "k", &payment(&json!({})))
        .await;
    // Spacing and order are not the request.
    let spaced = payment(&json!({})).replace(',', " ,\n ");
    let again = api.post(&key, "/v1/payments", "k", &spaced).await;
    assert_eq!((again.status, &again.body), (202, &first.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.header("location"), first.header("location"));
    let other = api
        .post(
            &key,
            "/v1/payments",
            "k",
            &payment(&json!({"amount": 1251})),
        )
        .await;
    assert_eq!(other.refusal(), (422, "idempotency_key_reused".to_owned()));
    // The payment has moved on; the answer to the first request has not.
    api.complete(&first.text("/id")).await;
    assert_eq!(
        api.post(&key, "/v1/payments", "k", &payment(&json!({})))
            .await
            .body,
        first.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_merchants_and_modes_do_not_meet() {
    let api = Api::start().await;
    let mut ids = BTreeSet::new();
    for (merchant, live) in [("acme", true), ("acme", false), ("other", true)] {
        let key = api.key(merchant, live).await;
        ids.insert(api.create(&key, "the-same-key").await);
    }
    assert_eq!(ids.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_source_that_is_surely_unknown_is_refused() {
    let api = Api::with(crate::harness::Options {
        api: payops_payments::api::ApiLimits {
            source: std::time::Duration::from_millis(50),
            ..Default::default()
        },
        ..Default::default()
    })
    .await;
    let key = api.key("acme", false).await;
    let unknown = api
        .post(
            &key,
            "/v1/payments",
            "k1",
            &payment(&json!({"source": "tok_nothing_like_it"})),
        )
        .await;
    assert_eq!(unknown.refusal(), (400, "unknown_source".to_owned()));
    assert_eq!(unknown.text("/param"), "source");
    for (idempotency_key, source) in [
        ("k2", "tok_down"),
        ("k3", "tok_hangs"),
        ("k1", "pm_card_visa"),
    ] {
        let answer = api
            .post(
                &key,
                "/v1/payments",
                idempotency_key,
                &payment(&json!({"source": source})),
            )
            .await;
        assert_eq!(answer.status, 202, "{source}: {answer:?}");
    }
    // A token that the provider forgot since: the same request still gets its answer.
    let spent = api
        .post(
            &key,
            "/v1/payments",
            "k1",
            &payment(&json!({"source": "tok_spent"})),
        )
        .await;
    assert_eq!(spent.refusal(), (422, "idempotency_key_reused".to_owned()));
}
