//! What each test token makes the acquirer do.

use payops_core::domain::payment::{Card, Failure};
use payops_core::domain::text::Source;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    Approve {
        brand: &'static str,
        last4: &'static str,
    },
    Decline {
        code: &'static str,
        message: &'static str,
    },
    TimeOutCharged,
    Slow,
    /// Fails twice per key having done nothing, then charges.
    Flaky,
    /// Fails having done nothing until it is repaired, then charges.
    Poison,
    Unknown,
}

const TOKENS: [(&str, Behaviour); 7] = [
    (
        "tok_visa",
        Behaviour::Approve {
            brand: "visa",
            last4: "4242",
        },
    ),
    (
        "tok_mastercard",
        Behaviour::Approve {
            brand: "mastercard",
            last4: "4444",
        },
    ),
    (
        "tok_declined",
        Behaviour::Decline {
            code: "card_declined",
            message: "the card was declined",
        },
    ),
    ("tok_timeout_charged", Behaviour::TimeOutCharged),
    ("tok_slow", Behaviour::Slow),
    ("tok_flaky", Behaviour::Flaky),
    ("tok_poison", Behaviour::Poison),
];

impl Behaviour {
    pub(super) fn from_source(source: &Source) -> Self {
        TOKENS
            .into_iter()
            .find(|(token, _)| *token == source.as_str())
            .map_or(Self::Unknown, |(_, behaviour)| behaviour)
    }

    pub(super) fn result(self) -> Result<Card, Failure> {
        let failure = |code: &str, message: &str| Failure {
            code: code.to_owned(),
            message: message.to_owned(),
        };
        match self {
            Self::Approve { brand, last4 } => Ok(Card {
                brand: brand.to_owned(),
                last4: last4.to_owned(),
            }),
            Self::Decline { code, message } => Err(failure(code, message)),
            Self::Unknown => Err(failure("unknown_token", "unknown token")),
            Self::TimeOutCharged | Self::Slow | Self::Flaky | Self::Poison => Ok(Card {
                brand: "visa".to_owned(),
                last4: "4242".to_owned(),
            }),
        }
    }
}
