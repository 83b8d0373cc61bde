//! Which calls are made, and what they take: the table of `payops_aws::permissions`, and the files
//! that Terraform and the truth tables have from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use payops_aws::checked::may;
use payops_aws::permissions::{AccessLevel, AwsCall, AwsResource, CALLS, CallUse, Principal, USES};
use payops_core::domain::bus::{QUEUES, dead_letter_queue, parking_queue};
use serde_json::{Map, Value, json};

use crate::support::{Reply, Service};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read_json(path: &str) -> Value {
    let text = std::fs::read_to_string(root().join(path)).expect(path);
    serde_json::from_str(&text).expect(path)
}

fn find_call(operation: &str) -> &'static AwsCall {
    let mut found = CALLS.iter().filter(|call| call.operation == operation);
    let call = found.next().expect(operation);
    assert!(found.next().is_none(), "{operation} is listed twice");
    call
}

/// All IAM actions of each role.
fn actions() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for each in USES {
        for operation in each.operations {
            for holder in each.by.holders() {
                all.entry(holder.as_str())
                    .or_default()
                    .extend(find_call(operation).actions);
            }
        }
    }
    all
}

#[tokio::test]
async fn a_call_that_is_not_listed_fails() {
    let service = Service::new(|_, _| Reply::Answer(200, "{}".to_owned()));
    let clients = service.clients().await;
    let error = clients
        .sqs
        .list_queue_tags()
        .queue_url("http://service.test/q")
        .send()
        .await
        .expect_err("not listed");
    let words = format!("{error:?}");
    assert!(
        words.contains("SQS.ListQueueTags is not in payops_aws::permissions::CALLS"),
        "{words}"
    );
    assert!(service.asked().is_empty(), "nothing was sent");
    clients
        .sqs
        .list_queues()
        .send()
        .await
        .expect("a listed call is made");
}

#[test]
fn every_listed_call_is_made_by_somebody() {
    let used: BTreeSet<&str> = USES
        .iter()
        .flat_map(|each| each.operations)
        .copied()
        .collect();
    for call in CALLS {
        find_call(call.operation);
        let needs_nobody = call.access == AccessLevel::Setup || call.service == "STS";
        assert_ne!(
            used.contains(call.operation),
            needs_nobody,
            "{}",
            call.operation
        );
    }
    for operation in used {
        find_call(operation);
    }
}

/// What is allowed before the code makes the call, by the subject that will.
#[test]
fn what_no_call_needs_yet_is_named() {
    let mut waiting: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for each in USES {
        if let Some(subject) = each.needed_by {
            waiting.entry(subject).or_default().extend(each.operations);
        }
    }
    insta::assert_json_snapshot!(waiting);
}

#[test]
fn no_other_crate_calls_aws() {
    for folder in [
        "adapters", "ops/src", "services", "cli/src", "tui/src", "core/src",
    ] {
        walk(&root().join(folder), &mut |path, text| {
            let name = path.strip_prefix(root()).expect("within");
            let is_ours = name.starts_with("adapters/aws");
            let is_test = name.components().any(|part| part.as_os_str() == "tests");
            assert!(
                is_ours || is_test || !text.contains("aws_sdk_"),
                "{} uses a client of the SDK; clients belong into adapters/aws, where each call is \
                 checked",
                name.display()
            );
        });
    }
}

#[test]
fn a_call_is_of_what_its_principal_is_listed_for() {
    let cases = [
        (
            Principal::Notifier,
            "DeleteMessageBatch",
            "queue notifications",
            true,
        ),
        (
            Principal::Notifier,
            "DeleteMessageBatch",
            "queue payments-work",
            false,
        ),
        (
            Principal::Notifier,
            "DeleteMessageBatch",
            "other-queue",
            false,
        ),
        (
            Principal::View,
            "DeleteMessageBatch",
            "dead-letter-queue projections",
            false,
        ),
        (
            Principal::Operate,
            "DeleteMessageBatch",
            "dead-letter-queue projections",
            true,
        ),
        (
            Principal::BreakGlass,
            "DeleteMessageBatch",
            "dead-letter-queue projections",
            true,
        ),
        (Principal::Operate, "DeleteItem", "item OPS#freeze", true),
        (Principal::Operate, "DeleteItem", "item PAY#pay_1", false),
        (Principal::Operate, "TransactWriteItems", "table", true),
        (
            Principal::Operate,
            "TransactWriteItems:Update",
            "table",
            false,
        ),
        (
            Principal::PaymentsApi,
            "TransactWriteItems:Update",
            "table",
            true,
        ),
        (
            Principal::PaymentsApi,
            "TransactWriteItems:Delete",
            "table",
            false,
        ),
        (Principal::PaymentsApi, "PutEvents", "bus", true),
        (Principal::PaymentsApi, "PutEvents", "default-bus", false),
        (
            Principal::View,
            "GetSecretValue",
            "secret ledger-url-readonly",
            true,
        ),
        (
            Principal::View,
            "GetSecretValue",
            "secret ledger-url",
            false,
        ),
    ];
    for (by, operation, subject, expected) in cases {
        assert_eq!(
            may(by, operation, subject),
            expected,
            "{by:?} {operation} {subject}"
        );
    }
}

/// What is allowed is made by somebody: held against the record that a run of the live suite
/// leaves, named by the variable `PAYOPS_AWS_CALLS`.
#[test]
fn what_is_allowed_is_made() {
    let Some(file) = std::env::var_os("PAYOPS_AWS_CALLS") else {
        eprintln!("not run: PAYOPS_AWS_CALLS is not set; .ci/run sets it after the live suite");
        return;
    };
    let text = std::fs::read_to_string(&file).expect("the record of calls");
    let refused: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("REFUSED\t"))
        .collect();
    assert!(
        refused.is_empty(),
        "the live suite made calls that their principals are not listed to make:\n{refused:#?}"
    );
    let made: BTreeSet<(&str, &str, &str)> = text
        .lines()
        .map(|line| {
            let mut parts = line.split('\t');
            let mut part = || parts.next().expect("three columns");
            (part(), part(), part())
        })
        .collect();
    let mut never = Vec::new();
    for each in USES.iter().filter(|each| each.needed_by.is_none()) {
        for operation in each.operations {
            for on in each.on {
                let is_made = made.iter().any(|(by, made, subject)| {
                    *by == each.by.as_str() && made == operation && on.covers(subject)
                });
                if !is_made {
                    never.push(format!("{} {operation} {on:?}", each.by.as_str()));
                }
            }
        }
    }
    assert!(
        never.is_empty(),
        "the live suite never made these calls; take them out of USES, or test what makes them:\n{}",
        never.join("\n")
    );
}

fn walk(folder: &Path, look: &mut impl FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !path.ends_with("target") {
                walk(&path, look);
            }
        } else if path.extension().is_some_and(|end| end == "rs") {
            look(
                &path,
                &std::fs::read_to_string(&path).expect("a source file"),
            );
        }
    }
}

/// The modules' tests hold the policies against this file: what is allowed, and nothing else.
#[test]
fn terraform_has_the_actions_of_the_table() {
    let text = serde_json::to_string_pretty(&actions()).expect("json");
    held("terraform/modules/names/calls.json", &format!("{text}\n"));
}

#[test]
fn truth_tables_have_the_rows_of_the_table() {
    let names = read_json("terraform/modules/names/names.json");
    for env in ["test", "preprod", "prod"] {
        let environment = Environment::new(&names, env);
        let rows: Vec<String> = USES
            .iter()
            .flat_map(|each| environment.rows(each))
            .chain(environment.denied_rows())
            .map(|row| format!("    {row}"))
            .collect();
        let header = read_json(&format!("terraform/truth/{env}.json"));
        let mut text = String::from("{\n");
        for member in ["roots", "management", "accounts"] {
            writeln!(text, "  \"{member}\": {},", header[member]).expect("written");
        }
        writeln!(text, "  \"rows\": [\n{}\n  ]\n}}", rows.join(",\n")).expect("written");
        held(&format!("terraform/truth/calls-{env}.json"), &text);
    }
}

/// The file must say `text`; with `UPDATE_PERMISSIONS=1` it is written.
fn held(path: &str, text: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE_PERMISSIONS").is_some() {
        std::fs::write(&file, text).expect("written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == text,
        "{path} is not what payops_aws::permissions says; write it with: UPDATE_PERMISSIONS=1 \
         cargo test -p payops-aws permissions, and allow what is new in Terraform"
    );
}

/// What distinguishes ARNs of one service: the end of a queue's name, the whole of another.
fn kind_of(arn: &str) -> String {
    let ends = ["-dlq", "-parking"];
    let end = ends.into_iter().find(|end| arn.ends_with(end));
    match end {
        Some(end) => end.to_owned(),
        None if arn.contains(":sqs:") => "source".to_owned(),
        None => arn.split(':').nth(2).unwrap_or_default().to_owned(),
    }
}

/// Names and ARNs of one environment.
struct Environment<'a> {
    names: &'a Value,
    env: &'a str,
    account: &'a str,
}

impl<'a> Environment<'a> {
    fn new(names: &'a Value, env: &'a str) -> Self {
        let account = names["accounts"][env]["id"].as_str().expect("an account");
        Self {
            names,
            env,
            account,
        }
    }

    fn named(&self, template: &str) -> String {
        self.names["templates"][template]
            .as_str()
            .expect(template)
            .replace("{env}", self.env)
    }

    fn region(&self) -> &str {
        self.names["regions"]["home"].as_str().expect("a region")
    }

    fn arn(&self, service: &str, rest: &str) -> String {
        format!(
            "arn:aws:{service}:{}:{}:{rest}",
            self.region(),
            self.account
        )
    }

    fn queue(&self, queue: &str) -> String {
        self.arn("sqs", &format!("{}{queue}", self.named("queue_prefix")))
    }

    /// The ARNs that `action` is allowed on, and whether a root makes them.
    fn place(&self, action: &str, on: AwsResource) -> (Vec<String>, bool) {
        let table = || self.arn("dynamodb", &format!("table/{}", self.named("table")));
        let one = |arn: String| (vec![arn], false);
        let bucket = format!("arn:aws:s3:::{}", self.named("archive_bucket"));
        if action.starts_with("kms:") && on != AwsResource::AuditKey {
            let key = match on {
                AwsResource::Secret(_) => "module.workload.module.secrets_key.aws_kms_key.this",
                _ => "module.workload.module.key.aws_kms_key.this",
            };
            return one(key.to_owned());
        }
        match on {
            AwsResource::Any => one("*".to_owned()),
            AwsResource::Table | AwsResource::Item(_) => one(table()),
            AwsResource::Index(index) => one(format!("{}/index/{index}", table())),
            AwsResource::Sources => (QUEUES.map(|queue| self.queue(queue)).to_vec(), false),
            AwsResource::DeadLetters => (
                QUEUES
                    .map(|queue| self.queue(&dead_letter_queue(queue)))
                    .to_vec(),
                false,
            ),
            AwsResource::Parking => (
                QUEUES
                    .map(|queue| self.queue(&parking_queue(queue)))
                    .to_vec(),
                false,
            ),
            AwsResource::Queue(queue) => one(self.queue(queue)),
            AwsResource::DeadLettersOf(queue) => one(self.queue(&dead_letter_queue(queue))),
            AwsResource::Archive if action == "s3:ListBucket" => one(bucket),
            AwsResource::Archive => one(format!("{bucket}/payments/x.json")),
            AwsResource::Bus => {
                one(self.arn("events", &format!("event-bus/{}", self.named("bus"))))
            }
            AwsResource::AuditBus => {
                one(self.arn("events", &format!("event-bus/{}", self.named("audit_bus"))))
            }
            // SES asks about both.
            AwsResource::Mail => (
                vec![
                    self.arn("ses", &format!("identity/{}", self.named("domain"))),
                    self.arn("ses", &format!("configuration-set/payops-{}", self.env)),
                ],
                false,
            ),
            AwsResource::Secret(secret) => {
                let name = format!("{}{secret}", self.named("secret_prefix"));
                one(self.arn("secretsmanager", &format!("secret:{name}-AbCdEf")))
            }
            AwsResource::Cluster => {
                one(self.arn("eks", &format!("cluster/{}", self.named("cluster"))))
            }
            AwsResource::AuditKey => {
                one("module.workload.module.secrets.aws_kms_key.audit".to_owned())
            }
            AwsResource::AuditLog => (
                vec![self.arn(
                    "logs",
                    &format!("log-group:{}:*", self.named("audit_log_group")),
                )],
                true,
            ),
            AwsResource::Worker => one(self.arn("lambda", "function:payments-worker")),
            AwsResource::Deployments => (
                vec![self.arn("codedeploy", "deploymentgroup:payments-worker/live")],
                true,
            ),
        }
    }

    /// The context keys that a real call of `action` carries.
    fn context(&self, call: &AwsCall, action: &str, on: AwsResource) -> Map<String, Value> {
        let mut with = Map::new();
        if action.starts_with("kms:") && call.service != "KMS" {
            let service = match call.service {
                "SQS" => "sqs",
                "S3" => "s3",
                "Secrets Manager" => "secretsmanager",
                other => panic!("{other} does not use keys"),
            };
            let via = format!("{service}.{}.amazonaws.com", self.region());
            with.insert("kms:ViaService".to_owned(), json!(via));
        }
        if call.service == "DynamoDB" && call.access == AccessLevel::Write {
            let key = match on {
                AwsResource::Item(key) => key,
                _ => "PAY#pay_1",
            };
            with.insert("dynamodb:LeadingKeys".to_owned(), json!([key]));
            with.insert("aws:SourceIdentity".to_owned(), json!("anna"));
        }
        if on == AwsResource::AuditBus && action == "events:PutEvents" {
            let audit = &self.names["audit"];
            with.insert("events:source".to_owned(), json!([audit["source"]]));
            with.insert(
                "events:detail-type".to_owned(),
                json!([audit["detail_type"]]),
            );
        }
        with.insert("aws:RequestedRegion".to_owned(), json!(self.region()));
        with
    }

    /// The roles of a principal.
    fn roles(&self, by: Principal) -> Vec<String> {
        let env = self.env;
        match by {
            Principal::View | Principal::Operate | Principal::BreakGlass => {
                let role = self.names["roles"][by.as_str()].as_str().expect("a role");
                vec![format!("role/{role}@{env}")]
            }
            // The function, and the poller of clusters without Lambda.
            Principal::PaymentsWorker => vec![
                format!("role/payments-worker@{env}"),
                format!("role/payops-{env}-payments-worker@{env}"),
            ],
            service => vec![format!("role/payops-{env}-{}@{env}", service.as_str())],
        }
    }

    fn who(&self, by: Principal) -> Value {
        let mut roles = self.roles(by);
        match roles.len() {
            1 => json!(roles.remove(0)),
            _ => json!(roles),
        }
    }

    /// A row for what a principal may do with some queues, secrets or buses and not with the others.
    fn denied_rows(&self) -> Vec<String> {
        let queues = [
            AwsResource::Sources,
            AwsResource::DeadLetters,
            AwsResource::Parking,
        ];
        let secrets: BTreeSet<&str> = USES
            .iter()
            .flat_map(|each| each.on)
            .filter_map(|on| match on {
                AwsResource::Secret(secret) => Some(*secret),
                _ => None,
            })
            .collect();
        let places = |all: &[AwsResource]| -> BTreeSet<String> {
            all.iter().flat_map(|on| self.place("", *on).0).collect()
        };
        let secrets: Vec<AwsResource> = secrets.into_iter().map(AwsResource::Secret).collect();
        let all = [
            ("sqs:", places(&queues)),
            ("secretsmanager:", places(&secrets)),
            (
                "events:",
                places(&[AwsResource::Bus, AwsResource::AuditBus]),
            ),
        ];
        let mut rows = Vec::new();
        for principal in Principal::ALL {
            let mut allowed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
            for each in USES
                .iter()
                .filter(|each| each.by.holders().contains(&principal))
            {
                for action in each
                    .operations
                    .iter()
                    .flat_map(|each| find_call(each).actions)
                {
                    let places = each.on.iter().flat_map(|on| self.place(action, *on).0);
                    allowed.entry(action).or_default().extend(places);
                }
            }
            // The same places are one row.
            let mut denied: BTreeMap<Vec<String>, BTreeSet<&str>> = BTreeMap::new();
            for (action, places) in allowed {
                let kind = all.iter().find(|(prefix, _)| action.starts_with(prefix));
                let Some((_, every)) = kind.filter(|_| !places.contains("*")) else {
                    continue;
                };
                // One of each kind stands for the others: each question takes its time.
                let mut kinds = BTreeSet::new();
                let others: Vec<String> = every
                    .difference(&places)
                    .filter(|place| kinds.insert(kind_of(place)))
                    .cloned()
                    .collect();
                if !others.is_empty() {
                    denied.entry(others).or_default().insert(action);
                }
            }
            for (on, actions) in denied {
                let row = json!({
                    "may": false, "who": self.roles(principal), "do": actions, "on": on,
                    "with": {"aws:RequestedRegion": self.region()}, "why": "no call of its own is about these",
                });
                rows.push(row.to_string());
            }
        }
        rows
    }

    /// A row for each set of actions that share a place and a context.
    fn rows(&self, each: &CallUse) -> Vec<String> {
        // Nobody purges a queue of production: its own table says so.
        if each.operations.contains(&"PurgeQueue") && self.env == "prod" {
            return Vec::new();
        }
        let mut rows: Vec<(Value, Value, bool, BTreeSet<&str>)> = Vec::new();
        for on in each.on {
            for operation in each.operations {
                let call = find_call(operation);
                for action in call.actions {
                    let (arns, elsewhere) = self.place(action, *on);
                    let place = if arns.len() == 1 {
                        json!(arns[0])
                    } else {
                        json!(arns)
                    };
                    let with = Value::Object(self.context(call, action, *on));
                    let same = rows
                        .iter_mut()
                        .find(|(other, context, _, _)| *other == place && *context == with);
                    match same {
                        Some((_, _, _, actions)) => drop(actions.insert(action)),
                        None => rows.push((place, with, elsewhere, BTreeSet::from([*action]))),
                    }
                }
            }
        }
        let row = |(place, with, elsewhere, actions): (Value, Value, bool, BTreeSet<&str>)| {
            let mut row = Map::new();
            row.insert("may".to_owned(), json!(true));
            row.insert("who".to_owned(), self.who(each.by));
            row.insert("do".to_owned(), json!(actions));
            row.insert("on".to_owned(), place);
            if elsewhere {
                row.insert("elsewhere".to_owned(), json!(true));
            }
            row.insert("with".to_owned(), with);
            row.insert("why".to_owned(), json!(each.why));
            Value::Object(row).to_string()
        };
        rows.into_iter().map(row).collect()
    }
}
