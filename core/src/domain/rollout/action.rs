//! What somebody can do to a rollout, and when that is refused.

use crate::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageChange {
    /// The container's name; `*` for all.
    pub container: String,
    pub image: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolloutAction {
    /// Go on: end the pause, or else pass over the current step.
    Promote,
    PromoteFull,
    /// Pass over the current step, paused or not.
    Skip,
    Abort,
    Retry,
    Pause,
    Resume,
    Restart {
        at: Timestamp,
    },
    Undo {
        /// Which; `None` for the one before the current.
        revision: Option<u64>,
    },
    SetImage(Vec<ImageChange>),
    TerminateAnalysis {
        name: String,
    },
    TerminateExperiment {
        name: String,
    },
}

impl RolloutAction {
    /// The word on the command line and in the audit.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::PromoteFull => "promote --full",
            Self::Skip => "skip",
            Self::Abort => "abort",
            Self::Retry => "retry",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Restart { .. } => "restart",
            Self::Undo { .. } => "undo",
            Self::SetImage(_) => "set-image",
            Self::TerminateAnalysis { .. } => "terminate analysis",
            Self::TerminateExperiment { .. } => "terminate experiment",
        }
    }
}

/// Why an action is not done: it would do nothing now, or lie in wait and act when nobody expects
/// it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct RolloutRefusal {
    /// Why, in one sentence without a full stop.
    pub why: String,
    pub instead: String,
}

impl RolloutRefusal {
    pub(super) fn new(why: impl Into<String>, instead: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            instead: instead.into(),
        }
    }
}
