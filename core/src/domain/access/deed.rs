//! What somebody can want to do, under the names that the policy file uses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Duty;
use crate::domain::rollout::Action;

macro_rules! deeds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What somebody wants to do. Looking at what is shown masked is not among them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Deed {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Deed {
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

impl Deed {
    /// The least duty it needs. None needs break-glass by itself: that is for acting in a freeze,
    /// and a rule may ask for it.
    #[must_use]
    pub const fn needs(self) -> Duty {
        match self {
            Self::DlqPeek | Self::DlqExport => Duty::View,
            _ => Duty::Operate,
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

impl From<&Action> for Deed {
    fn from(action: &Action) -> Self {
        match action {
            Action::Promote => Self::RolloutPromote,
            Action::PromoteFull => Self::RolloutPromoteFull,
            Action::Skip => Self::RolloutSkip,
            Action::Abort => Self::RolloutAbort,
            Action::Retry => Self::RolloutRetry,
            Action::Pause => Self::RolloutPause,
            Action::Resume => Self::RolloutResume,
            Action::Restart { .. } => Self::RolloutRestart,
            Action::Undo { .. } => Self::RolloutUndo,
            Action::SetImage(_) => Self::RolloutSetImage,
            Action::TerminateAnalysis { .. } => Self::RolloutTerminateAnalysis,
            Action::TerminateExperiment { .. } => Self::RolloutTerminateExperiment,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a deed such as dlq.replay")]
pub struct UnknownDeed;

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Deed {
    type Err = UnknownDeed;
    fn from_str(text: &str) -> Result<Self, UnknownDeed> {
        Self::ALL
            .iter()
            .copied()
            .find(|deed| deed.as_str() == text)
            .ok_or(UnknownDeed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deeds_have_one_spelling() {
        for deed in Deed::ALL {
            assert_eq!(deed.to_string().parse(), Ok(*deed));
            assert_eq!(serde_json::to_value(deed).expect("JSON"), deed.as_str());
        }
        assert_eq!("dlq.Replay".parse::<Deed>(), Err(UnknownDeed));
        assert_eq!(
            Deed::from(&Action::Undo { revision: None }).as_str(),
            "rollout.undo"
        );
    }

    #[test]
    fn only_these_are_reads() {
        let reads: Vec<&str> = Deed::ALL
            .iter()
            .filter(|deed| !deed.writes())
            .map(|deed| deed.as_str())
            .collect();
        assert_eq!(reads, ["dlq.peek", "dlq.export", "payment.reveal"]);
        let going_on: Vec<&str> = Deed::ALL
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
            Deed::ALL
                .iter()
                .all(|deed| deed.needs() == Duty::Operate || !deed.writes())
        );
    }
}
