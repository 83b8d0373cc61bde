//! A small server in the shape of Stripe's API, kept in memory, on a free port of 127.0.0.1. What
//! it does is told by the payment method; it honours idempotency keys as Stripe does.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot have its server says so by panicking"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

pub(crate) const KEY: &str = "sk_test_canary";

#[derive(Default)]
pub(crate) struct Books {
    pub(crate) intents: Vec<Value>,
    pub(crate) refunds: Vec<Value>,
    keys: HashMap<String, (StatusCode, Value)>,
    pub(crate) calls: Vec<(String, String, String)>,
    pub(crate) search: bool,
    /// Whether lists know the filter `created`.
    pub(crate) created_filter: bool,
    pub(crate) search_is_old: bool,
}

#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) url: String,
    books: Arc<Mutex<Books>>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let books = Books {
            search: true,
            created_filter: true,
            ..Books::default()
        };
        let fake = Self {
            url,
            books: Arc::new(Mutex::new(books)),
        };
        let app = Router::new().fallback(handle).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        fake
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        look(&mut self.books.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

type Form = HashMap<String, String>;

fn pairs(text: &str) -> Form {
    reqwest::Url::parse(&format!("http://form/?{text}"))
        .expect("a form")
        .query_pairs()
        .into_owned()
        .collect()
}

async fn handle(State(fake): State<Fake>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 16).await.expect("a body");
    let body = String::from_utf8(body.to_vec()).expect("text");
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let query = pairs(parts.uri.query().unwrap_or_default());
    fake.with(|books| {
        books.calls.push((
            parts.method.to_string(),
            parts.uri.to_string(),
            body.clone(),
        ));
    });
    if header("authorization") != format!("Bearer {KEY}") {
        let message = format!("Invalid API Key provided: {}", header("authorization"));
        return (
            StatusCode::UNAUTHORIZED,
            json!({"error": {"message": message}}).to_string(),
        )
            .into_response();
    }
    let (status, answer) = if parts.method == "POST" {
        let key = header("idempotency-key");
        let form = pairs(&body);
        // Under one lock, so that of several calls with one key at once one is carried out.
        let (answered, first) = fake.with(|books| {
            if let Some(known) = books.keys.get(&key).filter(|_| !key.is_empty()) {
                return (known.clone(), false);
            }
            let answered = post(books, parts.uri.path(), &form);
            books.keys.insert(key, answered.clone());
            (answered, true)
        });
        match form
            .get("payment_method")
            .map(String::as_str)
            .filter(|_| first)
        {
            // Charged, but the answer never comes.
            Some("pm_hang") => std::future::pending().await,
            Some("pm_500") => (StatusCode::INTERNAL_SERVER_ERROR, json!("<html>")),
            Some("pm_junk") => (StatusCode::OK, json!({"object": "what"})),
            _ => answered,
        }
    } else {
        fake.with(|books| get(books, parts.uri.path(), &query))
    };
    (
        status,
        [("content-type", "application/json")],
        answer.to_string(),
    )
        .into_response()
}

fn error(status: u16, error: &Value) -> (StatusCode, Value) {
    (
        StatusCode::from_u16(status).expect("a status"),
        json!({ "error": error }),
    )
}

fn post(books: &mut Books, path: &str, form: &Form) -> (StatusCode, Value) {
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    if path == "/v1/payment_intents" {
        return create(books, form);
    }
    if let Some(id) = path
        .strip_prefix("/v1/payment_intents/")
        .and_then(|rest| rest.strip_suffix("/cancel"))
    {
        let Some(intent) = books.intents.iter_mut().find(|intent| intent["id"] == id) else {
            return error(404, &json!({}));
        };
        if intent["status"] != "requires_action" {
            return error(400, &json!({"code": "payment_intent_unexpected_state"}));
        }
        intent["status"] = json!("canceled");
        return (StatusCode::OK, intent.clone());
    }
    let amount: i64 = field("amount").parse().expect("an amount");
    let intent = books
        .intents
        .iter()
        .find(|intent| intent["id"] == field("payment_intent"));
    let Some(intent) = intent else {
        return error(
            404,
            &json!({"code": "resource_missing", "param": "payment_intent"}),
        );
    };
    let of = |refund: &&Value| refund["payment_intent"] == intent["id"];
    let paid: i64 = books
        .refunds
        .iter()
        .filter(of)
        .filter_map(|refund| refund["amount"].as_i64())
        .sum();
    if paid + amount > intent["amount"].as_i64().unwrap_or_default() {
        return error(
            400,
            &json!({"type": "invalid_request_error", "param": "amount", "message": "Refund amount is greater than unrefunded amount"}),
        );
    }
    let status = if intent["payment_method"] == "pm_refund_pending" {
        "pending"
    } else {
        "succeeded"
    };
    let metadata = json!({"refund_id": field("metadata[refund_id]"), "payment_id": field("metadata[payment_id]")});
    let refund = json!({
        "id": format!("re_{}", books.refunds.len()), "payment_intent": intent["id"], "amount": amount, "currency": intent["currency"],
        "status": status, "metadata": metadata,
    });
    books.refunds.push(refund.clone());
    (StatusCode::OK, refund)
}

fn create(books: &mut Books, form: &Form) -> (StatusCode, Value) {
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let method = if form.contains_key("payment_method") {
        field("payment_method")
    } else {
        field("payment_method_data[card][token]")
    };
    let refused = |code: &str| {
        error(
            402,
            &json!({"type": "card_error", "code": "card_declined", "decline_code": code, "message": "Your card was declined."}),
        )
    };
    let status = match method.as_str() {
        "pm_declined" => return refused("insufficient_funds"),
        "pm_soft" => return refused("try_again_later"),
        "pm_409" => return error(409, &json!({"code": "idempotency_key_in_use"})),
        "pm_429" => return error(429, &json!({"code": "rate_limit"})),
        "pm_403" => return error(403, &json!({})),
        "pm_404" => {
            return error(
                404,
                &json!({"code": "resource_missing", "message": format!("No such payment_method: \
                    '{method}' {KEY}")}),
            );
        }
        "pm_action" => "requires_action",
        "pm_processing" => "processing",
        "pm_async_failed" => "requires_payment_method",
        _ => "succeeded",
    };
    let number = books.intents.len();
    let charge = json!({"id": format!("ch_{number}"), "created": 1_795_400_001_i64, "payment_method_details": {"card": {"brand": "visa", "last4": "4242"}}});
    let intent = json!({
        "id": format!("pi_{number}"), "amount": field("amount").parse::<i64>().expect("an amount"), "currency": field("currency"),
        "created": 1_795_400_000_i64, "status": status, "payment_method": method, "latest_charge": charge,
        "metadata": {"payment_id": field("metadata[payment_id]")}, "unknown": {"nested": [1, 2]},
    });
    books.intents.push(intent.clone());
    (StatusCode::OK, intent)
}

fn get(books: &Books, path: &str, query: &Form) -> (StatusCode, Value) {
    if path == "/v1/payment_intents/search" {
        if !books.search {
            return error(404, &json!({"message": "Unrecognized request URL"}));
        }
        let wanted = query["query"]
            .strip_prefix("metadata['payment_id']:'")
            .and_then(|rest| rest.strip_suffix('\''))
            .expect("a query");
        let mut data: Vec<Value> = books
            .intents
            .iter()
            .filter(|intent| intent["metadata"]["payment_id"] == wanted)
            .cloned()
            .collect();
        if books.search_is_old {
            for intent in &mut data {
                intent["status"] = json!("processing");
            }
        }
        return (
            StatusCode::OK,
            json!({"data": data, "has_more": false, "next_page": null}),
        );
    }
    let (all, filter) = match path {
        "/v1/payment_intents" => (&books.intents, None),
        "/v1/refunds" => (&books.refunds, query.get("payment_intent")),
        _ => return one(books, path),
    };
    if query.contains_key("created[gte]") && !books.created_filter {
        return error(400, &json!({"message": "Unexpected created"}));
    }
    // Pages of two, whatever was asked for, newest first.
    let mut data: Vec<Value> = all
        .iter()
        .rev()
        .filter(|entry| filter.is_none_or(|intent| entry["payment_intent"] == *intent))
        .cloned()
        .collect();
    if let Some(after) = query.get("starting_after") {
        let place = data
            .iter()
            .position(|entry| entry["id"] == *after)
            .expect("an entry of the list");
        data.drain(..=place);
    }
    let has_more = data.len() > 2;
    data.truncate(2);
    if query
        .get("expand[]")
        .is_some_and(|what| what == "data.payment_intent")
    {
        for refund in &mut data {
            if let Some(intent) = books
                .intents
                .iter()
                .find(|intent| intent["id"] == refund["payment_intent"])
            {
                refund["payment_intent"] = intent.clone();
            }
        }
    }
    (StatusCode::OK, json!({"data": data, "has_more": has_more}))
}

fn one(books: &Books, path: &str) -> (StatusCode, Value) {
    let id = path.rsplit('/').next().unwrap_or_default();
    let intent = books.intents.iter().find(|intent| intent["id"] == id);
    match (intent, id) {
        (Some(intent), _) => (StatusCode::OK, intent.clone()),
        (None, "pm_card_visa" | "tok_visa") => (StatusCode::OK, json!({"id": id})),
        _ => error(404, &json!({"code": "resource_missing"})),
    }
}
