//! Clients that send too much, too slowly or nonsense.

use std::time::{Duration, Instant};

use payops_payments::ServeLimits;
use payops_payments::api::ApiLimits;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{exchange, read_answer, request};
use crate::harness::{Api, Options, payment};

fn head(key: &str, length: &str) -> String {
    format!(
        "POST /v1/payments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nidempotency-key: \
            k\r\ncontent-type: application/json\r\n{length}\r\n\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_are_refused_before_they_are_sent() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    // Only the head is sent: the answer comes without the body.
    let mut stream = TcpStream::connect(api.at).await.expect("connected");
    stream
        .write_all(head(&key, "content-length: 10485760").as_bytes())
        .await
        .expect("sent");
    let mut first = [0_u8; 12];
    stream.read_exact(&mut first).await.expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 413");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_sent_all_the_same_still_get_to_read_the_413() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    let megabyte = "x".repeat(1024 * 1024);
    for chunked in [false, true] {
        let mut stream = TcpStream::connect(api.at).await.expect("connected");
        let length = if chunked {
            "transfer-encoding: chunked"
        } else {
            "content-length: 10485760"
        };
        stream
            .write_all(head(&key, length).as_bytes())
            .await
            .expect("sent");
        for _ in 0..10 {
            if chunked {
                stream.write_all(b"100000\r\n").await.expect("taken");
            }
            stream
                .write_all(megabyte.as_bytes())
                .await
                .expect("taken: the connection is not reset");
            if chunked {
                stream.write_all(b"\r\n").await.expect("taken");
            }
        }
        let answer = read_answer(&mut stream).await.expect("an answer");
        assert_eq!(answer.refusal(), (413, "body_too_large".to_owned()));
        assert_eq!(answer.header("connection"), Some("close"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_body_is_64_kib() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    let fits = payment(&json!({}));
    let fits = format!("{fits}{}", " ".repeat(64 * 1024 - fits.len()));
    assert_eq!(
        api.post(&key, "/v1/payments", "k1", &fits).await.status,
        202
    );
    assert_eq!(
        api.post(&key, "/v1/payments", "k2", &format!("{fits} "))
            .await
            .refusal(),
        (413, "body_too_large".to_owned())
    );
}

fn quick() -> Options {
    Options {
        api: ApiLimits {
            body: Duration::from_millis(200),
            ..ApiLimits::default()
        },
        serve: ServeLimits {
            head: Duration::from_millis(200),
            ..ServeLimits::default()
        },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_given_up_on() {
    let api = Api::with(quick()).await;
    let key = api.key("acme", false).await;
    let mut stream = TcpStream::connect(api.at).await.expect("connected");
    stream
        .write_all(head(&key, "content-length: 100").as_bytes())
        .await
        .expect("sent");
    stream.write_all(b"{\"amount\"").await.expect("sent");
    let started = Instant::now();
    let answer = read_answer(&mut stream).await.expect("an answer");
    assert_eq!(answer.refusal(), (408, "request_timeout".to_owned()));
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(
        api.get(&key, "/v1/payments").await.json()["data"],
        json!([])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_is_given_up_on() {
    let api = Api::with(quick()).await;
    let mut stream = TcpStream::connect(api.at).await.expect("connected");
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nx-slow: ")
        .await
        .expect("sent");
    let answer = read_answer(&mut stream).await.expect("an answer");
    assert_eq!(answer.refusal(), (408, "request_timeout".to_owned()));
    assert!(
        answer
            .header("x-request-id")
            .is_some_and(|id| answer.body.contains(id))
    );
    // A connection that never says anything is closed without an answer.
    let mut idle = TcpStream::connect(api.at).await.expect("connected");
    let mut nothing = Vec::new();
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(10), idle.read_to_end(&mut nothing))
            .await
            .expect("closed")
            .expect("in order"),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_answered_and_harms_nobody() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    for nonsense in [
        "\u{0}\u{1}\u{2}\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "POST /v1/payments HTTP/1.1\r\ncontent-length: x\r\n\r\n",
    ] {
        let answer = exchange(api.at, nonsense.as_bytes()).await;
        assert!(
            answer.is_ok_and(|answer| answer.status == 400),
            "{nonsense:?}"
        );
    }
    let long = format!(
        "GET /livez HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n",
        "x".repeat(40_000)
    );
    assert_eq!(
        exchange(api.at, long.as_bytes())
            .await
            .expect("an answer")
            .status,
        431
    );
    assert_eq!(api.create(&key, "k").await.len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_one_500_and_the_process_lives() {
    let api = Api::start().await;
    let key = api.key("acme", false).await;
    let answer = api
        .post(
            &key,
            "/v1/payments",
            "k1",
            &payment(&json!({"source": "tok_panic"})),
        )
        .await;
    assert_eq!(answer.refusal(), (500, "internal_error".to_owned()));
    assert!(
        !answer.body.contains("4242") && answer.header("x-request-id").is_some(),
        "{answer:?}"
    );
    assert_eq!(api.create(&key, "k2").await.len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_past_the_cap_wait_for_their_turn() {
    let api = Api::with(Options {
        serve: ServeLimits {
            connections: 1,
            ..ServeLimits::default()
        },
        ..Options::default()
    })
    .await;
    let holder = TcpStream::connect(api.at).await.expect("connected");
    let mut waiting = TcpStream::connect(api.at)
        .await
        .expect("queued by the kernel");
    waiting
        .write_all(&request("GET", "/livez", &[], None))
        .await
        .expect("sent");
    let mut byte = [0_u8; 1];
    let early = tokio::time::timeout(Duration::from_millis(200), waiting.read(&mut byte)).await;
    assert!(
        early.is_err(),
        "nobody answers while the one connection is open"
    );
    drop(holder);
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(10), read_answer(&mut waiting))
            .await
            .expect("in time")
            .expect("an answer")
            .status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_does_not_keep_its_connection() {
    // No other limit is to free the connection.
    let (unread, head) = (Duration::from_millis(200), Duration::from_mins(10));
    let serve = ServeLimits {
        connections: 1,
        unread,
        head,
        ..ServeLimits::default()
    };
    let api = Api::with(Options {
        serve,
        ..Options::default()
    })
    .await;
    let mut deaf = TcpStream::connect(api.at).await.expect("connected");
    let mut waiting = TcpStream::connect(api.at)
        .await
        .expect("queued by the kernel");
    waiting
        .write_all(&request("GET", "/livez", &[], None))
        .await
        .expect("sent");
    // Requests without end, for answers of some kilobytes that nobody reads: in time every buffer
    // is full.
    let ask = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
    let deaf = tokio::spawn(async move {
        while deaf.write_all(ask.as_bytes()).await.is_ok() {}
        deaf
    });
    // The one connection there may be is the deaf client's, until it is given up on.
    let answer = tokio::time::timeout(Duration::from_secs(30), read_answer(&mut waiting))
        .await
        .expect("the connection was freed");
    assert_eq!(answer.expect("an answer").status, 200);
    let mut rest = Vec::new();
    let mut deaf = tokio::time::timeout(Duration::from_secs(30), deaf)
        .await
        .expect("its writes fail too")
        .expect("no panic");
    // What the kernel had taken in may still be read; then the connection is found reset.
    drop(deaf.read_to_end(&mut rest).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_gets_the_answers_to_all_that_it_asked_at_once() {
    let serve = ServeLimits {
        unread: Duration::from_millis(500),
        ..ServeLimits::default()
    };
    let api = Api::with(Options {
        serve,
        ..Options::default()
    })
    .await;
    let (asked, mut stream) = (400, TcpStream::connect(api.at).await.expect("connected"));
    let ask = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(asked - 1);
    let last = request("GET", "/livez", &[], None);
    let (mut read, mut write) = stream.split();
    let send = async {
        write.write_all(ask.as_bytes()).await.expect("taken");
        write.write_all(&last).await.expect("taken");
    };
    let receive = async {
        let mut all = Vec::new();
        let mut part = vec![0_u8; 64 * 1024];
        while let Ok(count @ 1..) = read.read(&mut part).await {
            all.extend_from_slice(&part[..count]);
            tokio::task::yield_now().await;
        }
        all
    };
    let ((), all) = tokio::join!(send, receive);
    assert_eq!(
        String::from_utf8_lossy(&all)
            .matches("HTTP/1.1 200")
            .count(),
        asked
    );
}
