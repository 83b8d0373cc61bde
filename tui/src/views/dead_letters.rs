//! Dead letters of one environment: by cause, or one by one.
//!
//! A look may cost receives, so it is made when the view is opened and when somebody asks for
//! it, never by the clock. What it cost is shown.

use payops_core::Timestamp;
use payops_core::domain::letter::{Cause, causes, fingerprint};
use payops_core::domain::privacy::Privacy;
use payops_core::usecase::{Letter, LettersSeen};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Freshness, View, rollouts};
use crate::effect::{Ask, Effect};
use crate::keymap::{Binding, Command, Key};
use crate::model::{Cursor, Filter, ItemKey, Model, Pane, Route, matching};
use crate::theme::Tone;
use crate::update::global;
use crate::widgets::state;
use crate::widgets::table::{self, Column};
use crate::widgets::words::{age, count};

/// What the view keeps.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) seen: Pane<LettersSeen>,
    /// Of which environment and queue that is.
    of: Option<(String, Option<String>)>,
    /// The dead-letter queue that is looked at; all when `None`.
    queue: Option<String>,
    /// The cause whose letters are shown: class and fingerprint.
    cause: Option<(String, String)>,
    /// Whether causes are shown, and not letters.
    grouped: bool,
    cursor: Cursor,
    filter: Filter,
    causes: Vec<Cause>,
    /// Places of what is shown, among causes or letters.
    shown: Vec<usize>,
    /// What `causes` and `shown` were made from.
    made: Option<(Option<Timestamp>, String, Option<(String, String)>, bool)>,
}

/// The view.
pub(crate) struct DeadLetters;

const KEYS: &[Binding] = &[Binding::shown(&[Key::ch('g')], Command::Group, "group by cause")];

const CAUSES: &[Column] = &[
    Column::text("CLASS", 22),
    Column::text("CAUSE", 20).flex(1),
    Column::number("COUNT", 6),
    Column::number("FIRST", 6).rank(2),
    Column::number("LAST", 6).rank(1),
];

const LETTERS: &[Column] = &[
    Column::text("PAYMENT", 30).rank(1),
    Column::text("QUEUE", 18).rank(4),
    Column::number("AGE", 4),
    Column::number("RECV", 4),
    Column::text("CLASS", 20).rank(2),
    Column::text("WHY", 20).flex(1),
    Column::text("MESSAGE", 26).rank(5),
];

/// Looks at one queue only, or at all.
pub(crate) fn only(model: &mut Model, queue: Option<String>) {
    model.dead_letters.queue = queue;
    model.dead_letters.cause = None;
}

/// The letter of that id.
pub(crate) fn letter<'a>(model: &'a Model, id: &str) -> Option<&'a Letter> {
    model.dead_letters.seen.value()?.letters.iter().find(|letter| letter.message.message_id == id)
}

fn letters(model: &Model) -> &[Letter] {
    model.dead_letters.seen.value().map_or(&[], |seen| seen.letters.as_slice())
}

/// Text from a message, fit for the screen.
pub(crate) fn shown(text: &str) -> String {
    payops_core::domain::mask::terminal(&Privacy::default().text(text))
}

impl View for DeadLetters {
    fn bindings(&self) -> &'static [Binding] {
        KEYS
    }

    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let place = model.dead_letters.shown.get(model.dead_letters.cursor.row).copied();
        match (command, place) {
            (Command::Group, _) => {
                model.dead_letters.grouped = !model.dead_letters.grouped;
                model.dead_letters.cause = None;
            }
            (Command::Enter, Some(place)) if model.dead_letters.grouped => {
                let cause = model.dead_letters.causes.get(place).map(|cause| (cause.class.clone(), cause.fingerprint.clone()));
                model.dead_letters.cause = cause;
                model.dead_letters.grouped = false;
            }
            (Command::Enter, Some(place)) => {
                if let Some(id) = letters(model).get(place).map(|letter| letter.message.message_id.clone()) {
                    global::push(model, Route::Letter(id));
                }
            }
            (Command::Copy, Some(place)) if !model.dead_letters.grouped => {
                let text = letters(model).get(place).map(|letter| {
                    let payment = letter.payment.as_ref().map(ToString::to_string).unwrap_or_default();
                    format!("{} {payment} {}", letter.message.message_id, shown(&letter.reason))
                });
                return text.into_iter().map(Effect::Copy).collect();
            }
            _ => {}
        }
        Vec::new()
    }

    fn widen(&self, model: &mut Model) -> bool {
        let state = &mut model.dead_letters;
        if state.cause.take().is_some() {
            state.grouped = true;
            return true;
        }
        // Reached from the queue, Esc leads back there; else to the letters of all queues.
        model.trail.len() == 1 && model.dead_letters.queue.take().is_some()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        let Some(env) = model.open_env() else { return Vec::new() };
        let (now, of) = (model.now, Some((env.clone(), model.dead_letters.queue.clone())));
        if model.dead_letters.of != of {
            model.dead_letters.of = of;
            model.dead_letters.cause = None;
            model.dead_letters.seen.clear();
        }
        if !model.dead_letters.seen.is_due(now, None) {
            return Vec::new();
        }
        let request = model.next_request();
        model.dead_letters.seen.ask(request);
        vec![Effect::Ask { request, env, ask: Box::new(Ask::Letters { queue: model.dead_letters.queue.clone() }) }]
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        let due = model.open_env().and_then(|_| model.dead_letters.seen.due_at(None));
        [due, Some(rollouts::next_second(model))].into_iter().flatten().min()
    }

    fn refresh(&self, model: &mut Model) {
        model.dead_letters.seen.refresh();
    }

    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        vec![("looked", model.dead_letters.seen.at().map_or(Freshness::Loading, Freshness::At))]
    }

    fn filter<'a>(&self, model: &'a Model) -> Option<&'a Filter> {
        Some(&model.dead_letters.filter)
    }

    fn filter_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Filter> {
        Some(&mut model.dead_letters.filter)
    }

    fn prepare(&self, model: &mut Model) {
        let state = &mut model.dead_letters;
        let of = (state.seen.at(), state.filter.text().to_owned(), state.cause.clone(), state.grouped);
        if state.made.as_ref() == Some(&of) {
            return;
        }
        let letters = state.seen.value().map_or(&[][..], |seen| seen.letters.as_slice());
        state.causes = causes(letters.iter().map(|letter| (letter.class.as_str(), letter.reason.as_str(), letter.first_seen)));
        if state.grouped {
            let texts: Vec<String> = state.causes.iter().map(|cause| format!("{} {}", cause.class, cause.fingerprint)).collect();
            state.shown = matching(&of.1, texts.iter().map(String::as_str).enumerate());
        } else {
            let within = letters.iter().enumerate().filter(|(_, letter)| {
                of.2.as_ref().is_none_or(|(class, cause)| letter.class == *class && fingerprint(&letter.reason) == *cause)
            });
            let texts: Vec<(usize, String)> = within.map(|(place, letter)| (place, words(letter))).collect();
            state.shown = matching(&of.1, texts.iter().map(|(place, text)| (*place, text.as_str())));
        }
        state.made = Some(of);
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        let area = state::rest(body, &model.dead_letters.seen.look());
        Some((table::rows_area(below_cost(area)), model.dead_letters.shown.len()))
    }

    fn item(&self, model: &Model, row: usize) -> Option<ItemKey> {
        let place = *model.dead_letters.shown.get(row)?;
        if model.dead_letters.grouped {
            let cause = model.dead_letters.causes.get(place)?;
            return Some(ItemKey::from(format!("cause:{} {}", cause.class, cause.fingerprint)));
        }
        Some(ItemKey::from(format!("letter:{}", letters(model).get(place)?.message.message_id)))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.dead_letters.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        let state = &model.dead_letters;
        let Some((seen, area)) = state::ready(model, frame, body, "dead letters", state.seen.look()) else { return };
        if seen.letters.is_empty() && seen.complete {
            state::empty(model, frame, area, true, "no dead letters: every message came to its end");
            return;
        }
        let cost = Line::styled(format!(" {}", cost(model, seen)), model.theme.style(Tone::Dim));
        frame.render_widget(table::clipped(&cost, usize::from(area.width)), Rect { height: 1, ..area });
        let area = below_cost(area);
        if state.shown.is_empty() {
            state::empty(model, frame, area, false, "none matches; Esc takes the filter away");
            return;
        }
        let list = (&state.cursor, state.shown.len());
        let place = |row: usize| state.shown.get(row).copied();
        if state.grouped {
            let cells = |row| place(row).and_then(|place| state.causes.get(place)).map(|cause| cause_cells(model, cause));
            table::draw(model, frame, area, CAUSES, list, |row| cells(row).unwrap_or_default());
        } else {
            let cells = |row| place(row).and_then(|place| seen.letters.get(place)).map(|letter| letter_cells(model, letter));
            table::draw(model, frame, area, LETTERS, list, |row| cells(row).unwrap_or_default());
        }
    }
}

/// What is looked at and what the look cost: `61 dead letters, 2 causes; the look cost nothing`.
fn cost(model: &Model, seen: &LettersSeen) -> String {
    let state = &model.dead_letters;
    let cost = match seen.receives_spent {
        0 => "the look cost nothing".to_owned(),
        spent => format!(
            "the look cost {}: each raised a message's receive count",
            count(usize::try_from(spent).unwrap_or(usize::MAX), "receive")
        ),
    };
    let of = match (&state.queue, &state.cause) {
        (_, Some((class, _))) => format!(" of {class} (Esc: all causes)"),
        (Some(queue), None) => format!(" in {queue}"),
        (None, None) => String::new(),
    };
    let more = if seen.complete { "" } else { ", there may be more" };
    format!("{}{of}, {}{more}; {cost}", count(seen.letters.len(), "dead letter"), count(state.causes.len(), "cause"))
}

fn below_cost(area: Rect) -> Rect {
    Rect { y: area.y.saturating_add(1), height: area.height.saturating_sub(1), ..area }
}

fn words(letter: &Letter) -> String {
    let payment = letter.payment.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{payment} {} {} {} {}", letter.message.message_id, letter.queue, letter.class, shown(&letter.reason))
}

fn cause_cells(model: &Model, cause: &Cause) -> Vec<Line<'static>> {
    vec![
        Line::styled(shown(&cause.class), model.theme.style(Tone::Bad)),
        Line::raw(shown(&cause.fingerprint)),
        Line::raw(cause.count.to_string()),
        Line::raw(age(cause.first_seen, model.now)),
        Line::raw(age(cause.last_seen, model.now)),
    ]
}

fn letter_cells(model: &Model, letter: &Letter) -> Vec<Line<'static>> {
    vec![
        Line::raw(letter.payment.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string)),
        Line::raw(letter.queue.clone()),
        Line::raw(age(letter.first_seen, model.now)),
        Line::raw(letter.receive_count.to_string()),
        Line::styled(shown(&letter.class), model.theme.style(Tone::Bad)),
        Line::raw(shown(&letter.reason)),
        Line::raw(letter.message.message_id.clone()),
    ]
}
