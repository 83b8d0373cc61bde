//! What comes of asking: allowed, or why not and what to do next.

use std::fmt;

use serde::Serialize;

use super::{AccessLevel, Action, Freeze, ReasonError};
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
                write!(
                    f,
                    "always in {currency}, because the rule has no limit for it"
                )
            }
        }
    }
}

/// Why something may not be done, in one sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum PolicyRefusal {
    #[error("{action} is not allowed in a protected environment: {env}")]
    NeverHere { action: Action, env: String },
    #[error("{who} is not allowed to run {action} in {env}: {}", by_rule(rule.as_deref()))]
    NotAllowed {
        who: String,
        action: Action,
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
    #[error("{env} is already frozen by {by} since {since:.0}: {reason}")]
    AlreadyFrozen {
        env: String,
        by: String,
        reason: String,
        since: Timestamp,
    },
    #[error("{action} in {env} requires the access level {needs}; yours is {has}")]
    NotElevated {
        action: Action,
        env: String,
        needs: AccessLevel,
        has: AccessLevel,
    },
    /// Their elevation would have been enough, but has ended.
    #[error("your elevation in {env} ended at {at:.0}")]
    ElevationEnded {
        env: String,
        needs: AccessLevel,
        at: Timestamp,
    },
    /// It needs a reason, or the one given cannot be recorded.
    #[error("{problem}")]
    NeedsReason { problem: ReasonError },
    #[error("{action} in {env} requires the approval of {} ({above}, see {rule}); it has {have}", count_others(*needed))]
    NeedsApproval {
        action: Action,
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

fn count_others(count: u32) -> String {
    if count == 1 {
        "1 other person".to_owned()
    } else {
        format!("{count} other people")
    }
}

impl PolicyRefusal {
    /// What stops an action in an environment that `freeze` has frozen.
    #[must_use]
    pub fn frozen(env: &str, freeze: &Freeze) -> Self {
        Self::Frozen {
            env: env.to_owned(),
            by: freeze.by.clone(),
            reason: freeze.reason.clone(),
            since: freeze.since,
            until: freeze.until,
        }
    }

    /// Whether it stands whatever reason or approval is given: it is never done, or needs an
    /// elevation that no reason begins in place.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::NeverHere { .. }
                | Self::NotAllowed { .. }
                | Self::NotElevated {
                    needs: AccessLevel::BreakGlass,
                    ..
                }
                | Self::ElevationEnded {
                    needs: AccessLevel::BreakGlass,
                    ..
                }
        )
    }

    /// What to do next, in one sentence without a full stop.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NeverHere { .. } => "replay or discard selected messages instead".to_owned(),
            Self::NotAllowed { rule: Some(_), .. } => {
                "ask someone whom the rule does not exclude".to_owned()
            }
            Self::NotAllowed { rule: None, .. } => {
                "ask someone whom an [[allow]] rule covers, or add a rule to the policy file"
                    .to_owned()
            }
            Self::Frozen { env, by, until, .. } => {
                let end = until.map_or_else(
                    || format!("{by} lifts the freeze"),
                    |until| format!("{until:.0}, or until the freeze is lifted"),
                );
                format!(
                    "wait until {end}; in an emergency: payops account login --env {env} \
                     --access break-glass --reason TEXT"
                )
            }
            Self::AlreadyFrozen { env, .. } => format!(
                "nothing was changed; lift it with: payops freeze lift --env {env} --reason TEXT"
            ),
            Self::NotElevated {
                env,
                needs: AccessLevel::BreakGlass,
                ..
            } => format!(
                "elevate with: payops account login --env {env} --access break-glass --reason TEXT"
            ),
            Self::NotElevated { env, needs, .. } => {
                format!("elevate to {needs} in {env} with a reason")
            }
            Self::ElevationEnded { env, needs, .. } => {
                format!("elevate to {needs} in {env} again")
            }
            Self::NeedsReason {
                problem: ReasonError::Blank,
            } => "add a reason".to_owned(),
            Self::NeedsReason { .. } => "reword the reason".to_owned(),
            Self::NeedsApproval { .. } => {
                "have someone else approve the plan; an approval is valid for 24 hours".to_owned()
            }
        }
    }
}
