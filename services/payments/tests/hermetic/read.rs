//! Reading: what is the caller's, and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::client::Answer;
use crate::harness::Api;

/// A problem without the one thing that differs in every answer.
fn anonymous(answer: &Answer) -> serde_json::Value {
    let mut body = answer.json();
    body["request_id"] = json!(null);
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_of_others_is_as_unknown_as_any() {
    let api = Api::start().await;
    let (mine, other_mode, other) = (
        api.key("acme", true).await,
        api.key("acme", false).await,
        api.key("other", true).await,
    );
    let id = api.create(&mine, "k").await;
    assert_eq!(
        api.get(&mine, &format!("/v1/payments/{id}"))
            .await
            .text("/id"),
        id
    );
    let unknown = anonymous(
        &api.get(&mine, "/v1/payments/pay_01KAN4S0G0000000000000000A")
            .await,
    );
    assert_eq!(
        (unknown["status"].clone(), unknown["code"].clone()),
        (json!(404), json!("payment_not_found"))
    );
    for key in [&other_mode, &other] {
        for path in [
            format!("/v1/payments/{id}"),
            format!("/v1/payments/{id}/events"),
        ] {
            assert_eq!(anonymous(&api.get(key, &path).await), unknown, "{path}");
        }
        for path in [
            format!("/v1/payments/{id}/cancel"),
            format!("/v1/payments/{id}/refunds"),
        ] {
            assert_eq!(
                anonymous(&api.post(key, &path, "k2", "{}").await),
                unknown,
                "{path}"
            );
        }
    }
    for odd in [
        "x",
        &id.to_lowercase(),
        "%FF",
        "pay_%00",
        "pay_4242424242424242",
    ] {
        assert_eq!(
            anonymous(&api.get(&mine, &format!("/v1/payments/{odd}")).await),
            unknown,
            "{odd}"
        );
    }
    assert_eq!(api.stored(&id).await.version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_page_by_page_newest_first() {
    let api = Api::start().await;
    let (mine, other) = (api.key("acme", true).await, api.key("other", true).await);
    let mut made = Vec::new();
    for number in 0..7 {
        made.insert(0, api.create(&mine, &format!("k{number}")).await);
        api.create(&other, &format!("k{number}")).await;
        api.clock.advance(Duration::from_millis(5));
    }
    let mut seen = Vec::new();
    let mut path = "/v1/payments?limit=3".to_owned();
    let mut pages = 0;
    loop {
        let page = api.get(&mine, &path).await.json();
        pages += 1;
        seen.extend(
            page["data"]
                .as_array()
                .expect("payments")
                .iter()
                .filter_map(|payment| payment["id"].as_str())
                .map(str::to_owned),
        );
        assert_eq!(
            page["has_more"].as_bool(),
            Some(!page["next_cursor"].is_null())
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/payments?limit=3&cursor={cursor}");
    }
    assert_eq!((pages, &seen), (3, &made));
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 7);
    let all = api.get(&mine, "/v1/payments?limit=7").await.json();
    assert_eq!(
        (all["has_more"].clone(), all["next_cursor"].clone()),
        (json!(false), json!(null))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_cannot_be_forged_or_shared() {
    let api = Api::start().await;
    let (mine, test_mode, other) = (
        api.key("acme", true).await,
        api.key("acme", false).await,
        api.key("other", true).await,
    );
    for number in 0..2 {
        api.create(&mine, &format!("k{number}")).await;
    }
    let cursor = api
        .get(&mine, "/v1/payments?limit=1")
        .await
        .text("/next_cursor");
    assert_eq!(
        api.get(&mine, &format!("/v1/payments?cursor={cursor}"))
            .await
            .status,
        200
    );
    for key in [&test_mode, &other] {
        let answer = api.get(key, &format!("/v1/payments?cursor={cursor}")).await;
        assert_eq!(answer.refusal(), (400, "invalid_cursor".to_owned()));
    }
    let mut forged = cursor.clone().into_bytes();
    forged[3] = if forged[3] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).expect("ASCII");
    for bad in [
        forged.as_str(),
        "",
        "x",
        "pay_01KAN4S0G0000000000000000A",
        &cursor[..10],
        "%F0%9F%A6%80",
    ] {
        let answer = api.get(&mine, &format!("/v1/payments?cursor={bad}")).await;
        assert_eq!(
            answer.refusal(),
            (400, "invalid_cursor".to_owned()),
            "{bad}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn list_parameters_are_checked() {
    let api = Api::start().await;
    let key = api.key("acme", true).await;
    for bad in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=1&limit=2",
        "offset=3",
        "merchant=other",
        "limit=%FF",
    ] {
        let answer = api.get(&key, &format!("/v1/payments?{bad}")).await;
        assert_eq!(
            answer.refusal(),
            (400, "invalid_parameter".to_owned()),
            "{bad}"
        );
    }
    for good in ["limit=1", "limit=100", ""] {
        assert_eq!(
            api.get(&key, &format!("/v1/payments?{good}")).await.status,
            200,
            "{good}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_sees_a_timeline_without_our_insides() {
    let api = Api::start().await;
    let key = api.key("acme", true).await;
    let id = api.create(&key, "k").await;
    api.dispatched().await;
    api.complete(&id).await;
    let answer = api.get(&key, &format!("/v1/payments/{id}/events")).await;
    let events = answer.json();
    let seqs: Vec<u64> = events["data"]
        .as_array()
        .expect("events")
        .iter()
        .filter_map(|event| event["seq"].as_u64())
        .collect();
    assert_eq!(
        seqs,
        (1..=u64::try_from(seqs.len()).expect("few")).collect::<Vec<_>>()
    );
    assert!(answer.body.contains("\"completed\""), "{answer:?}");
    for inside in ["worker", "payments-work", "ch_1", "fence", "payments/pay_"] {
        assert!(!answer.body.contains(inside), "{inside} in {answer:?}");
    }
}
