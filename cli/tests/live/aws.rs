//! The same commands against AWS: an emulator, PostgreSQL and OpenSearch, as `live/run` starts
//! them. Not run without the variables that it sets.
use std::sync::Arc;
use std::time::Duration;

use payops_aws::setup::{Names, create_all};
use payops_aws::{AwsConfig, Clients, DynamoStore, EventBridgeBus, S3Archive, SqsQueues, load};
use payops_core::domain::bus::{WORK, dead_letter_queue};
use payops_core::domain::machine::Command as Change;
use payops_core::domain::payment::Payment;
use payops_core::port::{
    Attributes, Clock as _, Committed, Outgoing, PaymentStore as _, QueueAdmin as _, Queues as _,
};
use payops_core::usecase::{Dispatcher, Projector};
use payops_ledger::PostgresLedger;
use payops_search::OpenSearchIndex;
use payops_testkit::{ManualClock, SeededRandom, fresh_salt, sample};
use secrecy::SecretString;

use crate::common::{Done, Place};

pub(super) struct Live {
    pub(super) aws: String,
    pub(super) postgres: String,
    opensearch: String,
}

pub(super) fn live() -> Option<Live> {
    let get = |name: &str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        if value.is_none() {
            println!("not run: {name} is unset (start with live/run)");
        }
        value
    };
    Some(Live {
        aws: get("PAYOPS_LIVE_AWS_ENDPOINT")?,
        postgres: get("PAYOPS_LIVE_POSTGRES_URL")?,
        opensearch: get("PAYOPS_LIVE_OPENSEARCH_URL")?,
    })
}

/// An environment in the emulator with one completed payment and one whose message is dead.
pub(super) struct Scene {
    pub(super) place: Place,
    pub(super) live: Live,
    pub(super) clients: Clients,
    /// What the names of everything begin with.
    pub(super) own: String,
    pub(super) completed: Payment,
    pub(super) dead: Payment,
    store: Arc<DynamoStore>,
    alias: String,
}

impl Scene {
    pub(super) fn run(&self, args: &[&str]) -> Done {
        let mut command = self.place.command(args);
        command
            .env_remove("PAYOPS_DATA_DIR")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command
            .env("LEDGER_URL", &self.live.postgres)
            .output()
            .unwrap()
            .into()
    }
}

pub(super) async fn scene(live: Live) -> Scene {
    let own = format!("c{:x}", fresh_salt());
    let config = AwsConfig {
        region: "eu-west-1".to_owned(),
        endpoint_url: Some(live.aws.clone()),
        ..AwsConfig::default()
    };
    let clients: Clients = load(&config).await;
    let (table, bucket, bus, prefix) = (
        format!("{own}-table"),
        format!("{own}-bucket"),
        format!("{own}-bus"),
        format!("{own}-"),
    );
    let names = Names {
        table: table.clone(),
        bucket: bucket.clone(),
        bus: bus.clone(),
        queue_prefix: prefix.clone(),
        max_receives: 10,
    };
    create_all(&clients, &names).await.unwrap();
    let audit_bus = format!("{own}-audit");
    let made = clients.events.create_event_bus().name(&audit_bus);
    made.send().await.unwrap();
    let clock = Arc::new(ManualClock::new());
    let random = Arc::new(SeededRandom::new(fresh_salt()));
    let store = Arc::new(DynamoStore::new(clients.dynamo.clone(), &table, random));
    let queues = Arc::new(SqsQueues::with_prefix(clients.sqs.clone(), &prefix, None));
    let dispatcher = Dispatcher {
        store: store.clone(),
        archive: Arc::new(S3Archive::new(clients.s3.clone(), &bucket, None)),
        bus: Arc::new(EventBridgeBus::new(clients.events.clone(), &bus)),
        queues: queues.clone(),
        clock: clock.clone(),
    };
    let ledger = PostgresLedger::connect(&SecretString::from(live.postgres.clone()), None, 2)
        .await
        .unwrap();
    ledger.migrate().await.unwrap();
    let index =
        OpenSearchIndex::connect(&live.opensearch, &format!("payments-{own}"), None).unwrap();
    index.ensure_index().await.unwrap();
    let projector = Projector {
        store: store.clone(),
        ledger: Arc::new(ledger),
        index: Arc::new(index.with_refresh(true)),
        clock: clock.clone(),
    };
    let mut made = Vec::new();
    for n in [fresh_salt(), fresh_salt()] {
        let acceptance = sample::acceptance(n, clock.now());
        store.accept(&acceptance).await.unwrap();
        dispatcher.dispatch(&acceptance.outbox).await.unwrap();
        made.push(acceptance.payment);
    }
    let (dead, completed) = (made.pop().unwrap(), made.pop().unwrap());
    let add_dead_letter = Change::MarkDead {
        queue: WORK.to_owned(),
        message_id: "m1".to_owned(),
        refund: None,
        class: "provider_unavailable".to_owned(),
        reason: "down".to_owned(),
    };
    let steps = [
        (&completed, sample::claim("w")),
        (
            &completed,
            Change::Approved(sample::charge(fresh_salt(), clock.now())),
        ),
        (&dead, sample::claim("w")),
        (&dead, add_dead_letter),
    ];
    for (payment, command) in steps {
        let now = store.get(&payment.id).await.unwrap().unwrap();
        assert_eq!(
            store
                .commit(&sample::change(&now, command, clock.now()))
                .await
                .unwrap(),
            Committed::Done
        );
        drop(projector.project(&payment.id).await);
    }
    // The work messages came over S3, EventBridge and SQS; the dead one's is moved by hand.
    for _ in 0..50 {
        for message in queues
            .receive(WORK, 10, Duration::from_secs(30), Duration::from_secs(1))
            .await
            .unwrap()
        {
            if message.body.contains(dead.id.as_str()) {
                let attributes =
                    Attributes::from([("payops-reason".to_owned(), "down".to_owned())]);
                let letter = Outgoing {
                    body: message.body.clone(),
                    attributes,
                    ..Outgoing::default()
                };
                queues
                    .transfer(WORK, &message.receipt, &dead_letter_queue(WORK), letter)
                    .await
                    .unwrap();
            } else {
                queues.delete(WORK, &[message.receipt]).await.unwrap();
            }
        }
        if queues
            .stats(&dead_letter_queue(WORK))
            .await
            .unwrap()
            .visible
            > 0
        {
            break;
        }
    }
    let place = Place::new();
    let file = format!(
        "[environments.emulator]\nkind = \"aws\"\nregion = \"eu-west-1\"\naccount_id = \"000000000000\"\nendpoint_url = \"{}\"\n\
         table = \"{table}\"\nbucket = \"{bucket}\"\nbus = \"{bus}\"\naudit_bus = \"{audit_bus}\"\nqueues = {{ prefix = \"{prefix}\" }}\n\
         ledger_url_env = \"LEDGER_URL\"\nopensearch_url = \"{}\"\nindex = \"payments-{own}\"\n",
        live.aws, live.opensearch
    );
    place.file("payops.toml", file);
    Scene {
        place,
        live,
        clients,
        own: own.clone(),
        completed,
        dead,
        store,
        alias: format!("payments-{own}"),
    }
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Payments that never reached the index are found after a rebuild, and the index before is kept.
#[test]
fn the_index_is_rebuilt_from_the_table() {
    let Some(live) = live() else { return };
    let runtime = runtime();
    let scene = runtime.block_on(scene(live));
    runtime.block_on(async {
        let clock = ManualClock::new();
        for _ in 0..3 {
            let acceptance = sample::acceptance(fresh_salt(), clock.now());
            scene.store.accept(&acceptance).await.unwrap();
        }
    });
    // By an id the table itself would be asked.
    let count_processing = || {
        let found = scene.run(&["payment", "search", "status:processing", "-o", "json"]);
        found.exits(0).json().as_array().unwrap().len()
    };
    assert_eq!(count_processing(), 1, "the projector never saw the others");
    let planned = scene
        .run(&["index", "rebuild", "--dry-run", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(planned["action"], "index.rebuild");
    let args = [
        "index",
        "rebuild",
        "--yes",
        "--reason",
        "documents are missing",
        "-o",
        "json",
    ];
    let rebuilt = scene.run(&args).exits(0).json();
    assert_eq!(rebuilt["payments"], 5);
    assert_eq!(rebuilt["set_aside"], format!("{}-v1", scene.alias));
    assert_eq!(count_processing(), 4);
    let record = scene.run(&["audit", "list", "-o", "json"]).exits(0).json();
    let entries: Vec<(&str, &str)> = record
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["action"] == "index.rebuild")
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap_or_default();
            (text("outcome"), text("subject"))
        })
        .collect();
    assert!(
        entries.contains(&("begun", scene.alias.as_str())),
        "{entries:?}"
    );
    assert!(
        entries.contains(&("done", scene.alias.as_str())),
        "{entries:?}"
    );
}

#[test]
fn the_same_commands_work_against_aws() {
    let Some(live) = live() else { return };
    let scene = runtime().block_on(scene(live));
    let id = scene.completed.id.as_str();
    let payment = scene
        .run(&["payment", "get", id, "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (payment["status"].as_str(), payment["version"].as_u64()),
        (Some("completed"), Some(3))
    );
    let timeline = scene
        .run(&["payment", "timeline", id, "-o", "json"])
        .exits(0)
        .json();
    let kinds: Vec<&str> = timeline["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    for kind in [
        "accepted",
        "archived",
        "queued",
        "attempt",
        "completed",
        "ledger",
        "indexed",
    ] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
    let found = scene
        .run(&["payment", "search", &format!("id:{id}"), "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(found[0]["id"], id);
    let queues = scene.run(&["queue", "list", "-o", "json"]).exits(0).json();
    assert_eq!(queues.as_array().unwrap().len(), 9);
    let letters = scene.run(&["dlq", "list", "-o", "json"]).exits(0).json();
    assert_eq!(
        (
            letters[0]["payment_id"].as_str(),
            letters[0]["reason"].as_str()
        ),
        (Some(scene.dead.id.as_str()), Some("down"))
    );
    let replay = [
        "dlq",
        "replay",
        WORK,
        "--yes",
        "--reason",
        "it is up again",
        "-o",
        "json",
    ];
    let replayed = scene.run(&replay).exits(0).json();
    assert_eq!(
        (
            replayed["planned"].as_u64(),
            replayed["sent"].as_u64(),
            replayed["failed"].as_u64()
        ),
        (Some(1), Some(1), Some(0))
    );
    let again = scene.run(&replay).exits(0).json();
    assert_eq!(again["planned"], 0);
    let after = scene
        .run(&["payment", "get", scene.dead.id.as_str(), "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (after["status"].as_str(), after["dead"].is_null()),
        (Some("processing"), true)
    );
    scene
        .run(&["payment", "get", "pay_01ARZ3NDEKTSV4RRFFQ69G5FAV"])
        .exits(5);
}
