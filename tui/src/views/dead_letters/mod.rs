//! Dead letters: the cost of browsing them, causes, the list, and what is in the selected one.

mod details;

use payops_core::domain::dead_letter::Cause;
use payops_core::domain::display::{age_since, count, thousands};
use payops_core::port::ErrorKind;
use payops_core::usecase::{DeadLetter, DeadLetterList};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::environment::ready_env;
use super::view::{Freshness, View};
use crate::fault::Fault;
use crate::model::{Cursor, Model, PaneState};
use crate::redact::redact;
use crate::text::short_id;
use crate::theme::Tone;
use crate::widgets::pane;
use crate::widgets::table::{self, Column};

/// Screens of so many columns have room for whole payment ids.
const WIDE: u16 = 100;

/// Causes above the list of dead letters, at most.
const CAUSES_MAX: usize = 3;

/// Bodies of so many rows have room for causes, and for details of the selection.
const ROOM_CAUSES: u16 = 18;

const ROOM_DETAIL: u16 = 12;

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

struct DeadLettersLayout {
    cost: Rect,
    outdated: Rect,
    causes: Rect,
    list: Rect,
    detail: Rect,
}

fn layout(model: &Model, body: Rect) -> DeadLettersLayout {
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
        state.list.state(),
        PaneState::Ready { fault: Some(_), .. }
    )));
    let several = !state.grouped && state.causes.len() > 1;
    let causes = if several && body.height >= ROOM_CAUSES {
        state.causes.len().min(CAUSES_MAX) + 2
    } else {
        0
    };
    let causes = take(u16::try_from(causes).unwrap_or(0));
    let detail = if body.height >= ROOM_DETAIL && !state.matching.is_empty() {
        (body.height / 3).clamp(5, 12)
    } else {
        0
    };
    let list = take(
        body.bottom()
            .saturating_sub(causes.bottom())
            .saturating_sub(detail),
    );
    DeadLettersLayout {
        cost,
        outdated,
        causes,
        list,
        detail: take(detail),
    }
}

pub(super) struct DeadLettersView;

impl View for DeadLettersView {
    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        vec![("browsed", Freshness::from(model.dead_letters.list.state()))]
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        Some((
            table::rows_area(layout(model, body).list),
            model.dead_letters.matching.len(),
        ))
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        if ready_env(model, frame, body).is_some() {
            draw_list(model, frame, body);
        }
    }
}

fn draw_list(model: &Model, frame: &mut Frame<'_>, body: Rect) {
    let state = &model.dead_letters;
    let (list, at, fault) = match state.list.state() {
        PaneState::Failed { fault, .. } => return draw_failure(model, frame, body, fault),
        PaneState::Loading => return pane::draw_loading(model, frame, body, "dead letters"),
        PaneState::Ready { value, at, fault } => (value, at, fault),
    };
    let layout = layout(model, body);
    if let Some((fault, _)) = fault {
        let text = format!(
            " ⚠ as of {} ago; the refresh failed: {}; Ctrl-R retries",
            age_since(at, model.now),
            fault.text
        );
        let line = Line::styled(text, model.theme.style(Tone::Warn));
        let width = usize::from(layout.outdated.width);
        frame.render_widget(table::clip_line(&line, width), layout.outdated);
    }
    if list.letters.is_empty() && list.complete && fault.is_none() {
        let why = "no dead letters: all messages were processed";
        pane::draw_empty(model, frame, body, true, why);
        return;
    }
    frame.render_widget(
        table::clip_line(&cost_line(model, list), usize::from(layout.cost.width)),
        layout.cost,
    );
    if state.matching.is_empty() {
        draw_empty(model, frame, layout.list);
        return;
    }
    if layout.causes.height > 0 {
        // Nothing is selected here: the list below has the keys.
        let cursor = Cursor {
            row: usize::MAX,
            ..Cursor::default()
        };
        let area = Rect {
            height: layout.causes.height - 1,
            ..layout.causes
        };
        let rows = (&cursor, state.causes.len().min(CAUSES_MAX));
        draw_causes(model, frame, area, rows, Some);
    }
    if state.grouped {
        let rows = (&state.cursor, state.matching.len());
        draw_causes(model, frame, layout.list, rows, |row| {
            state.matching.get(row).copied()
        });
    } else {
        draw_letters(model, frame, layout.list, list);
    }
    details::draw(model, frame, layout.detail);
}

fn draw_failure(model: &Model, frame: &mut Frame<'_>, area: Rect, fault: &Fault) {
    if fault.kind == ErrorKind::NotSetUp {
        return pane::draw_not_set_up(model, frame, area, &fault.text);
    }
    let dim = model.theme.style(Tone::Dim);
    let lines = vec![
        Line::styled(
            format!(" ✖ dead letters: {}", fault.text),
            model.theme.style(Tone::Bad),
        ),
        Line::styled(
            "   browsing can cost receives, so only Ctrl-R retries it",
            dim,
        ),
        Line::styled(format!("   {}", fault.hint()), dim),
    ];
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), area);
}

fn draw_letters(model: &Model, frame: &mut Frame<'_>, area: Rect, list: &DeadLetterList) {
    let state = &model.dead_letters;
    let wide = area.width >= WIDE;
    let columns = if wide { LETTERS } else { LETTERS_NARROW };
    let rows = (&state.cursor, state.matching.len());
    table::draw(model, frame, area, columns, rows, |row| {
        state
            .matching
            .get(row)
            .and_then(|place| list.letters.get(*place))
            .map(|letter| letter_cells(model, letter, wide))
            .unwrap_or_default()
    });
}

fn draw_empty(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let state = &model.dead_letters;
    match &state.queue {
        Some(queue) if !state.filter.is_on() && state.cause.is_none() => {
            pane::draw_empty(
                model,
                frame,
                area,
                true,
                &format!("no dead letters in {queue}; Esc goes back"),
            );
        }
        _ => {
            let all = model.dead_letters.letters().len();
            pane::draw_empty(
                model,
                frame,
                area,
                false,
                &format!(
                    "no match among {}; Esc clears the filter",
                    count(all, "dead letter")
                ),
            );
        }
    }
}

/// What is listed and what that cost: `61 dead letters of 2 causes · browsing cost nothing`.
fn cost_line(model: &Model, list: &DeadLetterList) -> Line<'static> {
    let (theme, state) = (model.theme, &model.dead_letters);
    let of_queue = list
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
    if !list.complete {
        text.push_str(" (maybe more)");
    }
    let (cost, tone) = match list.receives_spent {
        0 => (" · browsing cost nothing".to_owned(), Tone::Dim),
        spent => (
            format!(" · ⚠ browsing cost {} receives", thousands(spent)),
            Tone::Warn,
        ),
    };
    let mut spans = vec![
        Span::styled(text, theme.style(Tone::Strong)),
        Span::styled(cost, theme.style(tone)),
    ];
    if !state.picked.is_empty() {
        let words = format!(" · ● {} selected, Esc clears", state.picked.len());
        spans.push(Span::styled(words, theme.style(Tone::Accent)));
    }
    if let Some((class, _)) = &state.cause {
        spans.push(Span::styled(
            format!(" · {} only, Esc shows all", redact(class)),
            theme.style(Tone::Accent),
        ));
    }
    Line::from(spans)
}

fn draw_causes(
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
            format!("{mark}{}", redact(&cause.class)),
            theme.style(if chosen { Tone::Accent } else { Tone::Bad }),
        ),
        Line::raw(redact(&cause.fingerprint)),
        Line::raw(thousands(cause.count)),
        Line::raw(age_since(cause.first_seen, model.now)),
        Line::raw(age_since(cause.last_seen, model.now)),
    ]
}

fn letter_cells(model: &Model, letter: &DeadLetter, wide: bool) -> Vec<Line<'static>> {
    let id = letter
        .payment
        .as_ref()
        .map_or("unknown", |payment| payment.as_str());
    vec![
        with_pick_mark(
            model,
            letter,
            if wide { id.to_owned() } else { short_id(id) },
        ),
        Line::raw(age_since(letter.first_seen, model.now)),
        Line::raw(letter.receive_count.to_string()),
        Line::styled(redact(&letter.class), model.theme.style(Tone::Bad)),
        Line::raw(redact(&letter.reason)),
        Line::styled(letter.queue.clone(), model.theme.style(Tone::Dim)),
    ]
}

/// A first cell, marked when the dead letter was picked.
fn with_pick_mark(model: &Model, letter: &DeadLetter, text: String) -> Line<'static> {
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
