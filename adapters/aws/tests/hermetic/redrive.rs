//! SQS's own redrive and purge: what is asked, and what each answer means.

use std::collections::BTreeMap;

use payops_aws::SqsQueues;
use payops_core::port::{ErrorKind, QueueAdmin as _, Redrive, RedriveStatus};
use serde_json::{Value, json};

use crate::support::{Asked, Reply, Service};

async fn queues(
    answer: impl Fn(&str, &Asked) -> Reply + Send + Sync + 'static,
) -> (SqsQueues, Service) {
    let service = Service::new(move |_, asked| {
        if asked.operation() == "GetQueueAttributes" {
            let url = asked.json()["QueueUrl"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let name = url.rsplit('/').next().unwrap_or_default();
            return Reply::json(
                &json!({"Attributes": {"QueueArn": format!("arn:aws:sqs:eu-west-1:123456789012:{name}")}}),
            );
        }
        answer(asked.operation(), &asked)
    });
    let urls = ["work", "work-dlq", "orders-dlq.fifo"].map(|name| {
        (
            name.to_owned(),
            format!("http://service.test/123456789012/{name}"),
        )
    });
    (
        SqsQueues::with_urls(service.clients().await.sqs, BTreeMap::from(urls)),
        service,
    )
}

fn asked(service: &Service, operation: &str) -> Vec<Value> {
    service
        .asked()
        .iter()
        .filter(|asked| asked.operation() == operation)
        .map(Asked::json)
        .collect()
}

#[tokio::test]
async fn a_redrive_says_where_from_where_to_and_how_fast() {
    let (queues, service) = queues(|_, _| Reply::json(&json!({"TaskHandle": "h1"}))).await;
    assert_eq!(
        queues
            .start_redrive("work-dlq", "work", Some(9_000))
            .await
            .expect("begun"),
        "h1"
    );
    queues
        .start_redrive("work-dlq", "work", None)
        .await
        .expect("begun");
    let told = asked(&service, "StartMessageMoveTask");
    assert_eq!(
        told[0]["SourceArn"],
        "arn:aws:sqs:eu-west-1:123456789012:work-dlq"
    );
    assert_eq!(
        told[0]["DestinationArn"],
        "arn:aws:sqs:eu-west-1:123456789012:work"
    );
    assert_eq!(
        told[0]["MaxNumberOfMessagesPerSecond"], 500,
        "no more than SQS takes"
    );
    assert_eq!(told[1].get("MaxNumberOfMessagesPerSecond"), None);
}

#[tokio::test]
async fn fifo_queues_are_not_moved_as_a_whole() {
    let (queues, service) = queues(|_, _| Reply::json(&json!({"TaskHandle": "h1"}))).await;
    let error = queues
        .start_redrive("orders-dlq.fifo", "work", None)
        .await
        .expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(asked(&service, "StartMessageMoveTask").is_empty());
}

#[tokio::test]
async fn how_it_stands_is_told_in_sqs_words_and_no_others() {
    let entry = |status: &str, handle: Option<&str>| {
        json!({"TaskHandle": handle, "Status": status, "DestinationArn": "arn:aws:sqs:eu-west-1:123456789012:work",
            "MaxNumberOfMessagesPerSecond": 50, "ApproximateNumberOfMessagesMoved": 7, "ApproximateNumberOfMessagesToMove": 61,
            "FailureReason": if status == "FAILED" { Some("CouldNotDetermineMessageSource") } else { None }, "StartedTimestamp": 1_763_800_000_000_i64})
    };
    let all = [
        ("RUNNING", RedriveStatus::Running),
        ("CANCELLING", RedriveStatus::Canceling),
        ("CANCELLED", RedriveStatus::Canceled),
        ("COMPLETED", RedriveStatus::Completed),
        ("FAILED", RedriveStatus::Failed),
    ];
    let results: Vec<Value> = all
        .iter()
        .map(|(word, _)| entry(word, (*word == "RUNNING").then_some("h1")))
        .collect();
    let (queues, service) = queues(move |_, _| Reply::json(&json!({"Results": results}))).await;
    let told = queues.redrives("work-dlq").await.expect("told");
    assert_eq!(
        told.iter().map(|task| task.status).collect::<Vec<_>>(),
        all.map(|(_, status)| status)
    );
    let expected = Redrive {
        handle: Some("h1".to_owned()),
        status: RedriveStatus::Running,
        moved: 7,
        planned: Some(61),
        target: Some("work".to_owned()),
        rate_per_second: Some(50),
        started_at: "2025-11-22T08:26:40Z".parse().expect("a time"),
        reason: None,
    };
    assert_eq!(told[0], expected);
    assert_eq!(
        (told[4].reason.as_deref(), told[4].handle.clone()),
        (Some("CouldNotDetermineMessageSource"), None)
    );
    assert_eq!(asked(&service, "ListMessageMoveTasks")[0]["MaxResults"], 10);
}

#[tokio::test]
async fn what_is_refused_names_the_action_that_is_missing() {
    let denied = |operation: &str| match operation {
        "CancelMessageMoveTask" => Reply::error(404, "com.amazonaws.sqs#ResourceNotFoundException"),
        "PurgeQueue" => Reply::error(403, "com.amazonaws.sqs#PurgeQueueInProgress"),
        _ => Reply::error(403, "AccessDenied"),
    };
    let (queues, _) = queues(move |operation, _| denied(operation)).await;
    let error = queues
        .start_redrive("work-dlq", "work", None)
        .await
        .expect_err("refused");
    assert!(
        error.kind == ErrorKind::Denied
            && error
                .message
                .contains("sqs:StartMessageMoveTask on queue work-dlq")
            && error.message.contains("sqs:SendMessage on the target"),
        "{}",
        error.message
    );
    assert_eq!(
        queues
            .cancel_redrive("work-dlq", "h1")
            .await
            .expect_err("over")
            .kind,
        ErrorKind::NotFound
    );
    let error = queues
        .purge("work")
        .await
        .expect_err("a purge within the last minute");
    assert!(
        error.kind == ErrorKind::Throttled && error.message.contains("one purge per minute"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_start_without_an_answer_may_have_begun() {
    let (queues, _) = queues(|_, _| Reply::Timeout).await;
    assert_eq!(
        queues
            .start_redrive("work-dlq", "work", None)
            .await
            .expect_err("no answer")
            .kind,
        ErrorKind::Ambiguous
    );
}

#[tokio::test]
async fn a_cancel_says_how_many_stay_moved() {
    let (queues, service) =
        queues(|_, _| Reply::json(&json!({"ApproximateNumberOfMessagesMoved": 42}))).await;
    assert_eq!(
        queues
            .cancel_redrive("work-dlq", "h1")
            .await
            .expect("canceled"),
        42
    );
    assert_eq!(
        asked(&service, "CancelMessageMoveTask")[0]["TaskHandle"],
        "h1"
    );
}
