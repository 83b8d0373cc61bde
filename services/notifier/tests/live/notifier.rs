//! The binary against an AWS emulator: a receipt by SES, and a message that nobody can read. Not
//! run without the variables that `live/run` sets.

use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use payops_aws::setup::{Names, create_all};
use payops_aws::{AwsConfig, DynamoStore, EventBridgeBus, S3Archive, SqsQueues, load};
use payops_core::domain::bus::{NOTIFICATIONS, dead_letter_queue};
use payops_core::domain::event::EventKind;
use payops_core::domain::machine::Command as Change;
use payops_core::port::{
    Clock as _, Committed, Outgoing, PaymentStore as _, QueueAdmin as _, Queues as _,
};
use payops_core::usecase::Dispatcher;
use payops_runtime::{OsRandom, SystemClock};
use payops_testkit::{eventually, fresh_salt, sample};

const LONG: Duration = Duration::from_mins(3);

/// The process; killed when the test ends in any way.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_sends_a_receipt_and_gives_up_what_it_cannot_read() {
    let endpoint = std::env::var("PAYOPS_LIVE_AWS_ENDPOINT").unwrap_or_default();
    if endpoint.is_empty() {
        println!("not run: PAYOPS_LIVE_AWS_ENDPOINT is not set");
        return;
    }
    let own = format!("n{:x}", fresh_salt());
    let config = AwsConfig {
        region: "eu-west-1".to_owned(),
        endpoint_url: Some(endpoint.clone()),
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
    let sender = format!("{own}@example.com");
    let identity = clients.ses.create_email_identity().email_identity(&sender);
    identity.send().await.expect("a verified sender");
    let store = Arc::new(DynamoStore::new(
        clients.dynamo.clone(),
        &names.table,
        Arc::new(OsRandom),
    ));
    let queues = Arc::new(SqsQueues::with_prefix(
        clients.sqs.clone(),
        &names.queue_prefix,
        None,
    ));
    let dispatcher = Dispatcher {
        store: store.clone(),
        archive: Arc::new(S3Archive::new(clients.s3.clone(), &names.bucket, None)),
        bus: Arc::new(EventBridgeBus::new(clients.events.clone(), &names.bus)),
        queues: queues.clone(),
        clock: Arc::new(SystemClock),
    };
    let acceptance = sample::acceptance(fresh_salt(), SystemClock.now());
    let id = acceptance.payment.id.clone();
    store.accept(&acceptance).await.expect("accepted");
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
    let garbage = Outgoing {
        body: "garbage".to_owned(),
        ..Outgoing::default()
    };
    queues.send(NOTIFICATIONS, garbage).await.expect("sent");

    let variables = [
        ("PAYOPS_AWS_REGION", "eu-west-1"),
        ("PAYOPS_AWS_ENDPOINT", &endpoint),
        ("PAYOPS_TABLE", &names.table),
        ("PAYOPS_QUEUE_PREFIX", &names.queue_prefix),
        ("PAYOPS_MAIL_FROM", &sender),
        ("PAYOPS_HEALTH_LISTEN", "127.0.0.1:0"),
        ("PAYOPS_WAIT", "1s"),
    ];
    let mut process = Process(
        Command::new(env!("CARGO_BIN_EXE_payops-notifier"))
            .envs(variables)
            .spawn()
            .expect("started"),
    );
    eventually(LONG, "the note about the receipt", || async {
        let events = store.events(&id).await.expect("read");
        let receipt = events.iter().find(|event| event.kind == EventKind::Receipt);
        receipt.map(|_| ())
    })
    .await;
    eventually(LONG, "the dead letter", || async {
        let dead = queues.stats(&dead_letter_queue(NOTIFICATIONS)).await;
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
