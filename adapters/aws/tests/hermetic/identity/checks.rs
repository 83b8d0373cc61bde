//! What `payops doctor` finds out about a set of credentials.

use payops_aws::identity::checks::{self, Check, CheckTargets};
use serde_json::json;

use super::{ACCOUNT, USER, caller};
use crate::support::{Asked, Reply, Service};

fn wanted() -> CheckTargets {
    CheckTargets {
        account_id: Some(ACCOUNT.to_owned()),
        table: Some("payments".to_owned()),
        queues: vec!["prod-work".to_owned(), "prod-mail".to_owned()],
        bucket: Some("archive".to_owned()),
        buses: vec!["payops".to_owned()],
        secret: Some("prod/pepper".to_owned()),
    }
}

fn answer(asked: &Asked) -> Reply {
    match asked.operation() {
        "DescribeTable" => {
            Reply::json(&json!({"Table": {"TableName": "payments", "TableStatus": "ACTIVE"}}))
        }
        "GetQueueUrl" => Reply::json(
            &json!({"QueueUrl": format!("http://service.test/{ACCOUNT}/{}", asked.json()["QueueName"])}),
        ),
        "GetQueueAttributes" => Reply::json(
            &json!({"Attributes": {"QueueArn": "arn:aws:sqs:eu-west-1:471122334455:q"}}),
        ),
        "DescribeEventBus" => Reply::json(
            &json!({"Name": "payops", "Arn": "arn:aws:events:eu-west-1:471122334455:event-bus/payops"}),
        ),
        "DescribeSecret" => Reply::json(
            &json!({"Name": "prod/pepper", "ARN": "arn:aws:secretsmanager:eu-west-1:471122334455:secret:p"}),
        ),
        _ if asked.method == "HEAD" => {
            Reply::With(200, ("x-amz-bucket-region", "eu-west-1"), String::new())
        }
        _ => caller(ACCOUNT, USER),
    }
}

fn denied(message: &str) -> Reply {
    Reply::Answer(
        400,
        json!({"__type": "AccessDeniedException", "message": message}).to_string(),
    )
}

async fn run(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Vec<Check>, Service) {
    let service = Service::new(move |_, asked| answer(&asked));
    (
        checks::run(&service.config().await, None, &wanted()).await,
        service,
    )
}

fn failed(all: &[Check]) -> Vec<(&str, Option<&str>)> {
    let failed = all.iter().filter(|check| !check.ok);
    failed
        .map(|check| (check.name.as_str(), check.missing_action.as_deref()))
        .collect()
}

#[tokio::test]
async fn all_that_is_wanted_is_checked_in_order() {
    let (all, service) = run(answer).await;
    let names: Vec<&str> = all.iter().map(|check| check.name.as_str()).collect();
    let expected = [
        "caller",
        "table payments",
        "queue prod-work",
        "queue prod-mail",
        "bucket archive",
        "bus payops",
        "secret prod/pepper",
    ];
    assert_eq!(names, expected);
    assert_eq!(failed(&all), [], "{all:?}");
    assert_eq!(
        (
            all[0].detail.as_str(),
            all[1].detail.as_str(),
            all[4].detail.as_str()
        ),
        (USER, "ACTIVE", "eu-west-1")
    );
    let asked = service.asked();
    let owner = asked
        .iter()
        .find(|asked| asked.method == "HEAD")
        .and_then(|asked| asked.headers.get("x-amz-expected-bucket-owner"));
    assert_eq!(owner.map(String::as_str), Some(ACCOUNT));
}

#[tokio::test]
async fn what_is_lacking_is_named_and_the_rest_is_told() {
    let (all, _) = run(|asked| match asked.operation() {
        "DescribeTable" => denied(
            "User: arn:aws:iam::1:user/a is not authorized to perform: dynamodb:DescribeTable on \
                resource: arn because no identity-based policy allows the dynamodb:DescribeTable \
                action",
        ),
        "GetQueueAttributes" => denied(
            "User: a is not authorized to perform: \
            sqs:getqueueattributes on resource: arn",
        ),
        "DescribeSecret" => denied(
            "User: a is not authorized to perform: kms:Decrypt on resource: \
            arn",
        ),
        "DescribeEventBus" => Reply::error(400, "ResourceNotFoundException"),
        _ if asked.method == "HEAD" => Reply::Answer(403, String::new()),
        _ => answer(asked),
    })
    .await;
    let expected = [
        ("table payments", Some("dynamodb:DescribeTable")),
        ("queue prod-work", Some("sqs:GetQueueAttributes")),
        ("queue prod-mail", Some("sqs:GetQueueAttributes")),
        ("bucket archive", Some("s3:ListBucket")),
        ("bus payops", None),
        ("secret prod/pepper", Some("kms:Decrypt")),
    ];
    assert_eq!(failed(&all), expected, "{all:?}");
    assert!(all[5].detail.contains("not found"), "{}", all[5].detail);
}

#[tokio::test]
async fn another_account_and_ended_credentials_lack_no_action() {
    let (all, _) = run(|asked| match asked.operation() {
        "" if asked.method != "HEAD" => caller("999999999999", "arn:aws:iam::999999999999:user/a"),
        "DescribeTable" => Reply::error(400, "ExpiredTokenException"),
        _ => answer(asked),
    })
    .await;
    assert_eq!(failed(&all), [("caller", None), ("table payments", None)]);
    assert!(
        all[0].detail.contains(ACCOUNT) && all[0].detail.contains("999999999999"),
        "{}",
        all[0].detail
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_answer_does_not_keep_the_others() {
    let (all, _) = run(|asked| match asked.operation() {
        "DescribeTable" => Reply::Never,
        _ => answer(asked),
    })
    .await;
    assert_eq!(failed(&all), [("table payments", None)], "{all:?}");
    assert!(
        all[1].detail.contains("within 10 seconds"),
        "{}",
        all[1].detail
    );
}
