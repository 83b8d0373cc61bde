//! What Terraform makes and what the code asks for have one name each: names.json.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use payops_aws::setup::{self, Names};
use payops_aws::{DynamoApprovalStore, DynamoFreezeStore, DynamoStore, dynamo};
use payops_core::domain::access::{Approval, ApprovalRow, Freeze};
use payops_core::domain::bus::{QUEUES, SOURCE, dead_letter_queue, parking_queue, targets};
use payops_core::domain::metric::{METRICS, MetricKind};
use payops_core::domain::outbox::OutboxKind;
use payops_core::port::{ApprovalStore as _, FreezeStore as _, KeyStore as _};
use payops_testkit::{ManualClock, SeededRandom, sample};
use serde_json::{Value, json};

use crate::support::{Asked, Reply, Service};

fn names() -> Value {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../terraform/modules/names/names.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("names.json")).expect("JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn texts(value: &Value) -> BTreeSet<&str> {
    value.as_array().expect("a list").iter().map(text).collect()
}

/// Answers what making the table and the rest takes.
fn maker() -> Service {
    Service::new(|_, asked: Asked| match asked.operation() {
        "DescribeTable" => Reply::json(&json!({"Table": {"TableStatus": "ACTIVE"}})),
        "GetQueueUrl" => Reply::json(&json!({"QueueUrl": "http://service.test/q"})),
        "GetQueueAttributes" => {
            Reply::json(&json!({"Attributes": {"QueueArn": "arn:aws:sqs:eu-west-1:1:q"}}))
        }
        "" => Reply::With(200, ("content-type", "application/xml"), String::new()),
        _ => Reply::json(&json!({})),
    })
}

#[tokio::test]
async fn the_table_has_the_keys_and_indexes_of_names_json() {
    let names = names();
    let service = maker();
    dynamo::create_table(&service.clients().await.dynamo, "payments")
        .await
        .expect("made");
    let asked = service.asked();
    let request = asked
        .iter()
        .find(|asked| asked.operation() == "CreateTable")
        .expect("asked")
        .json();
    let table = &names["table"];
    let keys = |schema: &Value| -> Vec<String> {
        let parts = schema.as_array().expect("keys").iter();
        parts
            .map(|part| text(&part["AttributeName"]).to_owned())
            .collect()
    };
    assert_eq!(
        keys(&request["KeySchema"]),
        [text(&table["partition_key"]), text(&table["sort_key"])]
    );
    let kinds: BTreeMap<&str, &str> = request["AttributeDefinitions"]
        .as_array()
        .expect("attributes")
        .iter()
        .map(|each| (text(&each["AttributeName"]), text(&each["AttributeType"])))
        .collect();
    let indexes: BTreeMap<&str, Value> = request["GlobalSecondaryIndexes"]
        .as_array()
        .expect("indexes")
        .iter()
        .map(|index| {
            let [partition, sort] = keys(&index["KeySchema"]).try_into().expect("two keys");
            let told = json!({
                "partition_key": partition, "sort_key": sort, "sort_type": kinds[sort.as_str()],
                "projection": index["Projection"]["ProjectionType"],
            });
            (text(&index["IndexName"]), told)
        })
        .collect();
    assert_eq!(json!(indexes), table["indexes"]);
    let expiry = asked
        .iter()
        .find(|asked| asked.operation() == "UpdateTimeToLive")
        .expect("asked")
        .json();
    assert_eq!(
        expiry["TimeToLiveSpecification"]["AttributeName"],
        table["ttl"]
    );
}

#[tokio::test]
async fn items_of_operators_and_keys_have_the_prefixes_of_names_json() {
    let table = &names()["table"];
    let service = Service::new(|_, _| Reply::json(&json!({})));
    let dynamo = service.clients().await.dynamo;
    let at = ManualClock::start();
    let freeze = Freeze {
        env: "prod".to_owned(),
        reason: "incident".to_owned(),
        by: "anna".to_owned(),
        since: at,
        until: None,
    };
    DynamoFreezeStore::new(dynamo.clone(), "payments")
        .set(&freeze)
        .await
        .expect("set");
    let approval = ApprovalRow {
        approval: Approval {
            by: "ben".to_owned(),
            at,
            plan_sha256: "aa".to_owned(),
        },
        principal: "arn:aws:iam::1:role/ben".to_owned(),
    };
    DynamoApprovalStore::new(dynamo.clone(), "payments")
        .keep(&approval)
        .await
        .expect("kept");
    DynamoStore::new(
        dynamo,
        "payments",
        std::sync::Arc::new(SeededRandom::new(1)),
    )
    .put_key(&sample::api_key(1))
    .await
    .expect("put");
    let keys: Vec<String> = service
        .asked()
        .iter()
        .map(|asked| text(&asked.json()["Item"]["pk"]["S"]).to_owned())
        .collect();
    assert_eq!(keys[0], text(&table["freeze_key"]));
    assert_eq!(keys[1], format!("{}ben", text(&table["approval_prefix"])));
    assert!(
        keys[2].starts_with(text(&table["api_key_prefix"])),
        "{}",
        keys[2]
    );
}

#[tokio::test]
async fn queues_and_rules_are_those_of_names_json() {
    let names = names();
    let listed: BTreeSet<&str> = names["queues"]
        .as_object()
        .expect("queues")
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(listed, BTreeSet::from(QUEUES));
    let suffix = &names["queue_suffixes"];
    for queue in QUEUES {
        assert_eq!(
            (dead_letter_queue(queue), parking_queue(queue)),
            (
                format!("{queue}{}", text(&suffix["dead"])),
                format!("{queue}{}", text(&suffix["parking"]))
            )
        );
    }
    assert_eq!(text(&names["source"]), SOURCE);
    let mut events: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for kind in OutboxKind::ALL {
        for queue in targets(SOURCE, kind.as_str()) {
            events.entry(queue).or_default().insert(kind.as_str());
        }
    }
    for (queue, wanted) in &events {
        assert_eq!(&texts(&names["events"][queue]), wanted, "{queue}");
    }
    // The rules of the emulator's bus are the same.
    let service = maker();
    let made = Names {
        table: "payments".to_owned(),
        bucket: "archive".to_owned(),
        bus: "bus".to_owned(),
        queue_prefix: "t-".to_owned(),
        max_receives: 5,
    };
    setup::create_all(&service.clients().await, &made)
        .await
        .expect("made");
    let mut seen = 0;
    for asked in service.asked() {
        let body = asked.json();
        if asked.operation() == "PutRule" && body["EventBusName"] == "bus" {
            let pattern: Value =
                serde_json::from_str(text(&body["EventPattern"])).expect("a pattern");
            let queue = text(&body["Name"]).strip_prefix("t-").expect("a prefix");
            assert_eq!(texts(&pattern["detail-type"]), events[queue], "{queue}");
            seen += 1;
        }
    }
    assert_eq!(seen, events.len());
}

#[test]
fn metrics_that_alarms_read_are_in_the_table_of_metrics() {
    let mut wanted = serde_json::Map::new();
    for metric in METRICS {
        if let Some(found) = metric.cloudwatch {
            let kind = match metric.kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram(_) => "histogram",
            };
            let told = json!({
                "metric": metric.name, "kind": kind, "unit": metric.unit.as_str(),
                "dimension_sets": found.dimension_sets, "services": metric.services,
            });
            wanted.insert(found.name.to_owned(), told);
        }
    }
    assert_eq!(names()["metrics"], Value::Object(wanted));
}

#[test]
fn the_cluster_has_the_version_that_the_live_suite_runs() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../live/kube/go.mod");
    let modules = std::fs::read_to_string(file).expect("go.mod");
    let server = modules.lines().find_map(|line| {
        let version = line.trim().strip_prefix("k8s.io/kubernetes v")?;
        Some(version.split_whitespace().next().unwrap_or(version))
    });
    let minor = server.and_then(|version| version.rsplit_once('.'));
    assert_eq!(
        minor.map(|(minor, _)| minor),
        Some(text(&names()["kubernetes_version"]))
    );
}
