//! What an operator may do, under the names that policy, record and commands share.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::AccessLevel;
use crate::domain::rollout::RolloutAction;

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What an operator may do, named alike in policy files, the audit record, commands and docs.
        /// Looking at what is shown masked is not among them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Action {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Action {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

actions! {
    RolloutPromote = "rollout.promote",
    RolloutPromoteFull = "rollout.promote-full",
    RolloutSkip = "rollout.skip",
    RolloutAbort = "rollout.abort",
    RolloutRetry = "rollout.retry",
    RolloutPause = "rollout.pause",
    RolloutResume = "rollout.resume",
    RolloutRestart = "rollout.restart",
    RolloutUndo = "rollout.undo",
    RolloutSetImage = "rollout.set-image",
    RolloutTerminateAnalysis = "rollout.terminate-analysis",
    RolloutTerminateExperiment = "rollout.terminate-experiment",
    /// Sending dead letters again, one by one as planned.
    DlqReplay = "dlq.replay",
    DlqDiscard = "dlq.discard",
    /// Sending a dead letter whose body was changed.
    DlqEdit = "dlq.edit",
    /// Moving a whole dead-letter queue back by the queue service itself.
    DlqRedrive = "dlq.redrive",
    DlqRedriveCancel = "dlq.redrive-cancel",
    /// Receiving dead letters to look at them.
    DlqPeek = "dlq.peek",
    /// Writing dead letters, masked, to a file.
    DlqExport = "dlq.export",
    /// Approving what somebody else planned: a replay, an edit.
    DlqApprove = "dlq.approve",
    /// Deleting every message of a queue, unread.
    QueuePurge = "queue.purge",
    PaymentCreate = "payment.create",
    PaymentRefund = "payment.refund",
    PaymentCancel = "payment.cancel",
    /// Deciding how a payment in review ended.
    PaymentResolve = "payment.resolve",
    /// Show personal data that is masked otherwise.
    PaymentReveal = "payment.reveal",
    /// Approving a refund that somebody else planned.
    PaymentApprove = "payment.approve",
    /// Building the search index anew.
    IndexRebuild = "index.rebuild",
    /// Mending what the demo broke on purpose.
    LocalFix = "local.fix",
    FreezeSet = "freeze.set",
    FreezeLift = "freeze.lift",
    /// Begin an elevation, with a reason.
    AccountLogin = "account.login",
    /// Ending an elevation before its time.
    AccountLogout = "account.logout",
}

impl Action {
    /// The least access level it needs. A rule may ask for more.
    #[must_use]
    pub const fn needs(self) -> AccessLevel {
        match self {
            Self::DlqPeek
            | Self::DlqExport
            | Self::DlqApprove
            | Self::PaymentApprove
            | Self::AccountLogin
            | Self::AccountLogout => AccessLevel::View,
            // No copy is left, so it is nobody's daily work.
            Self::QueuePurge => AccessLevel::BreakGlass,
            _ => AccessLevel::Operate,
        }
    }

    /// Whether it changes something in the environment.
    #[must_use]
    pub const fn writes(self) -> bool {
        !matches!(
            self,
            Self::DlqPeek
                | Self::DlqExport
                | Self::DlqApprove
                | Self::PaymentReveal
                | Self::PaymentApprove
                | Self::AccountLogin
                | Self::AccountLogout
        )
    }

    /// Whether a freeze stops it.
    #[must_use]
    pub const fn stops_in_a_freeze(self) -> bool {
        self.writes() && !matches!(self, Self::FreezeLift | Self::DlqRedriveCancel)
    }

    /// Whether it needs a reason even where nothing is protected.
    #[must_use]
    pub const fn always_needs_a_reason(self) -> bool {
        matches!(
            self,
            Self::PaymentReveal
                | Self::PaymentResolve
                | Self::DlqDiscard
                | Self::QueuePurge
                | Self::FreezeSet
                | Self::AccountLogin
        )
    }

    /// Whether it moves money: asked for without an amount, the amount is unknown.
    #[must_use]
    pub const fn pays(self) -> bool {
        matches!(self, Self::PaymentCreate | Self::PaymentRefund)
    }

    /// Whether it is free on an embedded environment: neither reason nor confirmation nor
    /// elevation is needed there, since the demo and tests are made of such acts.
    #[must_use]
    pub const fn is_free_when_embedded(self) -> bool {
        matches!(
            self,
            Self::PaymentCreate | Self::LocalFix | Self::IndexRebuild
        )
    }

    /// The action whose rules decide about this one, when it has none of its own: who may not
    /// replay may not approve a replay. Elevations are limited by the roles that may be assumed,
    /// so that only a `deny` stops them.
    #[must_use]
    pub const fn judged_as(self) -> Option<Self> {
        match self {
            Self::DlqApprove => Some(Self::DlqReplay),
            Self::PaymentApprove => Some(Self::PaymentRefund),
            Self::AccountLogin | Self::AccountLogout => None,
            _ => Some(self),
        }
    }

    /// Names that policy files used before, and that their rules still mean.
    #[must_use]
    pub const fn old_names(self) -> &'static [&'static str] {
        match self {
            Self::QueuePurge => &["dlq.purge"],
            _ => &[],
        }
    }

    /// Names that the audit record used before for this action. Records are never rewritten, so
    /// that a search by the new name must find them.
    #[must_use]
    pub fn is_recorded_as(self, recorded: &str) -> bool {
        if recorded == self.as_str() || self.old_names().contains(&recorded) {
            return true;
        }
        match self {
            Self::DlqReplay => matches!(recorded, "replay" | "replay-resume"),
            Self::DlqEdit => recorded == "replay-edited",
            Self::DlqDiscard => recorded == "discard",
            Self::DlqRedrive => recorded == "redrive",
            Self::DlqRedriveCancel => recorded == "redrive-cancel",
            Self::QueuePurge => recorded == "purge",
            Self::PaymentCancel => recorded == "cancel",
            Self::PaymentRefund => recorded == "refund",
            Self::PaymentReveal => recorded == "reveal",
            Self::PaymentResolve => recorded.starts_with("resolve-"),
            Self::AccountLogin => recorded == "elevate",
            Self::AccountLogout => recorded == "give-back",
            _ => self
                .as_str()
                .strip_prefix("rollout.")
                .is_some_and(|verb| recorded.strip_prefix("rollout ") == Some(verb)),
        }
    }
}

impl From<&RolloutAction> for Action {
    fn from(action: &RolloutAction) -> Self {
        match action {
            RolloutAction::Promote => Self::RolloutPromote,
            RolloutAction::PromoteFull => Self::RolloutPromoteFull,
            RolloutAction::Skip => Self::RolloutSkip,
            RolloutAction::Abort => Self::RolloutAbort,
            RolloutAction::Retry => Self::RolloutRetry,
            RolloutAction::Pause => Self::RolloutPause,
            RolloutAction::Resume => Self::RolloutResume,
            RolloutAction::Restart { .. } => Self::RolloutRestart,
            RolloutAction::Undo { .. } => Self::RolloutUndo,
            RolloutAction::SetImage(_) => Self::RolloutSetImage,
            RolloutAction::TerminateAnalysis { .. } => Self::RolloutTerminateAnalysis,
            RolloutAction::TerminateExperiment { .. } => Self::RolloutTerminateExperiment,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an action such as dlq.replay")]
pub struct UnknownAction;

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Action {
    type Err = UnknownAction;
    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        Self::ALL
            .iter()
            .copied()
            .find(|action| action.as_str() == text || action.old_names().contains(&text))
            .ok_or(UnknownAction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_have_one_spelling() {
        for action in Action::ALL {
            assert_eq!(action.to_string().parse(), Ok(*action));
            assert_eq!(serde_json::to_value(action).expect("JSON"), action.as_str());
        }
        assert_eq!("dlq.Replay".parse::<Action>(), Err(UnknownAction));
        assert_eq!("dlq.purge".parse(), Ok(Action::QueuePurge));
        assert_eq!(
            Action::from(&RolloutAction::Undo { revision: None }).as_str(),
            "rollout.undo"
        );
    }

    #[test]
    fn only_these_are_reads() {
        let reads: Vec<&str> = Action::ALL
            .iter()
            .filter(|action| !action.writes())
            .map(|action| action.as_str())
            .collect();
        assert_eq!(
            reads,
            [
                "dlq.peek",
                "dlq.export",
                "dlq.approve",
                "payment.reveal",
                "payment.approve",
                "account.login",
                "account.logout"
            ]
        );
        let going_on: Vec<&str> = Action::ALL
            .iter()
            .filter(|action| !action.stops_in_a_freeze())
            .map(|action| action.as_str())
            .collect();
        assert_eq!(
            going_on,
            [
                "dlq.redrive-cancel",
                "dlq.peek",
                "dlq.export",
                "dlq.approve",
                "payment.reveal",
                "payment.approve",
                "freeze.lift",
                "account.login",
                "account.logout"
            ]
        );
        assert!(
            Action::ALL
                .iter()
                .all(|action| action.needs() >= AccessLevel::Operate || !action.writes())
        );
    }

    #[test]
    fn old_records_are_found_by_the_new_names() {
        for (action, recorded) in [
            (Action::DlqReplay, "replay-resume"),
            (Action::DlqEdit, "replay-edited"),
            (Action::PaymentResolve, "resolve-not_charged"),
            (Action::RolloutPromoteFull, "rollout promote-full"),
            (Action::AccountLogin, "elevate"),
            (Action::QueuePurge, "purge"),
        ] {
            assert!(action.is_recorded_as(recorded), "{action} {recorded}");
            let others = Action::ALL.iter().filter(|other| **other != action);
            assert!(
                others
                    .into_iter()
                    .all(|other| !other.is_recorded_as(recorded))
            );
        }
        assert!(!Action::RolloutPromote.is_recorded_as("rollout promote-full"));
    }
}
