//! Typing a reason, and the phrase that is required where writes are protected.

use crossterm::event::{KeyCode, KeyEvent};
use payops_core::domain::pan::contains_card_number;

use super::edit;
use crate::model::{Confirmation, ConfirmationField};

/// Handles a key; the reason, once everything that is required was typed.
pub(super) fn handle_key(confirmation: &mut Confirmation, event: &KeyEvent) -> Option<String> {
    match event.code {
        KeyCode::Tab | KeyCode::BackTab | KeyCode::Up | KeyCode::Down
            if confirmation.phrase.is_some() =>
        {
            confirmation.field = if confirmation.field == ConfirmationField::Phrase {
                ConfirmationField::Reason
            } else {
                ConfirmationField::Phrase
            };
        }
        KeyCode::Enter => match find_problem(confirmation) {
            None => return Some(confirmation.reason.value().trim().to_owned()),
            Some((field, problem)) => {
                // Enter in the first line moves to the second.
                let moves = confirmation.field == ConfirmationField::Reason
                    && field == ConfirmationField::Phrase;
                confirmation.problem = (!moves).then_some(problem);
                confirmation.field = field;
            }
        },
        _ => {
            let input = if confirmation.field == ConfirmationField::Phrase {
                &mut confirmation.typed
            } else {
                &mut confirmation.reason
            };
            if edit::handle_key(input, event) {
                confirmation.problem = None;
            }
        }
    }
    None
}

/// Pastes into the reason. The phrase must be typed: that is what it is for.
pub(super) fn handle_paste(confirmation: &mut Confirmation, text: &str) {
    if confirmation.field == ConfirmationField::Reason {
        edit::paste(&mut confirmation.reason, text);
    } else {
        confirmation.problem = Some("type it; it cannot be pasted".to_owned());
    }
}

/// Why a reason cannot be kept in the audit record.
pub(super) fn find_reason_problem(reason: &str, required: bool) -> Option<String> {
    if required && reason.is_empty() {
        return Some("enter a reason: it is kept in the audit record".to_owned());
    }
    contains_card_number(reason)
        .then(|| "the reason looks like it contains a card number; remove it".to_owned())
}

fn find_problem(confirmation: &Confirmation) -> Option<(ConfirmationField, String)> {
    let reason = confirmation.reason.value().trim();
    if let Some(problem) = find_reason_problem(reason, confirmation.needs_reason) {
        return Some((ConfirmationField::Reason, problem));
    }
    let phrase = confirmation.phrase.as_ref()?;
    (confirmation.typed.value().trim() != phrase).then(|| {
        (
            ConfirmationField::Phrase,
            format!("does not match: {phrase}"),
        )
    })
}
