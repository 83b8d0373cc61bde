//! Dialogs that ask before something is done.

use std::sync::Arc;
use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::access::AccessLevel;
use payops_core::domain::rollout::{Rollout, RolloutPlan};
use payops_core::operations::{ReplayRequest, ReplayReview};
use payops_core::usecase::DeadLetter;
use tui_input::Input;

use super::RolloutId;
use super::pane::after;
use crate::effect::TaskKind;
use crate::fault::Fault;
use crate::theme::Tone;

/// A label and its text, as a dialog lists them.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) label: &'static str,
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

impl Fact {
    pub(crate) fn new(label: &'static str, text: impl Into<String>, tone: Tone) -> Self {
        Self {
            label,
            text: text.into(),
            tone,
        }
    }
}

/// The plan of an action on a rollout.
#[derive(Clone, Debug)]
pub(crate) struct RolloutDialog {
    pub(crate) id: RolloutId,
    pub(crate) plan: RolloutPlan,
    pub(crate) seen: Arc<Rollout>,
    /// When `seen` was last known to be the state of the rollout.
    pub(crate) seen_at: Timestamp,
    /// The request for `equivalent`.
    pub(crate) request_id: u64,
    /// The command that does the same, once the cluster has said it.
    pub(crate) equivalent: String,
    pub(crate) confirmation: Confirmation,
}

/// An action on a rollout that was sent and is not answered.
#[derive(Clone, Debug)]
pub(crate) struct PendingAction {
    pub(crate) id: RolloutId,
    pub(crate) plan: RolloutPlan,
    pub(crate) seen: Arc<Rollout>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ElevateField {
    Reason,
    Ticket,
    Code,
}

#[derive(Clone, Debug)]
pub(crate) struct ElevateDialog {
    pub(crate) env: String,
    pub(crate) level: AccessLevel,
    pub(crate) reason: Input,
    pub(crate) ticket: Input,
    /// The MFA code, once the role has asked for one.
    pub(crate) code: Option<Input>,
    pub(crate) field: ElevateField,
    pub(crate) problem: Option<String>,
    /// The request that is not answered yet.
    pub(crate) pending: Option<u64>,
    pub(crate) top: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum PlanState {
    None,
    Requested(u64),
    Failed(Fault),
    Ready(Box<ReviewedPlan>),
}

/// A plan and its description: made once, not for each frame.
#[derive(Clone, Debug)]
pub(crate) struct ReviewedPlan {
    pub(crate) review: ReplayReview,
    pub(crate) facts: Vec<Fact>,
}

/// Messages of a plan that are still to be sent.
pub(crate) fn remaining_messages(review: &ReplayReview) -> usize {
    review
        .plan
        .messages
        .len()
        .saturating_sub(review.settled.unwrap_or(0))
}

/// An option of a replay that is typed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplayOption {
    Canary,
    /// Messages a second at most.
    Rate,
    /// What is put into the body, as `/pointer=value`.
    Set,
}

#[derive(Clone, Debug)]
pub(crate) struct ReplayDialog {
    pub(crate) env: String,
    /// Whether queue, count and a reason must be typed.
    pub(crate) protected: bool,
    pub(crate) letters: Arc<[DeadLetter]>,
    pub(crate) request: ReplayRequest,
    pub(crate) plan: PlanState,
    pub(crate) option: Option<(ReplayOption, Input)>,
    /// The confirmation that is being typed; `None` while the plan is read.
    pub(crate) confirmation: Option<Confirmation>,
    pub(crate) note: Option<Result<String, String>>,
    pub(crate) top: usize,
}

/// A question that starts a task when it is confirmed.
#[derive(Clone, Debug)]
pub(crate) struct ConfirmDialog {
    pub(crate) env: String,
    pub(crate) title: &'static str,
    pub(crate) facts: Vec<Fact>,
    pub(crate) confirmation: Confirmation,
    pub(crate) task_name: String,
    /// The task, without the reason.
    pub(crate) task: TaskKind,
    pub(crate) top: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ConfirmationField {
    #[default]
    Reason,
    Phrase,
}

/// A reason, and the phrase that must be typed where writes are protected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Confirmation {
    /// `None` where a key is enough.
    pub(crate) phrase: Option<String>,
    pub(crate) needs_reason: bool,
    pub(crate) reason: Input,
    pub(crate) typed: Input,
    pub(crate) field: ConfirmationField,
    pub(crate) problem: Option<String>,
    /// Keys before this were pressed before the question could be read.
    pub(crate) accepts_from: Timestamp,
}

/// How long a question that no phrase protects ignores keys after it was opened.
const UNREAD: Duration = Duration::from_millis(300);

impl Confirmation {
    /// A question that is opened `now`.
    pub(crate) fn new(phrase: &str, protected: bool, needs_reason: bool, now: Timestamp) -> Self {
        Self {
            phrase: protected.then(|| phrase.to_owned()),
            needs_reason: needs_reason || protected,
            accepts_from: after(now, UNREAD),
            ..Self::default()
        }
    }

    /// Whether a key could not have been meant for this question. Where a phrase must be typed,
    /// no key by itself does anything.
    pub(crate) fn ignores_keys(&self, now: Timestamp) -> bool {
        self.phrase.is_none() && now < self.accepts_from
    }
}
