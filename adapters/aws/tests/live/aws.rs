//! Every port against an AWS emulator: the conformance suites, and the path from an archived
//! object to a queue. Not run without `PAYOPS_LIVE_AWS_ENDPOINT`; `live/run` starts the emulator.

#![expect(
    clippy::expect_used,
    reason = "tests say what they expect by panicking"
)]

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use payops_aws::identity::checks::{self, CheckTargets};
use payops_aws::identity::{
    Identity, IdentityError, Person, RoleCredentials, RoleSpec, SessionCache,
};
use payops_aws::setup::{self, Names, create_queue};
use payops_aws::{
    AwsConfig, Clients, DynamoStore, EventBridgeBus, S3Archive, SecretsManager, SesMailer,
    SqsQueues, dynamo, load,
};
use payops_core::domain::bus::WORK;
use payops_core::port::{
    Archive as _, Clock as _, ErrorKind, Mailer as _, Outgoing, PaymentStore as _, PortResult,
    QueueAdmin as _, Queues, Received, SendResult, TransferOutcome,
};
use payops_system::SystemClock;
use payops_testkit::conformance::{self, mailer, queues};
use payops_testkit::{ManualClock, SeededRandom, fresh_salt, sample};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The emulator's address; `None`, said aloud, when there is none.
fn endpoint() -> Option<String> {
    variable("PAYOPS_LIVE_AWS_ENDPOINT")
}

/// What `live/run` says of a server; `None`, said aloud, when it does not run.
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        say(&format!("not run: {name} is unset (start with live/run)"));
    }
    value
}

#[expect(clippy::print_stdout, reason = "a suite that was not run must say so")]
fn say(words: &str) {
    println!("{words}");
}

async fn clients(endpoint: &str) -> Clients {
    let config = AwsConfig {
        region: "eu-west-1".to_owned(),
        endpoint_url: Some(endpoint.to_owned()),
        ..AwsConfig::default()
    };
    load(&config).await
}

async fn everything(clients: &Clients, salt: u64) -> Names {
    let own = format!("t{salt:x}");
    let names = Names {
        table: format!("payments-{own}"),
        bucket: format!("archive-{own}"),
        bus: format!("bus-{own}"),
        queue_prefix: format!("{own}-"),
        max_receives: 5,
    };
    setup::create_all(clients, &names)
        .await
        .expect("create_all");
    setup::create_all(clients, &names)
        .await
        .expect("a second time is fine");
    names
}

async fn store(clients: &Clients, salt: u64) -> DynamoStore {
    let table = format!("payments-t{salt:x}");
    dynamo::create_table(&clients.dynamo, &table)
        .await
        .expect("create_table");
    DynamoStore::new(
        clients.dynamo.clone(),
        table,
        Arc::new(SeededRandom::new(salt)),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_its_contract() {
    let Some(endpoint) = endpoint() else { return };
    let salt = fresh_salt();
    let store = store(&clients(&endpoint).await, salt).await;
    conformance::store::suite(&store, salt).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_store_keeps_its_contract() {
    let Some(endpoint) = endpoint() else { return };
    let salt = fresh_salt();
    let store = store(&clients(&endpoint).await, salt).await;
    conformance::keys::suite(&store, salt).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queues_keep_their_contract() {
    let Some(endpoint) = endpoint() else { return };
    let clients = clients(&endpoint).await;
    let salt = fresh_salt();
    let prefix = format!("q{salt:x}-");
    create_queue(&clients.sqs, &prefix, "jobs", Some(("jobs-dlq", 3)))
        .await
        .expect("create_queue");
    create_queue(&clients.sqs, &prefix, "orders.fifo", None)
        .await
        .expect("create_queue");
    let queues = SqsQueues::with_prefix(clients.sqs.clone(), prefix, None);
    assert_eq!(
        queues.names().await.expect("names"),
        ["jobs", "jobs-dlq", "orders.fifo"]
    );
    let fixture = queues::Fixture {
        queue: "jobs",
        dlq: "jobs-dlq",
        max_receives: 3,
        fifo: Some("orders.fifo"),
        salt,
        advance: None,
    };
    conformance::queues::suite(&queues, &fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_keeps_its_contract_and_announces_what_it_holds() {
    let Some(endpoint) = endpoint() else { return };
    let clients = clients(&endpoint).await;
    let salt = fresh_salt();
    let names = everything(&clients, salt).await;
    let archive = S3Archive::new(clients.s3.clone(), names.bucket, None);
    let queues = SqsQueues::with_prefix(clients.sqs.clone(), names.queue_prefix, None);
    conformance::archive::suite(&archive, salt, Some((&queues, WORK))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bus_keeps_its_contract() {
    let Some(endpoint) = endpoint() else { return };
    let clients = clients(&endpoint).await;
    let salt = fresh_salt();
    let names = everything(&clients, salt).await;
    let bus = EventBridgeBus::new(clients.events.clone(), names.bus);
    let queues = Retimed(SqsQueues::with_prefix(
        clients.sqs.clone(),
        names.queue_prefix,
        None,
    ));
    conformance::bus::suite(&bus, &queues, salt).await;
}

/// Puts the time that was sent with an event into its envelope. EventBridge does; the emulator
/// stamps each event with its own. That the time is sent is tested without it.
struct Retimed(SqsQueues);

#[async_trait::async_trait]
impl Queues for Retimed {
    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> PortResult<Vec<Received>> {
        let mut received = self.0.receive(queue, max, visibility, wait).await?;
        for message in &mut received {
            let mut body: Value = serde_json::from_str(&message.body).expect("JSON");
            body["time"] = ManualClock::start().to_string().into();
            message.body = body.to_string();
        }
        Ok(received)
    }

    async fn delete(&self, queue: &str, receipts: &[String]) -> PortResult<Vec<bool>> {
        self.0.delete(queue, receipts).await
    }

    async fn send(&self, queue: &str, message: Outgoing) -> PortResult<String> {
        self.0.send(queue, message).await
    }

    async fn send_batch(
        &self,
        queue: &str,
        messages: Vec<Outgoing>,
    ) -> PortResult<Vec<SendResult>> {
        self.0.send_batch(queue, messages).await
    }

    async fn change_visibility(
        &self,
        queue: &str,
        receipt: &str,
        visibility: Duration,
    ) -> PortResult<bool> {
        self.0.change_visibility(queue, receipt, visibility).await
    }

    async fn transfer(
        &self,
        from: &str,
        receipt: &str,
        to: &str,
        message: Outgoing,
    ) -> PortResult<TransferOutcome> {
        self.0.transfer(from, receipt, to, message).await
    }

    fn transfer_is_atomic(&self) -> bool {
        self.0.transfer_is_atomic()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mailer_keeps_its_contract() {
    let Some(endpoint) = endpoint() else { return };
    let clients = clients(&endpoint).await;
    let salt = fresh_salt();
    let from = format!("receipts-{salt:x}@shop.example");
    let mailer = SesMailer::new(clients.ses.clone(), &from);
    let error = mailer
        .send(&sample::mail(1))
        .await
        .expect_err("an address that SES does not know");
    assert_eq!(error.kind, ErrorKind::Permanent, "{}", error.chain());

    clients
        .ses
        .create_email_identity()
        .email_identity(&from)
        .send()
        .await
        .expect("create_email_identity");
    let sent = |word: String| -> BoxFuture<'_, usize> {
        let endpoint = endpoint.clone();
        let from = from.clone();
        async move {
            let all = messages(&endpoint).await;
            let ours = all.iter().filter(|mail| mail["Source"] == from.as_str());
            ours.filter(|mail| {
                mail["BodyText"]
                    .as_str()
                    .is_some_and(|text| text.contains(&word))
            })
            .count()
        }
        .boxed()
    };
    let sent: &mailer::Sent<'_> = &sent;
    conformance::mailer::suite(&mailer, salt, Some(sent)).await;
}

async fn messages(endpoint: &str) -> Vec<Value> {
    let address = endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("connect");
    let request = format!(
        "GET /_ministack/ses/messages HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("write");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("read");
    let text = String::from_utf8_lossy(&answer);
    let (start, end) = (
        text.find('{').expect("JSON"),
        text.rfind('}').expect("JSON"),
    );
    let body: Value = serde_json::from_str(&text[start..=end]).expect("JSON");
    let accounts = body["messages"].as_object().cloned().unwrap_or_default();
    accounts
        .values()
        .filter_map(Value::as_array)
        .flatten()
        .cloned()
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secrets_keep_their_contract() {
    let Some(endpoint) = endpoint() else { return };
    let clients = clients(&endpoint).await;
    let prefix = format!("t{:x}/", fresh_salt());
    let create = clients
        .secrets
        .create_secret()
        .name(format!("{prefix}pepper"))
        .secret_string("hush ünï");
    create.send().await.expect("create_secret");
    let secrets = SecretsManager::new(clients.secrets.clone(), prefix);
    conformance::secrets::suite(&secrets, "pepper", "hush ünï").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found() {
    let Some(endpoint) = endpoint() else { return };
    let clients = clients(&endpoint).await;
    let store = DynamoStore::new(
        clients.dynamo.clone(),
        "no-such-table",
        Arc::new(SeededRandom::new(1)),
    );
    let error = store
        .accept(&sample::acceptance(1, ManualClock::start()))
        .await
        .expect_err("no such table");
    assert_eq!(error.kind, ErrorKind::NotFound, "{}", error.chain());
    let archive = S3Archive::new(clients.s3.clone(), "no-such-bucket", None);
    let error = archive
        .put_if_absent("k", b"{}")
        .await
        .expect_err("no such bucket");
    assert_eq!(error.kind, ErrorKind::NotFound, "{}", error.chain());
    let queues = SqsQueues::with_prefix(clients.sqs.clone(), "none-", None);
    let error = queues
        .receive("work", 1, Duration::from_secs(1), Duration::ZERO)
        .await
        .expect_err("no such queue");
    assert_eq!(error.kind, ErrorKind::NotFound, "{}", error.chain());
}

/// The role of an account, which the emulator lets anyone assume.
fn role(account: &str, endpoint: &str) -> RoleSpec {
    RoleSpec {
        env: format!("env-{account}"),
        access_level: "operate".to_owned(),
        account_id: account.to_owned(),
        role_arn: format!("arn:aws:iam::{account}:role/payops-operate"),
        external_id: None,
        mfa_serial: None,
        duration: Duration::from_hours(1),
        session_policy: None,
        region: "eu-west-1".to_owned(),
        endpoint_url: Some(endpoint.to_owned()),
    }
}

/// The emulator takes an access key of twelve digits as that account's.
async fn base(account: &str, endpoint: &str) -> SdkConfig {
    let credentials =
        aws_sdk_dynamodb::config::Credentials::new(account, "test", None, None, "test");
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(endpoint);
    let http = aws_smithy_http_client::Builder::new().build_http();
    loader
        .http_client(http)
        .credentials_provider(credentials)
        .load()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_belong_to_the_account_of_their_role() {
    let Some(endpoint) = endpoint() else { return };
    let identity = Identity::new(base("111111111111", &endpoint).await, Arc::new(SystemClock));
    let anna = Person {
        name: "anna@example.com".to_owned(),
        reason: Some("a test".to_owned()),
        ticket: None,
    };
    let (two, three) = (
        role("222222222222", &endpoint),
        role("333333333333", &endpoint),
    );
    assert_eq!(
        identity.whoami(&two).await.expect("whoami").account_id,
        "111111111111"
    );
    let own = format!("identity-t{:x}", fresh_salt());
    let wanted = |account: &str| CheckTargets {
        account_id: Some(account.to_owned()),
        table: Some(own.clone()),
        ..CheckTargets::default()
    };
    let temp = tempfile::tempdir().expect("a folder");
    let cache = SessionCache::new(temp.path().join("sessions"));
    let of = |spec: &RoleSpec| {
        RoleCredentials::new(
            identity.clone(),
            spec.clone(),
            anna.clone(),
            Some(cache.clone()),
        )
    };

    let credentials = of(&two);
    let session = credentials.session().await.expect("assumed");
    assert_eq!(
        session.arn,
        "arn:aws:sts::222222222222:assumed-role/payops-operate/payops-operate-anna@example.com"
    );
    let (life, left) = (session.life(), session.time_left(SystemClock.now()));
    assert!(
        life > Duration::from_mins(59) && left > Duration::from_mins(58),
        "{life:?} {left:?}"
    );
    let kept = of(&two).session().await.expect("kept");
    assert_eq!(
        kept.credentials().access_key_id(),
        session.credentials().access_key_id()
    );
    dynamo::create_table(&Clients::new(&credentials.config(), None).dynamo, &own)
        .await
        .expect("create_table");
    let found = checks::run(&credentials.config(), None, &wanted("222222222222")).await;
    assert!(found.iter().all(|check| check.ok), "{found:?}");

    let elsewhere = checks::run(&of(&three).config(), None, &wanted("333333333333")).await;
    assert_eq!(
        elsewhere.iter().map(|check| check.ok).collect::<Vec<_>>(),
        [true, false],
        "another account has no such table"
    );
    let mixed = RoleSpec {
        account_id: "333333333333".to_owned(),
        ..two
    };
    assert!(matches!(
        of(&mixed).session().await,
        Err(IdentityError::WrongAccount { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_queue_is_moved_or_emptied_by_the_service() {
    let Some(endpoint) = endpoint() else { return };
    let clients = clients(&endpoint).await;
    let prefix = format!("m{:x}-", fresh_salt());
    create_queue(&clients.sqs, &prefix, "jobs", Some(("jobs-dlq", 3)))
        .await
        .expect("create_queue");
    let queues = SqsQueues::with_prefix(clients.sqs.clone(), prefix, None);
    let letter = |n: u8| Outgoing {
        body: format!("letter {n}"),
        attributes: [("payops-class".to_owned(), "timeout".to_owned())].into(),
        ..Outgoing::default()
    };
    queues
        .send_batch("jobs-dlq", (0..10).map(letter).collect())
        .await
        .expect("sent");
    queues.send("jobs", letter(11)).await.expect("sent");
    queues.purge("jobs").await.expect("purged");
    assert_eq!(queues.stats("jobs").await.expect("stats").visible, 0);
    match queues.start_redrive("jobs-dlq", "jobs", None).await {
        // A server that does not know the call must not pass for one that moved.
        Err(error) if error.message.contains("InvalidAction") => {
            return say("not run: the emulator knows no StartMessageMoveTask");
        }
        begun => drop(begun.expect("begun")),
    }
    let mut moved = Vec::new();
    for _ in 0..30 {
        moved.extend(
            queues
                .receive("jobs", 10, Duration::from_mins(1), Duration::from_secs(1))
                .await
                .expect("received"),
        );
        if moved.len() == 10 {
            break;
        }
    }
    assert_eq!(moved.len(), 10);
    assert!(
        moved
            .iter()
            .all(|message| message.attributes["payops-class"] == "timeout"),
        "attributes are kept: {moved:?}"
    );
    let told = queues.redrives("jobs-dlq").await.expect("told");
    assert_eq!(
        told.first().map(|task| (
            task.moved,
            task.target
                .as_deref()
                .is_some_and(|target| target.ends_with("jobs"))
        )),
        Some((10, true)),
        "{told:?}"
    );
}
