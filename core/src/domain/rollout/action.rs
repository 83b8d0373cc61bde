//! What somebody can do to a rollout, and when that is refused.

use super::RolloutKey;
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

    /// The same with kubectl; the plug-in `argo rollouts` where it knows the action.
    #[must_use]
    pub fn kubectl(&self, key: &RolloutKey) -> String {
        let RolloutKey { namespace, name } = key;
        let plugin = |verb: &str| format!("kubectl argo rollouts {verb} {name} -n {namespace}");
        let patch = |kind: &str, name: &str| {
            format!(
                "kubectl patch {kind} {name} -n {namespace} --type merge -p \
                    '{{\"spec\":{{\"terminate\":true}}}}'"
            )
        };
        match self {
            Self::Promote => plugin("promote"),
            Self::PromoteFull => format!("{} --full", plugin("promote")),
            Self::Skip => format!("{} --skip-current-step", plugin("promote")),
            Self::Abort => plugin("abort"),
            Self::Retry => plugin("retry rollout"),
            Self::Pause => plugin("pause"),
            Self::Resume => {
                format!(
                    "kubectl patch rollout {name} -n {namespace} --type merge -p \
                        '{{\"spec\":{{\"paused\":false}}}}'"
                )
            }
            Self::Restart { .. } => plugin("restart"),
            Self::Undo { revision } => {
                let to = revision
                    .map(|revision| format!(" --to-revision={revision}"))
                    .unwrap_or_default();
                format!("{}{to}", plugin("undo"))
            }
            Self::SetImage(images) => {
                let images: Vec<String> = images
                    .iter()
                    .map(|change| quoted(&format!("{}={}", change.container, change.image)))
                    .collect();
                format!(
                    "kubectl argo rollouts set image {name} {} -n {namespace}",
                    images.join(" ")
                )
            }
            Self::TerminateAnalysis { name } => patch("analysisrun", name),
            Self::TerminateExperiment { name } => patch("experiment", name),
        }
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '@' | '+' | '=')
    };
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
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
