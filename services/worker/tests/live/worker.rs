//! The long-polling binary against an AWS emulator and a provider over the network. Not run
//! without the variables that `live/run` sets.

use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use payops_aws::setup::{Names, create_all};
use payops_aws::{AwsConfig, DynamoStore, EventBridgeBus, S3Archive, SqsQueues, load};
use payops_core::domain::apikey::Caller;
use payops_core::domain::id::SHARDS;
use payops_core::domain::limits::PaymentLimits;
use payops_core::domain::payment::Status;
use payops_core::domain::request::CreatePayment;
use payops_core::port::{Outgoing, PaymentStore, QueueAdmin as _, Queues as _};
use payops_core::usecase::{Accept, Dispatcher};
use payops_runtime::settings::{CommonSettings, DispatchSettings, ProviderSettings};
use payops_runtime::{OsRandom, SystemClock};
use payops_testkit::{eventually, fresh_salt};
use serde_json::json;

const LONG: Duration = Duration::from_mins(3);

fn set(name: &str) -> Option<String> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        println!("not run: {name} is not set");
    }
    value
}

/// The process; killed when the test ends in any way.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_charges_what_was_accepted_and_ends_in_order() {
    let (Some(aws), Some(stripe), Some(stripe_key)) = (
        set("PAYOPS_LIVE_AWS_ENDPOINT"),
        set("PAYOPS_LIVE_STRIPE_URL"),
        set("PAYOPS_LIVE_STRIPE_KEY"),
    ) else {
        return;
    };
    let own = format!("w{:x}", fresh_salt());
    let config = AwsConfig {
        region: "eu-west-1".to_owned(),
        endpoint_url: Some(aws.clone()),
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
    clients
        .secrets
        .create_secret()
        .name(format!("{own}/provider-key"))
        .secret_string(stripe_key)
        .send()
        .await
        .expect("a secret");

    let store: Arc<dyn PaymentStore> = Arc::new(DynamoStore::new(
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
        store: Arc::clone(&store),
        archive: Arc::new(S3Archive::new(clients.s3.clone(), &names.bucket, None)),
        bus: Arc::new(EventBridgeBus::new(clients.events.clone(), &names.bus)),
        queues: queues.clone(),
        clock: Arc::new(SystemClock),
    };
    let accept = Accept {
        store: Arc::clone(&store),
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
        limits: PaymentLimits::default(),
    };
    let caller = Caller {
        merchant: "acme".parse().expect("a merchant"),
        live: false,
    };
    let mut ids = Vec::new();
    for (key, source) in [
        ("good", "pm_card_visa"),
        ("declined", "pm_card_chargeCustomerFail"),
    ] {
        let body = json!({"amount": 1250, "currency": "EUR", "source": source, "customer": {"email": "a@example.com"}});
        let request = CreatePayment::parse(body.to_string().as_bytes()).expect("good");
        let accepted = accept
            .accept(&caller, &key.parse().expect("a key"), &request, &|_| {
                String::new()
            })
            .await
            .expect("accepted");
        ids.push(accepted.0.payment);
    }
    for shard in 0..SHARDS {
        dispatcher
            .dispatch(&store.outbox_pending(shard, 100).await.expect("read"))
            .await
            .expect("dispatched");
    }
    queues
        .send(
            "payments-work",
            Outgoing {
                body: "garbage".to_owned(),
                ..Outgoing::default()
            },
        )
        .await
        .expect("sent");

    // As the function does with what it has no time to begin.
    let common = CommonSettings {
        region: "eu-west-1".to_owned(),
        endpoint: Some(aws.clone()),
        table: names.table.clone(),
        queue_prefix: names.queue_prefix.clone(),
        secret_prefix: format!("{own}/"),
        ..CommonSettings::default()
    };
    let dispatch = DispatchSettings {
        bucket: names.bucket.clone(),
        bus: names.bus.clone(),
    };
    let provider = ProviderSettings {
        url: stripe.clone(),
        key_secret: "provider-key".to_owned(),
        timeout: LONG,
    };
    let adapters = payops_worker::aws::build_adapters(&common, &dispatch, &provider)
        .await
        .expect("adapters");
    adapters.warm_up().await;
    let consumer = adapters.consumer(LONG);
    let received = eventually(LONG, "a message", || async {
        let received = consumer.receive(1, Duration::from_secs(1)).await;
        received.expect("received").pop()
    })
    .await;
    assert!(consumer.give_back(&received).await.expect("sent again"));

    let variables = [
        ("PAYOPS_AWS_REGION", "eu-west-1"),
        ("PAYOPS_AWS_ENDPOINT", &aws),
        ("PAYOPS_TABLE", &names.table),
        ("PAYOPS_BUCKET", &names.bucket),
        ("PAYOPS_BUS", &names.bus),
        ("PAYOPS_QUEUE_PREFIX", &names.queue_prefix),
        ("PAYOPS_SECRET_PREFIX", &format!("{own}/")),
        ("PAYOPS_PROVIDER_URL", &stripe),
        ("PAYOPS_HEALTH_LISTEN", "127.0.0.1:0"),
        ("PAYOPS_WAIT", "1s"),
    ];
    let mut process = Process(
        Command::new(env!("CARGO_BIN_EXE_payops-worker"))
            .envs(variables)
            .spawn()
            .expect("started"),
    );
    for (id, expected) in ids.iter().zip([Status::Completed, Status::Failed]) {
        eventually(LONG, "a definite end", || async {
            let payment = store.get(id).await.expect("read").expect("stored");
            (payment.status == expected).then_some(())
        })
        .await;
    }
    eventually(LONG, "the dead letter", || async {
        (queues
            .stats("payments-work-dlq")
            .await
            .expect("read")
            .visible
            == 1)
            .then_some(())
    })
    .await;
    assert!(
        Command::new("kill")
            .args(["-TERM", &process.0.id().to_string()])
            .status()
            .expect("sent")
            .success()
    );
    let ended = eventually(LONG, "the end", || {
        let status = process.0.try_wait().expect("asked");
        async move { status }
    })
    .await;
    assert!(ended.success(), "{ended:?}");
}
