//! Dead letters of one environment: by cause, or one by one.
//!
//! Browsing may cost receives, so it is done when the view opens and when somebody asks for it,
//! never by the clock, and not again by itself after it failed.

use std::collections::HashSet;
use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::bus::{dead_letter_queue, source_queue};
use payops_core::domain::dead_letter::{causes, fingerprint};
use payops_core::domain::id::PaymentId;
use payops_core::usecase::{DeadLetter, DeadLetterList};

use super::controller::{Controller, next_second};
use super::{dead_letter, navigate};
use crate::effect::{Effect, Request};
use crate::fault::Fault;
use crate::keymap::Command;
use crate::model::{DeadLettersState, Filter, ListInputs, Model, Route, after, match_places};
use crate::redact::redact;
use crate::theme::Tone;

/// For how long a dead letter is selected before it is opened: scrolling past it requests nothing.
const OPEN_AFTER: Duration = Duration::from_millis(150);

/// Lists the dead letters of one queue only, or of all.
pub(super) fn show_only(model: &mut Model, queue: Option<String>) {
    let state = &mut model.dead_letters;
    state.clear_picked();
    (state.queue, state.cause, state.grouped) = (queue, None, false);
    state.filter = Filter::default();
    // The list is refreshed, since a number on another view led here; not where browsing costs.
    state.refresh_requested |= state
        .list
        .value()
        .is_some_and(|list| list.receives_spent == 0);
}

/// Goes to the dead letters of one payment, in `queue` or its dead-letter queue.
pub(super) fn show_payment(model: &mut Model, payment: &PaymentId, queue: &str) {
    show_only(
        model,
        Some(dead_letter_queue(source_queue(queue).unwrap_or(queue))),
    );
    // A quotation mark makes the filter match the whole id exactly.
    model.dead_letters.filter.input = format!("'{payment}").into();
    navigate::push(model, Route::DeadLetters);
}

/// Picks the selected dead letter, or all of its cause; clears them if they are picked already.
fn pick(state: &mut DeadLettersState, all: bool) {
    let ids: Vec<String> = match (state.selected(), state.selected_cause()) {
        (Some(letter), _) if !all => vec![message_id(letter)],
        (Some(letter), _) => {
            // What a filter hides is not picked.
            let listed: HashSet<&str> = state
                .matching
                .iter()
                .filter_map(|place| state.letters().get(*place))
                .map(|letter| letter.message.message_id.as_str())
                .collect();
            state
                .with_cause(&letter.class, &fingerprint(&letter.reason))
                .into_iter()
                .map(message_id)
                .filter(|id| listed.contains(id.as_str()))
                .collect()
        }
        (None, Some(cause)) => state
            .with_cause(&cause.class, &cause.fingerprint)
            .into_iter()
            .map(message_id)
            .collect(),
        (None, None) => return,
    };
    if ids.iter().all(|id| state.picked.contains(id)) {
        for id in &ids {
            state.picked.remove(id);
        }
    } else {
        state.picked.extend(ids);
    }
    if !all {
        state.cursor.move_by(1);
    }
}

fn message_id(letter: &DeadLetter) -> String {
    letter.message.message_id.clone()
}

/// Removes dead letters that are not in their queue any more.
pub(super) fn remove_gone(model: &mut Model, env: &str, message_ids: &[String]) {
    let state = &mut model.dead_letters;
    if state
        .browsed
        .as_ref()
        .is_none_or(|(browsed, _)| browsed != env)
    {
        return;
    }
    let ids: HashSet<&str> = message_ids.iter().map(String::as_str).collect();
    state.list.change_value(|list| {
        list.letters
            .retain(|letter| !ids.contains(letter.message.message_id.as_str()));
    });
    state.removals = state.removals.saturating_add(1);
    state.picked.retain(|id| !ids.contains(id.as_str()));
}

pub(super) fn handle_answer(
    model: &mut Model,
    request_id: u64,
    result: Result<DeadLetterList, Fault>,
) {
    let state = &mut model.dead_letters;
    if state.list.answer(request_id, result, model.now) {
        let present: HashSet<String> = state.letters().iter().map(message_id).collect();
        state.picked.retain(|id| present.contains(id));
    }
}

pub(super) struct DeadLettersController;

impl Controller for DeadLettersController {
    fn run(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let state = &model.dead_letters;
        let id = state.selected().map(message_id);
        let cause = state
            .selected_cause()
            .map(|cause| (cause.class.clone(), cause.fingerprint.clone()));
        match (command, id, cause) {
            (Command::Pick, ..) => pick(&mut model.dead_letters, false),
            (Command::PickAll, ..) => pick(&mut model.dead_letters, true),
            (Command::Group, ..) => {
                model.dead_letters.grouped = !model.dead_letters.grouped;
                model.dead_letters.cause = None;
            }
            (Command::Enter, _, Some(cause)) => {
                model.dead_letters.cause = Some(cause);
                model.dead_letters.grouped = false;
            }
            (Command::Copy, _, Some((class, cause))) => {
                return vec![Effect::Copy(format!(
                    "{}: {}",
                    redact(&class),
                    redact(&cause)
                ))];
            }
            (Command::Enter, Some(id), _) => navigate::push(model, Route::DeadLetter(id)),
            (Command::Copy, Some(_), _) => {
                return model
                    .dead_letters
                    .selected()
                    .map(dead_letter::copy_text)
                    .into_iter()
                    .map(Effect::Copy)
                    .collect();
            }
            (Command::ToPayment, Some(_), _) => {
                match model
                    .dead_letters
                    .selected()
                    .and_then(|letter| letter.payment.clone())
                {
                    Some(payment) => navigate::push(model, Route::Payment(payment)),
                    None => model.notify(Tone::Warn, "this message has no payment"),
                }
            }
            _ => {}
        }
        Vec::new()
    }

    fn clear_restriction(&self, model: &mut Model) -> bool {
        let state = &mut model.dead_letters;
        if !state.picked.is_empty() {
            state.clear_picked();
            return true;
        }
        if state.cause.take().is_some() {
            state.grouped = true;
            return true;
        }
        // Reached from another view, Esc goes back there; else to the dead letters of all queues.
        model.trail.len() == 1 && model.dead_letters.queue.take().is_some()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        let Some(env) = model.open_env() else {
            return Vec::new();
        };
        let state = &mut model.dead_letters;
        if state
            .browsed
            .as_ref()
            .is_some_and(|(browsed, _)| *browsed != env)
        {
            state.list.clear();
            state.clear_picked();
            (state.browsed, state.queue, state.cause) = (None, None, None);
        }
        // Browsing one queue says nothing about the others.
        let covered = state
            .browsed
            .as_ref()
            .is_some_and(|(_, queue)| queue.is_none() || *queue == state.queue);
        if covered && (!state.refresh_requested || state.list.is_pending()) {
            return open_selected(model);
        }
        (state.refresh_requested, state.browsed) =
            (false, Some((env.clone(), state.queue.clone())));
        if !covered {
            state.list.clear();
        }
        let queue = state.queue.clone();
        let request_id = model.next_request();
        model.dead_letters.list.start(request_id);
        vec![Effect::request(
            request_id,
            env,
            Request::DeadLetters { queue },
        )]
    }

    fn wake_at(&self, model: &Model) -> Option<Timestamp> {
        model.open_env()?;
        let state = &model.dead_letters;
        let since = state
            .selected_since
            .as_ref()
            .map_or(model.now, |(_, since)| *since);
        let opens_at = state
            .selected()
            .filter(|letter| !model.dead_letter.is_of(&letter.message.message_id))
            .map(|_| after(since, OPEN_AFTER));
        opens_at.into_iter().chain([next_second(model)]).min()
    }

    fn refresh(&self, model: &mut Model) {
        model.dead_letters.refresh_requested = true;
    }

    fn prepare(&self, model: &mut Model) {
        compute_rows(&mut model.dead_letters);
    }
}

/// Opens a dead letter that has been selected for a moment.
fn open_selected(model: &mut Model) -> Vec<Effect> {
    let Some(id) = model.dead_letters.selected().map(message_id) else {
        return Vec::new();
    };
    let now = model.now;
    match &model.dead_letters.selected_since {
        Some((selected, since)) if *selected == id => {
            if after(*since, OPEN_AFTER) <= now {
                return dead_letter::open(model, &id);
            }
        }
        _ => model.dead_letters.selected_since = Some((id, now)),
    }
    Vec::new()
}

/// Computes causes and rows anew when their inputs have changed.
fn compute_rows(state: &mut DeadLettersState) {
    let inputs = ListInputs {
        list: (state.list.at(), state.removals),
        filter: state.filter.text().to_owned(),
        queue: state.queue.clone(),
        cause: state.cause.clone(),
        grouped: state.grouped,
    };
    if state.inputs.as_ref() == Some(&inputs) {
        return;
    }
    let all = state
        .list
        .value()
        .map_or(&[][..], |list| list.letters.as_slice());
    let before = state.inputs.as_ref();
    let other_look = before.is_none_or(|before| before.list != inputs.list);
    if other_look {
        state.search_texts = all.iter().map(search_text).collect();
    }
    let of_queue = |letter: &&DeadLetter| {
        inputs
            .queue
            .as_ref()
            .is_none_or(|queue| letter.queue == *queue)
    };
    if other_look || before.is_none_or(|before| before.queue != inputs.queue) {
        let failures = all.iter().filter(of_queue).map(|letter| {
            (
                letter.class.as_str(),
                letter.reason.as_str(),
                letter.first_seen,
            )
        });
        state.causes = causes(failures);
    }
    state.matching = if state.grouped {
        let texts: Vec<String> = state
            .causes
            .iter()
            .map(|cause| format!("{} {}", cause.class, redact(&cause.fingerprint)))
            .collect();
        match_places(&inputs.filter, texts.iter().map(String::as_str).enumerate())
    } else {
        let of_cause = |letter: &DeadLetter| {
            inputs.cause.as_ref().is_none_or(|(class, cause)| {
                letter.class == *class && fingerprint(&letter.reason) == *cause
            })
        };
        let within = all
            .iter()
            .zip(&state.search_texts)
            .enumerate()
            .filter(|(_, (letter, _))| of_queue(letter) && of_cause(letter));
        match_places(
            &inputs.filter,
            within.map(|(place, (_, words))| (place, words.as_str())),
        )
    };
    state.inputs = Some(inputs);
}

/// What a dead letter is searched by: what is on screen, and no more.
fn search_text(letter: &DeadLetter) -> String {
    let payment = letter
        .payment
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    format!(
        "{payment} {} {} {} {}",
        letter.message.message_id,
        letter.queue,
        redact(&letter.class),
        redact(&letter.reason)
    )
}
