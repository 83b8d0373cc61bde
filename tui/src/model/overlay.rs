//! What lies over the views: palette, help, questions, notices.

use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::rollout::RolloutRefusal;
use tui_input::Input;

use super::RolloutId;
use super::dialogs::{ConfirmDialog, ElevateDialog, ReplayDialog, RolloutDialog};
use super::pane::after;
use crate::theme::Tone;

#[derive(Clone, Debug)]
pub(crate) enum Overlay {
    Palette {
        input: Input,
        chosen: usize,
    },
    Help {
        top: usize,
    },
    Environments {
        chosen: usize,
    },
    Prompt(Prompt),
    Rollout(Box<RolloutDialog>),
    Elevate(Box<ElevateDialog>),
    Replay(Box<ReplayDialog>),
    Confirm(Box<ConfirmDialog>),
    /// Why an action cannot be planned.
    Refused {
        title: String,
        refusal: RolloutRefusal,
    },
    /// Text to read, such as a result or an explanation.
    Text {
        title: String,
        lines: Vec<(Tone, String)>,
        top: usize,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    pub(crate) purpose: PromptPurpose,
    pub(crate) words: String,
    pub(crate) input: Input,
    pub(crate) problem: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PromptPurpose {
    /// Images of a rollout: `container=image`.
    SetImage(RolloutId),
}

/// A message in the last line, for a few seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) tone: Tone,
    pub(crate) until: Timestamp,
}

impl Notice {
    pub(crate) fn new(tone: Tone, text: impl Into<String>, now: Timestamp) -> Self {
        Self {
            text: text.into(),
            tone,
            until: after(now, Duration::from_secs(5)),
        }
    }
}
