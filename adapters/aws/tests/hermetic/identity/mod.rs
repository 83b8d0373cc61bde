//! Sessions by assumed roles, against an STS that a test plays.

mod assume;
mod cache;
mod checks;
mod renewal;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use payops_aws::identity::{Identity, Person, RoleSpec};
use payops_core::Timestamp;
use payops_core::port::Clock;
use tokio::time::Instant;

use crate::support::{Asked, Reply, Service};

/// The account that everything must be of.
const ACCOUNT: &str = "471122334455";
const USER: &str = "arn:aws:iam::471122334455:user/anna";
const SSO: &str = "arn:aws:sts::913550007193:assumed-role/AWSReservedSSO_ops/anna";

fn spec() -> RoleSpec {
    RoleSpec {
        env: "prod".to_owned(),
        access_level: "operate".to_owned(),
        account_id: ACCOUNT.to_owned(),
        role_arn: format!("arn:aws:iam::{ACCOUNT}:role/payops-operate"),
        external_id: None,
        mfa_serial: None,
        duration: Duration::from_hours(1),
        session_policy: None,
        region: "eu-west-1".to_owned(),
        endpoint_url: None,
    }
}

fn anna() -> Person {
    Person {
        name: "anna@example.com".to_owned(),
        reason: Some("queue \"stuck\"".to_owned()),
        ticket: Some("INC-4711".to_owned()),
    }
}

/// Where the clocks start: 2100, for the SDK's own clock to find nothing ended.
fn start() -> Timestamp {
    Timestamp::from_second(4_102_444_800).expect("within range")
}

/// A clock that goes with tokio's, which a test can pause.
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        start().checked_add(self.0.elapsed()).expect("within range")
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(TokioClock(Instant::now()))
}

fn form(asked: &Asked) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(&asked.body);
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = std::str::from_utf8(&digits).expect("ASCII");
                bytes.push(u8::from_str_radix(digits, 16).expect("hexadecimal"));
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// The action that a request is for, and the number of the session that signed it; 0 for the base.
fn action(asked: &Asked) -> (String, usize) {
    let signed = asked
        .headers
        .get("authorization")
        .map_or("", String::as_str);
    let session = signed
        .split("Credential=ASIA")
        .nth(1)
        .and_then(|rest| rest.split('/').next());
    let number = session.map_or(0, |number| number.parse().expect("a number"));
    (form(asked).remove("Action").unwrap_or_default(), number)
}

fn caller(account: &str, arn: &str) -> Reply {
    let body = format!(
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{arn}</Arn><UserId>AIDA1</UserId><Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    );
    Reply::With(200, ("content-type", "text/xml"), body)
}

fn session(number: usize, expires_at: Timestamp) -> Reply {
    let body = format!(
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>hush-secret</SecretAccessKey><SessionToken>hush-token</SessionToken><Expiration>{expires_at}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROA1:s</AssumedRoleId><Arn>arn</Arn></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
    );
    Reply::With(200, ("content-type", "text/xml"), body)
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    );
    Reply::With(status, ("content-type", "text/xml"), body)
}

/// An STS whose base caller is `arn`. `assume` answers each `AssumeRole`, given how many came
/// before.
fn sts(
    arn: &'static str,
    assume: impl Fn(usize, &BTreeMap<String, String>) -> Reply + Send + Sync + 'static,
) -> Service {
    let count = std::sync::atomic::AtomicUsize::new(0);
    Service::new(move |_, asked| match action(&asked) {
        (name, 0) if name == "GetCallerIdentity" => {
            caller(arn.split(':').nth(4).unwrap_or_default(), arn)
        }
        (name, number) if name == "GetCallerIdentity" => caller(
            ACCOUNT,
            &format!("arn:aws:sts::{ACCOUNT}:assumed-role/payops-operate/session-{number}"),
        ),
        (name, 0) if name == "AssumeRole" => assume(
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst),
            &form(&asked),
        ),
        (name, number) => refusal(400, "InvalidAction", &format!("{name} by {number}")),
    })
}

/// One that gives sessions for as long as is asked, numbered from 1.
fn generous(arn: &'static str, clock: &Arc<dyn Clock>) -> Service {
    let clock = Arc::clone(clock);
    sts(arn, move |before, asked| {
        session(before + 1, ends(clock.now(), asked))
    })
}

fn ends(now: Timestamp, asked: &BTreeMap<String, String>) -> Timestamp {
    let seconds = asked
        .get("DurationSeconds")
        .and_then(|text| text.parse().ok())
        .expect("DurationSeconds");
    now.checked_add(Duration::from_secs(seconds))
        .expect("within range")
}

fn assumed(service: &Service) -> usize {
    service
        .asked()
        .iter()
        .filter(|asked| action(asked).0 == "AssumeRole")
        .count()
}

async fn identity(service: &Service, clock: &Arc<dyn Clock>) -> Identity {
    Identity::new(service.config().await, Arc::clone(clock))
}
