//! Dead letters of one environment: by cause, or one by one.
//!
//! A look may cost receives, so it is made when the view is opened and when somebody asks for
//! it, never by the clock, and not again by itself after it failed. What it cost is shown.

mod draw;

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use payops_core::Timestamp;
use payops_core::domain::bus::{dead_letter_queue, source_queue};
use payops_core::domain::dead_letter::{Cause, causes, fingerprint};
use payops_core::domain::id::PaymentId;
use payops_core::domain::privacy::Privacy;
use payops_core::usecase::{DeadLetter, DeadLetterList};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::{Freshness, View, opened, rollouts};
use crate::effect::{Ask, Effect};
use crate::fault::Fault;
use crate::keymap::{Binding, Command, Key};
use crate::model::{Cursor, Filter, ItemKey, Look, Model, Notice, Pane, Route, after, matching};
use crate::theme::Tone;
use crate::update::global;
use crate::widgets::table;

/// For how long a letter is selected before it is opened: who scrolls past asks nothing.
const RESTS: Duration = Duration::from_millis(150);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) seen: Pane<DeadLetterList>,
    /// Environment and queue that the last look was into; all queues when `None`.
    looked: Option<(String, Option<String>)>,
    wanted: bool,
    /// The dead-letter queue whose letters are shown; all when `None`.
    queue: Option<String>,
    cause: Option<(String, String)>,
    /// Whether causes are listed, and not letters.
    grouped: bool,
    cursor: Cursor,
    pub(crate) filter: Filter,
    causes: Vec<Cause>,
    /// What each letter of the last look is found by: made once for a look, not for each key.
    words: Vec<String>,
    shown: Vec<usize>,
    /// What `causes` and `shown` were made from.
    made: Option<Made>,
    /// The letter that is selected, and since when.
    rests: Option<(String, Timestamp)>,
    picked: BTreeSet<String>,
    /// How often letters were taken off the list since.
    removals: u64,
}

impl State {
    pub(crate) fn unpick(&mut self) {
        self.picked.clear();
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Made {
    at: (Option<Timestamp>, u64),
    text: String,
    queue: Option<String>,
    cause: Option<(String, String)>,
    grouped: bool,
}

pub(crate) struct DeadLetters;

const KEYS: &[Binding] = &[
    Binding::shown(
        &[Key::code(crossterm::event::KeyCode::Enter)],
        Command::Enter,
        "in",
    ),
    Binding::shown(&[Key::ch(' ')], Command::Pick, "select"),
    Binding::new(&[Key::ch('A')], Command::PickAll, "all of the cause"),
    Binding::shown(&[Key::ch('R')], Command::Replay, "replay"),
    Binding::shown(&[Key::ch('x')], Command::Discard, "discard"),
    Binding::new(&[Key::ch('X')], Command::Export, "export"),
    Binding::new(&[Key::ch('i')], Command::Edit, "edit and replay"),
    Binding::new(
        &[Key::ch('M')],
        Command::Redrive,
        "move the whole queue back, unread",
    ),
    Binding::shown(&[Key::ch('g')], Command::Group, "group by cause"),
    Binding::shown(&[Key::ch('p')], Command::ToPayment, "payment"),
    Binding::shown(&[Key::ctrl('r')], Command::Refresh, "look again"),
    Binding::shown(&[Key::ch('y')], Command::Copy, "copy"),
];

/// Shows the letters of one queue only, or of all.
pub(crate) fn only(model: &mut Model, queue: Option<String>) {
    let state = &mut model.dead_letters;
    state.unpick();
    (state.queue, state.cause, state.grouped) = (queue, None, false);
    state.filter = Filter::default();
    // Who comes from a number wants what is behind it now; where that costs, they ask for it.
    state.wanted |= state
        .seen
        .value()
        .is_some_and(|seen| seen.receives_spent == 0);
}

/// Goes to the dead letters of one payment, in `queue` or its dead-letter queue.
pub(super) fn only_of(model: &mut Model, payment: &PaymentId, queue: &str) {
    only(
        model,
        Some(dead_letter_queue(source_queue(queue).unwrap_or(queue))),
    );
    // A quotation mark asks for the whole id and not for its letters somewhere.
    model.dead_letters.filter.input = format!("'{payment}").into();
    global::push(model, Route::DeadLetters);
}

pub(crate) fn letter<'a>(model: &'a Model, id: &str) -> Option<&'a DeadLetter> {
    letters(model)
        .iter()
        .find(|letter| letter.message.message_id == id)
}

fn letters(model: &Model) -> &[DeadLetter] {
    model
        .dead_letters
        .seen
        .value()
        .map_or(&[], |seen| seen.letters.as_slice())
}

/// The letters that an action is meant of: those that were picked, else the one that is selected or
/// on screen, else those of the cause that is selected.
pub(crate) fn meant(model: &Model) -> Vec<&DeadLetter> {
    if let Route::Letter(id) = model.route() {
        return letter(model, id).into_iter().collect();
    }
    let state = &model.dead_letters;
    if !matches!(model.route(), Route::DeadLetters) {
        return Vec::new();
    }
    if !state.picked.is_empty() {
        return letters(model)
            .iter()
            .filter(|letter| state.picked.contains(&letter.message.message_id))
            .collect();
    }
    match (selected(model), selected_cause(model)) {
        (Some(letter), _) => vec![letter],
        (None, Some(cause)) => of_cause(model, &cause.class, &cause.fingerprint),
        (None, None) => Vec::new(),
    }
}

/// The dead-letter queue that is shown, or that the selected letter is of.
pub(crate) fn queue(model: &Model) -> Option<String> {
    model
        .dead_letters
        .queue
        .clone()
        .or_else(|| meant(model).first().map(|letter| letter.queue.clone()))
}

/// The letters of a cause, of the queue that is shown.
fn of_cause<'a>(model: &'a Model, class: &str, print: &str) -> Vec<&'a DeadLetter> {
    let queue = model.dead_letters.queue.as_ref();
    let fits = |letter: &&DeadLetter| {
        queue.is_none_or(|queue| letter.queue == *queue)
            && letter.class == class
            && fingerprint(&letter.reason) == print
    };
    letters(model).iter().filter(fits).collect()
}

/// Picks, or takes out: the one that is selected, or all of its cause.
fn pick(model: &mut Model, all: bool) {
    let ids: Vec<String> = match (selected(model), selected_cause(model)) {
        (Some(letter), _) if !all => vec![letter.message.message_id.clone()],
        (Some(letter), _) => {
            // What a filter hides is not picked.
            let of = ids(of_cause(model, &letter.class, &fingerprint(&letter.reason)));
            let shown = model
                .dead_letters
                .shown
                .iter()
                .filter_map(|place| letters(model).get(*place));
            let shown: HashSet<&str> = shown
                .map(|letter| letter.message.message_id.as_str())
                .collect();
            of.into_iter()
                .filter(|id| shown.contains(id.as_str()))
                .collect()
        }
        (None, Some(cause)) => ids(of_cause(model, &cause.class, &cause.fingerprint)),
        (None, None) => return,
    };
    let state = &mut model.dead_letters;
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

fn ids(letters: Vec<&DeadLetter>) -> Vec<String> {
    letters
        .into_iter()
        .map(|letter| letter.message.message_id.clone())
        .collect()
}

/// Takes letters off the list: they are not in their queue any more.
pub(crate) fn gone(model: &mut Model, env: &str, ids: &[String]) {
    let state = &mut model.dead_letters;
    if state
        .looked
        .as_ref()
        .is_none_or(|(looked, _)| looked != env)
    {
        return;
    }
    let ids: HashSet<&str> = ids.iter().map(String::as_str).collect();
    state.seen.alter(|seen| {
        seen.letters
            .retain(|letter| !ids.contains(letter.message.message_id.as_str()))
    });
    state.removals = state.removals.saturating_add(1);
    state.picked.retain(|id| !ids.contains(id.as_str()));
}

/// The letter that is selected; `None` while causes are listed.
fn selected(model: &Model) -> Option<&DeadLetter> {
    let state = &model.dead_letters;
    let place = state
        .shown
        .get(state.cursor.row)
        .filter(|_| !state.grouped)?;
    letters(model).get(*place)
}

fn selected_cause(model: &Model) -> Option<&Cause> {
    let state = &model.dead_letters;
    let place = state
        .shown
        .get(state.cursor.row)
        .filter(|_| state.grouped)?;
    state.causes.get(*place)
}

pub(crate) fn shown(text: &str) -> String {
    payops_core::domain::mask::terminal(&Privacy::default().text(text))
}

pub(crate) fn answered(model: &mut Model, request: u64, result: Result<DeadLetterList, Fault>) {
    if model.dead_letters.seen.answer(request, result, model.now) {
        let there: HashSet<&str> = model
            .dead_letters
            .seen
            .value()
            .map(|seen| {
                seen.letters
                    .iter()
                    .map(|letter| letter.message.message_id.as_str())
                    .collect()
            })
            .unwrap_or_default();
        model
            .dead_letters
            .picked
            .retain(|id| there.contains(id.as_str()));
    }
}

pub(super) fn copied(letter: &DeadLetter) -> String {
    let payment = letter
        .payment
        .as_ref()
        .map_or_else(|| "no payment".to_owned(), ToString::to_string);
    format!(
        "{} {payment} {}: {}",
        letter.message.message_id,
        shown(&letter.class),
        shown(&letter.reason)
    )
}

impl View for DeadLetters {
    fn bindings(&self) -> &'static [Binding] {
        KEYS
    }

    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let id = selected(model).map(|letter| letter.message.message_id.clone());
        let cause =
            selected_cause(model).map(|cause| (cause.class.clone(), cause.fingerprint.clone()));
        match (command, id, cause) {
            (Command::Pick, ..) => pick(model, false),
            (Command::PickAll, ..) => pick(model, true),
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
                    shown(&class),
                    shown(&cause)
                ))];
            }
            (Command::Enter, Some(id), _) => global::push(model, Route::Letter(id)),
            (Command::Copy, Some(_), _) => {
                return selected(model)
                    .map(copied)
                    .into_iter()
                    .map(Effect::Copy)
                    .collect();
            }
            (Command::ToPayment, Some(_), _) => {
                match selected(model).and_then(|letter| letter.payment.clone()) {
                    Some(payment) => global::push(model, Route::Payment(payment)),
                    None => model.say(Notice::new(
                        Tone::Warn,
                        "this message names no payment",
                        model.now,
                    )),
                }
            }
            _ => {}
        }
        Vec::new()
    }

    fn widen(&self, model: &mut Model) -> bool {
        let state = &mut model.dead_letters;
        if !state.picked.is_empty() {
            state.unpick();
            return true;
        }
        if state.cause.take().is_some() {
            state.grouped = true;
            return true;
        }
        // Reached from elsewhere, Esc leads back there; else to the letters of all queues.
        model.trail.len() == 1 && model.dead_letters.queue.take().is_some()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        let Some(env) = model.open_env() else {
            return Vec::new();
        };
        let state = &mut model.dead_letters;
        if state
            .looked
            .as_ref()
            .is_some_and(|(looked, _)| *looked != env)
        {
            state.seen.clear();
            state.unpick();
            (state.looked, state.queue, state.cause) = (None, None, None);
        }
        // A look into one queue says nothing of the others.
        let covered = state
            .looked
            .as_ref()
            .is_some_and(|(_, queue)| queue.is_none() || *queue == state.queue);
        if covered && (!state.wanted || state.seen.is_asked()) {
            return rest(model);
        }
        (state.wanted, state.looked) = (false, Some((env.clone(), state.queue.clone())));
        if !covered {
            state.seen.clear();
        }
        let queue = state.queue.clone();
        let request = model.next_request();
        model.dead_letters.seen.ask(request);
        vec![Effect::Ask {
            request,
            env,
            ask: Box::new(Ask::DeadLetters { queue }),
        }]
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        model.open_env()?;
        let rests = selected(model)
            .filter(|letter| !super::letter::is_open(model, &letter.message.message_id));
        let since = model
            .dead_letters
            .rests
            .as_ref()
            .map_or(model.now, |(_, since)| *since);
        [
            rests.map(|_| after(since, RESTS)),
            Some(rollouts::next_second(model)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn refresh(&self, model: &mut Model) {
        model.dead_letters.wanted = true;
    }

    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        vec![("looked", opened::freshness(model.dead_letters.seen.look()))]
    }

    fn filter<'a>(&self, model: &'a Model) -> Option<&'a Filter> {
        Some(&model.dead_letters.filter)
    }

    fn filter_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Filter> {
        Some(&mut model.dead_letters.filter)
    }

    fn prepare(&self, model: &mut Model) {
        prepare(&mut model.dead_letters);
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        Some((
            table::rows_area(draw::places(model, body).list),
            model.dead_letters.shown.len(),
        ))
    }

    fn item(&self, model: &Model, row: usize) -> Option<ItemKey> {
        let place = *model.dead_letters.shown.get(row)?;
        if model.dead_letters.grouped {
            let cause = model.dead_letters.causes.get(place)?;
            return Some(ItemKey::from(format!(
                "cause:{} {}",
                cause.class, cause.fingerprint
            )));
        }
        Some(ItemKey::from(format!(
            "letter:{}",
            letters(model).get(place)?.message.message_id
        )))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.dead_letters.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        if opened::env(model, frame, body).is_some() {
            draw::draw(model, frame, body);
        }
    }
}

/// Opens the letter that has been selected for a moment.
fn rest(model: &mut Model) -> Vec<Effect> {
    let Some(id) = selected(model).map(|letter| letter.message.message_id.clone()) else {
        return Vec::new();
    };
    let now = model.now;
    match &model.dead_letters.rests {
        Some((held, since)) if *held == id => {
            if after(*since, RESTS) <= now {
                return super::letter::open(model, &id);
            }
        }
        _ => model.dead_letters.rests = Some((id, now)),
    }
    Vec::new()
}

/// Makes causes and rows anew when what they are made from has changed.
fn prepare(state: &mut State) {
    let made = Made {
        at: (state.seen.at(), state.removals),
        text: state.filter.text().to_owned(),
        queue: state.queue.clone(),
        cause: state.cause.clone(),
        grouped: state.grouped,
    };
    if state.made.as_ref() == Some(&made) {
        return;
    }
    let all = state
        .seen
        .value()
        .map_or(&[][..], |seen| seen.letters.as_slice());
    let before = state.made.as_ref();
    let other_look = before.is_none_or(|before| before.at != made.at);
    if other_look {
        state.words = all.iter().map(words).collect();
    }
    let of_queue = |letter: &&DeadLetter| {
        made.queue
            .as_ref()
            .is_none_or(|queue| letter.queue == *queue)
    };
    if other_look || before.is_none_or(|before| before.queue != made.queue) {
        let told = all.iter().filter(of_queue).map(|letter| {
            (
                letter.class.as_str(),
                letter.reason.as_str(),
                letter.first_seen,
            )
        });
        state.causes = causes(told);
    }
    state.shown = if state.grouped {
        let texts: Vec<String> = state
            .causes
            .iter()
            .map(|cause| format!("{} {}", cause.class, shown(&cause.fingerprint)))
            .collect();
        matching(&made.text, texts.iter().map(String::as_str).enumerate())
    } else {
        let of_cause = |letter: &DeadLetter| {
            made.cause.as_ref().is_none_or(|(class, cause)| {
                letter.class == *class && fingerprint(&letter.reason) == *cause
            })
        };
        let within = all
            .iter()
            .zip(&state.words)
            .enumerate()
            .filter(|(_, (letter, _))| of_queue(letter) && of_cause(letter));
        matching(
            &made.text,
            within.map(|(place, (_, words))| (place, words.as_str())),
        )
    };
    state.made = Some(made);
}

/// What a letter is found by: what is on screen of it, and no more.
fn words(letter: &DeadLetter) -> String {
    let payment = letter
        .payment
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    format!(
        "{payment} {} {} {} {}",
        letter.message.message_id,
        letter.queue,
        shown(&letter.class),
        shown(&letter.reason)
    )
}

/// Why nothing is known: the look failed, or is under way.
fn unknown(state: &State) -> Option<&Fault> {
    if let Look::Failed { fault, .. } = state.seen.look() {
        Some(fault)
    } else {
        None
    }
}
