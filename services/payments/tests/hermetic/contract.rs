//! What clients may rely on: codes, headers, the OpenAPI document, metrics.

use std::fmt::Write as _;

use payops_payments::api::{Code, openapi};
use serde_json::{Value, json};

use crate::client::{Answer, exchange, request};
use crate::harness::{Api, payment};

fn snapshots() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings
}

#[test]
fn codes_and_their_statuses_do_not_change() {
    let mut table = String::new();
    for code in Code::ALL {
        let again = if code.retryable() { " retryable" } else { "" };
        writeln!(
            table,
            "{} {}{again}: {}",
            code.status().as_u16(),
            code.as_str(),
            code.title()
        )
        .expect("written");
    }
    snapshots().bind(|| insta::assert_snapshot!("codes", table));
}

#[test]
fn the_openapi_document_does_not_change_unnoticed() {
    let document = openapi().to_pretty_json().expect("JSON");
    snapshots().bind(|| insta::assert_snapshot!("openapi", document));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_served_and_names_every_route() {
    let api = Api::start().await;
    let served = exchange(api.at, &request("GET", "/openapi.json", &[], None))
        .await
        .expect("an answer");
    let served: Value = served.json();
    assert_eq!(served, serde_json::to_value(openapi()).expect("JSON"));
    let routes: Vec<String> = served["paths"]
        .as_object()
        .expect("paths")
        .keys()
        .cloned()
        .collect();
    for route in [
        "/v1/payments",
        "/v1/payments/{id}",
        "/v1/payments/{id}/cancel",
        "/v1/payments/{id}/refunds",
        "/v1/payments/{id}/events",
    ] {
        assert!(
            routes.iter().any(|found| found == route),
            "{route} in {routes:?}"
        );
    }
}

fn check_headers(answer: &Answer, what: &str) {
    let id = answer
        .header("x-request-id")
        .unwrap_or_else(|| panic!("{what}: {answer:?}"));
    assert!(id.starts_with("req_") && id.len() == 20, "{what}: {id}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    assert_eq!(
        answer.header("x-content-type-options"),
        Some("nosniff"),
        "{what}"
    );
    if answer.status >= 400 {
        let body = answer.json();
        assert_eq!(body["request_id"], json!(id), "{what}");
        assert_eq!(body["status"], json!(answer.status), "{what}");
        let code = Code::from_name(body["code"].as_str().expect("a code"))
            .unwrap_or_else(|| panic!("{what}: {body}"));
        assert_eq!(
            body["type"],
            json!(format!("urn:payops:problem:{}", code.as_str())),
            "{what}"
        );
        assert_eq!(body["retryable"], json!(code.retryable()), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_its_headers() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    for path in [
        "/livez",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/",
        "/v1",
        "/v1/payments/",
        "/v1/payments/x/y/z",
        "/v1/payments/x",
        "/v1/payments",
    ] {
        check_headers(
            &exchange(api.at, &request("GET", path, &[], None))
                .await
                .expect("an answer"),
            path,
        );
    }
    check_headers(
        &api.post(&key, "/v1/payments", "k", &payment(&json!({})))
            .await,
        "accepted",
    );
    let unknown = exchange(api.at, &request("GET", "/v2/payments", &[], None))
        .await
        .expect("an answer");
    assert_eq!(unknown.refusal(), (404, "route_not_found".to_owned()));
    for (method, path) in [
        ("DELETE", "/v1/payments"),
        ("PUT", "/v1/payments/x"),
        ("GET", "/v1/payments/x/cancel"),
        ("POST", "/livez"),
    ] {
        let answer = exchange(api.at, &request(method, path, &[], Some("{}")))
            .await
            .expect("an answer");
        check_headers(&answer, path);
        assert_eq!(
            answer.refusal(),
            (405, "method_not_allowed".to_owned()),
            "{method} {path}"
        );
        assert!(
            answer.header("allow").is_some(),
            "{method} {path}: {answer:?}"
        );
    }
    // A client's own request id is not taken over: it could be anything.
    let own = exchange(
        api.at,
        &request(
            "GET",
            "/livez",
            &[("x-request-id", "4242424242424242")],
            None,
        ),
    )
    .await
    .expect("an answer");
    assert!(
        own.header("x-request-id")
            .is_some_and(|id| id.starts_with("req_"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_by_matched_route_and_code() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    let id = api.create(&key, "k").await;
    api.create(&key, "k").await;
    api.get(&key, &format!("/v1/payments/{id}")).await;
    api.get(&key, "/v1/payments/nothing").await;
    api.get(&key, "/no/such/route/4242424242424242").await;
    api.dispatched().await;
    let text = api.get(&key, "/metrics").await.body;
    for line in [
        "payops_http_requests_total{route=\"/v1/payments\",method=\"POST\",status=\"202\"} 2",
        "payops_http_requests_total{route=\"/v1/payments/{id}\",method=\"GET\",status=\"200\"} 1",
        "payops_http_requests_total{route=\"unmatched\",method=\"GET\",status=\"404\"} 1",
        "payops_requests_refused_total{code=\"payment_not_found\"} 1",
        "payops_payments_accepted_total{mode=\"test\"} 1",
        "payops_requests_replayed_total 1",
        "payops_dispatches_total{outcome=\"done\"} 1",
        "payops_http_request_seconds_bucket{route=\"/v1/payments\",method=\"POST\",le=\"10\"} 2",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert!(!text.contains(&id) && !text.contains("4242"), "{text}");
}
