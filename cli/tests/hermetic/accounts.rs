//! Roles that are assumed for environments, against an STS that refuses each in its own way: each
//! has its own message and exit code, and nothing but STS was asked.
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::common::stub::{Answer, Request, Stub};
use crate::common::{Done, Place};

const REPLAY: [&str; 7] = [
    "dlq",
    "replay",
    "payments-work",
    "--yes",
    "--reason",
    "the provider is up",
    "--no-input",
];

fn xml(action: &str, result: &str) -> Answer {
    let body = format!(
        "<{action}Response \
            xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>{result}</{action}Result></{action}Response>"
    );
    (200, vec![("content-type", "text/xml".to_owned())], body)
}

fn refusal(code: &str, message: &str) -> Answer {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    );
    (403, vec![("content-type", "text/xml".to_owned())], body)
}

fn key(request: &Request) -> String {
    let signed = request
        .header("authorization")
        .unwrap_or_default()
        .to_owned();
    signed
        .split("Credential=")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default()
        .to_owned()
}

pub(crate) fn identity(account: &str, arn: &str) -> Answer {
    xml(
        "GetCallerIdentity",
        &format!("<Arn>{arn}</Arn><UserId>U</UserId><Account>{account}</Account>"),
    )
}

/// A session whose keys belong to `account`; they end at `until`.
pub(crate) fn session(account: &str, until: Timestamp) -> Answer {
    let until = until.strftime("%Y-%m-%dT%H:%M:%SZ");
    let keys = format!(
        "<Credentials><AccessKeyId>ROLE{account}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>{until}</Expiration></Credentials>"
    );
    let user = format!(
        "<AssumedRoleUser><Arn>arn:aws:sts::{account}:assumed-role/r/s</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>"
    );
    xml("AssumeRole", &format!("{keys}{user}"))
}

pub(crate) fn later(minutes: i64) -> Timestamp {
    Timestamp::now()
        .checked_add(SignedDuration::from_mins(minutes))
        .unwrap()
}

/// AWS, of which STS answers as `assume` says when a role is asked for, and every table is empty.
pub(crate) fn aws(assume: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Stub {
    Stub::new(move |_, request| match key(request) {
        _ if request.body.contains("Action=AssumeRole") => assume(request),
        key if request.body.contains("Action=GetCallerIdentity") => {
            match key.strip_prefix("ROLE") {
                Some(account) => identity(
                    account,
                    &format!("arn:aws:sts::{account}:assumed-role/payops-view/payops-view-tester"),
                ),
                None => identity("111111111111", "arn:aws:iam::111111111111:user/tester"),
            }
        }
        _ => (
            200,
            vec![("content-type", "application/x-amz-json-1.0".to_owned())],
            "{}".to_owned(),
        ),
    })
}

struct Scene {
    place: Place,
    aws: Stub,
}

impl Scene {
    /// Environment `prod` with roles; `more` is added to each of them.
    fn new(aws: Stub, more: &str) -> Self {
        let place = Place::new();
        let role = |duty: &str| {
            format!("{duty} = {{ arn = \"arn:aws:iam::333333333333:role/payops-{duty}\"{more} }}\n")
        };
        let file = format!(
            "[environments.prod]\nkind = \"aws\"\nregion = \"eu-west-1\"\naccount_id = \"333333333333\"\nendpoint_url = \"{}\"\n\
             table = \"payops\"\nbucket = \"b\"\nbus = \"payops\"\n[environments.prod.roles]\n{}{}",
            aws.url,
            role("view"),
            role("operate")
        );
        place.file("payops.toml", file);
        Self { place, aws }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.command(args);
        command
            .env_remove("PAYOPS_DATA_DIR")
            .env("AWS_ACCESS_KEY_ID", "BASE")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command
    }

    fn run(&self, args: &[&str]) -> Done {
        let mut all = vec!["--env", "prod"];
        all.extend(args);
        self.command(&all).output().unwrap().into()
    }

    /// Requests that are not for STS.
    fn elsewhere(&self) -> Vec<Request> {
        self.aws
            .requests()
            .into_iter()
            .filter(|request| !request.body.contains("Action="))
            .collect()
    }
}

/// A write and a read both end with `code`, say `words`, and ask nobody but STS.
#[track_caller]
fn refused(scene: &Scene, code: i32, words: &[&str]) {
    for args in [
        REPLAY.as_slice(),
        &["queue", "list"],
        &["account", "whoami"],
        &["freeze", "status"],
    ] {
        let done = scene.run(args);
        assert_eq!(
            (done.code, done.out.as_str()),
            (code, ""),
            "{args:?}: {}",
            done.err
        );
        for word in words {
            assert!(
                done.err.contains(word),
                "{args:?} does not say `{word}`:\n{}",
                done.err
            );
        }
    }
    let elsewhere = scene.elsewhere();
    assert!(
        elsewhere.is_empty(),
        "something was asked without a session: {elsewhere:?}"
    );
}

#[test]
fn a_role_that_is_refused() {
    let denied = "User: arn:aws:iam::111111111111:user/tester is not authorized to perform: \
        sts:AssumeRole on resource: arn:aws:iam::333333333333:role/payops-view";
    let scene = Scene::new(aws(move |_| refusal("AccessDenied", denied)), "");
    refused(
        &scene,
        3,
        &[
            "does not exist, or its trust policy",
            "sts:AssumeRole",
            "hint: ",
        ],
    );
}

#[test]
fn a_role_that_is_unknown() {
    let scene = Scene::new(
        aws(|_| {
            refusal(
                "NoSuchEntity",
                "The role with name payops-view cannot be found.",
            )
        }),
        "",
    );
    refused(
        &scene,
        3,
        &[
            "role arn:aws:iam::333333333333:role/payops-",
            "does not exist",
            "payops config explain",
        ],
    );
}

#[test]
fn a_login_that_has_expired() {
    let scene = Scene::new(
        aws(|_| {
            refusal(
                "ExpiredToken",
                "The security token included in the request is expired",
            )
        }),
        "",
    );
    refused(&scene, 4, &["expired", "log in again: aws sso login"]);
}

#[test]
fn a_session_of_another_account() {
    let scene = Scene::new(aws(|_| session("222222222222", later(60))), "");
    refused(
        &scene,
        8,
        &[
            "expected account 333333333333, found 222222222222",
            "nothing was read or changed",
        ],
    );
}

#[test]
fn a_role_that_wants_a_code() {
    let scene = Scene::new(
        aws(|_| session("333333333333", later(60))),
        ", mfa_serial = \"arn:aws:iam::111111111111:mfa/tester\"",
    );
    refused(&scene, 9, &["requires an MFA code", "PAYOPS_MFA_CODE"]);
    assert!(
        scene
            .aws
            .requests()
            .iter()
            .all(|request| !request.body.contains("Action=AssumeRole")),
        "no code, no question"
    );
    let whoami = |code: &str| -> Done {
        let args = ["--env", "prod", "account", "whoami", "-o", "json"];
        scene
            .command(&args)
            .env("PAYOPS_MFA_CODE", code)
            .output()
            .unwrap()
            .into()
    };
    assert!(
        whoami("12345")
            .exits(9)
            .err
            .contains("an MFA code has six digits")
    );
    assert_eq!(
        whoami("123456").exits(0).json()["account_id"],
        "333333333333"
    );
    let asked = scene
        .aws
        .requests()
        .into_iter()
        .find(|request| request.body.contains("Action=AssumeRole"))
        .unwrap();
    for part in [
        "TokenCode=123456",
        "SerialNumber=arn%3Aaws%3Aiam%3A%3A111111111111%3Amfa%2Ftester",
        "SourceIdentity=tester",
    ] {
        assert!(asked.body.contains(part), "{part} in {}", asked.body);
    }
    // The session is kept: the next command needs no code.
    scene.run(&["account", "whoami"]).exits(0);
}

#[test]
fn a_code_that_is_wrong() {
    let words = "MultiFactorAuthentication failed with invalid MFA one time pass code.";
    let scene = Scene::new(
        aws(move |_| refusal("AccessDenied", words)),
        ", mfa_serial = \"arn:aws:iam::111111111111:mfa/tester\"",
    );
    let args = ["--env", "prod", "queue", "list"];
    let done: Done = scene
        .command(&args)
        .env("PAYOPS_MFA_CODE", "000000")
        .output()
        .unwrap()
        .into();
    let done = done.exits(9);
    assert!(
        done.err.contains("AWS rejected the MFA code"),
        "{}",
        done.err
    );
    assert!(!done.err.contains("000000"), "a code is never shown");
}

#[test]
fn a_role_that_the_file_does_not_name() {
    let scene = Scene::new(aws(|_| session("333333333333", later(60))), "");
    let args = [
        "account",
        "login",
        "--duty",
        "break-glass",
        "--reason",
        "an incident",
    ];
    let done = scene.run(&args).exits(3);
    assert!(
        done.err
            .contains("environments.prod has no role for the access level break-glass"),
        "{}",
        done.err
    );
    let whoami = scene
        .run(&["account", "whoami", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(whoami["duty"], "view", "nothing was begun");
}

#[test]
fn an_sts_that_is_away() {
    let scene = Scene::new(aws(|_| (503, Vec::new(), String::new())), "");
    refused(&scene, 1, &["cannot reach AWS STS"]);
}

#[test]
fn a_session_that_has_ended_before_it_began() {
    let scene = Scene::new(aws(|_| session("333333333333", later(-1))), "");
    refused(
        &scene,
        4,
        &["already expired at", "correct this machine's clock"],
    );
}

/// What a session is refused with by a service, after STS took it.
#[test]
fn a_session_that_ends_meanwhile() {
    let sts = aws(|_| session("333333333333", later(60)));
    let (url, expired) = (
        sts.url.clone(),
        r#"{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}"#,
    );
    let services = Stub::new(move |_, request| {
        if request.body.contains("Action=") {
            return relay(&url, request);
        }
        (
            400,
            vec![("content-type", "application/x-amz-json-1.0".to_owned())],
            expired.to_owned(),
        )
    });
    let scene = Scene::new(services, "");
    for args in [REPLAY.as_slice(), &["queue", "list"], &["freeze", "status"]] {
        let done = scene.run(args).exits(4);
        assert!(
            done.err.contains("expired") && done.err.contains("hint: log in again"),
            "{args:?}: {}",
            done.err
        );
    }
}

fn relay(url: &str, request: &Request) -> Answer {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{}{}", request.head, request.body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (
        status,
        vec![("content-type", "text/xml".to_owned())],
        body.to_owned(),
    )
}

#[test]
fn a_session_names_the_person_the_reason_and_the_ticket() {
    let scene = Scene::new(aws(|_| session("333333333333", later(60))), "");
    let login = [
        "account",
        "login",
        "--reason",
        "provider is up again",
        "--ticket",
        "INC-7",
        "-o",
        "json",
    ];
    let row: Value = scene.run(&login).exits(0).json();
    assert_eq!(
        (row[0]["duty"].as_str(), row[0]["source_identity"].as_str()),
        (Some("operate"), Some("tester"))
    );
    let whoami = scene
        .run(&["account", "whoami", "-o", "json"])
        .exits(0)
        .json();
    for name in [
        "env",
        "account_id",
        "role",
        "duty",
        "expires_at",
        "source_identity",
    ] {
        assert!(whoami.get(name).is_some(), "{name} in {whoami}");
    }
    assert_eq!(
        (whoami["duty"].as_str(), whoami["account_id"].as_str()),
        (Some("operate"), Some("333333333333"))
    );
    // The record is shipped with the duty that everybody has; that is another session.
    let operates = |request: &Request| {
        request.body.contains("Action=AssumeRole") && request.body.contains("payops-operate")
    };
    let assumed: Vec<Request> = scene.aws.requests().into_iter().filter(operates).collect();
    assert_eq!(assumed.len(), 1, "the session of the login is used again");
    for part in [
        "RoleSessionName=payops-operate-tester",
        "SourceIdentity=tester",
        "INC-7",
        "payops-operate",
    ] {
        assert!(
            assumed[0].body.contains(part),
            "{part} in {}",
            assumed[0].body
        );
    }
    scene.run(&["account", "logout"]).exits(0);
    assert_eq!(
        scene
            .run(&["account", "whoami", "-o", "json"])
            .exits(0)
            .json()["duty"],
        "view"
    );
}

#[test]
fn creating_a_payment_in_aws_needs_a_yes_and_a_reason() {
    let api = Stub::new(|_, _| {
        let body = r#"{"id":"pay_01M826NGHF4THWV2YDSF48VCG5","status":"processing","version":1}"#;
        (
            202,
            vec![("content-type", "application/json".to_owned())],
            body.to_owned(),
        )
    });
    let scene = Scene::new(aws(|_| session("333333333333", later(60))), "");
    let create = |more: &[&str]| -> Done {
        let mut args = vec![
            "--env",
            "prod",
            "--no-input",
            "payment",
            "create",
            "--amount",
            "12.50",
            "--currency",
            "EUR",
            "--source",
            "tok_visa",
            "--email",
            "a@example.com",
            "--idempotency-key",
            "order-1",
            "--api-url",
            &api.url,
        ];
        args.extend(more);
        let mut command = scene.command(&args);
        command.env("PAYOPS_API_KEY", "sk_test_1");
        command.output().unwrap().into()
    };
    let done = create(&["--yes"]).exits(3);
    assert!(done.err.contains("writes in prod require a reason"));
    let done = create(&["--reason", "OPS-7"]).exits(3);
    assert!(done.err.contains("--yes"), "{}", done.err);
    create(&["--dry-run"]).exits(0);
    assert!(api.requests().is_empty(), "nothing was sent");
    let record = || scene.run(&["audit", "list", "-o", "json"]).exits(0).json();
    assert_eq!(record().as_array().map(Vec::len), Some(0), "{}", record());

    create(&["--yes", "--reason", "OPS-7"]).exits(0);
    assert_eq!(api.requests().len(), 1);
    let record = record();
    // The elevation in place is recorded before it.
    let entries: Vec<_> = record
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["action"] == "payment.create")
        .collect();
    assert_eq!(entries.len(), 2, "{record}");
    for entry in entries {
        assert_eq!(
            (
                &entry["action"],
                &entry["reason"],
                &entry["role"],
                &entry["account"]
            ),
            (
                &"payment.create".into(),
                &"OPS-7".into(),
                &"operate".into(),
                &"333333333333".into()
            ),
            "{record}"
        );
        let same_as = entry["same_as"].as_str().unwrap();
        assert!(
            same_as.contains("'Idempotency-Key: order-1'") && !same_as.contains("a@example.com"),
            "{same_as}"
        );
    }
}
