//! What SQS does not take:
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>.

use std::time::Duration;

use payops_core::Timestamp;
use payops_core::port::{ErrorKind, Outgoing, PortError, PortResult};

use super::QueueConfig;

pub(super) const BATCH_MAX: usize = 10;
const ATTRIBUTES_MAX: usize = 10;
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
const DELAY_MAX: Duration = Duration::from_mins(15);
const VISIBILITY_MAX: Duration = Duration::from_hours(12);
const RETENTION_MAX: Duration = Duration::from_hours(14 * 24);

fn invalid_request(text: impl Into<String>) -> PortError {
    PortError::new(ErrorKind::Permanent, text)
}

pub(super) fn batch(entries: usize) -> PortResult<()> {
    if entries > BATCH_MAX {
        Err(invalid_request(format!(
            "{entries} entries in one batch, over the limit of {BATCH_MAX}"
        )))
    } else {
        Ok(())
    }
}

pub(super) fn add_visibility(now: Timestamp, visibility: Duration) -> PortResult<Timestamp> {
    if visibility > VISIBILITY_MAX {
        return Err(invalid_request("the visibility timeout is over 12 hours"));
    }
    now.checked_add(visibility).map_err(|error| {
        PortError::because(ErrorKind::Permanent, "adding a visibility timeout", error)
    })
}

pub(super) fn message(message: &Outgoing, fifo: bool) -> PortResult<()> {
    let attributes = || message.attributes.iter();
    if message.body.is_empty()
        || attributes().any(|(name, value)| name.is_empty() || value.is_empty())
    {
        return Err(invalid_request(
            "the message has an empty body or attribute",
        ));
    }
    // Each attribute's data type counts too: `String`.
    let bytes = attributes().fold(message.body.len(), |sum, (name, value)| {
        sum.saturating_add(name.len() + value.len() + "String".len())
    });
    if bytes > MESSAGE_BYTES_MAX {
        return Err(invalid_request(format!(
            "the message is {bytes} bytes, over the limit of {MESSAGE_BYTES_MAX}"
        )));
    }
    if message.attributes.len() > ATTRIBUTES_MAX {
        return Err(invalid_request(format!(
            "the message has more than {ATTRIBUTES_MAX} attributes"
        )));
    }
    if !message
        .body
        .chars()
        .chain(attributes().flat_map(|(_, value)| value.chars()))
        .all(is_allowed)
    {
        return Err(invalid_request("the message has control characters"));
    }
    if message.delay > DELAY_MAX {
        return Err(invalid_request("the delay is over 15 minutes"));
    }
    match (fifo, &message.group, &message.dedupe) {
        (true, Some(_), Some(_)) if message.delay.is_zero() => Ok(()),
        (true, Some(_), Some(_)) => Err(invalid_request(
            "a message for a FIFO queue cannot have its own delay",
        )),
        (true, _, _) => Err(invalid_request(
            "a message for a FIFO queue needs a group and a deduplication id",
        )),
        (false, _, Some(_)) => Err(invalid_request("only FIFO queues take a deduplication id")),
        (false, _, None) => Ok(()),
    }
}

/// The characters of XML 1.0, which are all that SQS carries.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// SQS tells the type of a queue by its name, in this very case.
fn is_fifo_name(name: &str) -> bool {
    name.strip_suffix(".fifo").is_some()
}

pub(super) fn queue(name: &str, config: &QueueConfig) -> PortResult<()> {
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let fine = !stem.is_empty()
        && name.len() <= 80
        && stem
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !fine {
        return Err(invalid_request(format!(
            "invalid queue name `{name}`: use 1 to 80 of A-Z a-z 0-9 - _"
        )));
    }
    if config.fifo != is_fifo_name(name) {
        return Err(invalid_request(format!(
            "invalid queue name `{name}`: names of FIFO queues end in .fifo, and no others do"
        )));
    }
    if config
        .dlq
        .as_ref()
        .is_some_and(|(dlq, max)| *max == 0 || dlq == name || is_fifo_name(dlq) != config.fifo)
    {
        return Err(invalid_request(format!(
            "`{name}`: a dead-letter queue is another queue of the same type, used after at least \
                one receive"
        )));
    }
    if config.retention.is_zero() || config.retention > RETENTION_MAX {
        return Err(invalid_request(format!(
            "`{name}`: the retention is over 14 days"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: impl Fn(&mut Outgoing), fifo: bool, taken: bool) {
        let mut outgoing = Outgoing {
            body: "body".to_owned(),
            ..Outgoing::default()
        };
        change(&mut outgoing);
        assert_eq!(message(&outgoing, fifo).is_ok(), taken, "{outgoing:?}");
    }

    #[test]
    fn messages_are_what_sqs_takes() {
        check(|_| {}, false, true);
        check(|m| m.body = String::new(), false, false);
        check(|m| m.body = "x".repeat(MESSAGE_BYTES_MAX), false, true);
        check(|m| m.body = "x".repeat(MESSAGE_BYTES_MAX + 1), false, false);
        check(|m| m.body = "a\u{0}b".to_owned(), false, false);
        check(|m| m.body = "ünï 🦀\r\n".to_owned(), false, true);
        check(|m| m.delay = DELAY_MAX, false, true);
        check(
            |m| m.delay = DELAY_MAX + Duration::from_secs(1),
            false,
            false,
        );
        check(
            |m| {
                m.attributes
                    .extend((0..11).map(|i| (i.to_string(), "v".to_owned())));
            },
            false,
            false,
        );
        check(|m| m.dedupe = Some("d".to_owned()), false, false);
    }

    #[test]
    fn fifo_messages_have_a_group_and_a_name() {
        check(|_| {}, true, false);
        let both =
            |m: &mut Outgoing| (m.group, m.dedupe) = (Some("g".to_owned()), Some("d".to_owned()));
        check(both, true, true);
        check(
            |m| {
                both(m);
                m.delay = Duration::from_secs(1);
            },
            true,
            false,
        );
    }

    #[test]
    fn queues_are_named_and_configured_sensibly() {
        let dlq = QueueConfig::dead_letters();
        assert!(queue("work-dlq", &dlq).is_ok());
        for bad in ["", "a b", "a/b", "a.fifo", &"x".repeat(81)] {
            assert!(queue(bad, &dlq).is_err(), "{bad}");
        }
        assert!(queue("work", &QueueConfig::source("work", 5)).is_err());
        assert!(queue("work", &QueueConfig::source("work-dlq", 0)).is_err());
        assert!(
            queue(
                "work.fifo",
                &QueueConfig {
                    fifo: true,
                    ..QueueConfig::source("dead.fifo", 3)
                }
            )
            .is_ok()
        );
    }
}
