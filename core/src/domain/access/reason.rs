//! Why somebody does something, in their own words. It is recorded, so it may hold no card number.

use serde::Serialize;

use crate::domain::pan::contains_card_number;
use crate::domain::text::{TextError, check_printable};

pub const REASON_BYTES_MAX: usize = 500;

/// Why a text is no reason. Never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ReasonError {
    #[error("a reason is required")]
    Blank,
    #[error("the reason is longer than {REASON_BYTES_MAX} characters")]
    TooLong,
    #[error("the reason contains control characters")]
    Control,
    #[error("the reason contains what looks like a card number")]
    CardNumber,
}

/// A reason without the spaces around it.
pub fn parse_reason(text: &str) -> Result<String, ReasonError> {
    let text = text.trim();
    check_printable(text, REASON_BYTES_MAX).map_err(|error| match error {
        TextError::Empty => ReasonError::Blank,
        TextError::TooLong { .. } => ReasonError::TooLong,
        TextError::Control | TextError::Form { .. } => ReasonError::Control,
    })?;
    if contains_card_number(text) {
        Err(ReasonError::CardNumber)
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, ReasonError>) {
        assert_eq!(parse_reason(text), expected.map(str::to_owned));
    }

    #[test]
    fn reasons_say_something_and_hold_no_card() {
        check("  the provider is back ", Ok("the provider is back"));
        check(" \t ", Err(ReasonError::Blank));
        check("a\nb", Err(ReasonError::Control));
        check(&"a".repeat(501), Err(ReasonError::TooLong));
        check("card 4242 4242 4242 4242", Err(ReasonError::CardNumber));
    }
}
