//! What Lambda sends for an SQS event source, and what it takes back.
//!
//! Member names are those of the AWS Lambda developer guide, "Using Lambda with Amazon SQS". Only
//! what the worker reads is declared; members that AWS adds later are ignored.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The event. Its records stay JSON, so that each is parsed by itself and a malformed one does
/// not fail its neighbours.
#[derive(Debug, Deserialize)]
pub(crate) struct SqsEvent {
    #[serde(rename = "Records")]
    pub(crate) records: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SqsRecord {
    pub(crate) message_id: String,
    pub(crate) receipt_handle: String,
    pub(crate) body: Option<String>,
    /// What SQS says of the message, such as `ApproximateReceiveCount`.
    pub(crate) attributes: Option<HashMap<String, String>>,
    /// What its sender said of it.
    pub(crate) message_attributes: Option<HashMap<String, SqsMessageAttribute>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SqsMessageAttribute {
    /// Absent for an attribute of data type `Binary`.
    pub(crate) string_value: Option<String>,
}

/// The answer of a function whose event source has `ReportBatchItemFailures`. Lambda deletes the
/// messages that it does not name; an empty list is a batch that succeeded as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsBatchResponse {
    pub batch_item_failures: Vec<BatchItemFailure>,
    /// How many messages went to the dead-letter queue; not part of the answer.
    #[serde(skip)]
    pub dead: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// The `messageId` of a record that must come again.
    pub item_identifier: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_response_has_the_documented_members() {
        let failure = BatchItemFailure {
            item_identifier: "059f36b4-87a3-44ab-83d2-661975830a7d".to_owned(),
        };
        let response = SqsBatchResponse {
            batch_item_failures: vec![failure],
            dead: 3,
        };
        assert_eq!(
            serde_json::to_value(response).expect("serializes"),
            json!({"batchItemFailures": [
                {"itemIdentifier": "059f36b4-87a3-44ab-83d2-661975830a7d"},
            ]})
        );
        assert_eq!(
            serde_json::to_value(SqsBatchResponse::default()).expect("serializes"),
            json!({"batchItemFailures": []})
        );
    }

    #[test]
    fn an_event_without_an_array_of_records_is_refused() {
        for event in [
            json!({}),
            json!({"Records": null}),
            json!({"Records": {}}),
            json!("x"),
        ] {
            assert!(
                serde_json::from_value::<SqsEvent>(event.clone()).is_err(),
                "{event}"
            );
        }
    }
}
