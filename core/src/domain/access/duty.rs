//! How much a person's credentials let them do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    #[default]
    View,
    Operate,
    /// Changing in an emergency, a freeze notwithstanding. Never standing: it is always begun with
    /// a reason, and it ends.
    BreakGlass,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a duty: view, operate or break-glass")]
pub struct UnknownDuty;

impl Duty {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Operate => "operate",
            Self::BreakGlass => "break-glass",
        }
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Duty {
    type Err = UnknownDuty;
    fn from_str(text: &str) -> Result<Self, UnknownDuty> {
        [Self::View, Self::Operate, Self::BreakGlass]
            .into_iter()
            .find(|duty| duty.as_str() == text)
            .ok_or(UnknownDuty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duties_have_one_spelling_and_an_order() {
        for duty in [Duty::View, Duty::Operate, Duty::BreakGlass] {
            assert_eq!(duty.to_string().parse(), Ok(duty));
            assert_eq!(serde_json::to_value(duty).expect("JSON"), duty.as_str());
        }
        assert!(Duty::View < Duty::Operate && Duty::Operate < Duty::BreakGlass);
        assert_eq!("Operate".parse::<Duty>(), Err(UnknownDuty));
    }
}
