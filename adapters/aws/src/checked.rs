//! Checks each call of a debug build against the table of [`crate::permissions`] before it is sent,
//! so that no test passes with a call that production would deny. Release builds do not have it.
//!
//! Who may make a call of what is checked where the variable [`RECORD`] is set, as in the live
//! suite, whose names end as those of names.json do. There each call is also written down: the test
//! `permissions` then finds what is allowed and never made, and what was refused.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, Metadata};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use payops_core::domain::bus::{QUEUES, dead_letter_queue, parking_queue};
use serde_json::{Map, Value};

use crate::permissions::{AwsResource, CALLS, Principal, USES};

/// The file that calls are appended to, a line each: principal, operation and what it is about,
/// with tabs between.
pub const RECORD: &str = "PAYOPS_RECORD_AWS_CALLS";

/// Refuses calls that nobody, or not this principal, is listed to make.
#[derive(Clone, Copy, Debug)]
pub struct CheckedCalls {
    /// `None` for setup and tests: any listed call will do.
    pub by: Option<Principal>,
}

impl Intercept for CheckedCalls {
    fn name(&self) -> &'static str {
        "CheckedCalls"
    }

    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(metadata) = config.load::<Metadata>() else {
            return Ok(());
        };
        let (service, operation) = (metadata.service(), metadata.name());
        if CALLS
            .iter()
            .any(|call| call.service == service && call.operation == operation)
        {
            return Ok(());
        }
        Err(format!("{service}.{operation} is not in payops_aws::permissions::CALLS").into())
    }

    fn read_before_signing(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (Some(by), Some(metadata), Some(_)) =
            (self.by, config.load::<Metadata>(), record_file())
        else {
            return Ok(());
        };
        if metadata.service() == "STS" {
            return Ok(());
        }
        for (operation, subject) in questions(metadata, context.request()) {
            if !may(by, &operation, &subject) {
                write_down(&format!("REFUSED\t{}\t{operation}\t{subject}", by.as_str()));
                return Err(format!(
                    "{} makes no {operation} of {subject} by payops_aws::permissions::USES",
                    by.as_str()
                )
                .into());
            }
            write_down(&format!("{}\t{operation}\t{subject}", by.as_str()));
        }
        Ok(())
    }
}

/// Whether somebody is listed to make this call.
#[must_use]
pub fn may(by: Principal, operation: &str, subject: &str) -> bool {
    USES.iter().any(|each| {
        each.by.holders().contains(&by)
            && each.operations.contains(&operation)
            && each.on.iter().any(|on| on.covers(subject))
    })
}

fn record_file() -> Option<&'static Path> {
    static FILE: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os(RECORD).map(PathBuf::from));
    FILE.as_deref()
}

/// Appends a line, once in this process. A record that cannot be written is missed by the test that
/// reads it.
fn write_down(line: &str) {
    static WRITTEN: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);
    let Some(file) = record_file() else {
        return;
    };
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    if written.contains(line) {
        return;
    }
    // One write of a short line: lines of several processes do not mix.
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(file);
    if file
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
        .is_ok()
    {
        written.insert(line.to_owned());
    }
}

/// What is asked of IAM: operations, those within it included, and what each is about.
fn questions(metadata: &Metadata, request: &HttpRequest) -> BTreeSet<(String, String)> {
    let body = request.body().bytes().unwrap_or_default();
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let operation = metadata.name();
    let mut asked: BTreeSet<(String, String)> = subjects(metadata.service(), operation, &body)
        .into_iter()
        .map(|subject| (operation.to_owned(), subject))
        .collect();
    // A transaction takes the actions of its items; the call is that of what it puts.
    let items = body["TransactItems"].as_array().into_iter().flatten();
    for kind in items.filter_map(Value::as_object).flat_map(Map::keys) {
        if kind != "Put" {
            asked.insert((format!("{operation}:{kind}"), "table".to_owned()));
        }
    }
    if let Some(queue) = body["DestinationArn"].as_str() {
        asked.insert((format!("{operation}:Destination"), queue_subject(queue)));
    }
    if asked.is_empty() {
        asked.insert((operation.to_owned(), "nothing that is named".to_owned()));
    }
    asked
}

/// What a request is about: `table`, `index due`, `queue payments-work`, `secret provider-key`.
fn subjects(service: &str, operation: &str, body: &Value) -> BTreeSet<String> {
    let text = |member: &str| body[member].as_str();
    let one = |subject: String| BTreeSet::from([subject]);
    match service {
        "DynamoDB" if operation == "DeleteItem" => {
            let key = body["Key"]["pk"]["S"].as_str();
            one(format!("item {}", key.unwrap_or_default()))
        }
        "DynamoDB" => one(match text("IndexName") {
            Some(index) => format!("index {index}"),
            None => "table".to_owned(),
        }),
        "S3" => one("archive".to_owned()),
        "SESv2" => one("mail".to_owned()),
        "EKS" => one("cluster".to_owned()),
        "EventBridge" => {
            let entries = body["Entries"].as_array().into_iter().flatten();
            let buses = entries.map(|entry| entry["EventBusName"].as_str().unwrap_or("default"));
            let buses = buses.chain(text("Name"));
            buses.map(|bus| bus_subject(bus).to_owned()).collect()
        }
        "Secrets Manager" => {
            let secret = text("SecretId").unwrap_or_default();
            let name = secret.rsplit(['/', ':']).next().unwrap_or_default();
            // An ARN ends with a dash and six characters of AWS's own.
            let name = match name
                .len()
                .checked_sub(7)
                .filter(|_| secret.starts_with("arn:"))
            {
                Some(end) => name.get(..end).unwrap_or(name),
                None => name,
            };
            one(format!("secret {name}"))
        }
        "SQS" => {
            let named = ["QueueUrl", "QueueName", "SourceArn"];
            let queue = named.into_iter().find_map(text);
            one(match queue {
                Some(queue) => queue_subject(queue),
                None if body["TaskHandle"].is_string() => "dead-letter-queue".to_owned(),
                None => "any".to_owned(),
            })
        }
        _ => one("any".to_owned()),
    }
}

fn bus_subject(bus: &str) -> &'static str {
    if bus == "default" {
        "default-bus"
    } else if bus.contains("audit") {
        "audit-bus"
    } else {
        "bus"
    }
}

/// Without the environment's prefix, so that the same queue has the same name everywhere.
fn queue_subject(queue: &str) -> String {
    let queue = queue.rsplit(['/', ':']).next().unwrap_or_default();
    for source in QUEUES {
        let kinds = [
            ("queue", source.to_owned()),
            ("dead-letter-queue", dead_letter_queue(source)),
            ("parking-queue", parking_queue(source)),
        ];
        for (kind, name) in kinds {
            let prefix = queue.strip_suffix(&name);
            if prefix.is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('-')) {
                return format!("{kind} {source}");
            }
        }
    }
    "other-queue".to_owned()
}

impl AwsResource {
    /// Whether `subject`, as [`RECORD`] has it, is one of these.
    #[must_use]
    pub fn covers(self, subject: &str) -> bool {
        let (kind, name) = subject.split_once(' ').unwrap_or((subject, ""));
        match self {
            // No code calls the services of the last four yet.
            Self::Any | Self::AuditKey | Self::AuditLog | Self::Worker | Self::Deployments => {
                kind == "any"
            }
            Self::Table => kind == "table",
            Self::Item(key) => kind == "item" && name == key,
            Self::Index(index) => kind == "index" && name == index,
            Self::Sources => kind == "queue",
            Self::DeadLetters => kind == "dead-letter-queue",
            Self::Parking => kind == "parking-queue",
            Self::Queue(queue) => kind == "queue" && name == queue,
            Self::DeadLettersOf(queue) => kind == "dead-letter-queue" && name == queue,
            Self::Archive => kind == "archive",
            Self::Bus => kind == "bus",
            Self::AuditBus => kind == "audit-bus",
            Self::Mail => kind == "mail",
            Self::Secret(secret) => kind == "secret" && name == secret,
            Self::Cluster => kind == "cluster",
        }
    }
}
