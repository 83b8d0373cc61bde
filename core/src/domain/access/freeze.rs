//! An incident freeze: nothing is changed in an environment until it is lifted.

use serde::{Deserialize, Serialize};

use super::{ReasonError, parse_reason};
use crate::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    pub env: String,
    pub by: String,
    pub reason: String,
    pub since: Timestamp,
    /// Until when; `None` until it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FreezeError {
    #[error(transparent)]
    Reason(#[from] ReasonError),
    #[error("the end of the freeze must be after its start")]
    Over,
}

impl Freeze {
    /// A freeze from `now` on.
    pub fn begin(
        env: &str,
        by: &str,
        reason: &str,
        now: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Self, FreezeError> {
        if until.is_some_and(|until| until <= now) {
            return Err(FreezeError::Over);
        }
        Ok(Self {
            env: env.to_owned(),
            by: by.to_owned(),
            reason: parse_reason(reason)?,
            since: now,
            until,
        })
    }

    /// Whether it holds. One that is dated later than now holds too: the clocks are apart, and
    /// stopping is the safe side.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[track_caller]
    fn check(until: Option<i64>, now: i64, expected: bool) {
        let freeze =
            Freeze::begin("prod", "anna", "incident 7", at(100), until.map(at)).expect("a freeze");
        assert_eq!(freeze.is_active(at(now)), expected);
        let text = serde_json::to_string(&freeze).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Freeze>(&text).expect("a freeze"),
            freeze
        );
    }

    #[test]
    fn a_freeze_holds_until_its_end() {
        check(None, 1_000_000, true);
        check(Some(200), 199, true);
        check(Some(200), 200, false);
        check(None, 99, true);
    }

    #[test]
    fn a_freeze_has_a_reason_and_is_not_over_at_once() {
        assert_eq!(
            Freeze::begin("prod", "anna", "", at(1), None),
            Err(FreezeError::Reason(ReasonError::Blank))
        );
        assert_eq!(
            Freeze::begin("prod", "anna", "x", at(1), Some(at(1))),
            Err(FreezeError::Over)
        );
    }
}
