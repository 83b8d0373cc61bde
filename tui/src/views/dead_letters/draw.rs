//! How dead letters are drawn: what the look cost, causes, the list, and what is in the selected
//! one.

use payops_core::domain::dead_letter::{Cause, Layer, body_layers};
use payops_core::domain::id::PaymentId;
use payops_core::domain::privacy::Privacy;
use payops_core::usecase::{DeadLetter, DeadLetterList};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::super::letter::{compact, event_words, opened_of};
use super::super::payments::short_id;
use super::{letters, selected, selected_cause, shown, unknown};
use crate::model::{Cursor, Look, Model};
use crate::theme::Tone;
use crate::widgets::state;
use crate::widgets::table::{self, Column};
use crate::widgets::words::{age, count, thousands, wrap};

/// Screens of so many columns have room for whole payment ids.
const WIDE: u16 = 100;
/// Causes above the list of letters, at most.
const CAUSES_MAX: usize = 3;
/// Bodies of so many rows have room for causes, and for what is in a letter.
const ROOM_CAUSES: u16 = 18;
const ROOM_DETAIL: u16 = 12;
const PAYMENTS_NAMED: usize = 4;
/// Events of the timeline that are told in one line.
const EVENTS_TOLD: usize = 12;

const CAUSES: &[Column] = &[
    Column::text("CLASS", 18),
    Column::text("CAUSE", 14).flex(1),
    Column::number("COUNT", 6),
    Column::number("FIRST", 5).rank(2),
    Column::number("LAST", 5).rank(1),
];

const LETTERS: &[Column] = &[
    Column::text("PAYMENT", 32),
    Column::number("AGE", 4),
    Column::number("RECV", 4),
    Column::text("CLASS", 18).rank(2),
    Column::text("WHY", 20).flex(1),
    Column::text("QUEUE", 18).rank(4),
];

const LETTERS_NARROW: &[Column] = &[
    Column::text("PAYMENT", 15),
    Column::number("AGE", 4),
    Column::number("RECV", 4),
    Column::text("CLASS", 18).rank(2),
    Column::text("WHY", 18).flex(1),
];

pub(super) struct Places {
    cost: Rect,
    outdated: Rect,
    causes: Rect,
    pub(super) list: Rect,
    detail: Rect,
}

pub(super) fn places(model: &Model, body: Rect) -> Places {
    let state = &model.dead_letters;
    let mut y = body.y;
    let mut take = |height: u16| {
        let place = Rect {
            y,
            height: height.min(body.bottom().saturating_sub(y)),
            ..body
        };
        y = place.bottom();
        place
    };
    let cost = take(1);
    let outdated = take(u16::from(matches!(
        state.seen.look(),
        Look::Ready { fault: Some(_), .. }
    )));
    let several = !state.grouped && state.causes.len() > 1;
    let causes = if several && body.height >= ROOM_CAUSES {
        state.causes.len().min(CAUSES_MAX) + 2
    } else {
        0
    };
    let causes = take(u16::try_from(causes).unwrap_or(0));
    let detail = if body.height >= ROOM_DETAIL && !state.shown.is_empty() {
        (body.height / 3).clamp(5, 12)
    } else {
        0
    };
    let list = take(
        body.bottom()
            .saturating_sub(causes.bottom())
            .saturating_sub(detail),
    );
    Places {
        cost,
        outdated,
        causes,
        list,
        detail: take(detail),
    }
}

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, body: Rect) {
    let state = &model.dead_letters;
    if let Some(fault) = unknown(state) {
        let lines = vec![
            Line::styled(
                format!(" ✖ dead letters: {}", fault.text),
                model.theme.style(Tone::Bad),
            ),
            Line::styled(
                "   a look can cost receives, so it is not repeated by itself: Ctrl-R looks again",
                model.theme.style(Tone::Dim),
            ),
            Line::styled(format!("   {}", fault.hint()), model.theme.style(Tone::Dim)),
        ];
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), body);
        return;
    }
    let Look::Ready {
        value: seen,
        at,
        fault,
    } = state.seen.look()
    else {
        state::loading(model, frame, body, "dead letters");
        return;
    };
    let places = places(model, body);
    if let Some((fault, _)) = fault {
        let text = format!(
            " ⚠ as of {} ago; the look after that failed: {}; Ctrl-R looks again",
            age(at, model.now),
            fault.text
        );
        let line = Line::styled(text, model.theme.style(Tone::Warn));
        frame.render_widget(
            table::clipped(&line, usize::from(places.outdated.width)),
            places.outdated,
        );
    }
    if seen.letters.is_empty() && seen.complete && fault.is_none() {
        state::empty(
            model,
            frame,
            body,
            true,
            "no dead letters: every message came to its end",
        );
        return;
    }
    frame.render_widget(
        table::clipped(&cost(model, seen), usize::from(places.cost.width)),
        places.cost,
    );
    if state.shown.is_empty() {
        nothing(model, frame, places.list);
        return;
    }
    if places.causes.height > 0 {
        let above = Rect {
            height: places.causes.height - 1,
            ..places.causes
        };
        causes(
            model,
            frame,
            above,
            (
                &Cursor {
                    row: usize::MAX,
                    ..Cursor::default()
                },
                state.causes.len().min(CAUSES_MAX),
            ),
            |row| Some(row),
        );
    }
    let list = (&state.cursor, state.shown.len());
    if state.grouped {
        causes(model, frame, places.list, list, |row| {
            state.shown.get(row).copied()
        });
    } else {
        let wide = body.width >= WIDE;
        table::draw(
            model,
            frame,
            places.list,
            if wide { LETTERS } else { LETTERS_NARROW },
            list,
            |row| {
                let letter = state
                    .shown
                    .get(row)
                    .and_then(|place| seen.letters.get(*place));
                letter
                    .map(|letter| letter_cells(model, letter, wide))
                    .unwrap_or_default()
            },
        );
    }
    detail(model, frame, places.detail);
}

fn nothing(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let state = &model.dead_letters;
    match &state.queue {
        Some(queue) if !state.filter.is_on() && state.cause.is_none() => {
            state::empty(
                model,
                frame,
                area,
                true,
                &format!("no dead letters in {queue}; Esc goes back"),
            );
        }
        _ => {
            let all = letters(model).len();
            state::empty(
                model,
                frame,
                area,
                false,
                &format!(
                    "none of {} matches; Esc takes the filter away",
                    count(all, "dead letter")
                ),
            );
        }
    }
}

/// What is looked at and what the look cost: `61 dead letters of 2 causes · the look cost nothing`.
fn cost(model: &Model, seen: &DeadLetterList) -> Line<'static> {
    let (theme, state) = (model.theme, &model.dead_letters);
    let of_queue = seen
        .letters
        .iter()
        .filter(|letter| {
            state
                .queue
                .as_ref()
                .is_none_or(|queue| letter.queue == *queue)
        })
        .count();
    let mut text = format!(
        " {} of {}",
        count(of_queue, "dead letter"),
        count(state.causes.len(), "cause")
    );
    if let Some(queue) = &state.queue {
        text.push_str(" in ");
        text.push_str(queue);
    }
    if !seen.complete {
        text.push_str(" (maybe more)");
    }
    let (cost, tone) = match seen.receives_spent {
        0 => (" · looking cost nothing".to_owned(), Tone::Dim),
        spent => (
            format!(" · ⚠ looking cost {} receives", thousands(spent)),
            Tone::Warn,
        ),
    };
    let mut spans = vec![
        Span::styled(text, theme.style(Tone::Strong)),
        Span::styled(cost, theme.style(tone)),
    ];
    if !state.picked.is_empty() {
        let words = format!(" · ● {} selected, Esc takes them out", state.picked.len());
        spans.push(Span::styled(words, theme.style(Tone::Accent)));
    }
    if let Some((class, _)) = &state.cause {
        spans.push(Span::styled(
            format!(" · {} only, Esc shows all", shown(class)),
            theme.style(Tone::Accent),
        ));
    }
    Line::from(spans)
}

fn causes(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    list: (&Cursor, usize),
    place: impl Fn(usize) -> Option<usize>,
) {
    let state = &model.dead_letters;
    table::draw(model, frame, area, CAUSES, list, |row| {
        let cause = place(row).and_then(|place| state.causes.get(place));
        cause
            .map(|cause| cause_cells(model, cause))
            .unwrap_or_default()
    });
}

fn cause_cells(model: &Model, cause: &Cause) -> Vec<Line<'static>> {
    let theme = model.theme;
    let chosen = model
        .dead_letters
        .cause
        .as_ref()
        .is_some_and(|(class, print)| *class == cause.class && *print == cause.fingerprint);
    let mark = if chosen { "▸ " } else { "" };
    vec![
        Line::styled(
            format!("{mark}{}", shown(&cause.class)),
            theme.style(if chosen { Tone::Accent } else { Tone::Bad }),
        ),
        Line::raw(shown(&cause.fingerprint)),
        Line::raw(thousands(cause.count)),
        Line::raw(age(cause.first_seen, model.now)),
        Line::raw(age(cause.last_seen, model.now)),
    ]
}

fn letter_cells(model: &Model, letter: &DeadLetter, wide: bool) -> Vec<Line<'static>> {
    let id = letter
        .payment
        .as_ref()
        .map_or("unknown", |payment| payment.as_str());
    vec![
        picked(
            model,
            letter,
            if wide { id.to_owned() } else { short_id(id) },
        ),
        Line::raw(age(letter.first_seen, model.now)),
        Line::raw(letter.receive_count.to_string()),
        Line::styled(shown(&letter.class), model.theme.style(Tone::Bad)),
        Line::raw(shown(&letter.reason)),
        Line::styled(letter.queue.clone(), model.theme.style(Tone::Dim)),
    ]
}

/// A first cell, marked when the letter was picked.
fn picked(model: &Model, letter: &DeadLetter, text: String) -> Line<'static> {
    let state = &model.dead_letters;
    if state.picked.is_empty() {
        return Line::raw(text);
    }
    let mark = if state.picked.contains(&letter.message.message_id) {
        "● "
    } else {
        "  "
    };
    Line::from(vec![
        Span::styled(mark, model.theme.style(Tone::Accent)),
        Span::raw(text),
    ])
}

/// Below the list: what is in the letter that is selected, or whom the selected cause concerns.
fn detail(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    if area.height == 0 {
        return;
    }
    let facts = match (selected(model), selected_cause(model)) {
        (Some(letter), _) => letter_facts(model, letter),
        (None, Some(cause)) => cause_facts(model, cause),
        (None, None) => return,
    };
    let inner = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height - 1,
    };
    let mut y = inner.y;
    for fact in facts {
        for line in fact.lines(
            model,
            usize::from(inner.width),
            usize::from(inner.bottom().saturating_sub(y)),
        ) {
            frame.render_widget(
                line,
                Rect {
                    y,
                    height: 1,
                    ..inner
                },
            );
            y += 1;
        }
    }
}

const LABEL: usize = 10;
/// Lines that one fact takes at most.
const FACT_LINES: usize = 2;

struct Fact(&'static str, String, Tone);

impl Fact {
    /// Its lines, at most `most`: the text goes on below itself, not below its label.
    fn lines(self, model: &Model, width: usize, most: usize) -> Vec<Line<'static>> {
        let Self(label, text, tone) = self;
        let parts = wrap(&text, width.saturating_sub(LABEL), most.min(FACT_LINES));
        let labels = std::iter::once(label).chain(std::iter::repeat(""));
        let line = |(label, part): (&str, String)| {
            let label = Span::styled(format!("{label:<LABEL$}"), model.theme.style(Tone::Dim));
            Line::from(vec![label, Span::styled(part, model.theme.style(tone))])
        };
        labels.zip(parts).map(line).collect()
    }
}

fn letter_facts(model: &Model, letter: &DeadLetter) -> Vec<Fact> {
    let mut out = vec![Fact(
        "why",
        format!("{}: {}", shown(&letter.class), shown(&letter.reason)),
        Tone::Bad,
    )];
    let fact = |layer: &Layer| {
        let name = if layer.name == "archived request" {
            "request"
        } else {
            layer.name
        };
        match &layer.problem {
            Some(problem) => Fact(
                name,
                format!("{} {}", shown(problem), compact(&layer.content)),
                Tone::Bad,
            ),
            None => Fact(name, compact(&layer.content), Tone::Plain),
        }
    };
    let body = || body_layers(&letter.message.body, Privacy::default());
    match opened_of(model, &letter.message.message_id) {
        Some(Look::Ready { value: opened, .. }) => {
            // The request comes first: it is what was wrong or not.
            let (request, layers) = opened
                .layers
                .split_last()
                .map_or((None, &[][..]), |(last, others)| (Some(last), others));
            out.extend(request.map(fact));
            let skip = opened.events.len().saturating_sub(EVENTS_TOLD);
            let told: Vec<String> = opened
                .events
                .iter()
                .skip(skip)
                .map(|event| event_words(event, model.now))
                .collect();
            let now = opened
                .payment
                .as_ref()
                .map(|payment| format!("now {}: ", payment.status))
                .unwrap_or_default();
            let told = if told.is_empty() {
                "none: the payment is not known here".to_owned()
            } else {
                format!("{now}{}", told.join(" · "))
            };
            out.push(Fact("timeline", told, Tone::Plain));
            out.extend(layers.iter().rev().map(fact));
        }
        Some(Look::Failed { fault, .. }) => {
            out.push(Fact(
                "request",
                format!("✖ {}; Ctrl-R in the letter tries again", fault.text),
                Tone::Bad,
            ));
            out.extend(body().iter().rev().map(fact));
        }
        _ => {
            out.push(Fact("request", "◌ loading…".to_owned(), Tone::Dim));
            out.extend(body().iter().rev().map(fact));
        }
    }
    out.push(Fact(
        "message",
        format!("{} in {}", letter.message.message_id, letter.queue),
        Tone::Dim,
    ));
    out
}

fn cause_facts(model: &Model, cause: &Cause) -> Vec<Fact> {
    let of_cause = |letter: &&DeadLetter| {
        let queue = model
            .dead_letters
            .queue
            .as_ref()
            .is_none_or(|queue| letter.queue == *queue);
        queue
            && letter.class == cause.class
            && payops_core::domain::dead_letter::fingerprint(&letter.reason) == cause.fingerprint
    };
    let own: Vec<&DeadLetter> = letters(model).iter().filter(of_cause).collect();
    let mut queues: Vec<&str> = own.iter().map(|letter| letter.queue.as_str()).collect();
    queues.sort_unstable();
    queues.dedup();
    let mut payments: Vec<&str> = own
        .iter()
        .filter_map(|letter| letter.payment.as_ref())
        .map(PaymentId::as_str)
        .collect();
    payments.sort_unstable();
    payments.dedup();
    let named: Vec<String> = payments
        .iter()
        .take(PAYMENTS_NAMED)
        .map(|id| short_id(id))
        .collect();
    let more = payments.len().saturating_sub(named.len());
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let named = if named.is_empty() {
        "none is named".to_owned()
    } else {
        format!("{}{more}", named.join(" "))
    };
    vec![
        Fact(
            "cause",
            format!("{}: {}", shown(&cause.class), shown(&cause.fingerprint)),
            Tone::Bad,
        ),
        Fact("queues", queues.join(" "), Tone::Plain),
        Fact("payments", named, Tone::Plain),
        Fact("", "Enter lists its letters".to_owned(), Tone::Dim),
    ]
}
