//! Every kind of bad request, by what it is refused with.

use serde_json::{Value, json};

use crate::client::{Answer, exchange, request};
use crate::harness::{Api, payment};

async fn post(api: &Api, headers: &[(&str, &str)], body: &str) -> Answer {
    exchange(
        api.at,
        &request("POST", "/v1/payments", headers, Some(body)),
    )
    .await
    .expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_bodies_are_refused_by_kind() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    let with = |members: Value| payment(&members);
    let deep = format!(
        "{{\"metadata\":{}1{}}}",
        "{\"d\":".repeat(5000),
        "}".repeat(5000)
    );
    let table: Vec<(&str, String, &str, Option<&str>)> = vec![
        (
            "not JSON",
            "{\"amount\": 19, \"note\": \"gi".to_owned(),
            "invalid_json",
            None,
        ),
        ("empty", String::new(), "invalid_json", None),
        ("deep", deep, "invalid_json", None),
        ("null", "null".to_owned(), "not_an_object", None),
        (
            "array",
            format!("[{}]", with(json!({}))),
            "not_an_object",
            None,
        ),
        (
            "doubled member",
            with(json!({})).replacen('{', "{\"amount\":1,", 1),
            "duplicate_field",
            None,
        ),
        (
            "fraction",
            with(json!({"amount": 10.5})),
            "invalid_amount",
            Some("amount"),
        ),
        (
            "text amount",
            with(json!({"amount": "10"})),
            "invalid_amount",
            Some("amount"),
        ),
        (
            "zero",
            with(json!({"amount": 0})),
            "amount_too_small",
            Some("amount"),
        ),
        (
            "negative",
            with(json!({"amount": -5})),
            "amount_too_small",
            Some("amount"),
        ),
        (
            "huge",
            with(json!({"amount": 9_223_372_036_854_775_808_u64})),
            "amount_too_large",
            Some("amount"),
        ),
        (
            "no amount",
            with(json!({"amount": null})),
            "missing_field",
            Some("amount"),
        ),
        (
            "no currency",
            with(json!({"currency": null})),
            "missing_field",
            Some("currency"),
        ),
        (
            "lower-case currency",
            with(json!({"currency": "eur "})),
            "invalid_currency",
            Some("currency"),
        ),
        (
            "no such currency",
            with(json!({"currency": "XYZ"})),
            "invalid_currency",
            Some("currency"),
        ),
        (
            "no source",
            with(json!({"source": null})),
            "missing_field",
            Some("source"),
        ),
        (
            "unknown source",
            with(json!({"source": "tok_nothing_like_it"})),
            "unknown_source",
            Some("source"),
        ),
        (
            "no email",
            with(json!({"customer": {}})),
            "missing_field",
            Some("customer.email"),
        ),
        (
            "header in the email",
            with(json!({"customer": {"email": "x@\r\nBcc: y@example.com"}})),
            "invalid_email",
            Some("customer.email"),
        ),
        (
            "unknown member",
            with(json!({"colour": "red"})),
            "unknown_field",
            Some("colour"),
        ),
        (
            "status",
            with(json!({"status": "completed"})),
            "unknown_field",
            Some("status"),
        ),
        (
            "merchant",
            with(json!({"merchant": "other"})),
            "unknown_field",
            Some("merchant"),
        ),
        (
            "big metadata",
            with(json!({"metadata": {"note": "x".repeat(501)}})),
            "invalid_metadata",
            Some("metadata.note"),
        ),
        (
            "card number",
            with(json!({"metadata": {"note": "card 4242424242424242"}})),
            "card_number_not_allowed",
            Some("metadata.note"),
        ),
        (
            "spaced card number",
            with(json!({"reference": "5555 5555 5555 4444"})),
            "card_number_not_allowed",
            Some("reference"),
        ),
    ];
    for (number, (what, body, code, param)) in table.iter().enumerate() {
        let answer = api
            .post(&key, "/v1/payments", &format!("k{number}"), body)
            .await;
        assert_eq!(
            answer.refusal(),
            (400, (*code).to_owned()),
            "{what}: {answer:?}"
        );
        assert_eq!(answer.json()["param"].as_str(), *param, "{what}");
        assert!(
            !answer.body.contains("4242") && !answer.body.contains("5555"),
            "{what}: {answer:?}"
        );
    }
    let list = api.get(&key, "/v1/payments").await.json();
    assert_eq!(list["data"], json!([]), "nothing was stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_idempotency_keys_are_refused() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    let authorization = format!("Bearer {key}");
    let base = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    let long = "k".repeat(256);
    let table: [(&[(&str, &str)], &str); 6] = [
        (&[], "idempotency_key_missing"),
        (&[("idempotency-key", " ")], "idempotency_key_missing"),
        (&[("idempotency-key", &long)], "idempotency_key_invalid"),
        (&[("idempotency-key", "kéy")], "idempotency_key_invalid"),
        (
            &[("idempotency-key", "a"), ("idempotency-key", "b")],
            "idempotency_key_invalid",
        ),
        (
            &[("idempotency-key", "4242-4242-4242-4242")],
            "card_number_not_allowed",
        ),
    ];
    for (headers, code) in table {
        for path in [
            "/v1/payments",
            "/v1/payments/pay_01KAN4S0G0000000000000000A/cancel",
            "/v1/payments/pay_01KAN4S0G0000000000000000A/refunds",
        ] {
            let all = [&base[..], headers].concat();
            let answer = exchange(
                api.at,
                &request("POST", path, &all, Some(&payment(&json!({})))),
            )
            .await
            .expect("an answer");
            assert_eq!(
                answer.refusal(),
                (400, code.to_owned()),
                "{path} {headers:?}"
            );
            assert_eq!(answer.text("/param"), "Idempotency-Key");
        }
    }
    assert_eq!(api.create(&key, &"k".repeat(255)).await.len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_api_keys_are_refused() {
    let api = Api::start().await;
    let revoked = api.key("acme", true).await;
    api.revoke(&revoked).await;
    let (revoked, unknown, good) = (
        format!("Bearer {revoked}"),
        "Bearer sk_live_00",
        format!("bearer {}", api.key("acme", true).await),
    );
    let long = format!("Bearer sk_live_{}", "0".repeat(4000));
    let rest = [
        ("idempotency-key", "k"),
        ("content-type", "application/json"),
    ];
    let table: [(&[(&str, &str)], &str); 7] = [
        (&[], "api_key_missing"),
        (
            &[("authorization", "Basic c2tfbGl2ZQ==")],
            "api_key_missing",
        ),
        (&[("authorization", "sk_live_00")], "api_key_missing"),
        (&[("authorization", "Bearer pk_live_00")], "api_key_invalid"),
        (&[("authorization", unknown)], "api_key_invalid"),
        (&[("authorization", &revoked)], "api_key_invalid"),
        (&[("authorization", &long)], "api_key_invalid"),
    ];
    for (headers, code) in table {
        let answer = post(&api, &[headers, &rest[..]].concat(), &payment(&json!({}))).await;
        assert_eq!(answer.refusal(), (401, code.to_owned()), "{headers:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let answer = post(
        &api,
        &[&[("authorization", good.as_str())], &rest[..]].concat(),
        &payment(&json!({})),
    )
    .await;
    assert_eq!(answer.status, 202, "the scheme's name has no case");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_must_say_that_it_is_json() {
    let api = Api::start().await;
    let authorization = format!("Bearer {}", api.key("acme", false).await);
    let head = [
        ("authorization", authorization.as_str()),
        ("idempotency-key", "k"),
    ];
    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonx"),
    ] {
        let kind: Vec<(&str, &str)> = kind
            .map(|kind| ("content-type", kind))
            .into_iter()
            .collect();
        let answer = post(&api, &[&head[..], &kind[..]].concat(), &payment(&json!({}))).await;
        assert_eq!(
            answer.refusal(),
            (415, "unsupported_media_type".to_owned()),
            "{kind:?}"
        );
    }
    let answer = post(
        &api,
        &[
            &head[..],
            &[("content-type", "Application/JSON; charset=utf-8")],
        ]
        .concat(),
        &payment(&json!({})),
    )
    .await;
    assert_eq!(answer.status, 202, "{answer:?}");
}
