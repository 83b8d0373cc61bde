//! The binary itself against servers over the network: an AWS emulator, PostgreSQL, OpenSearch and
//! a provider. Not run without the variables that `live/run` sets.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use payops_aws::setup::{Names, create_all};
use payops_aws::{AwsConfig, Clients, DynamoStore, EventBridgeBus, S3Archive, SqsQueues, load};
use payops_core::domain::apikey;
use payops_core::domain::bus::{PROJECTIONS, WORK, dead_letter_queue};
use payops_core::domain::id::PaymentId;
use payops_core::domain::machine::Command as Change;
use payops_core::domain::payment::Status;
use payops_core::domain::work_item::REDRIVE;
use payops_core::port::{
    Clock as _, Committed, Index as _, KeyStore as _, Ledger as _, Outgoing, PaymentStore,
    QueueAdmin as _, Queues as _,
};
use payops_core::usecase::Dispatcher;
use payops_ledger::PostgresLedger;
use payops_runtime::{OsRandom, SystemClock};
use payops_search::OpenSearchIndex;
use payops_testkit::{eventually, fresh_salt, sample};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::client;

const LONG: Duration = Duration::from_mins(3);
const PEPPER: &str = "a pepper that is long enough";

struct Live {
    aws: String,
    postgres: SecretString,
    opensearch: String,
    stripe: String,
    stripe_key: String,
}

impl Live {
    fn of_environment() -> Option<Self> {
        let get = |name: &str| {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty());
            if value.is_none() {
                println!("not run: {name} is not set");
            }
            value
        };
        Some(Self {
            aws: get("PAYOPS_LIVE_AWS_ENDPOINT")?,
            postgres: get("PAYOPS_LIVE_POSTGRES_URL")?.into(),
            opensearch: get("PAYOPS_LIVE_OPENSEARCH_URL")?,
            stripe: get("PAYOPS_LIVE_STRIPE_URL")?,
            stripe_key: get("PAYOPS_LIVE_STRIPE_KEY")?,
        })
    }
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address")
}

async fn secret(clients: &Clients, name: &str, value: &str) {
    clients
        .secrets
        .create_secret()
        .name(name)
        .secret_string(value)
        .send()
        .await
        .expect("a secret");
}

/// The process; killed when the test ends in any way.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(live: &Live, names: &Names, own: &str, api: SocketAddr, health: SocketAddr) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payops-payments"));
    let variables = [
        ("PAYOPS_AWS_REGION", "eu-west-1"),
        ("PAYOPS_AWS_ENDPOINT", &live.aws),
        ("PAYOPS_TABLE", &names.table),
        ("PAYOPS_BUCKET", &names.bucket),
        ("PAYOPS_BUS", &names.bus),
        ("PAYOPS_QUEUE_PREFIX", &names.queue_prefix),
        ("PAYOPS_SECRET_PREFIX", &format!("{own}/")),
        ("PAYOPS_PROVIDER_URL", &live.stripe),
        ("PAYOPS_SEARCH_URL", &live.opensearch),
        ("PAYOPS_SEARCH_ALIAS", &format!("payments-{own}")),
        ("PAYOPS_LISTEN", &api.to_string()),
        ("PAYOPS_HEALTH_LISTEN", &health.to_string()),
        ("PAYOPS_WAIT", "1s"),
        ("PAYOPS_SHUTDOWN_DELAY", "0s"),
        ("PAYOPS_SEARCH_USER", "payops"),
        ("PAYOPS_SWEEP_EVERY", "1s"),
        ("PAYOPS_OLDEST_EVERY", "1s"),
        ("PAYOPS_RECONCILE_EVERY", "1s"),
    ];
    Process(command.envs(variables).spawn().expect("started"))
}

/// As the charts' migration job runs it: with the URL from Secrets Manager, and more than once.
fn migrate(live: &Live, names: &Names, own: &str) {
    for _ in 0..2 {
        let status = Command::new(env!("CARGO_BIN_EXE_payops-migrate"))
            .env("PAYOPS_AWS_REGION", "eu-west-1")
            .env("PAYOPS_AWS_ENDPOINT", &live.aws)
            .env("PAYOPS_TABLE", &names.table)
            .env("PAYOPS_SECRET_PREFIX", format!("{own}/"))
            .status()
            .expect("started");
        assert!(status.success(), "{status}");
    }
}

async fn get(at: SocketAddr, path: &str) -> u16 {
    client::exchange(at, &client::request("GET", path, &[], None))
        .await
        .map_or(0, |answer| answer.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_goes_in_and_comes_out_in_ledger_and_index() {
    let Some(live) = Live::of_environment() else {
        return;
    };
    let own = format!("l{:x}", fresh_salt());
    let config = AwsConfig {
        region: "eu-west-1".to_owned(),
        endpoint_url: Some(live.aws.clone()),
        ..AwsConfig::default()
    };
    let clients = load(&config).await;
    let names = Names {
        table: format!("payments-{own}"),
        bucket: format!("archive-{own}"),
        bus: format!("bus-{own}"),
        queue_prefix: format!("{own}-"),
        max_receives: 10,
    };
    create_all(&clients, &names).await.expect("AWS is set up");
    secret(&clients, &format!("{own}/api-key-pepper"), PEPPER).await;
    secret(
        &clients,
        &format!("{own}/cursor-key"),
        "a cursor key that is long enough",
    )
    .await;
    secret(&clients, &format!("{own}/provider-key"), &live.stripe_key).await;
    // This OpenSearch asks nobody who they are.
    secret(&clients, &format!("{own}/search-password"), "unused").await;
    secret(
        &clients,
        &format!("{own}/ledger-url"),
        live.postgres.expose_secret(),
    )
    .await;
    migrate(&live, &names, &own);
    let store = Arc::new(DynamoStore::new(
        clients.dynamo.clone(),
        &names.table,
        Arc::new(OsRandom),
    ));
    let key = apikey::make(false, [7; 16]);
    let row = apikey::row(
        &key,
        &"acme".parse().expect("a merchant"),
        false,
        &SecretString::from(PEPPER),
        SystemClock.now(),
    );
    store.put_key(&row).await.expect("a key");

    let (api, health) = (free_port(), free_port());
    let mut process = start(&live, &names, &own, api, health);
    eventually(LONG, "readiness", || async {
        (get(api, "/readyz").await == 200).then_some(())
    })
    .await;
    assert_eq!(
        (get(health, "/livez").await, get(health, "/readyz").await),
        (200, 200)
    );

    let body = json!({"amount": 1250, "currency": "EUR", "source": null, "customer": {"email": "a@example.com"}});
    let authorization = format!("Bearer {}", key.expose_secret());
    let headers = [
        ("authorization", authorization.as_str()),
        ("idempotency-key", "k1"),
        ("content-type", "application/json"),
    ];
    let post = async |source: &str| {
        let mut body = body.clone();
        body["source"] = json!(source);
        client::exchange(
            api,
            &client::request("POST", "/v1/payments", &headers, Some(&body.to_string())),
        )
        .await
        .expect("an answer")
    };
    assert_eq!(
        post("pm_card_nobody").await.refusal(),
        (400, "unknown_source".to_owned()),
        "the provider was asked"
    );
    let accepted = post("pm_card_visa").await;
    assert_eq!(accepted.status, 202, "{accepted:?}");
    let again = post("pm_card_visa").await;
    assert_eq!(
        (&again.body, again.header("idempotent-replayed")),
        (&accepted.body, Some("true"))
    );
    let id: PaymentId = accepted.text("/id").parse().expect("an id");
    let listed = client::request("GET", "/v1/payments", &headers[..1], None);
    let listed = client::exchange(api, &listed).await.expect("an answer");
    assert_eq!(listed.text("/data/0/id"), id.as_str(), "{listed:?}");

    // S3's own event brings the work message.
    let queues = Arc::new(SqsQueues::with_prefix(
        clients.sqs.clone(),
        &names.queue_prefix,
        None,
    ));
    let message = eventually(LONG, "the work message", || async {
        queues
            .receive(WORK, 10, Duration::from_secs(30), Duration::from_secs(1))
            .await
            .expect("received")
            .pop()
    })
    .await;
    assert!(message.body.contains(id.as_str()));

    // A worker would charge now; the projector writes ledger and index.
    let dispatcher = Dispatcher {
        store: store.clone(),
        archive: Arc::new(S3Archive::new(clients.s3.clone(), &names.bucket, None)),
        bus: Arc::new(EventBridgeBus::new(clients.events.clone(), &names.bus)),
        queues: queues.clone(),
        clock: Arc::new(SystemClock),
    };
    for command in [
        sample::claim("worker"),
        Change::Approved(sample::charge(1, SystemClock.now())),
    ] {
        let payment = store.get(&id).await.expect("read").expect("stored");
        let change = sample::change(&payment, command, SystemClock.now());
        assert_eq!(
            store.commit(&change).await.expect("written"),
            Committed::Done
        );
        dispatcher.dispatch(&change.outbox).await.expect("told");
    }
    let ledger = PostgresLedger::connect(&live.postgres, None, 2)
        .await
        .expect("a ledger");
    let posted = eventually(LONG, "the ledger's transaction", || async {
        ledger
            .of_payments(std::slice::from_ref(&id), true)
            .await
            .expect("read")
            .pop()
    })
    .await;
    assert_eq!((posted.amount_minor(), posted.sum()), (1250, 0));
    let index = OpenSearchIndex::connect(&live.opensearch, &format!("payments-{own}"), None)
        .expect("an index");
    eventually(LONG, "the index's document", || async {
        let found = index
            .of_payments(std::slice::from_ref(&id))
            .await
            .expect("read")
            .pop();
        found.filter(|doc| doc.status == Status::Completed)
    })
    .await;

    // What nobody claimed in time is sent again; what nobody can project is given up.
    let overdue = sample::acceptance(2, SystemClock.now() - jiff::SignedDuration::from_hours(1));
    store.accept(&overdue).await.expect("accepted");
    eventually(LONG, "the sweeper's message", || async {
        let received = queues
            .receive(WORK, 10, Duration::from_secs(30), Duration::from_secs(1))
            .await
            .expect("received");
        received.into_iter().find(|message| {
            message.body.contains(overdue.payment.id.as_str()) && message.body.contains(REDRIVE)
        })
    })
    .await;
    let garbage = Outgoing {
        body: "garbage".to_owned(),
        ..Outgoing::default()
    };
    queues.send(PROJECTIONS, garbage).await.expect("sent");
    eventually(LONG, "the dead letter", || async {
        let dead = queues.stats(&dead_letter_queue(PROJECTIONS)).await;
        (dead.expect("read").visible == 1).then_some(())
    })
    .await;

    let killed = Command::new("kill")
        .args(["-TERM", &process.0.id().to_string()])
        .status()
        .expect("sent");
    assert!(killed.success());
    let ended = eventually(LONG, "the end", || {
        let status = process.0.try_wait().expect("asked");
        async move { status }
    })
    .await;
    assert!(ended.success(), "{ended:?}");
}
