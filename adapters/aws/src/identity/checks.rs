//! What a set of credentials may reach, for `payops doctor`: the cheapest read of each service,
//! all at once, each with a time-out of its own. One that fails says which IAM action is missing.

use std::error::Error;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::task::JoinSet;

use super::error::IdentityError;
use super::refusal::missing_action;
use crate::config::Clients;
use crate::fail::{Call, code};
use crate::permissions::Principal;

pub const CHECK_MAX: Duration = Duration::from_secs(10);

/// What to check, by name; what is not named is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckTargets {
    /// The account that everything must belong to.
    pub account_id: Option<String>,
    pub table: Option<String>,
    pub queues: Vec<String>,
    pub bucket: Option<String>,
    pub buses: Vec<String>,
    /// A secret; its value is not read.
    pub secret: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked, such as `queue prod-payments-work`.
    pub name: String,
    pub ok: bool,
    /// What was found, or why not.
    pub detail: String,
    /// The IAM action that the credentials lack, such as `sqs:GetQueueAttributes`.
    pub missing_action: Option<String>,
}

/// Checks everything at once; the answers come in a fixed order, whatever fails.
pub async fn run(config: &SdkConfig, by: Option<Principal>, targets: &CheckTargets) -> Vec<Check> {
    let clients = Clients::new(config, by);
    let account = targets.account_id.clone();
    let mut all = Checks::default();
    all.add(
        "caller".to_owned(),
        caller(crate::config::sts_client(config), account.clone()),
    );
    if let Some(name) = targets.table.clone() {
        all.add(format!("table {name}"), table(clients.dynamo.clone(), name));
    }
    for name in targets.queues.clone() {
        all.add(
            format!("queue {name}"),
            queue(clients.sqs.clone(), name, account.clone()),
        );
    }
    if let Some(name) = targets.bucket.clone() {
        all.add(
            format!("bucket {name}"),
            bucket(clients.s3.clone(), name, account),
        );
    }
    for name in targets.buses.clone() {
        all.add(format!("bus {name}"), bus(clients.events.clone(), name));
    }
    if let Some(name) = targets.secret.clone() {
        all.add(
            format!("secret {name}"),
            secret(clients.secrets.clone(), name),
        );
    }
    all.finish().await
}

/// Whether STS says that the credentials are of `account`.
pub async fn caller(client: aws_sdk_sts::Client, account: Option<String>) -> Check {
    let probe = Probe::new("sts:GetCallerIdentity", "caller");
    match client.get_caller_identity().send().await {
        Err(error) => probe.fail_with(error),
        Ok(found) => match account.filter(|account| found.account() != Some(account)) {
            Some(account) => probe.fail(format!(
                "expected account {account}, found {}",
                found.account().unwrap_or("not named")
            )),
            None => probe.pass(found.arn),
        },
    }
}

pub async fn table(client: aws_sdk_dynamodb::Client, name: String) -> Check {
    let probe = Probe::new("dynamodb:DescribeTable", format!("table {name}"));
    match client.describe_table().table_name(name).send().await {
        Err(error) => probe.fail_with(error),
        Ok(found) => probe.pass(
            found
                .table
                .and_then(|table| table.table_status)
                .map(|status| status.as_str().to_owned()),
        ),
    }
}

/// Whether a queue is there. Its address must be asked for first, which is an action of its own.
pub async fn queue(client: aws_sdk_sqs::Client, name: String, account: Option<String>) -> Check {
    let subject = format!("queue {name}");
    let probe = Probe::new("sqs:GetQueueUrl", &subject);
    let url = match client
        .get_queue_url()
        .queue_name(name)
        .set_queue_owner_aws_account_id(account)
        .send()
        .await
    {
        Err(error) => return probe.fail_with(error),
        Ok(found) => found.queue_url,
    };
    let probe = Probe::new("sqs:GetQueueAttributes", &subject);
    match client
        .get_queue_attributes()
        .set_queue_url(url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
    {
        Err(error) => probe.fail_with(error),
        Ok(found) => probe.pass(
            found
                .attributes
                .and_then(|mut held| held.remove(&QueueAttributeName::QueueArn)),
        ),
    }
}

/// Whether a bucket is there and belongs to `account`. Its answer has no words in either case.
pub async fn bucket(client: aws_sdk_s3::Client, name: String, account: Option<String>) -> Check {
    let probe = Probe::new("s3:ListBucket", format!("bucket {name}"));
    match client
        .head_bucket()
        .bucket(name)
        .set_expected_bucket_owner(account)
        .send()
        .await
    {
        Err(error) => probe.fail_with(error),
        Ok(found) => probe.pass(found.bucket_region),
    }
}

pub async fn bus(client: aws_sdk_eventbridge::Client, name: String) -> Check {
    let probe = Probe::new("events:DescribeEventBus", format!("bus {name}"));
    match client.describe_event_bus().name(name).send().await {
        Err(error) => probe.fail_with(error),
        Ok(found) => probe.pass(found.arn),
    }
}

/// Whether a secret is there, without reading it.
pub async fn secret(client: aws_sdk_secretsmanager::Client, name: String) -> Check {
    let probe = Probe::new("secretsmanager:DescribeSecret", format!("secret {name}"));
    match client.describe_secret().secret_id(name).send().await {
        Err(error) => probe.fail_with(error),
        Ok(found) if found.deleted_date.is_some() => {
            probe.fail("it is scheduled for deletion".to_owned())
        }
        Ok(found) => probe.pass(found.arn),
    }
}

struct Probe {
    action: &'static str,
    name: String,
}

impl Probe {
    fn new(action: &'static str, name: impl Into<String>) -> Self {
        Self {
            action,
            name: name.into(),
        }
    }

    fn pass(self, detail: Option<String>) -> Check {
        Check {
            name: self.name,
            ok: true,
            detail: detail.unwrap_or_default(),
            missing_action: None,
        }
    }

    fn fail(self, detail: String) -> Check {
        Check {
            name: self.name,
            ok: false,
            detail,
            missing_action: None,
        }
    }

    fn fail_with<E: ProvideErrorMetadata + Error + Send + Sync + 'static>(
        self,
        error: SdkError<E, HttpResponse>,
    ) -> Check {
        if let Some(own) = IdentityError::within(&error) {
            let detail = own.to_string();
            return self.fail(detail);
        }
        let missing_action = self.missing_action(&error);
        let detail = Call::read(self.action, &self.name).to_error(error).message;
        Check {
            name: self.name,
            ok: false,
            detail,
            missing_action,
        }
    }

    /// What the credentials lack, if that is why: as the answer says, else what this call needs.
    fn missing_action<E: ProvideErrorMetadata>(
        &self,
        error: &SdkError<E, HttpResponse>,
    ) -> Option<String> {
        let forbidden = error
            .raw_response()
            .is_some_and(|response| response.status().as_u16() == 403);
        let denied = match code(error) {
            "AccessDenied"
            | "AccessDeniedException"
            | "AuthorizationError"
            | "NotAuthorized"
            | "UnauthorizedOperation" => true,
            // S3 answers HEAD without a body, and so without a code.
            "" | "Forbidden" | "403" => forbidden,
            _ => false,
        };
        let told = error
            .as_service_error()
            .and_then(|refusal| refusal.meta().message())
            .and_then(missing_action);
        denied.then(|| match told {
            // SQS writes its own actions in small letters.
            Some(told) if !told.eq_ignore_ascii_case(self.action) => told,
            _ => self.action.to_owned(),
        })
    }
}

/// Checks that run, in the order in which they were added.
#[derive(Default)]
struct Checks {
    running: JoinSet<(usize, Check)>,
    names: Vec<String>,
}

impl Checks {
    fn add(&mut self, name: String, check: impl Future<Output = Check> + Send + 'static) {
        let (place, late) = (self.names.len(), name.clone());
        self.names.push(name);
        self.running.spawn(async move {
            let done = tokio::time::timeout(CHECK_MAX, check).await;
            (
                place,
                done.unwrap_or_else(|_| {
                    Probe::new("", late).fail(format!(
                        "no response within {} seconds",
                        CHECK_MAX.as_secs()
                    ))
                }),
            )
        });
    }

    async fn finish(mut self) -> Vec<Check> {
        let mut done: Vec<Option<Check>> = self.names.iter().map(|_| None).collect();
        while let Some(joined) = self.running.join_next().await {
            if let Ok((place, check)) = joined
                && let Some(slot) = done.get_mut(place)
            {
                *slot = Some(check);
            }
        }
        let broken = |name: String| Probe::new("", name).fail("the check crashed".to_owned());
        done.into_iter()
            .zip(self.names)
            .map(|(check, name)| check.unwrap_or_else(|| broken(name)))
            .collect()
    }
}
