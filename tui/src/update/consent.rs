//! A reason, and where writes are protected the words that say that one knows what one does.

use crossterm::event::{KeyCode, KeyEvent};
use payops_core::domain::pan::contains_card_number;

use crate::model::{Consent, ConsentField};
use crate::widgets::edit;

/// A key while a yes is typed; the reason when it was given.
pub(crate) fn key(consent: &mut Consent, event: &KeyEvent) -> Option<String> {
    match event.code {
        KeyCode::Tab | KeyCode::BackTab | KeyCode::Up | KeyCode::Down
            if consent.expected.is_some() =>
        {
            consent.field = if consent.field == ConsentField::Words {
                ConsentField::Reason
            } else {
                ConsentField::Words
            };
        }
        KeyCode::Enter => match problem(consent) {
            None => return Some(consent.reason.value().trim().to_owned()),
            Some((field, problem)) => {
                // Enter in the first line goes on to the second.
                let goes_on = consent.field == ConsentField::Reason && field == ConsentField::Words;
                consent.problem = (!goes_on).then_some(problem);
                consent.field = field;
            }
        },
        _ => {
            let input = if consent.field == ConsentField::Words {
                &mut consent.words
            } else {
                &mut consent.reason
            };
            if edit::key(input, event) {
                consent.problem = None;
            }
        }
    }
    None
}

/// Text is pasted into the reason; what must be typed is typed.
pub(crate) fn paste(consent: &mut Consent, text: &str) {
    if consent.field == ConsentField::Reason {
        edit::paste(&mut consent.reason, text);
    } else {
        consent.problem = Some("type it; it cannot be pasted".to_owned());
    }
}

/// What is wrong with a reason that is kept for ever.
pub(crate) fn bad_reason(reason: &str, needed: bool) -> Option<String> {
    if needed && reason.is_empty() {
        return Some("say why: it is kept in the audit".to_owned());
    }
    contains_card_number(reason)
        .then(|| "the reason holds what looks like a card number; say why without it".to_owned())
}

fn problem(consent: &Consent) -> Option<(ConsentField, String)> {
    if let Some(problem) = bad_reason(consent.reason.value().trim(), consent.needs_reason) {
        return Some((ConsentField::Reason, problem));
    }
    let expected = consent.expected.as_ref()?;
    (consent.words.value().trim() != expected)
        .then(|| (ConsentField::Words, format!("that is not it: {expected}")))
}
