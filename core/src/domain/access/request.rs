//! What somebody wants to do, with everything that decides whether they may.

use super::{AccessLevel, Action, Approval, Elevation, Freeze};
use crate::Timestamp;
use crate::domain::money::Money;

/// One question to [`super::Rules::decide`].
#[derive(Clone, Debug)]
pub struct AccessRequest<'a> {
    /// Who wants it: a name that was proven, not typed.
    pub who: &'a str,
    pub deed: Action,
    pub env: &'a str,
    pub protected: bool,
    /// How many things at once, such as messages. `None` when nobody knows: more than any limit.
    pub count: Option<u64>,
    /// How much money. `None` for a refund: nobody knows, more than any limit.
    pub amount: Option<Money>,
    /// The duty that is theirs without elevation. Break-glass is never standing: it counts as
    /// operate.
    pub duty: AccessLevel,
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
    pub fn new(who: &'a str, deed: Action, env: &'a str, now: Timestamp) -> Self {
        Self {
            who,
            deed,
            env,
            protected: true,
            count: Some(1),
            amount: None,
            duty: AccessLevel::View,
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
    pub(super) fn elevated(&self) -> Option<&'a Elevation> {
        self.own_elevation()
            .filter(|elevation| elevation.left(self.now).is_positive())
    }

    pub(super) fn acts_with(&self) -> AccessLevel {
        let standing = self.duty.min(AccessLevel::Operate);
        self.elevated()
            .map_or(standing, |elevation| elevation.duty.max(standing))
    }
}
