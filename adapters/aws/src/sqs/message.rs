//! Messages as SQS has them, and ours.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use payops_core::Timestamp;
use payops_core::port::{Attributes, ErrorKind, Outgoing, PortResult, Received};

use crate::fail::Call;

/// The size of a message, attributes included, that SQS takes.
pub(super) const BYTES_MAX: usize = 1024 * 1024;
const ATTRIBUTES_MAX: usize = 10;

/// What counts against [`BYTES_MAX`]: body, names, types and values.
pub(super) fn size(message: &Outgoing) -> usize {
    let attributes = message
        .attributes
        .iter()
        .map(|(name, value)| name.len() + "String".len() + value.len());
    message.body.len() + attributes.sum::<usize>()
}

/// Refuses what SQS would, so that one message does not fail a batch.
pub(super) fn check(call: &Call, message: &Outgoing) -> PortResult<()> {
    let bytes = size(message);
    let refuse = |words: String| Err(call.error(ErrorKind::Permanent, words));
    if bytes > BYTES_MAX {
        return refuse(format!(
            "the message is {bytes} bytes, over the limit of {BYTES_MAX}"
        ));
    }
    if message.attributes.len() > ATTRIBUTES_MAX {
        return refuse(format!(
            "the message has {} attributes, over the limit of {ATTRIBUTES_MAX}",
            message.attributes.len()
        ));
    }
    if message.body.is_empty() {
        return refuse("the message is empty".to_owned());
    }
    Ok(())
}

/// Attributes as SQS takes them; none without a value, which it refuses.
pub(super) fn attributes(
    call: &Call,
    attributes: &Attributes,
) -> PortResult<Option<HashMap<String, MessageAttributeValue>>> {
    let mut given = HashMap::new();
    for (name, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
        let value = MessageAttributeValue::builder()
            .data_type("String")
            .string_value(value)
            .build();
        given.insert(name.clone(), call.check_built(value)?);
    }
    Ok((!given.is_empty()).then_some(given))
}

pub(super) fn to_received(message: Message) -> Received {
    let system = message.attributes.unwrap_or_default();
    let text = |name: MessageSystemAttributeName| system.get(&name).cloned();
    let at = |name| {
        text(name)
            .and_then(|ms| ms.parse().ok())
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
    };
    let attributes: BTreeMap<String, String> = message
        .message_attributes
        .unwrap_or_default()
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.string_value?)))
        .collect();
    Received {
        message_id: message.message_id.unwrap_or_default(),
        receipt: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        attributes,
        receive_count: text(MessageSystemAttributeName::ApproximateReceiveCount)
            .and_then(|count| count.parse().ok())
            .unwrap_or(1),
        sent_at: at(MessageSystemAttributeName::SentTimestamp).unwrap_or(Timestamp::UNIX_EPOCH),
        first_received_at: at(MessageSystemAttributeName::ApproximateFirstReceiveTimestamp),
        group: text(MessageSystemAttributeName::MessageGroupId),
        dedupe: text(MessageSystemAttributeName::MessageDeduplicationId),
    }
}
