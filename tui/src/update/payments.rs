//! The payment search: results while the query is typed.

use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::pan::contains_card_number;
use payops_core::domain::payment::Status;
use payops_core::domain::search::SearchQuery;
use payops_core::usecase::SearchResult;

use super::controller::{Controller, next_second};
use super::navigate;
use crate::effect::{Effect, Request};
use crate::fault::Fault;
use crate::keymap::Command;
use crate::model::{Cursor, ItemKey, Model, Route, after, payment_item};
use crate::search_hint::complete;

/// How long nothing must be typed before a search is sent.
const TYPING: Duration = Duration::from_millis(120);

/// How often the results on screen are refreshed.
const EVERY: Duration = Duration::from_secs(5);

/// Takes results, and marks payments whose status changed.
pub(super) fn handle_answer(
    model: &mut Model,
    request_id: u64,
    result: Result<SearchResult, Fault>,
) {
    let fine = result.is_ok();
    let before: Vec<(ItemKey, Status)> = model
        .payments
        .docs()
        .iter()
        .map(|doc| (payment_item(doc), doc.status))
        .collect();
    if !model.payments.results.answer(request_id, result, model.now) || !fine {
        return;
    }
    if model.payments.answered_query != model.payments.sent_query {
        // The best match of a new search comes first.
        model.payments.cursor = Cursor::default();
    }
    model
        .payments
        .answered_query
        .clone_from(&model.payments.sent_query);
    let now = model.now;
    for doc in model.payments.docs() {
        let key = payment_item(doc);
        if before
            .iter()
            .any(|(known, status)| *known == key && *status != doc.status)
        {
            model.marks.mark(&key, "status", now);
        }
    }
}

/// Why a text is not searched for.
fn find_problem(text: &str, now: Timestamp) -> Option<String> {
    if contains_card_number(text) {
        // It would go to the index, and into its log.
        return Some(
            "this looks like a card number, which is never searched for; use last4:1234".to_owned(),
        );
    }
    SearchQuery::parse(text, now)
        .err()
        .map(|error| error.to_string())
}

pub(super) struct PaymentsController;

impl Controller for PaymentsController {
    fn run(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        if command == Command::Complete {
            let filter = &mut model.payments.filter;
            if let Some(text) = complete(filter.text()) {
                filter.input = text.into();
                filter.open = true;
            }
            return Vec::new();
        }
        let doc = model.payments.docs().get(model.payments.cursor.row);
        let Some(id) = doc.map(|doc| doc.id.clone()) else {
            return Vec::new();
        };
        match command {
            Command::Enter => navigate::push(model, Route::Payment(id)),
            Command::Copy => return vec![Effect::Copy(id.to_string())],
            _ => {}
        }
        Vec::new()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        let Some(env) = model.open_env() else {
            return Vec::new();
        };
        let (now, text) = (model.now, model.payments.filter.text().to_owned());
        let state = &mut model.payments;
        if state
            .last_edit
            .as_ref()
            .is_none_or(|(typed, _)| *typed != text)
        {
            state.problem = find_problem(&text, now);
            state.last_edit = Some((text.clone(), now));
        }
        if state
            .sent_query
            .as_ref()
            .is_some_and(|(sent_env, _)| *sent_env != env)
        {
            // Payments of another environment are never shown as if they were of this one.
            state.results.clear();
            (state.sent_query, state.answered_query, state.cursor) =
                (None, None, Cursor::default());
        }
        if state.problem.is_some() {
            return Vec::new();
        }
        let quiet = state
            .last_edit
            .as_ref()
            .is_none_or(|(text, since)| text.is_empty() || after(*since, TYPING) <= now);
        let query = Some((env.clone(), text.clone()));
        let due = if state.sent_query == query {
            state.results.is_due(now, Some(EVERY))
        } else {
            quiet
        };
        if !due {
            return Vec::new();
        }
        let request_id = model.next_request();
        model.payments.sent_query = query;
        model.payments.results.start(request_id);
        vec![Effect::request(request_id, env, Request::Search { text })]
    }

    fn wake_at(&self, model: &Model) -> Option<Timestamp> {
        let (state, env) = (&model.payments, model.open_env()?);
        let second = Some(next_second(model));
        if state.problem.is_some() {
            return second;
        }
        let is_sent = state
            .sent_query
            .as_ref()
            .is_some_and(|(of, text)| *of == env && text == state.filter.text());
        let typed = state
            .last_edit
            .as_ref()
            .filter(|_| !is_sent)
            .map(|(_, since)| after(*since, TYPING));
        [
            typed,
            state.results.due_at(Some(EVERY)).filter(|_| is_sent),
            second,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn refresh(&self, model: &mut Model) {
        model.payments.results.refresh();
    }
}
