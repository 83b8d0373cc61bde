//! Turns one record of a Lambda event into the message that it is.

use payops_core::Timestamp;
use payops_core::port::{Attributes, Received};
use serde_json::Value;

use crate::sqs_event::SqsRecord;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ParsedRecord {
    Message(Box<Received>),
    /// Not a message, but it has a message id, so it can be handed back.
    Malformed {
        message_id: String,
    },
    /// Not a message, and without a message id: it can neither be handled nor handed back.
    Unidentified,
}

pub(crate) fn parse_record(raw: Value) -> ParsedRecord {
    let Some(message_id) = raw
        .get("messageId")
        .and_then(Value::as_str)
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
    else {
        return ParsedRecord::Unidentified;
    };
    match serde_json::from_value::<SqsRecord>(raw) {
        Ok(record) => ParsedRecord::Message(Box::new(to_message(record))),
        Err(_) => ParsedRecord::Malformed { message_id },
    }
}

fn to_message(record: SqsRecord) -> Received {
    let attributes = record.attributes.unwrap_or_default();
    let timestamp = |name: &str| {
        attributes
            .get(name)
            .and_then(|ms| ms.parse().ok())
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
    };
    let message_attributes = record
        .message_attributes
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(name, attribute)| Some((name, attribute.string_value?)))
        .collect::<Attributes>();
    Received {
        message_id: record.message_id,
        receipt: record.receipt_handle,
        body: record.body.unwrap_or_default(),
        attributes: message_attributes,
        receive_count: attributes
            .get("ApproximateReceiveCount")
            .and_then(|count| count.parse().ok())
            .unwrap_or(1),
        sent_at: timestamp("SentTimestamp").unwrap_or(Timestamp::UNIX_EPOCH),
        first_received_at: timestamp("ApproximateFirstReceiveTimestamp"),
        group: attributes.get("MessageGroupId").cloned(),
        dedupe: attributes.get("MessageDeduplicationId").cloned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(record: Value) -> Received {
        match parse_record(record) {
            ParsedRecord::Message(message) => *message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_record_of_a_standard_queue_becomes_a_message() {
        let message = message(json!({
            "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
            "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",
            "body": "Test message.",
            "attributes": {
                "ApproximateReceiveCount": "3",
                "AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793",
                "SentTimestamp": "1545082649183",
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1545082649185",
            },
            "messageAttributes": {
                "payops-class": {
                    "stringValue": "provider_unavailable",
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": "String",
                },
                "binary": {
                    "binaryValue": "AQID",
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": "Binary",
                },
            },
            "md5OfMessageAttributes": "00484c68b1e4cd5e9d9a3f7e8c4b8f75",
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:my-queue",
            "awsRegion": "us-east-2",
        }));
        let expected = Received {
            message_id: "059f36b4-87a3-44ab-83d2-661975830a7d".to_owned(),
            receipt: "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...".to_owned(),
            body: "Test message.".to_owned(),
            attributes: Attributes::from([(
                "payops-class".to_owned(),
                "provider_unavailable".to_owned(),
            )]),
            receive_count: 3,
            sent_at: Timestamp::from_millisecond(1_545_082_649_183).expect("a time"),
            first_received_at: Timestamp::from_millisecond(1_545_082_649_185).ok(),
            group: None,
            dedupe: None,
        };
        assert_eq!(message, expected);
    }

    #[test]
    fn a_record_of_a_fifo_queue_has_its_group_and_deduplication_id() {
        let message = message(json!({
            "messageId": "11d6ee51-4cc7-4302-9e22-7cd8afdaadf5",
            "receiptHandle": "AQEBBX8nesZEXmkhsmZeyIE8iQAMig7qw...",
            "body": "Test message.",
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1573251510774",
                "SequenceNumber": "18849496460467696128",
                "MessageGroupId": "1",
                "SenderId": "AIDAIO23YVJENQZJOL4VO",
                "MessageDeduplicationId": "1",
                "ApproximateFirstReceiveTimestamp": "1573251510774",
            },
            "messageAttributes": {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:fifo.fifo",
            "awsRegion": "us-east-2",
        }));
        assert_eq!(
            (message.group.as_deref(), message.dedupe.as_deref()),
            (Some("1"), Some("1"))
        );
    }

    #[test]
    fn members_may_be_missing_null_or_new() {
        let expected = Received {
            message_id: "m1".to_owned(),
            receipt: "r1".to_owned(),
            body: String::new(),
            attributes: Attributes::new(),
            receive_count: 1,
            sent_at: Timestamp::UNIX_EPOCH,
            first_received_at: None,
            group: None,
            dedupe: None,
        };
        for record in [
            json!({"messageId": "m1", "receiptHandle": "r1"}),
            json!({
                "messageId": "m1", "receiptHandle": "r1", "body": null, "attributes": null,
                "messageAttributes": null,
            }),
            json!({"messageId": "m1", "receiptHandle": "r1", "addedLater": {"x": [1]}}),
        ] {
            assert_eq!(message(record), expected);
        }
    }

    #[test]
    fn a_malformed_record_keeps_its_message_id_if_it_has_one() {
        for malformed in [
            json!({"messageId": "m1"}),
            json!({"messageId": "m1", "receiptHandle": null}),
            json!({"messageId": "m1", "receiptHandle": "r1", "attributes": 7}),
            json!({"messageId": "m1", "receiptHandle": "r1", "body": {}}),
        ] {
            assert_eq!(
                parse_record(malformed),
                ParsedRecord::Malformed {
                    message_id: "m1".to_owned()
                }
            );
        }
        for unidentified in [
            json!(null),
            json!("x"),
            json!({"receiptHandle": "r1"}),
            json!({"messageId": ""}),
            json!({"messageId": 7}),
        ] {
            assert_eq!(parse_record(unidentified), ParsedRecord::Unidentified);
        }
    }
}
