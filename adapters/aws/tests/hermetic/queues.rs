//! SQS: partial failures, stale receipts, moving and looking.

use std::collections::BTreeMap;
use std::time::Duration;

use payops_aws::SqsQueues;
use payops_core::port::{
    Attributes, ErrorKind, Move, Outgoing, QueueAdmin as _, Queues as _, TransferOutcome,
};
use serde_json::{Value, json};

use crate::support::{Asked, Reply, Service};

async fn queues(
    answer: impl Fn(usize, Asked) -> Reply + Send + Sync + 'static,
) -> (SqsQueues, Service) {
    let service = Service::new(answer);
    let urls = ["work", "work-dlq"].map(|name| {
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

fn stale() -> Reply {
    let header = ("x-amzn-query-error", "ReceiptHandleIsInvalid;Sender");
    Reply::With(400, header, json!({"__type": "com.amazonaws.sqs#ReceiptHandleIsInvalid", "message": "told by the test"}).to_string())
}

/// What the service was asked for, in order.
fn operations(service: &Service) -> Vec<String> {
    let asked = service.asked();
    asked
        .iter()
        .map(|asked| asked.operation().to_owned())
        .collect()
}

fn message(body: &str) -> Outgoing {
    Outgoing {
        body: body.to_owned(),
        ..Outgoing::default()
    }
}

fn received(id: &str, count: u32) -> Value {
    let times = ("1763800000000", "1763800000001");
    json!({"MessageId": id, "ReceiptHandle": format!("r-{id}-{count}"), "Body": "{}", "Attributes": {
        "ApproximateReceiveCount": count.to_string(), "SentTimestamp": times.0, "ApproximateFirstReceiveTimestamp": times.1}})
}

/// The SDK asks for it and does not compare it.
const MD5: &str = "00000000000000000000000000000000";

#[tokio::test]
async fn each_entry_of_a_batch_has_its_own_result() {
    let answer = |_: usize, _: Asked| {
        Reply::json(&json!({
            "Successful": [{"Id": "0", "MessageId": "m0", "MD5OfMessageBody": MD5}],
            "Failed": [
                {"Id": "1", "Code": "RequestThrottled", "SenderFault": false},
                {"Id": "2", "Code": "InternalError", "SenderFault": false},
                {"Id": "3", "Code": "InvalidMessageContents", "SenderFault": true},
            ],
        }))
    };
    let (queues, _) = queues(answer).await;
    let results = queues
        .send_batch("work", (0..5).map(|i| message(&i.to_string())).collect())
        .await
        .expect("send_batch");
    let told: Vec<Result<String, ErrorKind>> = results
        .into_iter()
        .map(|result| result.map_err(|error| error.kind))
        .collect();
    let expected = [
        Ok("m0".to_owned()),
        Err(ErrorKind::Throttled),
        Err(ErrorKind::Unavailable),
        Err(ErrorKind::Permanent),
        Err(ErrorKind::Ambiguous),
    ];
    assert_eq!(
        told, expected,
        "and an entry that is not told of may or may not have been sent"
    );
}

#[tokio::test]
async fn a_large_batch_goes_in_several_calls_and_what_is_too_large_not_at_all() {
    let answer = |_: usize, asked: Asked| {
        let entries = asked.json()["Entries"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let told: Vec<Value> =
            entries.iter().map(|entry| json!({"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": MD5})).collect();
        Reply::json(&json!({"Successful": told, "Failed": []}))
    };
    let (queues, service) = queues(answer).await;
    let of = |bytes: usize| message(&"x".repeat(bytes));
    let batch = vec![of(600 * 1024), of(600 * 1024), of(1024 * 1024 + 1), of(10)];
    let results = queues.send_batch("work", batch).await.expect("send_batch");
    let told: Vec<Option<ErrorKind>> = results
        .into_iter()
        .map(|result| result.err().map(|error| error.kind))
        .collect();
    assert_eq!(told, [None, None, Some(ErrorKind::Permanent), None]);
    let sizes: Vec<usize> = service
        .asked()
        .iter()
        .map(|asked| asked.json()["Entries"].as_array().map_or(0, Vec::len))
        .collect();
    assert_eq!(sizes, [1, 2]);
}

#[tokio::test]
async fn more_attributes_than_sqs_takes_are_refused_and_empty_ones_left_out() {
    let (queues, service) =
        queues(|_, _| Reply::json(&json!({"MessageId": "m", "MD5OfMessageBody": MD5}))).await;
    let many: Attributes = (0..11).map(|i| (format!("a{i}"), "v".to_owned())).collect();
    let error = queues
        .send(
            "work",
            Outgoing {
                attributes: many,
                ..message("{}")
            },
        )
        .await
        .expect_err("eleven attributes");
    assert_eq!(error.kind, ErrorKind::Permanent);
    let some = Attributes::from([
        ("payops-class".to_owned(), "timeout".to_owned()),
        ("payops-reason".to_owned(), String::new()),
    ]);
    queues
        .send(
            "work",
            Outgoing {
                attributes: some,
                ..message("{}")
            },
        )
        .await
        .expect("send");
    let sent = service.asked()[0].json()["MessageAttributes"].clone();
    assert_eq!(
        sent,
        json!({"payops-class": {"DataType": "String", "StringValue": "timeout"}})
    );
}

#[tokio::test]
async fn a_stale_receipt_is_told_as_such_and_other_failures_are_not() {
    let answer = |_: usize, asked: Asked| match asked.operation() {
        "DeleteMessageBatch" => Reply::json(&json!({
            "Successful": [{"Id": "0"}],
            "Failed": [
                {"Id": "1", "Code": "ReceiptHandleIsInvalid", "SenderFault": true},
                {"Id": "2", "Code": "InvalidParameterValue", "SenderFault": true},
            ],
        })),
        _ => stale(),
    };
    let (stale_queues, _) = queues(answer).await;
    let receipts = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(
        stale_queues
            .delete("work", &receipts)
            .await
            .expect("delete"),
        [true, false, false]
    );
    assert!(
        !stale_queues
            .change_visibility("work", "a", Duration::ZERO)
            .await
            .expect("change_visibility")
    );

    let throttled = json!({"Successful": [], "Failed": [{"Id": "0", "Code": "RequestThrottled", "SenderFault": false}]});
    let (busy, _) = queues(move |_, _| Reply::json(&throttled)).await;
    let error = busy
        .delete("work", &receipts[..1])
        .await
        .expect_err("throttled");
    assert_eq!(error.kind, ErrorKind::Throttled);
}

#[tokio::test]
async fn a_lost_receipt_sends_nothing() {
    let (queues, service) = queues(|_, _| stale()).await;
    let outcome = queues
        .transfer("work", "r", "work-dlq", message("{}"))
        .await
        .expect("transfer");
    assert!(matches!(outcome, TransferOutcome::Lost), "{outcome:?}");
    assert_eq!(service.asked().len(), 1, "only the receipt was tried");
}

#[tokio::test]
async fn a_transfer_says_when_the_message_is_in_both_queues() {
    let answer = |_: usize, asked: Asked| match asked.operation() {
        "ChangeMessageVisibility" => Reply::json(&json!({})),
        "SendMessage" => Reply::json(&json!({"MessageId": "new", "MD5OfMessageBody": MD5})),
        _ => Reply::error(500, "InternalError"),
    };
    let (queues, _) = queues(answer).await;
    let outcome = queues
        .transfer("work", "r", "work-dlq", message("{}"))
        .await
        .expect("transfer");
    let TransferOutcome::SentNotDeleted { message_id, reason } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(message_id, "new");
    assert!(reason.contains("sqs:DeleteMessage"), "{reason}");
}

#[tokio::test]
async fn a_transfer_whose_answer_was_lost_is_not_sent_a_second_time() {
    let answer = |_: usize, asked: Asked| match asked.operation() {
        "ChangeMessageVisibility" => Reply::json(&json!({})),
        _ => Reply::Timeout,
    };
    let (queues, service) = queues(answer).await;
    let error = queues
        .transfer("work", "r", "work-dlq", message("{}"))
        .await
        .expect_err("no answer");
    assert_eq!(error.kind, ErrorKind::Ambiguous, "{}", error.chain());
    assert_eq!(
        operations(&service),
        ["ChangeMessageVisibility", "SendMessage"],
        "and nothing is deleted"
    );
}

#[tokio::test]
async fn each_entry_of_a_batch_of_moves_has_its_own_fate() {
    // Held: all but the second. Sent: all but the third. Deleted: all but the fourth.
    let answer = |_: usize, asked: Asked| match asked.operation() {
        "ChangeMessageVisibilityBatch" => Reply::json(&json!({
            "Successful": [{"Id": "0"}, {"Id": "2"}, {"Id": "3"}],
            "Failed": [{"Id": "1", "Code": "ReceiptHandleIsInvalid", "SenderFault": true}],
        })),
        "SendMessageBatch" => Reply::json(&json!({
            "Successful": [
                {"Id": "0", "MessageId": "new-a", "MD5OfMessageBody": MD5},
                {"Id": "2", "MessageId": "new-d", "MD5OfMessageBody": MD5},
            ],
            "Failed": [{"Id": "1", "Code": "RequestThrottled", "SenderFault": false}],
        })),
        _ => Reply::json(&json!({
            "Successful": [{"Id": "0"}],
            "Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": false}],
        })),
    };
    let (queues, service) = queues(answer).await;
    let moves = ["a", "b", "c", "d"].map(|receipt| Move {
        receipt: receipt.to_owned(),
        message: message("{}"),
    });
    let results = queues
        .transfer_batch("work-dlq", "work", moves.into())
        .await
        .expect("transfer_batch");
    let told: Vec<String> = results
        .into_iter()
        .map(|result| match result {
            Ok(TransferOutcome::Moved { message_id }) => format!("moved {message_id}"),
            Ok(TransferOutcome::SentNotDeleted { message_id, .. }) => format!("both {message_id}"),
            Ok(TransferOutcome::Lost) => "lost".to_owned(),
            Err(error) => format!("{:?}", error.kind),
        })
        .collect();
    assert_eq!(told, ["moved new-a", "lost", "Throttled", "both new-d"]);
    let asked = service.asked();
    assert_eq!(
        operations(&service),
        [
            "ChangeMessageVisibilityBatch",
            "SendMessageBatch",
            "DeleteMessageBatch"
        ]
    );
    let deleted = asked[2].json()["Entries"].as_array().map(|all| {
        all.iter()
            .map(|entry| entry["ReceiptHandle"].clone())
            .collect::<Vec<_>>()
    });
    assert_eq!(
        deleted,
        Some(vec![json!("a"), json!("d")]),
        "only what was acknowledged as sent is deleted"
    );
}

#[tokio::test]
async fn a_batch_of_moves_whose_answer_was_lost_is_not_sent_again_and_nothing_is_deleted() {
    let answer = |_: usize, asked: Asked| match asked.operation() {
        "ChangeMessageVisibilityBatch" => {
            Reply::json(&json!({"Successful": [{"Id": "0"}], "Failed": []}))
        }
        _ => Reply::Timeout,
    };
    let (queues, service) = queues(answer).await;
    let moves = vec![Move {
        receipt: "a".to_owned(),
        message: message("{}"),
    }];
    let error = queues
        .transfer_batch("work-dlq", "work", moves)
        .await
        .expect_err("no answer");
    assert_eq!(error.kind, ErrorKind::Ambiguous, "{}", error.chain());
    assert_eq!(
        operations(&service),
        ["ChangeMessageVisibilityBatch", "SendMessageBatch"]
    );
}

fn counts(visible: u32, in_flight: u32, max_receives: Option<u32>) -> Reply {
    let mut held = json!({"ApproximateNumberOfMessages": visible.to_string(),
        "ApproximateNumberOfMessagesNotVisible": in_flight.to_string(), "ApproximateNumberOfMessagesDelayed": "0"});
    if let Some(max) = max_receives {
        let policy = json!({"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:123456789012:work-dlq", "maxReceiveCount": max.to_string()});
        held["RedrivePolicy"] = policy.to_string().into();
    }
    Reply::json(&json!({"Attributes": held}))
}

#[tokio::test]
async fn looking_shows_everything_again_and_counts_what_it_cost() {
    let answer = |_: usize, asked: Asked| match asked.operation() {
        "GetQueueAttributes" => counts(0, 2, None),
        "ReceiveMessage" if asked.json()["MaxNumberOfMessages"] == 10 => {
            Reply::json(&json!({"Messages": [received("a", 1), received("b", 3)]}))
        }
        "ReceiveMessage" if asked.json()["MaxNumberOfMessages"] == 8 => {
            Reply::json(&json!({"Messages": [received("a", 2)]}))
        }
        "ReceiveMessage" => Reply::json(&json!({})),
        "ChangeMessageVisibilityBatch" => Reply::json(&json!({"Successful": [], "Failed": []})),
        other => panic!("{other} is not for looking"),
    };
    let (queues, service) = queues(answer).await;
    let seen = queues.browse("work-dlq", 10).await.expect("browse");
    let told: Vec<(&str, u32)> = seen
        .messages
        .iter()
        .map(|message| (message.message_id.as_str(), message.receive_count))
        .collect();
    assert_eq!(
        (told.as_slice(), seen.receives_spent, seen.complete),
        ([("a", 2), ("b", 3)].as_slice(), 3, true)
    );
    let shown = service
        .asked()
        .into_iter()
        .rfind(|asked| asked.operation() == "ChangeMessageVisibilityBatch")
        .expect("shown again")
        .json();
    assert_eq!(shown["Entries"].as_array().map(Vec::len), Some(3));
    assert!(
        shown["Entries"]
            .as_array()
            .is_some_and(|entries| entries.iter().all(|entry| entry["VisibilityTimeout"] == 0))
    );
}

#[tokio::test]
async fn looking_stops_before_it_would_bury_a_message() {
    let (worn, service) = queues(|_, asked: Asked| match asked.operation() {
        "GetQueueAttributes" => counts(1, 0, Some(5)),
        "ReceiveMessage" => Reply::json(&json!({"Messages": [received("a", 5)]})),
        _ => Reply::json(&json!({"Successful": [], "Failed": []})),
    })
    .await;
    let error = worn
        .browse("work", 10)
        .await
        .expect_err("one more receive would move it");
    assert_eq!(error.kind, ErrorKind::Permanent);
    assert!(error.message.contains("dead-letter queue"), "{error}");
    assert_eq!(
        operations(&service),
        [
            "GetQueueAttributes",
            "ReceiveMessage",
            "ChangeMessageVisibilityBatch"
        ],
        "what was received is shown again"
    );

    let (strict, service) = queues(|_, _| counts(1, 0, Some(1))).await;
    assert_eq!(
        strict
            .browse("work", 10)
            .await
            .expect_err("any receive is one too many")
            .kind,
        ErrorKind::Permanent
    );
    assert_eq!(service.asked().len(), 1, "nothing was received");
}

#[tokio::test]
async fn counts_name_the_dead_letter_queue_as_we_do() {
    let (queues, _) = queues(|_, _| counts(3, 2, Some(4))).await;
    let stats = queues.stats("work").await.expect("stats");
    assert_eq!((stats.visible, stats.in_flight, stats.delayed), (3, 2, 0));
    assert_eq!(
        (
            stats.dlq.as_deref(),
            stats.max_receives,
            stats.approximate,
            stats.oldest_age
        ),
        (Some("work-dlq"), Some(4), true, None)
    );
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_not_found() {
    let gone = || {
        let header = (
            "x-amzn-query-error",
            "AWS.SimpleQueueService.NonExistentQueue;Sender",
        );
        Reply::With(
            400,
            header,
            json!({"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "told by the test"})
                .to_string(),
        )
    };
    let service = Service::new(move |_, _| gone());
    let queues = SqsQueues::with_prefix(service.clients().await.sqs, "prod-", None);
    let error = queues
        .send("work", message("{}"))
        .await
        .expect_err("no such queue");
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    assert_eq!(service.asked()[0].json()["QueueName"], "prod-work");
}
