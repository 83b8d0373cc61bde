//! One dead letter, opened down to the archived request.

use payops_core::usecase::DeadLetterContents;

use super::{Cursor, Model, Pane, PaneState, Route};
use crate::theme::Tone;

#[derive(Debug, Default)]
pub(crate) struct DeadLetterState {
    pub(crate) contents: Pane<DeadLetterContents>,
    /// The message id that `contents` belong to.
    pub(crate) message_id: Option<String>,
    pub(crate) cursor: Cursor,
    pub(crate) lines: Vec<(Tone, String)>,
}

impl DeadLetterState {
    /// Whether the dead letter of that id is open, or was asked for.
    pub(crate) fn is_of(&self, message_id: &str) -> bool {
        self.message_id.as_deref() == Some(message_id)
    }

    /// The contents of the dead letter of that id; `None` when nobody asked for them.
    pub(crate) fn contents_of(
        &self,
        message_id: &str,
    ) -> Option<PaneState<'_, DeadLetterContents>> {
        self.is_of(message_id).then(|| self.contents.state())
    }
}

impl Model {
    pub(crate) fn dead_letter_route(&self) -> Option<&str> {
        if let Route::DeadLetter(id) = self.route() {
            Some(id)
        } else {
            None
        }
    }
}
