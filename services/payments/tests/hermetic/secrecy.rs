//! Nothing that a client sent is logged: no body, no key, no address.

use std::io::{self, Write};
use std::sync::{Mutex, Once, PoisonError};

use serde_json::json;

use crate::client::{exchange, request};
use crate::harness::{Api, payment};

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static CAPTURE: Once = Once::new();

struct Sink;

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends the logs of all tests, at the most talkative level, to one place.
pub(crate) fn capture_logs() {
    CAPTURE.call_once(|| {
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(|| Sink)
            .finish();
        tracing::subscriber::set_global_default(subscriber).expect("the first");
    });
}

fn logged() -> String {
    String::from_utf8_lossy(&LOG.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

const CARD: &str = "5105105105105100";
const EMAIL: &str = "canary.person@canary.example";

#[tokio::test(flavor = "multi_thread")]
async fn no_log_and_no_error_holds_what_a_client_sent() {
    let api = Api::start().await;
    let key = api.key("canary-shop", true).await;
    let mut bodies = Vec::new();
    let members = [
        json!({"reference": CARD}),
        json!({"source": format!("tok_{CARD}")}),
        json!({"customer": {"email": format!("{CARD}@example.com")}}),
        json!({"metadata": {"note": CARD}}),
        json!({"metadata": {CARD: "x"}}),
        json!({CARD: "x"}),
        json!({"amount": CARD}),
        json!({"currency": CARD}),
        json!({"customer": {"email": EMAIL, "colour": "canary-colour"}}),
    ];
    for (number, members) in members.iter().enumerate() {
        bodies.push(
            api.post(
                &key,
                "/v1/payments",
                &format!("canary-key-{number}"),
                &payment(members),
            )
            .await
            .body,
        );
    }
    bodies.push(
        api.post(&key, "/v1/payments", CARD, &payment(&json!({})))
            .await
            .body,
    );
    bodies.push(
        api.post(&key, "/v1/payments", "canary-key", &format!("{{\"{CARD}"))
            .await
            .body,
    );
    bodies.push(
        api.post(
            &key,
            "/v1/payments",
            "canary-key",
            &payment(&json!({"source": "tok_panic", "reference": "canary-ref"})),
        )
        .await
        .body,
    );
    bodies.push(api.get(&key, &format!("/v1/payments/{CARD}")).await.body);
    bodies.push(api.get(&key, &format!("/{CARD}?q={CARD}")).await.body);
    bodies.push(
        api.get(&key, &format!("/v1/payments?cursor={CARD}&{CARD}=1"))
            .await
            .body,
    );
    bodies.push(api.get(&format!("{key}0"), "/v1/payments").await.body);
    let odd = request(
        "GET",
        "/livez",
        &[
            ("x-request-id", CARD),
            ("user-agent", "canary-agent"),
            ("traceparent", CARD),
        ],
        None,
    );
    bodies.push(exchange(api.at, &odd).await.expect("an answer").body);
    for body in &bodies {
        assert!(
            !body.contains(CARD) && !body.contains(EMAIL) && !body.contains(&key),
            "{body}"
        );
    }
    // A good one, through to its dispatch.
    let good = payment(
        &json!({"customer": {"email": EMAIL}, "reference": "canary-ref", "metadata": {"m": "canary-value"}}),
    );
    let id = api
        .post(&key, "/v1/payments", "canary-key", &good)
        .await
        .text("/id");
    api.complete(&id).await;
    api.post(
        &key,
        &format!("/v1/payments/{id}/refunds"),
        "canary-key",
        "{\"amount\":1,\"reason\":\"canary-reason\"}",
    )
    .await;
    api.dispatched().await;
    let log = logged();
    assert!(
        log.contains(&id) && log.contains("payment accepted"),
        "the log is captured"
    );
    for canary in [
        CARD,
        EMAIL,
        &key,
        "canary-key",
        "canary-ref",
        "canary-value",
        "canary-reason",
        "canary-colour",
        "canary-agent",
    ] {
        let line = log.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "{canary} is logged");
    }
}
