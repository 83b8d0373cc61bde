//! What comes of asking: allowed, or why not and what to do next.

use std::fmt;

use serde::Serialize;

use super::{AccessLevel, Action, ReasonError};
use crate::Timestamp;
use crate::domain::money::{Currency, major};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyDecision {
    Allowed {
        /// A freeze would have stopped it, had it not been break-glass.
        despite_freeze: bool,
    },
    Refused(PolicyRefusal),
}

impl PolicyDecision {
    #[must_use]
    pub fn refusal(&self) -> Option<&PolicyRefusal> {
        match self {
            Self::Allowed { .. } => None,
            Self::Refused(refusal) => Some(refusal),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Above {
    Always,
    /// More than so many at once.
    Count(u64),
    Amount {
        minor: u64,
        currency: Currency,
    },
    NoLimitIn(Currency),
}

impl fmt::Display for Above {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => write!(f, "always"),
            Self::Count(count) => write!(f, "above {count}"),
            Self::Amount { minor, currency } => {
                write!(
                    f,
                    "above {} {currency}",
                    major(i64::try_from(*minor).unwrap_or(i64::MAX), *currency)
                )
            }
            Self::NoLimitIn(currency) => {
                write!(f, "always in {currency}, which no limit is given in")
            }
        }
    }
}

/// Why something may not be done, in one sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum PolicyRefusal {
    #[error("{deed} is never done in {env}, which is protected")]
    NeverHere { deed: Action, env: String },
    #[error("{who} is not allowed {deed} in {env}: {}", by_rule(rule.as_deref()))]
    NotAllowed {
        who: String,
        deed: Action,
        env: String,
        /// The `[[deny]]`; `None` when no `[[allow]]` covers it.
        rule: Option<String>,
    },
    #[error("{env} is frozen by {by} since {since:.0}: {reason}")]
    Frozen {
        env: String,
        by: String,
        reason: String,
        since: Timestamp,
        until: Option<Timestamp>,
    },
    #[error("{deed} in {env} needs the duty {needs}, and this is {has}")]
    NotElevated {
        deed: Action,
        env: String,
        needs: AccessLevel,
        has: AccessLevel,
    },
    /// Their elevation would have been enough, but has ended.
    #[error("the elevation in {env} ended at {at:.0}")]
    ElevationEnded {
        env: String,
        needs: AccessLevel,
        at: Timestamp,
    },
    /// It needs a reason, or the one given cannot be recorded.
    #[error("{problem}")]
    NeedsReason { problem: ReasonError },
    #[error("{deed} in {env} needs the approval of {} ({above}, by {rule}); {have} given", others(*needed))]
    NeedsApproval {
        deed: Action,
        env: String,
        needed: u32,
        have: u32,
        above: Above,
        rule: String,
    },
}

fn by_rule(rule: Option<&str>) -> String {
    rule.map_or_else(
        || "no [[allow]] covers it".to_owned(),
        |rule| format!("{rule} denies it"),
    )
}

fn others(count: u32) -> String {
    if count == 1 {
        "1 other person".to_owned()
    } else {
        format!("{count} other people")
    }
}

impl PolicyRefusal {
    /// What to do next, in one sentence without a full stop.
    #[must_use]
    pub fn instead(&self) -> String {
        match self {
            Self::NeverHere { .. } => {
                "discard or replay the messages that are meant, by a plan that names them"
                    .to_owned()
            }
            Self::NotAllowed { rule: Some(_), .. } => {
                "ask somebody whom the rule does not name".to_owned()
            }
            Self::NotAllowed { rule: None, .. } => {
                "ask somebody whom an [[allow]] names, or for a rule in the policy file".to_owned()
            }
            Self::Frozen {
                by, until: None, ..
            } => format!("wait until {by} lifts the freeze, or break the glass"),
            Self::Frozen {
                until: Some(until), ..
            } => format!("wait until {until:.0} or until the freeze is lifted, or break the glass"),
            Self::NotElevated { env, needs, .. } => {
                format!("elevate to {needs} in {env}, with a reason")
            }
            Self::ElevationEnded { env, needs, .. } => {
                format!("elevate to {needs} in {env} again, with a reason")
            }
            Self::NeedsReason {
                problem: ReasonError::Blank,
            } => "say why".to_owned(),
            Self::NeedsReason { .. } => "say why in other words".to_owned(),
            Self::NeedsApproval { .. } => {
                "let somebody else look at the plan and approve it; an approval counts for 24 hours"
                    .to_owned()
            }
        }
    }
}
