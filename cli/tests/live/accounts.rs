//! Three accounts of an AWS emulator by assumed roles: each environment sees and changes its own
//! state only. Not run without the variables that `live/run` sets.
use std::fmt::Write as _;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use payops_aws::setup::{Names, create_all};
use payops_aws::{Clients, DynamoStore, SqsQueues};
use payops_core::domain::bus::SOURCE;
use payops_core::domain::bus::{WORK, dead_letter_queue};
use payops_core::domain::id::PaymentId;
use payops_core::domain::work_item::{REDRIVE, redrive_detail};
use payops_core::port::{Attributes, Clock as _, Outgoing, PaymentStore as _, Queues as _};
use payops_testkit::{ManualClock, SeededRandom, fresh_salt, sample};
use serde_json::json;

use crate::common::{Done, Place};

const ENVS: [(&str, &str); 3] = [
    ("test", "111111111111"),
    ("preprod", "222222222222"),
    ("prod", "333333333333"),
];

/// The emulator takes an access key of twelve digits as that account's.
async fn config(account: &str, endpoint: &str) -> SdkConfig {
    let credentials = aws_sdk_sts::config::Credentials::new(account, "test", None, None, "test");
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

struct Scene {
    place: Place,
}

impl Scene {
    fn run(&self, args: &[&str]) -> Done {
        let mut command = self.place.command(args);
        // The person's own credentials are of a fourth account: management.
        command
            .env_remove("PAYOPS_DATA_DIR")
            .env("AWS_ACCESS_KEY_ID", "999999999999")
            .env("AWS_SECRET_ACCESS_KEY", "test");
        command.output().unwrap().into()
    }

    fn dead(&self, env: &str) -> Vec<String> {
        let letters = self
            .run(&["--env", env, "dlq", "list", "-o", "json"])
            .exits(0)
            .json();
        letters
            .as_array()
            .unwrap()
            .iter()
            .map(|letter| letter["payment_id"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// The same names in each account, and in each one payment whose message is dead.
async fn scene(endpoint: &str) -> (Scene, Vec<String>) {
    let own = format!("a{:x}", fresh_salt());
    let (table, bucket, bus, prefix) = (
        format!("{own}-table"),
        format!("{own}-bucket"),
        format!("{own}-bus"),
        format!("{own}-"),
    );
    let (mut file, mut dead) = (String::new(), Vec::new());
    for (env, account) in ENVS {
        let clients = Clients::new(&config(account, endpoint).await, None);
        // Buckets have one name in all accounts.
        let bucket = format!("{bucket}-{env}");
        let names = Names {
            table: table.clone(),
            bucket: bucket.clone(),
            bus: bus.clone(),
            queue_prefix: prefix.clone(),
            max_receives: 10,
        };
        create_all(&clients, &names).await.unwrap();
        let audit_bus = format!("{bus}-audit");
        let made = clients.events.create_event_bus().name(&audit_bus);
        made.send().await.unwrap();
        let store = DynamoStore::new(
            clients.dynamo.clone(),
            &table,
            Arc::new(SeededRandom::new(fresh_salt())),
        );
        let acceptance = sample::acceptance(fresh_salt(), ManualClock::new().now());
        store.accept(&acceptance).await.unwrap();
        let attributes = Attributes::from([("payops-reason".to_owned(), format!("down in {env}"))]);
        let letter = Outgoing {
            body: letter_body(&acceptance.payment.id),
            attributes,
            ..Outgoing::default()
        };
        SqsQueues::with_prefix(clients.sqs.clone(), &prefix, None)
            .send(&dead_letter_queue(WORK), letter)
            .await
            .unwrap();
        dead.push(acceptance.payment.id.to_string());
        write!(
            file,
            "[environments.{env}]\nkind = \"aws\"\nregion = \"eu-west-1\"\naccount_id = \"{account}\"\nendpoint_url = \"{endpoint}\"\n\
             table = \"{table}\"\nbucket = \"{bucket}\"\nbus = \"{bus}\"\naudit_bus = \"{audit_bus}\"\nqueues = {{ prefix = \"{prefix}\" }}\n\
             [environments.{env}.roles]\nview = {{ arn = \"arn:aws:iam::{account}:role/payops-view\" }}\n\
             operate = {{ arn = \"arn:aws:iam::{account}:role/payops-operate\" }}\n"
        )
        .unwrap();
    }
    let place = Place::new();
    place.file("payops.toml", file);
    (Scene { place }, dead)
}

/// The envelope of work that was sent anew, as the bus makes it.
fn letter_body(id: &PaymentId) -> String {
    json!({ "source": SOURCE, "detail-type": REDRIVE, "detail": redrive_detail(id) }).to_string()
}

/// Runs as somebody with their own credentials: to the emulator, an access key of twelve digits is
/// an account.
fn as_person(place: &Place, (who, account): (&str, &str), args: &[&str]) -> Done {
    let mut command = place.command(args);
    command
        .env_remove("PAYOPS_DATA_DIR")
        .env("PAYOPS_USER", who);
    command
        .env("AWS_ACCESS_KEY_ID", account)
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .output()
        .unwrap()
        .into()
}

#[expect(clippy::print_stdout, reason = "a suite that was not run must say so")]
fn say(words: &str) {
    println!("{words}");
}

fn live() -> Option<(Scene, Vec<String>)> {
    let Some(endpoint) = std::env::var("PAYOPS_LIVE_AWS_ENDPOINT")
        .ok()
        .filter(|value| !value.is_empty())
    else {
        say("not run: PAYOPS_LIVE_AWS_ENDPOINT is unset (start with live/run)");
        return None;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    Some(runtime.block_on(scene(&endpoint)))
}

#[test]
fn each_environment_is_its_own_account() {
    let Some((scene, dead)) = live() else { return };

    for ((env, account), payment) in ENVS.iter().zip(&dead) {
        let whoami = scene
            .run(&["--env", env, "account", "whoami", "-o", "json"])
            .exits(0)
            .json();
        let duty = if *env == "prod" { "view" } else { "operate" };
        assert_eq!(
            (whoami["account_id"].as_str(), whoami["duty"].as_str()),
            (Some(*account), Some(duty))
        );
        assert!(
            whoami["role"]
                .as_str()
                .unwrap()
                .starts_with(&format!("arn:aws:sts::{account}:assumed-role/payops-")),
            "{whoami}"
        );
        assert_eq!(whoami["source_identity"], "tester");
        assert_eq!(
            scene.dead(env),
            std::slice::from_ref(payment),
            "{env} sees its own letter only"
        );
        let other = dead.iter().find(|id| *id != payment).unwrap();
        scene
            .run(&["--env", env, "payment", "get", payment, "-o", "json"])
            .exits(0);
        scene
            .run(&["--env", env, "payment", "get", other, "-o", "json"])
            .exits(5);
    }
    let all = scene
        .run(&["--env", "test,preprod,prod", "dlq", "list", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(all.as_array().unwrap().len(), 3);

    // A freeze holds in its own account.
    scene
        .run(&["--env", "prod", "freeze", "set", "--reason", "an incident"])
        .exits(0);
    let frozen = scene
        .run(&["freeze", "status", "-o", "json"])
        .exits(0)
        .json();
    let frozen: Vec<bool> = frozen
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["frozen"].as_bool().unwrap())
        .collect();
    assert_eq!(
        frozen,
        [false, true, false],
        "preprod, prod, test: in the order of names"
    );
    let replay = |env: &'static str| {
        [
            "--env",
            env,
            "dlq",
            "replay",
            WORK,
            "--yes",
            "--reason",
            "it is up again",
            "-o",
            "json",
        ]
    };
    let refused = scene.run(&replay("prod")).exits(3);
    assert!(
        refused.err.contains("prod is frozen by tester since")
            && refused.err.contains(": an incident"),
        "{}",
        refused.err
    );
    assert_eq!(scene.dead("prod").len(), 1, "nothing was done");
    scene
        .run(&["--env", "prod", "freeze", "lift", "--reason", "it is over"])
        .exits(0);

    // A replay in one account touches no other.
    assert_eq!(scene.run(&replay("prod")).exits(0).json()["sent"], 1);
    assert_eq!(
        ["test", "preprod", "prod"].map(|env| scene.dead(env).len()),
        [1, 1, 0]
    );
    scene.run(&["--env", "prod", "audit", "verify"]).exits(0);

    // One account that refuses does not hide the others.
    let file = std::fs::read_to_string(scene.place.work().join("payops.toml")).unwrap();
    scene.place.file(
        "payops.toml",
        file.replace("222222222222:role", "444444444444:role"),
    );
    let partial = scene
        .run(&["--env", "test,preprod,prod", "queue", "list", "-o", "json"])
        .exits(6);
    assert_eq!(
        partial.json().as_array().unwrap().len(),
        18,
        "nine queues in each of two environments"
    );
    assert!(
        partial
            .err
            .contains("preprod: error: expected account 222222222222, found 444444444444"),
        "{}",
        partial.err
    );
}

#[test]
fn an_approval_counts_once_the_environment_has_it_from_somebody_else() {
    let Some((scene, _)) = live() else { return };
    let (annas, bens) = (&scene.place, Place::new());
    let rules = "[[four_eyes]]\nwhat = [\"dlq.replay\"]\nwhere = [\"prod\"]\n";
    bens.file(
        "payops.toml",
        std::fs::read_to_string(annas.work().join("payops.toml")).unwrap(),
    );
    annas.file("policy.toml", rules);
    bens.file("policy.toml", rules);
    let (anna, ben) = (("anna", "999999999999"), ("ben", "888888888888"));
    let path = annas.work().join("plan.json");
    let file = path.to_str().unwrap();
    as_person(
        annas,
        anna,
        &[
            "--env",
            "prod",
            "dlq",
            "plan",
            WORK,
            "--out",
            file,
            "--reason",
            "it is up again",
        ],
    )
    .exits(0);
    let replay = [
        "--env",
        "prod",
        "dlq",
        "replay",
        "--plan",
        file,
        "--yes",
        "--reason",
        "it is up again",
        "-o",
        "json",
    ];
    let refused = |words: &str| {
        let done = as_person(annas, anna, &replay).exits(3);
        assert!(
            done.err.contains("requires the approval of 1 other person")
                && done.err.contains(words),
            "{}",
            done.err
        );
    };
    refused("it has 0");

    // Written into the file by hand.
    let planned = std::fs::read_to_string(&path).unwrap();
    let mut forged: serde_json::Value = serde_json::from_str(&planned).unwrap();
    forged["approvals"] =
        json!([{ "by": "ben", "at": forged["plan"]["at"], "sha256": forged["sha256"] }]);
    std::fs::write(&path, forged.to_string()).unwrap();
    refused("the approval by ben is not in the table of prod, so it does not count");

    // The same person under another name.
    std::fs::write(&path, &planned).unwrap();
    let approve = ["dlq", "approve", file, "--yes", "--reason", "looked at it"];
    as_person(annas, ("ben", anna.1), &approve).exits(0);
    refused("was given with your own credentials, arn:aws:");

    // Somebody else, on another machine.
    std::fs::write(&path, &planned).unwrap();
    as_person(&bens, ben, &approve).exits(0);
    assert_eq!(as_person(annas, anna, &replay).exits(0).json()["sent"], 1);
    let record = as_person(
        annas,
        anna,
        &["--env", "prod", "audit", "list", "-o", "json"],
    )
    .exits(0)
    .json();
    assert!(
        record
            .as_array()
            .unwrap()
            .iter()
            .any(|entry| entry["detail"]["approved_by"] == "ben"),
        "{record}"
    );
    as_person(&bens, ben, &["--env", "prod", "audit", "verify"]).exits(0);
}
