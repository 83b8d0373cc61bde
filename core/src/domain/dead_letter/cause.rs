//! Causes: dead letters that died of the same thing, under a name that stays.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{NO_REASON, UNKNOWN, exception, fingerprint};
use crate::Timestamp;
use crate::domain::sha256_hex;

const ID_LEN: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Its name, see [`cause_id`].
    pub id: String,
    /// Class of the reason, a stable word; [`UNKNOWN`] when none is recorded.
    pub class: String,
    /// The reason, without what differs from dead letter to dead letter; [`NO_REASON`] when none
    /// is recorded.
    pub fingerprint: String,
    pub exception: Option<String>,
    pub consumer: Option<String>,
    pub count: u64,
    /// When the first of them was first sent.
    pub first_seen: Timestamp,
    /// When the last of them was first sent.
    pub last_seen: Timestamp,
    /// Message id of the one sent last.
    pub sample: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting<'a> {
    pub message_id: &'a str,
    pub class: &'a str,
    /// The reason as it was written down; empty or [`NO_REASON`] when there is none.
    pub reason: &'a str,
    /// Which revision of the consumer gave up, see [`super::consumer_of`].
    pub consumer: Option<&'a str>,
    pub at: Timestamp,
}

impl<'a> From<(&'a str, &'a str, Timestamp)> for Sighting<'a> {
    /// Of class, reason and when it was first sent: nothing is known of message and consumer.
    fn from((class, reason, at): (&'a str, &'a str, Timestamp)) -> Self {
        Self {
            message_id: "",
            class,
            reason,
            consumer: None,
            at,
        }
    }
}

impl Sighting<'_> {
    /// The id of the cause that the dead letter died of.
    #[must_use]
    pub fn cause_id(&self) -> String {
        let (class, print, exception) = facts(self.class, self.reason);
        cause_id(class, &print, exception.as_deref(), self.consumer)
    }
}

/// Class, fingerprint and exception; the same for all dead letters without a reason, but for their
/// class.
fn facts<'a>(class: &'a str, reason: &str) -> (&'a str, String, Option<String>) {
    let class = if class.is_empty() { UNKNOWN } else { class };
    if reason.trim().is_empty() || reason == NO_REASON {
        return (class, NO_REASON.to_owned(), None);
    }
    (class, fingerprint(reason), exception(reason))
}

/// The name of a cause: the first 8 hexadecimal digits of the SHA-256 of the JSON array
/// `[class, fingerprint, exception or null, consumer or null]`, written without spaces. It does not
/// depend on the queue, nor on which dead letters there are: the same cause has the same name
/// tomorrow.
#[must_use]
pub fn cause_id(
    class: &str,
    fingerprint: &str,
    exception: Option<&str>,
    consumer: Option<&str>,
) -> String {
    let text = serde_json::json!([class, fingerprint, exception, consumer]).to_string();
    sha256_hex(text.as_bytes()).chars().take(ID_LEN).collect()
}

type Key<'a> = (&'a str, String, Option<String>, Option<&'a str>);

struct Group<'a> {
    count: u64,
    first: Timestamp,
    last: (Timestamp, &'a str),
}

/// Groups dead letters by their cause; most first, like counts by class and fingerprint.
#[must_use]
pub fn causes<'a, S: Into<Sighting<'a>>>(letters: impl Iterator<Item = S>) -> Vec<Cause> {
    let mut groups: BTreeMap<Key<'a>, Group<'a>> = BTreeMap::new();
    for letter in letters {
        let Sighting {
            message_id,
            class,
            reason,
            consumer,
            at,
        } = letter.into();
        let (class, print, exception) = facts(class, reason);
        let fresh = || Group {
            count: 0,
            first: at,
            last: (at, message_id),
        };
        let group = groups
            .entry((class, print, exception, consumer))
            .or_insert_with(fresh);
        group.count = group.count.saturating_add(1);
        group.first = group.first.min(at);
        group.last = group.last.max((at, message_id));
    }
    let cause = |((class, fingerprint, exception, consumer), group): (Key<'a>, Group<'a>)| Cause {
        id: cause_id(class, &fingerprint, exception.as_deref(), consumer),
        class: class.to_owned(),
        fingerprint,
        exception,
        consumer: consumer.map(str::to_owned),
        count: group.count,
        first_seen: group.first,
        last_seen: group.last.0,
        sample: group.last.1.to_owned(),
    };
    let mut causes: Vec<Cause> = groups.into_iter().map(cause).collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn seen<'a>(
        id: &'a str,
        class: &'a str,
        reason: &'a str,
        consumer: Option<&'a str>,
        second: i64,
    ) -> Sighting<'a> {
        Sighting {
            message_id: id,
            class,
            reason,
            consumer,
            at: at(second),
        }
    }

    #[test]
    fn like_reasons_are_one_cause() {
        let letters = [
            ("timeout", "no answer to pay_01 after 30 s", at(5)),
            ("timeout", "no answer to pay_02 after 31 s", at(3)),
            ("schema_error", "amount: expected integer", at(9)),
        ];
        let causes = causes(letters.into_iter());
        let listed: Vec<_> = causes
            .iter()
            .map(|cause| {
                (
                    cause.class.as_str(),
                    cause.fingerprint.as_str(),
                    cause.count,
                )
            })
            .collect();
        assert_eq!(
            listed,
            [
                ("timeout", "no answer to # after # s", 2),
                ("schema_error", "amount: expected integer", 1)
            ]
        );
        assert_eq!((causes[0].first_seen, causes[0].last_seen), (at(3), at(5)));
    }

    #[test]
    fn each_revision_of_the_consumer_has_its_own_causes() {
        let letters = [
            seen(
                "a",
                "schema_error",
                "amount: expected integer",
                Some("worker 1.9.0"),
                4,
            ),
            seen(
                "b",
                "schema_error",
                "amount: expected integer",
                Some("worker 1.9.0"),
                6,
            ),
            seen(
                "c",
                "schema_error",
                "amount: expected integer",
                Some("worker 1.8.2"),
                5,
            ),
        ];
        let causes = causes(letters.into_iter());
        let listed: Vec<_> = causes
            .iter()
            .map(|cause| {
                (
                    cause.consumer.as_deref(),
                    cause.count,
                    cause.sample.as_str(),
                )
            })
            .collect();
        assert_eq!(
            listed,
            [
                (Some("worker 1.9.0"), 2, "b"),
                (Some("worker 1.8.2"), 1, "c")
            ]
        );
        assert_ne!(causes[0].id, causes[1].id);
        assert_eq!(causes[0].id, letters[0].cause_id());
    }

    #[test]
    fn letters_without_a_reason_are_a_cause_of_their_own() {
        let letters = [
            seen("a", "", "", None, 1),
            seen("b", UNKNOWN, NO_REASON, None, 2),
            seen("c", "timeout", "no answer", None, 3),
        ];
        let causes = causes(letters.into_iter());
        let unknown = &causes[0];
        assert_eq!(
            (
                unknown.class.as_str(),
                unknown.fingerprint.as_str(),
                unknown.count
            ),
            (UNKNOWN, NO_REASON, 2)
        );
        assert_eq!(unknown.exception, None);
    }

    #[test]
    fn the_id_stays_what_it_is() {
        assert_eq!(cause_id("timeout", "no answer", None, None), "603a99b8");
        let reason = "java.net.SocketTimeoutException: Read timed out\n\tat \
            java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:288)";
        let sighting = seen("m", "provider_timeout", reason, Some("worker 1.9.0"), 0);
        assert_eq!(sighting.cause_id(), "3b1f6a18");
        // Nothing of the parts can be moved over a border.
        assert_ne!(
            cause_id("a", "b", Some("c"), None),
            cause_id("a", "b", None, Some("c"))
        );
        assert_ne!(
            cause_id("a\",\"b", "c", None, None),
            cause_id("a", "b\",\"c", None, None)
        );
    }
}
