//! One record of a Lambda event as the message that it is.

use aws_lambda_events::event::sqs::SqsMessage;
use payops_core::Timestamp;
use payops_core::port::{Attributes, Received};
use serde_json::Value;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Message(Box<Received>),
    /// Not a message, but it says its name, so it can be handed back.
    Unreadable {
        id: String,
    },
    /// Not a message, and without a name: it can neither be handled nor handed back.
    Nameless,
}

/// Reads a record by itself, so that one that is malformed does not fail its neighbours.
pub(crate) fn read(raw: Value) -> Record {
    let named = raw
        .get("messageId")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let Some(id) = named.filter(|id| !id.is_empty()) else {
        return Record::Nameless;
    };
    let Ok(message) = serde_json::from_value::<SqsMessage>(raw) else {
        return Record::Unreadable { id };
    };
    let Some(receipt) = message.receipt_handle else {
        return Record::Unreadable { id };
    };
    let attribute = |name: &str| message.attributes.get(name);
    let at = |name: &str| {
        attribute(name)
            .and_then(|ms| ms.parse().ok())
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
    };
    let texts = message
        .message_attributes
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.string_value.clone()?)));
    Record::Message(Box::new(Received {
        message_id: id,
        receipt,
        body: message.body.unwrap_or_default(),
        attributes: texts.collect::<Attributes>(),
        receive_count: attribute("ApproximateReceiveCount")
            .and_then(|count| count.parse().ok())
            .unwrap_or(1),
        sent_at: at("SentTimestamp").unwrap_or(Timestamp::UNIX_EPOCH),
        first_received_at: at("ApproximateFirstReceiveTimestamp"),
        group: attribute("MessageGroupId").cloned(),
        dedupe: attribute("MessageDeduplicationId").cloned(),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_becomes_a_message() {
        let record = read(json!({
            "messageId": "m1", "receiptHandle": "r1", "body": "{}", "eventSource": "aws:sqs",
            "attributes": {"ApproximateReceiveCount": "3", "SentTimestamp": "1763800000000"},
            "messageAttributes": {"payops-class": {"stringValue": "x", "dataType": "String"}},
        }));
        let Record::Message(message) = record else {
            panic!("{record:?}")
        };
        assert_eq!(
            (
                message.message_id.as_str(),
                message.receipt.as_str(),
                message.receive_count
            ),
            ("m1", "r1", 3)
        );
        assert_eq!(message.sent_at.as_millisecond(), 1_763_800_000_000);
        assert_eq!(
            message.attributes.get("payops-class").map(String::as_str),
            Some("x")
        );
    }

    #[test]
    fn what_is_no_message_is_named_if_it_can_be() {
        assert_eq!(
            read(json!({"messageId": "m1", "receiptHandle": "r1", "attributes": 7})),
            Record::Unreadable {
                id: "m1".to_owned()
            }
        );
        assert_eq!(
            read(json!({"messageId": "m1"})),
            Record::Unreadable {
                id: "m1".to_owned()
            }
        );
        for nameless in [
            json!(null),
            json!("x"),
            json!({"messageId": ""}),
            json!({"messageId": 7}),
        ] {
            assert_eq!(read(nameless), Record::Nameless);
        }
    }
}
