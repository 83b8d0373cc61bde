//! Identifiers: each kind its own type, so that one cannot be passed for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text is not an identifier of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind}: expected {expected}")]
pub struct IdError {
    kind: &'static str,
    expected: &'static str,
}

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The prefix that every identifier of this kind starts with.
            pub const PREFIX: &'static str = $prefix;

            /// Built from a time in milliseconds since 1970 and 80 bits of randomness
            /// (the rest of `random` is ignored); sorts by time.
            #[must_use]
            pub fn from_parts(at_ms: u64, random: u128) -> Self {
                Self(format!("{}{}", $prefix, ulid::Ulid::from_parts(at_ms, random)))
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = IdError { kind: $kind, expected: concat!($prefix, " and 26 characters \
                    of 0-9 A-Z") };
                let rest = text.strip_prefix($prefix).ok_or_else(|| error.clone())?;
                let id = ulid::Ulid::from_string(rest).map_err(|_| error.clone())?;
                // One spelling only: lower case and look-alike letters decode too, but would not be
                // found.
                if id.to_string() == rest { Ok(Self(text.to_owned())) } else { Err(error) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

ulid_id!(
    /// A payment: `pay_01JD…`, sortable by creation time.
    PaymentId, "pay_", "payment id"
);
ulid_id!(
    /// A refund of a payment: `re_01JD…`.
    RefundId, "re_", "refund id"
);

impl PaymentId {
    /// Which of [`SHARDS`] index shards the payment's pending work is listed under.
    #[must_use]
    pub fn shard(&self) -> u8 {
        // FNV-1a over the identifier: cheap, stable, spread evenly.
        let hash = self.0.bytes().fold(0x811c_9dc5_u32, |h, b| {
            (h ^ u32::from(b)).wrapping_mul(0x0100_0193)
        });
        u8::try_from(hash.checked_rem(u32::from(SHARDS)).unwrap_or(0)).unwrap_or(0)
    }

    /// When the identifier was made, in milliseconds since 1970.
    #[must_use]
    pub fn created_ms(&self) -> u64 {
        self.0
            .strip_prefix(Self::PREFIX)
            .and_then(|rest| ulid::Ulid::from_string(rest).ok())
            .map_or(0, |id| id.timestamp_ms())
    }
}

/// Shards of the pending indexes, so that no single index partition takes every write.
pub const SHARDS: u8 = 16;

/// A merchant: 1 to 64 characters of `a-z 0-9 _ -`. Comes from an API key, never from a request.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MerchantId(String);

impl MerchantId {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MerchantId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        if (1..=64).contains(&text.len()) && text.bytes().all(fine) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError {
                kind: "merchant id",
                expected: "1 to 64 characters of a-z 0-9 _ -",
            })
        }
    }
}

impl TryFrom<String> for MerchantId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<MerchantId> for String {
    fn from(id: MerchantId) -> Self {
        id.0
    }
}

impl fmt::Debug for MerchantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for MerchantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_round_trip_and_have_one_spelling() {
        let id = PaymentId::from_parts(1_763_800_000_000, 7);
        assert_eq!(id.as_str().parse::<PaymentId>(), Ok(id.clone()));
        assert_eq!(id.created_ms(), 1_763_800_000_000);
        assert!(id.as_str().to_lowercase().parse::<PaymentId>().is_err());
        assert!("pay_".parse::<PaymentId>().is_err());
        assert!(
            "re_01ARZ3NDEKTSV4RRFFQ69G5FAV"
                .parse::<PaymentId>()
                .is_err()
        );
    }

    #[test]
    fn identifiers_sort_by_time_and_spread_over_the_shards() {
        assert!(PaymentId::from_parts(1, u128::MAX) < PaymentId::from_parts(2, 0));
        let shards: std::collections::BTreeSet<u8> = (0..400_u128)
            .map(|n| PaymentId::from_parts(1, n).shard())
            .collect();
        assert_eq!(shards.len(), usize::from(SHARDS));
    }
}
