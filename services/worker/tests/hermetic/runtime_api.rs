//! The function as Lambda runs it: a process that asks a Runtime API for its work. The API is
//! served here, on a port of its own; the process is this test binary, told to run [`function`].

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use payops_core::domain::bus::WORK;
use payops_core::domain::payment::Status;
use payops_core::port::{Clock as _, Queues as _};
use payops_runtime::SystemClock;
use payops_worker::BatchSettings;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc};

use crate::batch::record;
use crate::platform::Platform;

const FOLDER: &str = "PAYOPS_TEST_FOLDER";

/// Runs the function until it is killed. Not a test: the next one starts it in a process of its
/// own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test below"]
async fn function() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let platform = Platform::open(folder.as_ref(), Arc::new(SystemClock)).await;
    payops_worker::run_lambda(&platform.panicky(), &SystemClock, BatchSettings::default())
        .await
        .expect("it goes on");
}

struct Api {
    invocations: Mutex<mpsc::UnboundedReceiver<(String, Value)>>,
    answers: mpsc::UnboundedSender<(String, Value)>,
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let Some((id, event)) = api.invocations.lock().await.recv().await else {
        return std::future::pending().await;
    };
    Response::builder()
        .header("lambda-runtime-aws-request-id", id)
        .header(
            "lambda-runtime-deadline-ms",
            (SystemClock.now().as_millisecond() + 30_000).to_string(),
        )
        .header(
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-west-1:000000000000:function:worker",
        )
        .header("content-type", "application/json")
        .body(Body::from(event.to_string()))
        .expect("a response")
}

async fn answered(
    State(api): State<Arc<Api>>,
    Path((id, what)): Path<(String, String)>,
    body: String,
) -> StatusCode {
    let answer = serde_json::from_str(&body).unwrap_or(Value::Null);
    api.answers
        .send((format!("{what} {id}"), answer))
        .expect("somebody listens");
    StatusCode::ACCEPTED
}

async fn broken(body: String) -> StatusCode {
    panic!("the function could not start: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_serves_invocations_one_after_the_other() {
    let folder = TempDir::new().expect("a folder");
    let platform = Platform::open(folder.path(), Arc::new(SystemClock)).await;
    let (invoke, invocations) = mpsc::unbounded_channel();
    let (answers, mut answered_by) = mpsc::unbounded_channel();
    let api = Arc::new(Api {
        invocations: Mutex::new(invocations),
        answers,
    });
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/{what}", post(answered))
        .route("/2018-06-01/runtime/init/error", post(broken))
        .with_state(api);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let at = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut function = tokio::process::Command::new(std::env::current_exe().expect("this binary"))
        .args([
            "--exact",
            "runtime_api::function",
            "--ignored",
            "--nocapture",
        ])
        .env(FOLDER, folder.path())
        .env("AWS_LAMBDA_RUNTIME_API", at.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "worker")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("started");

    let good = platform.accept("good", "tok_visa").await;
    let panics = payops_core::port::Outgoing {
        body: "PANIC".to_owned(),
        ..Default::default()
    };
    let panics = platform.queues.send(WORK, panics).await.expect("sent");
    let messages = platform
        .queues
        .receive(WORK, 10, Duration::from_mins(3), Duration::ZERO)
        .await
        .expect("received");
    invoke
        .send((
            "r1".to_owned(),
            json!({"Records": messages.iter().map(record).collect::<Vec<_>>()}),
        ))
        .expect("listening");
    invoke
        .send(("r2".to_owned(), json!({"no": "records"})))
        .expect("listening");
    invoke
        .send(("r3".to_owned(), json!({"Records": []})))
        .expect("listening");
    let mut took = Vec::new();
    for _ in 0..3 {
        took.push(
            tokio::time::timeout(Duration::from_mins(1), answered_by.recv())
                .await
                .expect("in time")
                .expect("an answer"),
        );
    }
    assert_eq!(
        took[0],
        (
            "response r1".to_owned(),
            json!({"batchItemFailures": [{"itemIdentifier": panics}]})
        )
    );
    assert_eq!(
        took[1].0, "error r2",
        "an event that is none is an error, and the function goes on"
    );
    assert_eq!(
        took[2],
        ("response r3".to_owned(), json!({"batchItemFailures": []}))
    );
    assert_eq!(platform.payment(&good).await.status, Status::Completed);
    function.kill().await.expect("killed");
    server.abort();
}
