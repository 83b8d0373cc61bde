//! What becomes of one message of a plan, and how long a plan takes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How often a message may be replayed, unless the plan says otherwise.
pub const REPLAYS_MAX: u32 = 3;

/// What is known of a payment before its message is sent again.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Preflight {
    Safe,
    /// It came to its end already: the consumer will acknowledge the message and do nothing.
    AlreadyFinal,
    #[default]
    Unknown,
}

/// What becomes of a message: `{"do":"send"}`, `{"do":"park","why":"…"}`,
/// `{"do":"skip","why":"…"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Disposition {
    #[default]
    Send,
    Park {
        why: String,
    },
    Skip {
        why: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayLimits<'a> {
    /// Whether messages of payments that came to their end are sent as well.
    pub include_final: bool,
    /// Whether messages of no known payment are sent as well.
    pub include_unknown: bool,
    pub replays_max: u32,
    /// The queue for messages that have been replayed so often.
    pub parking: Option<&'a str>,
}

impl Default for ReplayLimits<'_> {
    fn default() -> Self {
        Self {
            include_final: false,
            include_unknown: false,
            replays_max: REPLAYS_MAX,
            parking: None,
        }
    }
}

/// What becomes of a message that has been replayed `replays` times, by what is known of its
/// payment. In this order: a payment at its end needs nothing; a message that comes back again and
/// again is taken out of the way; of an unknown payment nothing is done unless it is asked for.
#[must_use]
pub fn decide_disposition(
    preflight: Preflight,
    replays: u32,
    rules: ReplayLimits<'_>,
) -> Disposition {
    if preflight == Preflight::AlreadyFinal && !rules.include_final {
        return Disposition::Skip {
            why: "its payment is already final".to_owned(),
        };
    }
    if replays >= rules.replays_max {
        let why = format!(
            "already replayed {replays} times; the limit is {}",
            rules.replays_max
        );
        return match rules.parking {
            Some(_) => Disposition::Park { why },
            None => Disposition::Skip {
                why: format!("{why}, and there is no parking queue"),
            },
        };
    }
    if preflight == Preflight::Unknown && !rules.include_unknown {
        return Disposition::Skip {
            why: "it names no known payment".to_owned(),
        };
    }
    Disposition::Send
}

/// How long it takes to send `messages` at `rate_per_second`, rounded up to milliseconds; no limit
/// to the rate takes no time, a rate of zero takes for ever.
#[must_use]
pub fn estimate(messages: usize, rate_per_second: Option<u32>) -> Duration {
    let Some(rate) = rate_per_second else {
        return Duration::ZERO;
    };
    let messages = u64::try_from(messages).unwrap_or(u64::MAX);
    match (messages, rate) {
        (0, _) => Duration::ZERO,
        (_, 0) => Duration::MAX,
        _ => Duration::from_millis(messages.saturating_mul(1_000).div_ceil(u64::from(rate))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARKING: ReplayLimits<'static> = ReplayLimits {
        include_final: false,
        include_unknown: false,
        replays_max: 3,
        parking: Some("parking"),
    };

    #[track_caller]
    fn check(preflight: Preflight, replays: u32, rules: ReplayLimits<'_>, expected: &str) {
        let found = match decide_disposition(preflight, replays, rules) {
            Disposition::Send => "send".to_owned(),
            Disposition::Park { why } => format!("park: {why}"),
            Disposition::Skip { why } => format!("skip: {why}"),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_safe_is_sent() {
        check(Preflight::Safe, 0, PARKING, "send");
        check(Preflight::Safe, 2, PARKING, "send");
    }

    #[test]
    fn what_came_to_its_end_is_sent_only_when_asked() {
        check(
            Preflight::AlreadyFinal,
            0,
            PARKING,
            "skip: its payment is already final",
        );
        check(
            Preflight::AlreadyFinal,
            9,
            PARKING,
            "skip: its payment is already final",
        );
        check(
            Preflight::AlreadyFinal,
            0,
            ReplayLimits {
                include_final: true,
                ..PARKING
            },
            "send",
        );
    }

    #[test]
    fn what_is_unknown_is_sent_only_when_asked() {
        check(
            Preflight::Unknown,
            0,
            PARKING,
            "skip: it names no known payment",
        );
        check(
            Preflight::Unknown,
            0,
            ReplayLimits {
                include_unknown: true,
                ..PARKING
            },
            "send",
        );
    }

    #[test]
    fn what_comes_back_again_and_again_is_parked() {
        check(
            Preflight::Safe,
            3,
            PARKING,
            "park: already replayed 3 times; the limit is 3",
        );
        check(
            Preflight::Unknown,
            4,
            PARKING,
            "park: already replayed 4 times; the limit is 3",
        );
        check(
            Preflight::Safe,
            3,
            ReplayLimits::default(),
            "skip: already replayed 3 times; the limit is 3, and there is no parking queue",
        );
    }

    #[test]
    fn dispositions_have_a_form() {
        let text = serde_json::to_string(&Disposition::Park {
            why: "often".to_owned(),
        })
        .expect("JSON");
        assert_eq!(text, r#"{"do":"park","why":"often"}"#);
        assert_eq!(
            serde_json::from_str::<Disposition>(r#"{"do":"send"}"#).expect("a disposition"),
            Disposition::Send
        );
    }

    #[test]
    fn plans_take_as_long_as_their_rate_says() {
        assert_eq!(estimate(61, Some(10)), Duration::from_millis(6_100));
        assert_eq!(estimate(1, Some(3)), Duration::from_millis(334));
        assert_eq!(estimate(0, Some(0)), Duration::ZERO);
        assert_eq!(estimate(5, Some(0)), Duration::MAX);
        assert_eq!(estimate(5, None), Duration::ZERO);
    }
}
