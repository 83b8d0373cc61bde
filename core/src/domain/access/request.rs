//! What somebody wants to do, with everything that decides whether they may.

use super::{AccessLevel, Action, Approval, Elevation, Freeze};
use crate::Timestamp;
use crate::domain::money::Money;

/// One question to `Rules::decide`.
#[derive(Clone, Debug)]
pub struct AccessRequest<'a> {
    /// Who wants it: a name that was proven, not typed.
    pub who: &'a str,
    pub action: Action,
    pub env: &'a str,
    pub protected: bool,
    /// How many things at once, such as messages. `None` when nobody knows: more than any limit.
    pub count: Option<u64>,
    /// How much money. `None` for a refund: nobody knows, more than any limit.
    pub amount: Option<Money>,
    /// The level that is theirs without elevation. Break-glass is never standing: it counts as
    /// operate.
    pub level: AccessLevel,
    pub elevation: Option<&'a Elevation>,
    /// The freeze of this environment, ended or not.
    pub freeze: Option<&'a Freeze>,
    pub reason: Option<&'a str>,
    /// SHA-256 of what will be done, in hex: what approvals are for. Without it none counts.
    pub plan_sha256: Option<&'a str>,
    pub approvals: &'a [Approval],
    pub now: Timestamp,
}

impl<'a> AccessRequest<'a> {
    /// A question about one thing in a protected environment by somebody who may only look; the
    /// rest is set by name.
    #[must_use]
    pub fn new(who: &'a str, action: Action, env: &'a str, now: Timestamp) -> Self {
        Self {
            who,
            action,
            env,
            protected: true,
            count: Some(1),
            amount: None,
            level: AccessLevel::View,
            elevation: None,
            freeze: None,
            reason: None,
            plan_sha256: None,
            approvals: &[],
            now,
        }
    }

    /// Their elevation in this environment, ended or not.
    pub(super) fn own_elevation(&self) -> Option<&'a Elevation> {
        self.elevation
            .filter(|elevation| elevation.who == self.who && elevation.env == self.env)
    }

    /// The same, if it has not ended.
    pub(super) fn active_elevation(&self) -> Option<&'a Elevation> {
        self.own_elevation()
            .filter(|elevation| elevation.time_left(self.now).is_positive())
    }

    pub(super) fn current_level(&self) -> AccessLevel {
        let standing = self.level.min(AccessLevel::Operate);
        self.active_elevation()
            .map_or(standing, |elevation| elevation.level.max(standing))
    }
}
