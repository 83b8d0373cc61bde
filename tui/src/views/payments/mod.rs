//! The payment search: one box, answers while one types.

mod head;
mod hint;

use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::mask;
use payops_core::domain::money::major;
use payops_core::domain::pan::contains_card_number;
use payops_core::domain::payment::Status;
use payops_core::domain::privacy::Privacy;
use payops_core::domain::search::SearchQuery;
use payops_core::usecase::SearchResult;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::dead_letters::shown;
use super::{Freshness, View, opened, rollouts};
use crate::effect::{Ask, Effect};
use crate::fault::Fault;
use crate::keymap::{Binding, Command, Key};
use crate::model::{Cursor, Filter, ItemKey, Look, Model, Pane, Route, after};
use crate::theme::Tone;
use crate::update::global;
use crate::widgets::state;
use crate::widgets::table::{self, Column};
use crate::widgets::words::age;

/// How long nothing must be typed before the question is put.
const TYPING: Duration = Duration::from_millis(120);
/// How often the answer on screen is asked for again.
const EVERY: Duration = Duration::from_secs(5);
/// Screens of so many columns have room for whole payment ids.
const WIDE: u16 = 100;

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) found: Pane<SearchResult>,
    /// Environment and text that the last question was about.
    asked: Option<(String, String)>,
    answered: Option<(String, String)>,
    /// The text as it was last seen, and since when.
    typed: Option<(String, Timestamp)>,
    problem: Option<String>,
    pub(crate) filter: Filter,
    cursor: Cursor,
}

pub(crate) struct Payments;

const KEYS: &[Binding] = &[
    Binding::shown(&[Key::ch('/'), Key::ch('s')], Command::Filter, "search"),
    Binding::shown(
        &[Key::code(crossterm::event::KeyCode::Enter)],
        Command::Enter,
        "payment",
    ),
    Binding::shown(
        &[Key::code(crossterm::event::KeyCode::Tab)],
        Command::Complete,
        "complete",
    ),
    Binding::shown(&[Key::ch('y')], Command::Copy, "copy id"),
];

const COLUMNS: &[Column] = &[
    Column::text("PAYMENT", 30),
    Column::text("STATUS", 20),
    Column::number("AMOUNT", 13),
    Column::number("AGE", 4),
    Column::text("REFERENCE", 12).flex(2).rank(1),
    Column::text("EMAIL", 14).flex(1).rank(2),
    Column::text("CARD", 10).flex(1).rank(3),
    Column::text("FAILURE", 18).rank(4),
    Column::text("MERCHANT", 10).rank(5),
];

/// The same where there is no room for whole ids.
const COLUMNS_NARROW: &[Column] = &[
    Column::text("PAYMENT", 13),
    Column::text("STATUS", 13).flex(1),
    Column::number("AMOUNT", 12),
    Column::number("AGE", 4),
    Column::text("REFERENCE", 13).flex(2).rank(1),
    Column::text("EMAIL", 13).flex(1).rank(2),
];

pub(super) fn sign(status: Status, dead: bool) -> (&'static str, Tone) {
    match status {
        _ if dead => ("✖", Tone::Bad),
        Status::Completed | Status::Refunded | Status::PartiallyRefunded => ("✔", Tone::Good),
        Status::Processing => ("◌", Tone::Accent),
        Status::Failed => ("✖", Tone::Bad),
        Status::Review => ("⚠", Tone::Warn),
        Status::Canceled => ("○", Tone::Dim),
    }
}

/// An id of which beginning and end are enough to tell it from others: `pay_01JD…X8Q2`.
pub(super) fn short_id(id: &str) -> String {
    match (id.get(..8), id.get(id.len().saturating_sub(4)..)) {
        (Some(start), Some(end)) if id.len() > 13 => format!("{start}…{end}"),
        _ => id.to_owned(),
    }
}

/// Takes an answer; payments whose status is another one now are marked.
pub(crate) fn answered(model: &mut Model, request: u64, result: Result<SearchResult, Fault>) {
    let fine = result.is_ok();
    let before: Vec<(ItemKey, Status)> = model
        .payments
        .found
        .value()
        .map(|found| {
            found
                .docs
                .iter()
                .map(|doc| (item(doc), doc.status))
                .collect()
        })
        .unwrap_or_default();
    if !model.payments.found.answer(request, result, model.now) || !fine {
        return;
    }
    model.payments.answered.clone_from(&model.payments.asked);
    let now = model.now;
    for doc in model
        .payments
        .found
        .value()
        .map_or(&[][..], |found| found.docs.as_slice())
    {
        let key = item(doc);
        if before
            .iter()
            .any(|(known, status)| *known == key && *status != doc.status)
        {
            model.marks.mark(&key, "status", now);
        }
    }
}

/// Why a text is not asked for.
fn problem(text: &str, now: Timestamp) -> Option<String> {
    if contains_card_number(text) {
        // It would go to the index, and into its log.
        return Some(
            "that looks like a card number, which is never searched for; last4:1234 finds \
            its payments"
                .to_owned(),
        );
    }
    SearchQuery::parse(text, now)
        .err()
        .map(|error| error.to_string())
}

fn item(doc: &PaymentDoc) -> ItemKey {
    ItemKey::from(format!("payment:{}", doc.id))
}

/// Whether what is shown is the answer to the text in the box.
fn is_current(model: &Model) -> bool {
    let of = |(env, text): &(String, String)| {
        Some(env) == model.open_env().as_ref() && text == model.payments.filter.text()
    };
    model.payments.answered.as_ref().is_some_and(of)
}

impl View for Payments {
    fn bindings(&self) -> &'static [Binding] {
        KEYS
    }

    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        if command == Command::Complete {
            let filter = &mut model.payments.filter;
            if let Some(text) = hint::completed(filter.text()) {
                filter.input = text.into();
                filter.open = true;
            }
            return Vec::new();
        }
        let doc = model
            .payments
            .found
            .value()
            .and_then(|found| found.docs.get(model.payments.cursor.row));
        let Some(id) = doc.map(|doc| doc.id.clone()) else {
            return Vec::new();
        };
        match command {
            Command::Enter => global::push(model, Route::Payment(id)),
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
        if state.typed.as_ref().is_none_or(|(typed, _)| *typed != text) {
            state.problem = problem(&text, now);
            state.typed = Some((text.clone(), now));
        }
        if state.asked.as_ref().is_some_and(|(asked, _)| *asked != env) {
            // Payments of another environment are never shown as if they were of this one.
            state.found.clear();
            (state.asked, state.answered, state.cursor) = (None, None, Cursor::default());
        }
        if state.problem.is_some() {
            return Vec::new();
        }
        let quiet = state
            .typed
            .as_ref()
            .is_none_or(|(text, since)| text.is_empty() || after(*since, TYPING) <= now);
        let wanted = Some((env.clone(), text.clone()));
        let due = if state.asked == wanted {
            state.found.is_due(now, Some(EVERY))
        } else {
            quiet
        };
        if !due {
            return Vec::new();
        }
        let request = model.next_request();
        model.payments.asked = wanted;
        model.payments.found.ask(request);
        vec![Effect::Ask {
            request,
            env,
            ask: Box::new(Ask::Search { text }),
        }]
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        let (state, env) = (&model.payments, model.open_env()?);
        let second = Some(rollouts::next_second(model));
        if state.problem.is_some() {
            return second;
        }
        let asked = state
            .asked
            .as_ref()
            .is_some_and(|(of, text)| *of == env && text == state.filter.text());
        let typed = state
            .typed
            .as_ref()
            .filter(|_| !asked)
            .map(|(_, since)| after(*since, TYPING));
        [
            typed,
            state.found.due_at(Some(EVERY)).filter(|_| asked),
            second,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn refresh(&self, model: &mut Model) {
        model.payments.found.refresh();
    }

    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        vec![("search", opened::freshness(model.payments.found.look()))]
    }

    fn filter<'a>(&self, model: &'a Model) -> Option<&'a Filter> {
        Some(&model.payments.filter)
    }

    fn filter_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Filter> {
        Some(&mut model.payments.filter)
    }

    fn draws_filter(&self) -> bool {
        true
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        let area = state::rest(head::below(body), &model.payments.found.look());
        Some((
            table::rows_area(area),
            model
                .payments
                .found
                .value()
                .map_or(0, |found| found.docs.len()),
        ))
    }

    fn item(&self, model: &Model, row: usize) -> Option<ItemKey> {
        Some(item(model.payments.found.value()?.docs.get(row)?))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.payments.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        head::draw(model, frame, body);
        let area = head::below(body);
        if opened::env(model, frame, area).is_none() {
            return;
        }
        if model.payments.problem.is_some() && matches!(model.payments.found.look(), Look::Loading)
        {
            return;
        }
        let Some((found, area)) =
            state::ready(model, frame, area, "payments", model.payments.found.look())
        else {
            return;
        };
        let dim = !is_current(model);
        if found.docs.is_empty() {
            if dim && model.payments.problem.is_none() {
                state::loading(model, frame, area, "searching");
            } else if !dim {
                head::nothing(model, frame, area, found);
            }
            return;
        }
        let list = (&model.payments.cursor, found.docs.len());
        let wide = body.width >= WIDE;
        let columns = if wide { COLUMNS } else { COLUMNS_NARROW };
        table::draw(model, frame, area, columns, list, |row| {
            found
                .docs
                .get(row)
                .map(|doc| cells(model, doc, wide, dim))
                .unwrap_or_default()
        });
    }
}

fn cells(model: &Model, doc: &PaymentDoc, wide: bool, dim: bool) -> Vec<Line<'static>> {
    let theme = model.theme;
    let (glyph, tone) = sign(doc.status, doc.dead);
    let word = if doc.dead && doc.status == Status::Processing {
        "dead"
    } else {
        doc.status.as_str()
    };
    let plain = |text: String| {
        if dim {
            Line::styled(text, theme.style(Tone::Dim))
        } else {
            Line::raw(text)
        }
    };
    let card = doc
        .brand
        .as_ref()
        .zip(doc.last4.as_ref())
        .map(|(brand, last4)| format!("…{last4} {brand}"))
        .unwrap_or_default();
    let tone = match (dim, model.marks.is_marked(&item(doc), "status")) {
        (true, _) => Tone::Dim,
        (false, true) => Tone::Mark,
        (false, false) => tone,
    };
    vec![
        plain(if wide {
            doc.id.to_string()
        } else {
            short_id(doc.id.as_str())
        }),
        Line::styled(format!("{glyph} {word}"), theme.style(tone)),
        plain(format!(
            "{} {}",
            major(doc.amount_minor, doc.currency),
            doc.currency
        )),
        plain(age(doc.created_at, model.now)),
        plain(doc.reference.as_deref().map(shown).unwrap_or_default()),
        plain(mask::terminal(&Privacy::default().email(&doc.email))),
        plain(shown(&card)),
        plain(doc.failure.as_deref().map(shown).unwrap_or_default()),
        plain(doc.merchant.to_string()),
    ]
}
