//! Short texts that come from outside, parsed once: e-mail address, source token, reference.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is refused. Never holds the text itself: it may be a card number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("must not be empty")]
    Empty,
    #[error("is longer than {max} characters")]
    TooLong { max: usize },
    #[error("contains control characters")]
    Control,
    #[error("is not {expected}")]
    Form { expected: &'static str },
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = TextError;
            fn from_str(text: &str) -> Result<Self, TextError> {
                let check: fn(&str) -> Result<(), TextError> = $check;
                check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = TextError;
            fn try_from(text: String) -> Result<Self, TextError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}

text_type!(
    /// An e-mail address: one `@`, a local part of at most 64 bytes that may be
    /// international (SMTPUTF8, RFC 6531), a domain with a dot, 254 bytes in all.
    /// Prints masked in `{:?}`.
    Email,
    check_email
);

text_type!(
    /// What is charged: a token that the payment provider knows, never a card number.
    /// Prints as its prefix in `{:?}`.
    Source,
    check_source
);

text_type!(
    /// The merchant's own name for the payment, such as an invoice number.
    Reference,
    |text| check_printable(text, 128)
);

text_type!(
    /// The client's name for one request: 1 to 255 printable ASCII characters.
    IdempotencyKey,
    check_idempotency_key
);

fn check_email(text: &str) -> Result<(), TextError> {
    check_printable(text, 254)?;
    let error = TextError::Form {
        expected: "an e-mail address",
    };
    let (local, domain) = text.rsplit_once('@').ok_or(error)?;
    let is_odd = |c: char| c.is_whitespace() || "<>(),;:\"[]\\@".contains(c);
    let has_odd_dots =
        |part: &str| part.starts_with('.') || part.ends_with('.') || part.contains("..");
    let fine = (1..=64).contains(&local.len())
        && !local.chars().any(is_odd)
        && !has_odd_dots(local)
        && domain.contains('.')
        && domain.split('.').all(is_label);
    if fine { Ok(()) } else { Err(error) }
}

/// Whether a part of a domain is a label; it may be international.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c.is_alphanumeric() || c == '-')
}

fn check_source(text: &str) -> Result<(), TextError> {
    check_printable(text, 128)?;
    let is_token = |prefix: &str| {
        text.strip_prefix(prefix).is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
    };
    if ["tok_", "pm_"].into_iter().any(is_token) {
        Ok(())
    } else {
        Err(TextError::Form {
            expected: "a token such as tok_visa",
        })
    }
}

fn check_idempotency_key(text: &str) -> Result<(), TextError> {
    check_printable(text, 255)?;
    if text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        Ok(())
    } else {
        Err(TextError::Form {
            expected: "printable ASCII",
        })
    }
}

/// Refuses the empty text, more than `max` bytes, and control characters (line breaks too,
/// so that no value can add a header or a log line).
pub(crate) fn check_printable(text: &str, max: usize) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    if text.len() > max {
        return Err(TextError::TooLong { max });
    }
    if text.chars().any(char::is_control) {
        return Err(TextError::Control);
    }
    Ok(())
}

/// `a•••@e•••.com`: the first letter of the name and of the domain, and the last label.
#[must_use]
pub fn mask_email(address: &str) -> String {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return "•••".to_owned();
    };
    let first = |part: &str| part.chars().next().map(String::from).unwrap_or_default();
    let (host, top) = domain.rsplit_once('.').unwrap_or((domain, ""));
    format!("{}•••@{}•••.{top}", first(local), first(host))
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask_email(&self.0))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tok_…")
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_may_be_international() {
        for fine in [
            "a@example.com",
            "björn.20@example.de",
            "o'brien.1@example.co.jp",
            "maría.0@example.org",
            "a+b@münchen.example",
        ] {
            assert!(fine.parse::<Email>().is_ok(), "{fine}");
        }
        for bad in [
            "",
            "a",
            "a@b",
            "@example.com",
            "a@",
            "a b@example.com",
            "x@\r\nBcc: y@example.com",
            "a@@example.com",
            "a@-x.com",
            ".a@example.com",
            "a@example..com",
            "<a@example.com>",
        ] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
        assert!(
            format!("{}@example.com", "a".repeat(65))
                .parse::<Email>()
                .is_err()
        );
    }

    #[test]
    fn addresses_print_masked() {
        let email: Email = "anna.miller@example.com".parse().expect("an address");
        let text = format!("{email:?}");
        assert!(
            !text.contains("anna") && !text.contains("example"),
            "{text}"
        );
    }

    #[test]
    fn sources_are_tokens() {
        assert!("tok_visa".parse::<Source>().is_ok());
        assert!("pm_card_visa".parse::<Source>().is_ok());
        for bad in ["", "tok_", "visa", "4242424242424242", "tok_a b", "tok_ä"] {
            assert!(bad.parse::<Source>().is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_are_at_most_255_characters() {
        assert!("k".repeat(255).parse::<IdempotencyKey>().is_ok());
        assert_eq!(
            "k".repeat(256).parse::<IdempotencyKey>(),
            Err(TextError::TooLong { max: 255 })
        );
        assert!("a\nb".parse::<IdempotencyKey>().is_err());
    }
}
