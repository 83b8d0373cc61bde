//! Canceling and refunding over HTTP.

use std::sync::Arc;

use payops_core::domain::payment::Status;
use serde_json::json;

use crate::client::{exchange, request};
use crate::harness::Api;

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_canceled_once() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    let id = api.create(&key, "k").await;
    let path = format!("/v1/payments/{id}/cancel");
    let answer = api
        .post(&key, &path, "c1", "{\"reason\":\"changed my mind\"}")
        .await;
    assert_eq!(
        (answer.status, answer.text("/status")),
        (200, "canceled".to_owned()),
        "{answer:?}"
    );
    let again = api
        .post(&key, &path, "c1", "{\"reason\":\"changed my mind\"}")
        .await;
    assert_eq!(
        (
            again.status,
            &again.body,
            again.header("idempotent-replayed")
        ),
        (200, &answer.body, Some("true"))
    );
    let other_body = api
        .post(&key, &path, "c1", "{\"reason\":\"another\"}")
        .await;
    assert_eq!(
        other_body.refusal(),
        (422, "idempotency_key_reused".to_owned())
    );
    let other_key = api.post(&key, &path, "c2", "{}").await;
    assert_eq!(
        other_key.refusal(),
        (409, "payment_not_cancelable".to_owned())
    );
    assert_eq!(api.stored(&id).await.status, Status::Canceled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_was_started_cannot_be_canceled() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    let id = api.create(&key, "k").await;
    let change = payops_testkit::sample::change(
        &api.stored(&id).await,
        payops_testkit::sample::claim("w"),
        payops_core::port::Clock::now(&api.clock),
    );
    payops_core::port::PaymentStore::commit(&*api.store, &change)
        .await
        .expect("written");
    // Without a body, and so without a Content-Type.
    let authorization = format!("Bearer {key}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("idempotency-key", "c"),
    ];
    let answer = exchange(
        api.at,
        &request("POST", &format!("/v1/payments/{id}/cancel"), &headers, None),
    )
    .await
    .expect("an answer");
    assert_eq!(answer.refusal(), (409, "charge_started".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_are_asked_for_and_bounded() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    let id = api.create(&key, "k").await;
    let path = format!("/v1/payments/{id}/refunds");
    assert_eq!(
        api.post(&key, &path, "r0", "{}").await.refusal(),
        (409, "payment_not_refundable".to_owned())
    );
    api.complete(&id).await;
    let first = api
        .post(&key, &path, "r1", "{\"amount\":250,\"reason\":\"damaged\"}")
        .await;
    assert_eq!(first.status, 202, "{first:?}");
    let body = first.json();
    assert_eq!(
        (
            &body["object"],
            &body["status"],
            &body["amount"],
            &body["payment"]
        ),
        (&json!("refund"), &json!("pending"), &json!(250), &json!(id))
    );
    assert_eq!(
        api.post(&key, &path, "r1", "{\"amount\":250,\"reason\":\"damaged\"}")
            .await
            .body,
        first.body
    );
    let large = api.post(&key, &path, "r2", "{\"amount\":1001}").await;
    assert_eq!(large.refusal(), (422, "refund_too_large".to_owned()));
    for (bad, code) in [
        ("{\"amount\":0}", "amount_too_small"),
        ("{\"amount\":1.5}", "invalid_amount"),
        ("{\"sum\":1}", "unknown_field"),
    ] {
        assert_eq!(
            api.post(&key, &path, "r3", bad).await.refusal(),
            (400, code.to_owned()),
            "{bad}"
        );
    }
    let rest = api.post(&key, &path, "r4", "{}").await;
    assert_eq!(rest.json()["amount"], json!(1000), "{rest:?}");
    let payment = api.get(&key, &format!("/v1/payments/{id}")).await.json();
    assert_eq!(
        (&payment["amount_refundable"], &payment["amount_refunded"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(payment["refunds"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_at_the_same_time_never_exceed_the_charge() {
    let api = Arc::new(Api::start().await);
    let key = api.key("acme", false).await;
    let id = api.create(&key, "k").await;
    api.complete(&id).await;
    let posts = (0..20).map(|number| {
        let (api, key, path) = (
            Arc::clone(&api),
            key.clone(),
            format!("/v1/payments/{id}/refunds"),
        );
        tokio::spawn(async move {
            let idempotency_key = format!("r{number}");
            // Told to come again, a client does, with the same key.
            loop {
                let answer = api
                    .post(&key, &path, &idempotency_key, "{\"amount\":250}")
                    .await;
                if answer.status != 409 {
                    return answer.status;
                }
            }
        })
    });
    let mut accepted = 0;
    for post in posts.collect::<Vec<_>>() {
        match post.await.expect("ended") {
            202 => accepted += 1,
            status => assert_eq!(status, 422),
        }
    }
    assert_eq!(accepted, 5, "five times 250 is 1250");
    assert_eq!(api.stored(&id).await.refundable_minor, 0);
}
