//! The names that an expression may use, and which of them a misspelt one may have meant.

use super::value::Kind;

pub const NAMES: [(&str, &str); 13] = [
    ("body", "the body as it was received, text"),
    ("attr", "attributes by name, text: attr[\"trace-id\"]"),
    (
        "payload",
        "the JSON in the body after decoding base64, gzip and SNS: payload.detail.amount",
    ),
    (
        "payment",
        "the payment: payment.id, .status, .amount (minor units), .currency",
    ),
    (
        "age",
        "time since it was first sent: age > duration(\"1h\")",
    ),
    ("receives", "how often its consumer received it, a number"),
    ("cause", "the id of its cause"),
    ("class", "the kind of failure, such as provider_timeout"),
    ("reason", "the reason"),
    ("consumer", "the revision of the consumer that gave up"),
    ("queue", "the dead-letter queue"),
    ("message_id", "its message ID"),
    ("group", "its message group, on a FIFO queue"),
];

/// The members of `payment`.
pub(super) const MEMBERS: [&str; 4] = ["id", "status", "amount", "currency"];
pub(super) const METHODS: [&str; 5] = ["contains", "startsWith", "endsWith", "matches", "size"];
pub(super) const FUNCTIONS: [&str; 3] = ["has", "duration", "size"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Body,
    Attr,
    Payload,
    Payment,
    PaymentId,
    Age,
    Receives,
    Cause,
    Class,
    Reason,
    Consumer,
    Queue,
    MessageId,
    Group,
}

impl Name {
    pub(super) fn from_text(text: &str) -> Option<Self> {
        Some(match text {
            "body" => Self::Body,
            "attr" => Self::Attr,
            "payload" => Self::Payload,
            "payment" => Self::Payment,
            "age" => Self::Age,
            "receives" => Self::Receives,
            "cause" => Self::Cause,
            "class" => Self::Class,
            "reason" => Self::Reason,
            "consumer" => Self::Consumer,
            "queue" => Self::Queue,
            "message_id" => Self::MessageId,
            "group" => Self::Group,
            _ => return None,
        })
    }

    /// What kind of value it is, before any member of it is asked for.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Attr | Self::Payment => Kind::Map,
            Self::Payload => Kind::Any,
            Self::Age => Kind::Duration,
            Self::Receives => Kind::Number,
            _ => Kind::Text,
        }
    }
}

pub(super) fn join_names(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// The one of `names` that is nearest to `text`, if it is near: at most two changes, and fewer than
/// half of its letters.
pub(super) fn find_nearest(
    text: &str,
    names: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    if text.chars().count() > 40 {
        return None;
    }
    let lower = text.to_lowercase();
    let known = names.map(|name| (distance(&lower, &name.to_lowercase()), name));
    let (changes, name) = known.min_by_key(|(changes, _)| *changes)?;
    (changes <= 2 && changes.saturating_mul(2) < name.len().max(2)).then_some(name)
}

/// How many letters must be put in, left out or replaced, or neighbours exchanged.
fn distance(from: &str, to: &str) -> usize {
    let at = |line: &[usize], place: usize| line.get(place).copied().unwrap_or(usize::MAX);
    let to: Vec<char> = to.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous = None;
    for (row, c) in from.chars().enumerate() {
        let mut line = vec![row.saturating_add(1)];
        for (column, other) in to.iter().enumerate() {
            let after = column.saturating_add(1);
            let replaced = at(&last, column).saturating_add(usize::from(c != *other));
            let mut changes = replaced
                .min(at(&last, after).saturating_add(1))
                .min(at(&line, column).saturating_add(1));
            if let Some(left) = column
                .checked_sub(1)
                .filter(|left| previous == Some(*other) && to.get(*left) == Some(&c))
            {
                changes = changes.min(at(&before_last, left).saturating_add(1));
            }
            line.push(changes);
        }
        before_last = std::mem::replace(&mut last, line);
        previous = Some(c);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_names_are_recognised() {
        let closest = |text| find_nearest(text, NAMES.iter().map(|(name, _)| *name));
        for (text, meant) in [
            ("clas", "class"),
            ("recieves", "receives"),
            ("Payment", "payment"),
            ("quue", "queue"),
            ("messageid", "message_id"),
        ] {
            assert_eq!(closest(text), Some(meant), "{text}");
        }
        for text in ["x", "amount", "zzzzzz"] {
            assert_eq!(closest(text), None, "{text}");
        }
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn every_name_is_known() {
        assert!(
            NAMES
                .iter()
                .all(|(name, _)| Name::from_text(name).is_some())
        );
    }
}
