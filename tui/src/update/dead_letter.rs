//! One dead letter, opened down to the archived request.

use payops_core::Timestamp;
use payops_core::usecase::DeadLetter;

use super::controller::{Controller, next_second};
use super::navigate;
use crate::effect::{Effect, Request};
use crate::keymap::Command;
use crate::model::{DeadLetterState, Model, Route};
use crate::redact::redact;
use crate::views::dead_letter_lines;

/// Requests what is in a dead letter, unless that is known or pending.
pub(crate) fn open(model: &mut Model, id: &str) -> Vec<Effect> {
    let Some(env) = model.open_env() else {
        return Vec::new();
    };
    if !model.dead_letter.is_of(id) {
        model.dead_letter = DeadLetterState {
            message_id: Some(id.to_owned()),
            ..DeadLetterState::default()
        };
    }
    let Some(letter) = model
        .dead_letters
        .find(id)
        .filter(|_| model.dead_letter.contents.is_due(model.now, None))
        .cloned()
    else {
        return Vec::new();
    };
    let request_id = model.next_request();
    model.dead_letter.contents.start(request_id);
    vec![Effect::request(
        request_id,
        env,
        Request::DeadLetter(Box::new(letter)),
    )]
}

pub(crate) fn copy_text(letter: &DeadLetter) -> String {
    let payment = letter
        .payment
        .as_ref()
        .map_or_else(|| "no payment".to_owned(), ToString::to_string);
    format!(
        "{} {payment} {}: {}",
        letter.message.message_id,
        redact(&letter.class),
        redact(&letter.reason)
    )
}

pub(super) struct DeadLetterController;

impl Controller for DeadLetterController {
    fn run(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some(letter) = model
            .dead_letter_route()
            .and_then(|id| model.dead_letters.find(id))
        else {
            return Vec::new();
        };
        match (command, letter.payment.clone()) {
            (Command::Copy, _) => return vec![Effect::Copy(copy_text(letter))],
            (Command::ToPayment, Some(payment)) => navigate::push(model, Route::Payment(payment)),
            _ => {}
        }
        Vec::new()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        let Some(id) = model.dead_letter_route().map(str::to_owned) else {
            return Vec::new();
        };
        open(model, &id)
    }

    fn wake_at(&self, model: &Model) -> Option<Timestamp> {
        [
            model.dead_letter.contents.due_at(None),
            Some(next_second(model)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn refresh(&self, model: &mut Model) {
        model.dead_letter.contents.refresh();
    }

    fn prepare(&self, model: &mut Model) {
        let lines = match (
            model
                .dead_letter_route()
                .and_then(|id| model.dead_letters.find(id)),
            model.dead_letter.contents.value(),
        ) {
            (Some(letter), Some(contents)) => dead_letter_lines(letter, contents, model.now),
            _ => Vec::new(),
        };
        model.dead_letter.lines = lines;
    }
}
