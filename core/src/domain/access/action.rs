//! What somebody can want to do, under the names that the policy file uses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::AccessLevel;
use crate::domain::rollout::RolloutAction;

macro_rules! deeds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What somebody wants to do. Looking at what is shown masked is not among them.
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

deeds! {
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
    DlqReplay = "dlq.replay",
    DlqDiscard = "dlq.discard",
    DlqEdit = "dlq.edit",
    /// Moving a whole dead-letter queue back by the queue service itself.
    DlqRedrive = "dlq.redrive",
    DlqRedriveCancel = "dlq.redrive-cancel",
    DlqPurge = "dlq.purge",
    DlqPeek = "dlq.peek",
    DlqExport = "dlq.export",
    PaymentRefund = "payment.refund",
    PaymentCancel = "payment.cancel",
    /// Deciding what a payment whose fate is unknown has come to.
    PaymentResolve = "payment.resolve",
    PaymentReveal = "payment.reveal",
    IndexRebuild = "index.rebuild",
    FreezeSet = "freeze.set",
    FreezeLift = "freeze.lift",
}

impl Action {
    /// The least duty it needs. None needs break-glass by itself: that is for acting in a freeze,
    /// and a rule may ask for it.
    #[must_use]
    pub const fn needs(self) -> AccessLevel {
        match self {
            Self::DlqPeek | Self::DlqExport => AccessLevel::View,
            _ => AccessLevel::Operate,
        }
    }

    #[must_use]
    pub const fn writes(self) -> bool {
        !matches!(self, Self::DlqPeek | Self::DlqExport | Self::PaymentReveal)
    }

    #[must_use]
    pub const fn stops_in_a_freeze(self) -> bool {
        self.writes() && !matches!(self, Self::FreezeLift | Self::DlqRedriveCancel)
    }

    /// Whether it needs a reason even where nothing is protected.
    #[must_use]
    pub const fn always_needs_a_reason(self) -> bool {
        matches!(
            self,
            Self::PaymentReveal | Self::PaymentResolve | Self::DlqDiscard | Self::DlqPurge
        )
    }

    /// Whether it pays money out: asked for without an amount, the amount is unknown.
    #[must_use]
    pub const fn pays(self) -> bool {
        matches!(self, Self::PaymentRefund)
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
#[error("not a deed such as dlq.replay")]
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
            .find(|deed| deed.as_str() == text)
            .ok_or(UnknownAction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deeds_have_one_spelling() {
        for deed in Action::ALL {
            assert_eq!(deed.to_string().parse(), Ok(*deed));
            assert_eq!(serde_json::to_value(deed).expect("JSON"), deed.as_str());
        }
        assert_eq!("dlq.Replay".parse::<Action>(), Err(UnknownAction));
        assert_eq!(
            Action::from(&RolloutAction::Undo { revision: None }).as_str(),
            "rollout.undo"
        );
    }

    #[test]
    fn only_these_are_reads() {
        let reads: Vec<&str> = Action::ALL
            .iter()
            .filter(|deed| !deed.writes())
            .map(|deed| deed.as_str())
            .collect();
        assert_eq!(reads, ["dlq.peek", "dlq.export", "payment.reveal"]);
        let going_on: Vec<&str> = Action::ALL
            .iter()
            .filter(|deed| !deed.stops_in_a_freeze())
            .map(|deed| deed.as_str())
            .collect();
        assert_eq!(
            going_on,
            [
                "dlq.redrive-cancel",
                "dlq.peek",
                "dlq.export",
                "payment.reveal",
                "freeze.lift"
            ]
        );
        assert!(
            Action::ALL
                .iter()
                .all(|deed| deed.needs() == AccessLevel::Operate || !deed.writes())
        );
    }
}
