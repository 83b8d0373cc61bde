//! A filter over dead letters: an expression that is true or false of each letter.
//!
//! ```text
//! class == "provider_timeout" && age > duration("1h")
//! payload.detail.amount > 1000 || attr["trace-id"].startsWith("1-65")
//! payment.status in ["processing", "review"] && !body.matches("(?i)test")
//! has(payload.detail.customer) && receives >= 5
//! ```
//!
//! The language is a part of CEL's (Common Expression Language): what is an expression here is one
//! there. It has no loops and no arithmetic, so that the time an expression takes is bounded by its
//! length and the dead letter's. The names are in [`NAMES`].
//!
//! Dead letters are of many shapes, so a filter must not fail on one of them:
//! - A comparison with something that is missing is false, `!=` included: `payload.x != 1` is false
//!   of a dead letter without `x`. Of strings, `contains` and the like are false too. `has(…)` asks
//!   whether something is there, and `!` turns round what it stands before, as always.
//! - Within `payload`, whose types nobody knows, values of two types are not equal (`1 == "1"` is
//!   false, `!=` true), and no value is less or greater than one of another type. Of any other name
//!   the type is known, and such a comparison is refused before a dead letter is looked at.
//! - What must be true or false and is a value of another type is an error, and names the type. If
//!   it is missing, it is false.

mod check;
mod error;
mod eval;
mod lex;
mod members;
mod names;
mod parse;
mod tree;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use serde_json::Value;

pub use error::FilterError;
pub use names::NAMES;

use names::Name;
use tree::Expr;

/// How long an expression may be, in bytes.
pub const LENGTH_MAX: usize = 4 * 1024;
pub const DEPTH_MAX: usize = 32;

/// What is known of the payment that a dead letter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaymentFacts<'a> {
    pub id: &'a str,
    /// Its status now; `None` when the store does not know the payment.
    pub status: Option<&'a str>,
    pub amount_minor: Option<i64>,
    /// Its currency, an ISO 4217 code.
    pub currency: Option<&'a str>,
}

/// A dead letter as a filter sees it. Everything is borrowed: making one costs nothing.
#[derive(Clone, Copy, Debug)]
pub struct FilterSubject<'a> {
    pub body: &'a str,
    pub attributes: &'a BTreeMap<String, String>,
    /// The JSON that the body carries, if somebody has decoded it already. `None`: it is decoded by
    /// [`crate::domain::dead_letter::payload`], and only when the expression mentions it.
    pub payload: Option<&'a Value>,
    /// The payment, if the dead letter names one. See [`Filter::needs_payment`].
    pub payment: Option<PaymentFacts<'a>>,
    /// How long ago it was first sent.
    pub age: SignedDuration,
    pub receives: u32,
    pub cause: &'a str,
    pub class: &'a str,
    pub reason: &'a str,
    pub consumer: Option<&'a str>,
    pub queue: &'a str,
    pub message_id: &'a str,
    pub group: Option<&'a str>,
}

/// An expression that was read once and can be asked of many dead letters.
#[derive(Clone)]
pub struct Filter {
    text: String,
    root: Expr,
    mentioned: Vec<Name>,
}

impl Filter {
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.len() > LENGTH_MAX {
            return Err(FilterError::TooLong { bytes: text.len() });
        }
        let (root, mentioned) = parse::parse(text)?;
        Ok(Self {
            text: text.to_owned(),
            root,
            mentioned,
        })
    }

    /// Whether the expression is true of `subject`.
    pub fn matches(&self, subject: &FilterSubject<'_>) -> Result<bool, FilterError> {
        let decoded = match subject.payload {
            None if self.mentioned.contains(&Name::Payload) => {
                crate::domain::dead_letter::payload(subject.body)
            }
            _ => None,
        };
        let scope = eval::Scope {
            subject,
            payload: subject.payload.or(decoded.as_ref()),
        };
        eval::truth(&self.root, &scope)
    }

    /// Whether the expression asks for more of the payment than its id: only then is it worth while
    /// to look payments up.
    #[must_use]
    pub fn needs_payment(&self) -> bool {
        self.mentioned.contains(&Name::Payment)
    }

    #[must_use]
    pub fn needs_payload(&self) -> bool {
        self.mentioned.contains(&Name::Payload)
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl FromStr for Filter {
    type Err = FilterError;
    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Filter {}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.text).finish()
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
