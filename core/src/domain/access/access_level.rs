//! How much a person's credentials let them do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum AccessLevel {
    #[default]
    View,
    Operate,
    /// Changing in an emergency, a freeze notwithstanding. Never standing: it is always begun with
    /// a reason, and it ends.
    BreakGlass,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an access level; expected view, operate or break-glass")]
pub struct UnknownAccessLevel;

impl AccessLevel {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Operate => "operate",
            Self::BreakGlass => "break-glass",
        }
    }
}

impl fmt::Display for AccessLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for AccessLevel {
    type Err = UnknownAccessLevel;
    fn from_str(text: &str) -> Result<Self, UnknownAccessLevel> {
        [Self::View, Self::Operate, Self::BreakGlass]
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or(UnknownAccessLevel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duties_have_one_spelling_and_an_order() {
        for level in [
            AccessLevel::View,
            AccessLevel::Operate,
            AccessLevel::BreakGlass,
        ] {
            assert_eq!(level.to_string().parse(), Ok(level));
            assert_eq!(serde_json::to_value(level).expect("JSON"), level.as_str());
        }
        assert!(
            AccessLevel::View < AccessLevel::Operate
                && AccessLevel::Operate < AccessLevel::BreakGlass
        );
        assert_eq!("Operate".parse::<AccessLevel>(), Err(UnknownAccessLevel));
    }
}
