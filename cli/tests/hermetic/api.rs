//! Creating payments through an API that is slow, busy, broken or not ours.
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::common::stub::{Answer, Stub};
use crate::common::{Place, eventually, line, signal};

fn accepted(id: &str) -> Answer {
    (
        202,
        vec![("content-type", "application/json".to_owned())],
        format!("{{\"id\":\"{id}\",\"status\":\"processing\"}}"),
    )
}

fn busy(status: u16) -> Answer {
    (
        status,
        vec![("retry-after", "0".to_owned())],
        "{\"code\":\"busy\",\"retryable\":true}".to_owned(),
    )
}

fn create(place: &Place, url: &str, args: &[&str]) -> Command {
    let mut all = vec!["payment", "create", "-o", "json"];
    all.extend(args);
    let mut command = place.command(&all);
    command
        .env("PAYOPS_API_URL", url)
        .env("PAYOPS_API_KEY", "sk_test_x");
    command
}

fn run(place: &Place, url: &str, args: &[&str]) -> crate::common::Done {
    create(place, url, args).output().expect("started").into()
}

#[test]
fn busy_answers_are_asked_again_with_the_same_key() {
    let place = Place::new();
    let stub = Stub::new(|number, _| match number {
        1 => busy(503),
        2 => busy(429),
        3 => (202, Vec::new(), "<html>".to_owned()),
        _ => accepted("pay_1"),
    });
    let file = place.file("one.jsonl", line("k1", 1000, "tok_visa"));
    let result = run(&place, &stub.url, &["--file", file.to_str().unwrap()])
        .exits(0)
        .json();
    assert_eq!(
        (
            result["accepted"].as_u64(),
            result["payments"][0]["id"].as_str()
        ),
        (Some(1), Some("pay_1"))
    );
    let requests = stub.requests();
    assert_eq!(requests.len(), 4);
    for request in &requests {
        assert_eq!(
            (
                request.header("idempotency-key"),
                request.header("authorization")
            ),
            (Some("k1"), Some("Bearer sk_test_x"))
        );
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(
            (body["amount"].as_u64(), body.get("idempotency_key")),
            (Some(1000), None)
        );
    }
}

#[test]
fn each_way_of_not_answering_has_its_exit_code() {
    let place = Place::new();
    let file = place.file(
        "many.jsonl",
        (0..100)
            .map(|number| line(&format!("k{number}"), 1000, "tok_visa"))
            .collect::<String>(),
    );
    let file = ["--file", file.to_str().unwrap(), "--retry-for", "0"];
    let denied = Stub::new(|_, _| {
        (
            401,
            Vec::new(),
            "{\"code\":\"unauthorized\",\"message\":\"no such key\"}".to_owned(),
        )
    });
    let done = run(&place, &denied.url, &file).exits(4);
    assert_eq!(
        (
            done.json()["accepted"].as_u64(),
            done.err.contains("no such key")
        ),
        (Some(0), true)
    );
    assert!(
        denied.requests().len() <= 16,
        "the first refusal ends the run"
    );
    let slow_down = Stub::new(|_, _| busy(429));
    run(&place, &slow_down.url, &file).exits(7);
    // A port that was free a moment ago: nobody answers there.
    let gone = format!(
        "http://{}",
        std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
    );
    let done = run(&place, &gone, &file).exits(1);
    assert!(
        done.err.contains("nothing is charged twice"),
        "{}",
        done.err
    );
    let single = [
        "--amount",
        "1.00",
        "--currency",
        "EUR",
        "--source",
        "tok_visa",
        "--email",
        "a@example.com",
        "--retry-for",
        "0",
    ];
    let done = run(&place, &gone, &single).exits(1);
    assert!(
        done.out.is_empty() && done.err.contains("--idempotency-key payops-"),
        "{}",
        done.err
    );
    let mut no_key = create(&place, &denied.url, &single);
    assert_eq!(
        no_key
            .env_remove("PAYOPS_API_KEY")
            .output()
            .unwrap()
            .status
            .code(),
        Some(4)
    );
}

#[test]
fn an_interruption_tells_what_was_done() {
    let place = Place::new();
    let stub = Stub::new(|number, request| {
        if number > 20 {
            std::thread::sleep(Duration::from_millis(200));
        }
        accepted(&format!(
            "pay_{}",
            request.header("idempotency-key").unwrap_or_default()
        ))
    });
    let file = place.file(
        "many.jsonl",
        (0..5000)
            .map(|number| line(&format!("k{number}"), 1000, "tok_visa"))
            .collect::<String>(),
    );
    let args = ["--file", file.to_str().unwrap(), "--concurrency", "4"];
    let child = create(&place, &stub.url, &args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("some were sent", || {
        (stub.requests().len() > 25).then_some(())
    });
    signal(child.id(), "INT");
    let done: crate::common::Done = child.wait_with_output().unwrap().into();
    let done = done.exits(130);
    let result = done.json();
    let number = |name: &str| result[name].as_u64().unwrap();
    assert_eq!(
        number("accepted"),
        u64::try_from(stub.requests().len()).unwrap(),
        "every request that was sent is in the account"
    );
    assert_eq!(
        (number("lines"), number("unanswered"), number("refused")),
        (number("accepted"), 0, 0)
    );
    assert!(
        done.err.contains("nothing is charged twice"),
        "{}",
        done.err
    );
}

const ACCOUNT: &str = "\
[environments.prod]
kind = \"aws\"
region = \"eu-west-1\"
account_id = \"111111111111\"
table = \"t\"
bucket = \"b\"
bus = \"bus\"
endpoint_url = ";

fn identity(account: &str) -> Answer {
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/x</Arn>\
         <UserId>x</UserId><Account>{account}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    );
    (200, vec![("content-type", "text/xml".to_owned())], body)
}

#[test]
fn another_account_is_refused_before_anything_is_asked() {
    let place = Place::new();
    let queues = |stub: &Stub, with_keys: bool| -> crate::common::Done {
        place.file("payops.toml", format!("{ACCOUNT}\"{}\"\n", stub.url));
        let mut command = place.command(&["queue", "list"]);
        if with_keys {
            command
                .env("AWS_ACCESS_KEY_ID", "x")
                .env("AWS_SECRET_ACCESS_KEY", "y");
        }
        command.output().unwrap().into()
    };
    let other = Stub::new(|_, _| identity("222222222222"));
    let done = queues(&other, true).exits(8);
    assert!(
        done.err.contains(
            "prod is account 111111111111, but your credentials belong to account 222222222222"
        ),
        "{}",
        done.err
    );
    assert_eq!(
        other.requests().len(),
        1,
        "nothing but the identity was asked"
    );
    let same = Stub::new(|_, request| {
        if request.body.contains("GetCallerIdentity") {
            identity("111111111111")
        } else {
            (400, Vec::new(), "{}".to_owned())
        }
    });
    queues(&same, true).exits(1);
    assert!(
        same.requests().len() > 1,
        "with the right account the queues are asked"
    );
    queues(&same, false).exits(4);
}
