//! Checks each call of a debug build against the table of [`crate::permissions`] before it is sent,
//! so that no test passes with a call that production would deny. Release builds do not have it.
//!
//! With the variable [`RECORD`] each call that somebody makes is also written down: the test
//! `permissions` then finds what is allowed and never made.

use std::collections::BTreeSet;
use std::io::Write as _;
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
use serde_json::Value;

use crate::permissions::{AwsResource, CALLS, CallUse, Principal, USES};

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
        let (Some(by), Some(metadata)) = (self.by, config.load::<Metadata>()) else {
            return Ok(());
        };
        let (service, operation) = (metadata.service(), metadata.name());
        if service == "STS" {
            return Ok(());
        }
        for subject in subjects(service, context.request()) {
            if !USES
                .iter()
                .any(|each| allows(each, by, operation, &subject))
            {
                return Err(format!(
                    "{} makes no {service}.{operation} of {subject} by \
                     payops_aws::permissions::USES",
                    by.as_str()
                )
                .into());
            }
            record(by, operation, &subject)
                .map_err(|error| format!("{RECORD} cannot be written: {error}"))?;
        }
        Ok(())
    }
}

fn allows(each: &CallUse, by: Principal, operation: &str, subject: &str) -> bool {
    each.by.holders().contains(&by)
        && each.operations.contains(&operation)
        && each.on.iter().any(|on| on.covers(subject))
}

fn record(by: Principal, operation: &str, subject: &str) -> std::io::Result<()> {
    static WRITTEN: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);
    let Some(file) = std::env::var_os(RECORD) else {
        return Ok(());
    };
    let line = format!("{}\t{operation}\t{subject}\n", by.as_str());
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    if !written.insert(line.clone()) {
        return Ok(());
    }
    // One write of a short line: lines of several processes do not mix.
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(file)?;
    file.write_all(line.as_bytes())
}

/// What a request is about: `table`, `index due`, `queue payments-work`, `secret provider-key`.
fn subjects(service: &str, request: &HttpRequest) -> BTreeSet<String> {
    let body = request.body().bytes().unwrap_or_default();
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |member: &str| body[member].as_str();
    let one = |subject: String| BTreeSet::from([subject]);
    match service {
        "DynamoDB" => one(match text("IndexName") {
            Some(index) => format!("index {index}"),
            None => "table".to_owned(),
        }),
        "S3" => one("archive".to_owned()),
        "SESv2" => one("mail".to_owned()),
        "EKS" => one("cluster".to_owned()),
        "EventBridge" => {
            let entries = body["Entries"].as_array().into_iter().flatten();
            let buses = entries
                .filter_map(|entry| entry["EventBusName"].as_str())
                .chain(text("Name"));
            buses.map(|bus| bus_subject(bus).to_owned()).collect()
        }
        "Secrets Manager" => {
            let secret = text("SecretId").unwrap_or_default();
            let name = secret.rsplit(['/', ':']).next().unwrap_or_default();
            one(format!("secret {name}"))
        }
        "SQS" => {
            let named = ["QueueUrl", "QueueName", "SourceArn"];
            let queue = named.into_iter().find_map(text);
            let queue = queue.and_then(|queue| queue.rsplit(['/', ':']).next());
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
    if bus.contains("audit") {
        "audit-bus"
    } else {
        "bus"
    }
}

/// Without the environment's prefix, so that the same queue has the same name everywhere.
fn queue_subject(queue: &str) -> String {
    for source in QUEUES {
        let kinds = [
            ("queue", source.to_owned()),
            ("dead-letter-queue", dead_letter_queue(source)),
            ("parking-queue", parking_queue(source)),
        ];
        for (kind, name) in kinds {
            if queue.ends_with(&name) {
                return format!("{kind} {source}");
            }
        }
    }
    let stem = queue.strip_suffix(".fifo").unwrap_or(queue);
    let kind = if stem.ends_with("-dlq") {
        "dead-letter-queue"
    } else if stem.ends_with("-parking") {
        "parking-queue"
    } else {
        "queue"
    };
    format!("{kind} other")
}

impl AwsResource {
    /// Whether `subject`, as [`RECORD`] has it, is one of these.
    #[must_use]
    pub fn covers(self, subject: &str) -> bool {
        let (kind, name) = subject.split_once(' ').unwrap_or((subject, ""));
        match self {
            Self::Any => true,
            Self::Table => kind == "table",
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
            Self::AuditKey | Self::AuditLog | Self::Worker | Self::Deployments => kind == "any",
        }
    }
}
