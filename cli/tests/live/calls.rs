//! Commands that make each call to AWS which the roles of payops are allowed: debug builds refuse a
//! call that a role is not listed to make, and with `PAYOPS_RECORD_AWS_CALLS` the calls are written
//! down for the test `permissions` of payops-aws.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{HOST, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::response::Response;

use payops_aws::SqsQueues;
use payops_core::domain::bus::{
    BusEvent, NOTIFICATIONS, SOURCE, WORK, dead_letter_queue, envelope, parking_queue,
};
use payops_core::domain::work_item::{REDRIVE, redrive_detail};
use payops_core::port::{Attributes, Clock as _, Outgoing, Queues as _};
use payops_testkit::{ManualClock, fresh_salt, sample};

use super::aws::{Scene, live, runtime, scene};

/// One address for the emulator of AWS and for a second SQS, which has redrives: that one keeps the
/// queues of notifications.
struct OneAddress {
    aws: String,
    sqs: String,
    http: reqwest::Client,
}

impl OneAddress {
    async fn serve(aws: &str, sqs: String) -> String {
        let both = Arc::new(Self {
            aws: aws.to_owned(),
            sqs,
            http: reqwest::Client::new(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(forward).with_state(both);
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    async fn ask(&self, endpoint: &str, head: &Parts, body: Bytes) -> Response {
        let mut headers = head.headers.clone();
        headers.remove(HOST);
        let request = self
            .http
            .request(head.method.clone(), format!("{endpoint}{}", head.uri));
        let answer = request.headers(headers).body(body).send().await;
        let answer = answer.expect("an answer");
        let mut response = Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            if name != TRANSFER_ENCODING {
                response = response.header(name, value);
            }
        }
        let body = answer.bytes().await.expect("a whole answer");
        response.body(Body::from(body)).expect("a response")
    }
}

async fn forward(State(both): State<Arc<OneAddress>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a whole request");
    let target = head.headers.get("x-amz-target");
    let target = target
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let is_notifications = String::from_utf8_lossy(&body).contains("-notifications");
    if !target.starts_with("AmazonSQS") {
        return both.ask(&both.aws, &head, body).await;
    }
    if target.ends_with(".CreateQueue") {
        // The emulator lists it and has rules for it.
        both.ask(&both.sqs, &head, body.clone()).await;
        return both.ask(&both.aws, &head, body).await;
    }
    let endpoint = if is_notifications || target.contains("MessageMoveTask") {
        &both.sqs
    } else {
        &both.aws
    };
    both.ask(endpoint, &head, body).await
}

const REASON: [&str; 2] = ["--reason", "every call once"];

/// Dead letters of a queue that were replayed so many times, of payments that nobody knows.
async fn add_dead_letters(scene: &Scene, queue: &str, count: usize, replays: u32) {
    let queues = SqsQueues::with_prefix(scene.clients.sqs.clone(), format!("{}-", scene.own), None);
    for _ in 0..count {
        let unknown = sample::payment_id(fresh_salt());
        let event = BusEvent {
            source: SOURCE.to_owned(),
            detail_type: REDRIVE.to_owned(),
            detail: redrive_detail(&unknown),
            at: ManualClock::new().now(),
        };
        let attributes = [
            ("payops-reason", "down".to_owned()),
            ("payops-replay-count", replays.to_string()),
        ];
        let letter = Outgoing {
            body: envelope("e1", &event),
            attributes: attributes
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect::<Attributes>(),
            ..Outgoing::default()
        };
        queues
            .send(&dead_letter_queue(queue), letter)
            .await
            .expect("a dead letter");
    }
}

/// The environment with all parts that a file can name, once protected and once not.
async fn name_everything(scene: &Scene) {
    let (clients, own) = (&scene.clients, &scene.own);
    let secret = format!("{own}/ledger-url-readonly");
    let made = clients.secrets.create_secret().name(&secret);
    let made = made.secret_string(&scene.live.postgres).send().await;
    made.expect("a secret");
    let file = std::fs::read_to_string(scene.place.work().join("payops.toml")).expect("a file");
    let plain = file.replace("ledger_url_env = \"LEDGER_URL\"\n", "");
    let mut text = String::new();
    for (name, is_protected) in [("guarded", true), ("open", false)] {
        text.push_str(&plain.replace("environments.emulator", &format!("environments.{name}")));
        write!(
            text,
            "ledger_url_secret = \"{secret}\"\nprotected = {is_protected}\n\
             [[environments.{name}.clusters]]\nname = \"main\"\neks = \"{own}-none\"\n"
        )
        .expect("written");
    }
    scene.place.file("payops.toml", text);
}

#[test]
fn each_role_makes_the_calls_that_it_may() {
    let Some(mut live) = live() else { return };
    let Ok(sqs) = std::env::var("PAYOPS_LIVE_SQS_ENDPOINT") else {
        println!("not run: PAYOPS_LIVE_SQS_ENDPOINT is unset (start with live/run)");
        return;
    };
    let runtime = runtime();
    live.aws = runtime.block_on(OneAddress::serve(&live.aws, sqs));
    let scene = runtime.block_on(scene(live));
    runtime.block_on(name_everything(&scene));
    let in_env = |env: &'static str, args: &[&str]| scene.run(&[&["--env", env], args].concat());
    let look = |args: &[&str]| in_env("guarded", args);
    let write = |args: &[&str]| look(&[args, &REASON[..]].concat());
    let (completed, dead) = (scene.completed.id.to_string(), scene.dead.id.to_string());

    // Whoever looks has the role that views.
    let checks = look(&["doctor", "-o", "json"]).json();
    let failed: Vec<&str> = checks
        .as_array()
        .expect("checks")
        .iter()
        .filter(|check| check["ok"] == false)
        .filter_map(|check| check["check"].as_str())
        .collect();
    assert!(
        checks.as_array().is_some_and(|checks| checks.len() > 12)
            && failed.iter().all(|check| check.contains("cluster")),
        "{failed:?}: only the cluster is not there"
    );
    look(&["queue", "list"]).exits(0);
    look(&["dlq", "list"]).exits(0);
    look(&["dlq", "redrives", NOTIFICATIONS]).exits(0);
    look(&["payment", "get", &completed]).exits(0);
    look(&["payment", "timeline", &completed]).exits(0);
    look(&["payment", "list"]).exits(0);
    look(&["payment", "search", "status:completed"]).exits(0);
    let reconciled = look(&["payment", "reconcile", "-o", "json"]).json();
    assert_eq!(reconciled["checked"], 2, "{reconciled}");
    let clusters = look(&["rollout", "list"]);
    assert!(
        clusters
            .err
            .contains(&format!("no EKS cluster {}-none", scene.own)),
        "{}",
        clusters.err
    );

    let parked = parking_queue(WORK);
    let peek = ["queue", "peek", &parked];
    let refused = look(&peek).exits(3);
    assert!(refused.err.contains("--access operate"), "{}", refused.err);

    // Whoever acts is elevated to the role that operates.
    write(&["freeze", "set"]).exits(0);
    write(&["freeze", "lift"]).exits(0);
    write(&["payment", "cancel", &dead, "--yes"]);
    runtime.block_on(add_dead_letters(&scene, WORK, 1, 0));
    let letters = look(&["dlq", "list", "-o", "json"]).exits(0).json();
    let mut letters = letters.as_array().expect("letters").iter();
    let unknown = letters.find(|letter| letter["payment_id"] != dead);
    let edited = unknown.expect("a letter")["message_id"]
        .as_str()
        .expect("an id");
    write(&["dlq", "edit", WORK, edited, "--set", "/id=\"e2\"", "--yes"]).exits(0);
    runtime.block_on(add_dead_letters(&scene, WORK, 12, 0));
    runtime.block_on(add_dead_letters(&scene, WORK, 2, 3));
    let replayed = write(&["dlq", "replay", WORK, "--yes", "-o", "json"]).json();
    assert_eq!(replayed["parked"], 2, "{replayed}");
    runtime.block_on(add_dead_letters(&scene, NOTIFICATIONS, 150, 0));
    write(&["dlq", "discard", NOTIFICATIONS, "--limit", "3", "--yes"]).exits(0);
    write(&[
        "dlq",
        "redrive",
        NOTIFICATIONS,
        "--rate",
        "1",
        "--no-wait",
        "--yes",
    ])
    .exits(0);
    write(&["dlq", "redrive-cancel", NOTIFICATIONS, "--yes"]).exits(0);
    look(&peek).exits(0);
    look(&["account", "logout"]).exits(0);
    write(&["audit", "ship"]).exits(0);

    // What nobody does daily needs break-glass.
    let open = |args: &[&str]| in_env("open", &[args, &REASON[..]].concat());
    let refused = open(&["queue", "purge", NOTIFICATIONS, "--yes"]).exits(3);
    assert!(refused.err.contains("break-glass"), "{}", refused.err);
    open(&["account", "login", "--duty", "break-glass"]).exits(0);
    in_env("open", &["queue", "peek", NOTIFICATIONS]).exits(0);
    for queue in [
        NOTIFICATIONS,
        &dead_letter_queue(NOTIFICATIONS),
        &parking_queue(NOTIFICATIONS),
    ] {
        open(&["queue", "purge", queue, "--yes"]).exits(0);
    }
}
