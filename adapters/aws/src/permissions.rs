//! Every call to AWS that payops and its services make, the IAM actions that it takes, and who
//! makes it of what.
//!
//! From this table come the truth rows and the actions that Terraform's policies are held against
//! (`tests/hermetic/permissions.rs`). Debug builds refuse a call that is not in it
//! (`checked.rs`).

/// What a call does, as IAM's access levels have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLevel {
    List,
    Read,
    Write,
    /// Makes what Terraform makes in production; tests and the emulator alone need it.
    Setup,
}

/// An operation of an SDK and the IAM actions that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwsCall {
    /// As the SDK names the service, such as `Secrets Manager`.
    pub service: &'static str,
    pub operation: &'static str,
    /// Empty where AWS asks for none.
    pub actions: &'static [&'static str],
    pub access: AccessLevel,
}

const fn call(
    service: &'static str,
    operation: &'static str,
    actions: &'static [&'static str],
    access: AccessLevel,
) -> AwsCall {
    AwsCall {
        service,
        operation,
        actions,
        access,
    }
}

const DYNAMO: &str = "DynamoDB";
const SQS: &str = "SQS";
const S3: &str = "S3";
const EVENTS: &str = "EventBridge";
const SES: &str = "SESv2";
const SECRETS: &str = "Secrets Manager";
const STS: &str = "STS";
const EKS: &str = "EKS";
const KMS: &str = "KMS";
const LOGS: &str = "CloudWatch Logs";
const CLOUDWATCH: &str = "CloudWatch";
const LAMBDA: &str = "Lambda";
const CODEDEPLOY: &str = "CodeDeploy";

use AccessLevel::{List, Read, Setup, Write};

/// The operations, each once. A transaction takes the actions of its items.
pub const CALLS: &[AwsCall] = &[
    call(DYNAMO, "GetItem", &["dynamodb:GetItem"], Read),
    call(DYNAMO, "BatchGetItem", &["dynamodb:BatchGetItem"], Read),
    call(DYNAMO, "Query", &["dynamodb:Query"], Read),
    call(DYNAMO, "Scan", &["dynamodb:Scan"], Read),
    call(DYNAMO, "DescribeTable", &["dynamodb:DescribeTable"], Read),
    call(DYNAMO, "PutItem", &["dynamodb:PutItem"], Write),
    call(DYNAMO, "DeleteItem", &["dynamodb:DeleteItem"], Write),
    call(DYNAMO, "TransactWriteItems", &["dynamodb:PutItem"], Write),
    // With an item that it updates.
    call(
        DYNAMO,
        "TransactWriteItems:Update",
        &["dynamodb:UpdateItem"],
        Write,
    ),
    call(
        DYNAMO,
        "BatchWriteItem",
        &["dynamodb:BatchWriteItem"],
        Write,
    ),
    call(DYNAMO, "CreateTable", &["dynamodb:CreateTable"], Setup),
    call(
        DYNAMO,
        "UpdateTimeToLive",
        &["dynamodb:UpdateTimeToLive"],
        Setup,
    ),
    call(SQS, "ListQueues", &["sqs:ListQueues"], List),
    call(SQS, "GetQueueUrl", &["sqs:GetQueueUrl"], Read),
    call(SQS, "GetQueueAttributes", &["sqs:GetQueueAttributes"], Read),
    call(
        SQS,
        "ReceiveMessage",
        &["sqs:ReceiveMessage", "kms:Decrypt"],
        Write,
    ),
    call(
        SQS,
        "ChangeMessageVisibility",
        &["sqs:ChangeMessageVisibility"],
        Write,
    ),
    call(
        SQS,
        "ChangeMessageVisibilityBatch",
        &["sqs:ChangeMessageVisibility"],
        Write,
    ),
    call(
        SQS,
        "SendMessage",
        &["sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt"],
        Write,
    ),
    call(
        SQS,
        "SendMessageBatch",
        &["sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt"],
        Write,
    ),
    call(SQS, "DeleteMessageBatch", &["sqs:DeleteMessage"], Write),
    call(
        SQS,
        "ListMessageMoveTasks",
        &["sqs:ListMessageMoveTasks", "sqs:GetQueueAttributes"],
        Read,
    ),
    call(
        SQS,
        "StartMessageMoveTask",
        &[
            "sqs:StartMessageMoveTask",
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ],
        Write,
    ),
    // What it asks of the queue that the messages go to.
    call(
        SQS,
        "StartMessageMoveTask:Destination",
        &["sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt"],
        Write,
    ),
    call(
        SQS,
        "CancelMessageMoveTask",
        &[
            "sqs:CancelMessageMoveTask",
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ],
        Write,
    ),
    call(SQS, "PurgeQueue", &["sqs:PurgeQueue"], Write),
    call(SQS, "CreateQueue", &["sqs:CreateQueue"], Setup),
    // Without ListBucket an object that is not there reads as denied.
    call(
        S3,
        "GetObject",
        &["s3:GetObject", "s3:ListBucket", "kms:Decrypt"],
        Read,
    ),
    call(S3, "ListObjectsV2", &["s3:ListBucket"], List),
    call(S3, "HeadBucket", &["s3:ListBucket"], List),
    call(
        S3,
        "PutObject",
        &["s3:PutObject", "kms:GenerateDataKey"],
        Write,
    ),
    call(S3, "CreateBucket", &["s3:CreateBucket"], Setup),
    call(
        S3,
        "PutBucketNotificationConfiguration",
        &["s3:PutBucketNotification"],
        Setup,
    ),
    call(EVENTS, "PutEvents", &["events:PutEvents"], Write),
    call(
        EVENTS,
        "DescribeEventBus",
        &["events:DescribeEventBus"],
        Read,
    ),
    call(EVENTS, "CreateEventBus", &["events:CreateEventBus"], Setup),
    call(EVENTS, "PutRule", &["events:PutRule"], Setup),
    call(EVENTS, "PutTargets", &["events:PutTargets"], Setup),
    call(SES, "SendEmail", &["ses:SendEmail"], Write),
    call(
        SES,
        "CreateEmailIdentity",
        &["ses:CreateEmailIdentity"],
        Setup,
    ),
    call(
        SECRETS,
        "GetSecretValue",
        &["secretsmanager:GetSecretValue", "kms:Decrypt"],
        Read,
    ),
    call(
        SECRETS,
        "DescribeSecret",
        &["secretsmanager:DescribeSecret"],
        Read,
    ),
    call(
        SECRETS,
        "CreateSecret",
        &["secretsmanager:CreateSecret"],
        Setup,
    ),
    call(STS, "GetCallerIdentity", &[], Read),
    call(
        STS,
        "AssumeRole",
        &["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
        Write,
    ),
    call(EKS, "DescribeCluster", &["eks:DescribeCluster"], Read),
    call(KMS, "GenerateMac", &["kms:GenerateMac"], Write),
    call(KMS, "VerifyMac", &["kms:VerifyMac"], Write),
    call(LOGS, "FilterLogEvents", &["logs:FilterLogEvents"], Read),
    call(LOGS, "StartQuery", &["logs:StartQuery"], Read),
    call(LOGS, "GetQueryResults", &["logs:GetQueryResults"], Read),
    call(LOGS, "StopQuery", &["logs:StopQuery"], Read),
    call(
        CLOUDWATCH,
        "DescribeAlarms",
        &["cloudwatch:DescribeAlarms"],
        Read,
    ),
    call(
        CLOUDWATCH,
        "DescribeAlarmHistory",
        &["cloudwatch:DescribeAlarmHistory"],
        Read,
    ),
    call(
        CLOUDWATCH,
        "GetMetricData",
        &["cloudwatch:GetMetricData"],
        Read,
    ),
    call(CLOUDWATCH, "ListMetrics", &["cloudwatch:ListMetrics"], List),
    call(
        CLOUDWATCH,
        "PutAlarmMuteRule",
        &["cloudwatch:PutAlarmMuteRule"],
        Write,
    ),
    call(
        CLOUDWATCH,
        "DeleteAlarmMuteRule",
        &["cloudwatch:DeleteAlarmMuteRule"],
        Write,
    ),
    call(LAMBDA, "GetAlias", &["lambda:GetAlias"], Read),
    call(
        LAMBDA,
        "ListVersionsByFunction",
        &["lambda:ListVersionsByFunction"],
        List,
    ),
    call(
        CODEDEPLOY,
        "GetDeployment",
        &["codedeploy:GetDeployment"],
        Read,
    ),
    call(
        CODEDEPLOY,
        "ListDeployments",
        &["codedeploy:ListDeployments"],
        List,
    ),
    call(
        CODEDEPLOY,
        "StopDeployment",
        &["codedeploy:StopDeployment"],
        Write,
    ),
];

/// Who makes calls: the roles that payops assumes, and those of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    View,
    /// Has what [`Principal::View`] has too.
    Operate,
    /// Has what [`Principal::Operate`] has too.
    BreakGlass,
    PaymentsApi,
    PaymentsWorker,
    Notifier,
    PaymentsWeb,
    Admin,
    /// The job that changes the ledger's schema before a new version.
    Migrate,
}

impl Principal {
    pub const ALL: [Self; 9] = [
        Self::View,
        Self::Operate,
        Self::BreakGlass,
        Self::PaymentsApi,
        Self::PaymentsWorker,
        Self::Notifier,
        Self::PaymentsWeb,
        Self::Admin,
        Self::Migrate,
    ];

    /// The name of the role in names.json.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Operate => "operate",
            Self::BreakGlass => "break-glass",
            Self::PaymentsApi => "payments-api",
            Self::PaymentsWorker => "payments-worker",
            Self::Notifier => "notifier",
            Self::PaymentsWeb => "payments-web",
            Self::Admin => "admin",
            Self::Migrate => "payments-api-migrate",
        }
    }

    /// The role of payops that a person of this access level has.
    #[must_use]
    pub const fn of_person(level: payops_core::domain::access::AccessLevel) -> Self {
        use payops_core::domain::access::AccessLevel as Level;
        match level {
            Level::View => Self::View,
            Level::Operate => Self::Operate,
            Level::BreakGlass => Self::BreakGlass,
        }
    }

    /// All whose policy has what this one needs, itself included.
    #[must_use]
    pub fn holders(self) -> Vec<Self> {
        match self {
            Self::View => vec![Self::View, Self::Operate, Self::BreakGlass],
            Self::Operate => vec![Self::Operate, Self::BreakGlass],
            other => vec![other],
        }
    }
}

/// What a call is about, by its place in the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsResource {
    /// The action has no resource of its own.
    Any,
    Table,
    /// The items of the table under a partition key.
    Item(&'static str),
    /// An index of the table.
    Index(&'static str),
    Sources,
    DeadLetters,
    Parking,
    Queue(&'static str),
    DeadLettersOf(&'static str),
    Archive,
    Bus,
    AuditBus,
    Mail,
    Secret(&'static str),
    Cluster,
    AuditKey,
    AuditLog,
    Worker,
    Deployments,
}

/// A call that somebody makes of some resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallUse {
    pub by: Principal,
    pub operations: &'static [&'static str],
    pub on: &'static [AwsResource],
    pub why: &'static str,
    /// The subject that will make the call; `None` if the code of today does.
    pub needed_by: Option<&'static str>,
}

const fn used(
    by: Principal,
    operations: &'static [&'static str],
    on: &'static [AwsResource],
    why: &'static str,
) -> CallUse {
    CallUse {
        by,
        operations,
        on,
        why,
        needed_by: None,
    }
}

const fn later(needed_by: &'static str, use_: CallUse) -> CallUse {
    CallUse {
        needed_by: Some(needed_by),
        ..use_
    }
}

use AwsResource::{
    Any, Archive, AuditBus, AuditKey, AuditLog, Bus, Cluster, DeadLetters, DeadLettersOf,
    Deployments, Index, Item, Mail, Parking, Queue, Secret, Sources, Table, Worker,
};
use Principal::{
    Admin, BreakGlass, Migrate, Notifier, Operate, PaymentsApi, PaymentsWeb, PaymentsWorker, View,
};

const CONSUME: &[&str] = &[
    "GetQueueUrl",
    "ReceiveMessage",
    "ChangeMessageVisibility",
    "DeleteMessageBatch",
];
const SEND: &[&str] = &["GetQueueUrl", "SendMessage"];

/// Who makes which call.
pub const USES: &[CallUse] = &[
    // The services.
    used(
        PaymentsApi,
        &[
            "GetItem",
            "Query",
            "TransactWriteItems",
            "TransactWriteItems:Update",
            "BatchWriteItem",
        ],
        &[Table],
        "the API keeps payments, and marks what it has told as told",
    ),
    used(
        PaymentsApi,
        &["BatchGetItem", "Scan"],
        &[Table],
        "the stores are compared, and the oldest payment looked for",
    ),
    used(
        PaymentsApi,
        &["Query"],
        &[Index("due"), Index("outbox"), Index("merchant")],
        "lists, the relay and the sweeper",
    ),
    used(
        PaymentsApi,
        &["PutObject", "GetObject"],
        &[Archive],
        "requests are archived; an object in the way is compared",
    ),
    used(PaymentsApi, &["PutEvents"], &[Bus], "what happened is told"),
    used(
        PaymentsApi,
        SEND,
        &[Queue("payments-work")],
        "the sweeper sends again",
    ),
    used(
        PaymentsApi,
        CONSUME,
        &[Queue("projections")],
        "the projector consumes",
    ),
    used(
        PaymentsApi,
        SEND,
        &[DeadLettersOf("projections")],
        "the projector gives up, with a reason",
    ),
    used(
        PaymentsApi,
        &["GetSecretValue"],
        &[
            Secret("api-key-pepper"),
            Secret("cursor-key"),
            Secret("provider-key"),
            Secret("ledger-url"),
            Secret("search-password"),
        ],
        "its own secrets",
    ),
    used(
        PaymentsWorker,
        &["GetItem", "TransactWriteItems", "BatchWriteItem"],
        &[Table],
        "the worker claims and completes payments",
    ),
    used(
        PaymentsWorker,
        &["GetObject"],
        &[Archive],
        "the archived request is compared with the payment",
    ),
    used(
        PaymentsWorker,
        &["PutEvents"],
        &[Bus],
        "what happened is told",
    ),
    used(
        PaymentsWorker,
        CONSUME,
        &[Queue("payments-work")],
        "the worker consumes",
    ),
    used(
        PaymentsWorker,
        &["GetQueueAttributes"],
        &[Queue("payments-work")],
        "connections are opened before the first message; Lambda polls the queue as the function",
    ),
    used(
        PaymentsWorker,
        SEND,
        &[Queue("payments-work"), DeadLettersOf("payments-work")],
        "what there was no time to begin is given back; what fails for good is given up",
    ),
    used(
        PaymentsWorker,
        &["GetSecretValue"],
        &[Secret("provider-key")],
        "it charges",
    ),
    used(
        Notifier,
        &[
            "GetItem",
            "Query",
            "TransactWriteItems",
            "TransactWriteItems:Update",
        ],
        &[Table],
        "the notifier reads the timeline, and notes what it sent",
    ),
    used(
        Notifier,
        CONSUME,
        &[Queue("notifications")],
        "the notifier consumes",
    ),
    used(
        Notifier,
        SEND,
        &[DeadLettersOf("notifications")],
        "and gives up, with a reason",
    ),
    used(Notifier, &["SendEmail"], &[Mail], "and sends mail"),
    used(
        Migrate,
        &["GetSecretValue"],
        &[Secret("ledger-url")],
        "the migration changes the ledger's schema",
    ),
    later(
        "web",
        used(
            PaymentsWeb,
            &["GetSecretValue"],
            &[Secret("web-api-key")],
            "the web page has its API key",
        ),
    ),
    later(
        "web",
        used(
            Admin,
            &["GetItem", "BatchGetItem", "Query"],
            &[Table],
            "Admin Web shows payments",
        ),
    ),
    later(
        "web",
        used(
            Admin,
            &["Query"],
            &[Index("due"), Index("outbox"), Index("merchant")],
            "and lists them",
        ),
    ),
    later(
        "web",
        used(
            Admin,
            &["GetQueueUrl", "GetQueueAttributes"],
            &[Sources, DeadLetters, Parking],
            "and counts queues",
        ),
    ),
    later(
        "web",
        used(
            Admin,
            &["ReceiveMessage", "ChangeMessageVisibility"],
            &[DeadLetters],
            "and shows dead letters",
        ),
    ),
    later(
        "web",
        used(
            Admin,
            &["GetSecretValue"],
            &[
                Secret("ledger-url-readonly"),
                Secret("admin-oidc-client"),
                Secret("admin-search-password"),
            ],
            "its own secrets",
        ),
    ),
    // payops looks.
    used(
        View,
        &["GetItem", "BatchGetItem", "Query", "Scan", "DescribeTable"],
        &[Table],
        "payments are looked at and compared",
    ),
    used(
        View,
        &["ListQueues"],
        &[Any],
        "queues are found by their prefix",
    ),
    used(
        View,
        &["GetQueueUrl", "GetQueueAttributes"],
        &[Sources, DeadLetters, Parking],
        "queues are counted",
    ),
    used(
        View,
        &[
            "ReceiveMessage",
            "ChangeMessageVisibilityBatch",
            "ListMessageMoveTasks",
        ],
        &[DeadLetters],
        "a dead letter is received, shown and made visible again",
    ),
    used(
        View,
        &["GetObject", "ListObjectsV2", "HeadBucket"],
        &[Archive],
        "archived requests are listed and compared",
    ),
    used(
        View,
        &["DescribeEventBus"],
        &[Bus, AuditBus],
        "doctor looks whether buses are there",
    ),
    used(
        View,
        &["PutEvents"],
        &[AuditBus],
        "lines of the record are shipped",
    ),
    used(
        View,
        &["GetSecretValue", "DescribeSecret"],
        &[Secret("ledger-url-readonly")],
        "the ledger is read by the user that reads",
    ),
    used(
        View,
        &["DescribeCluster"],
        &[Cluster],
        "clusters are reached without a kubeconfig",
    ),
    later(
        "hardening",
        used(
            View,
            &["GenerateMac", "VerifyMac"],
            &[AuditKey],
            "lines of the record are signed and checked",
        ),
    ),
    later(
        "signals",
        used(
            View,
            &["FilterLogEvents", "StartQuery"],
            &[AuditLog],
            "the record is read where it is shipped to",
        ),
    ),
    later(
        "signals",
        used(
            View,
            &[
                "GetQueryResults",
                "StopQuery",
                "DescribeAlarms",
                "DescribeAlarmHistory",
                "GetMetricData",
                "ListMetrics",
            ],
            &[Any],
            "signals are read",
        ),
    ),
    later(
        "delivery",
        used(
            View,
            &["GetAlias", "ListVersionsByFunction"],
            &[Worker],
            "the worker's canary is shown",
        ),
    ),
    later(
        "delivery",
        used(
            View,
            &["GetDeployment", "ListDeployments"],
            &[Deployments],
            "and its deployment",
        ),
    ),
    // payops acts.
    used(
        Operate,
        &["TransactWriteItems", "PutItem"],
        &[Table],
        "payments are changed, plans approved, freezes set",
    ),
    used(
        Operate,
        &["DeleteItem"],
        &[Item("OPS#freeze")],
        "freezes are lifted",
    ),
    used(
        Operate,
        &["StartMessageMoveTask:Destination"],
        &[Sources],
        "dead letters are moved back unread",
    ),
    used(
        Operate,
        &["GetQueueUrl", "SendMessageBatch"],
        &[Sources, Parking],
        "dead letters are replayed, edited and parked",
    ),
    used(
        Operate,
        &[
            "DeleteMessageBatch",
            "StartMessageMoveTask",
            "CancelMessageMoveTask",
        ],
        &[DeadLetters],
        "what was sent or discarded is deleted, and redrives are started and canceled",
    ),
    used(
        Operate,
        &["ReceiveMessage", "ChangeMessageVisibilityBatch"],
        &[Parking],
        "parked messages are looked at",
    ),
    later(
        "signals",
        used(
            Operate,
            &["PutAlarmMuteRule", "DeleteAlarmMuteRule"],
            &[Any],
            "an alarm that somebody works on is muted",
        ),
    ),
    later(
        "delivery",
        used(
            Operate,
            &["StopDeployment"],
            &[Any],
            "the worker's canary is stopped",
        ),
    ),
    used(
        BreakGlass,
        &["ReceiveMessage", "ChangeMessageVisibilityBatch"],
        &[Sources],
        "messages that are not dead are looked at",
    ),
    used(
        BreakGlass,
        &["PurgeQueue"],
        &[Sources, DeadLetters, Parking],
        "a queue is purged, where the environment's policy allows it",
    ),
];
