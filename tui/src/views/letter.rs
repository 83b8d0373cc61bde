//! One dead letter, decoded layer by layer down to the archived request, with its payment.

use payops_core::Timestamp;
use payops_core::domain::dead_letter::Layer;
use payops_core::domain::event::Event;
use payops_core::domain::privacy::Privacy;
use payops_core::usecase::{DeadLetter, Opened};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use serde_json::Value;

use super::dead_letters::{copied, letter, shown};
use super::{Freshness, View, opened as env_opened, rollouts};
use crate::effect::{Ask, Effect};
use crate::keymap::{Binding, Command, Key};
use crate::model::{Cursor, ItemKey, Look, Model, Pane, Route};
use crate::theme::Tone;
use crate::update::global;
use crate::widgets::state;
use crate::widgets::table;
use crate::widgets::words::age;

const LAYER_MAX: usize = 200;
/// Characters of a layer that are shown in one line.
const COMPACT_MAX: usize = 2_000;
/// Events of the timeline that are shown: the last ones.
const EVENTS_MAX: usize = 20;

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) opened: Pane<Opened>,
    of: Option<String>,
    cursor: Cursor,
    lines: Vec<(Tone, String)>,
}

pub(crate) struct Detail;

const KEYS: &[Binding] = &[
    Binding::shown(
        &[Key::ch('p'), Key::code(crossterm::event::KeyCode::Enter)],
        Command::ToPayment,
        "payment",
    ),
    Binding::shown(&[Key::ch('R')], Command::Replay, "replay"),
    Binding::shown(&[Key::ch('x')], Command::Discard, "discard"),
    Binding::new(&[Key::ch('X')], Command::Export, "export"),
    Binding::shown(&[Key::ch('i')], Command::Edit, "edit and replay"),
    Binding::shown(&[Key::ch('y')], Command::Copy, "copy"),
];

/// Whether the letter of that id is opened, or was asked for.
pub(super) fn is_open(model: &Model, id: &str) -> bool {
    model.letter.of.as_deref() == Some(id)
}

/// How what is in the letter of that id looks; `None` when nobody asked.
pub(super) fn opened_of<'a>(model: &'a Model, id: &str) -> Option<Look<'a, Opened>> {
    is_open(model, id).then(|| model.letter.opened.look())
}

/// Asks what is in a letter, unless that is known or asked already.
pub(super) fn open(model: &mut Model, id: &str) -> Vec<Effect> {
    let Some(env) = model.open_env() else {
        return Vec::new();
    };
    if !is_open(model, id) {
        model.letter = State {
            of: Some(id.to_owned()),
            ..State::default()
        };
    }
    let Some(letter) = letter(model, id)
        .filter(|_| model.letter.opened.is_due(model.now, None))
        .cloned()
    else {
        return Vec::new();
    };
    let request = model.next_request();
    model.letter.opened.ask(request);
    vec![Effect::Ask {
        request,
        env,
        ask: Box::new(Ask::DeadLetter(Box::new(letter))),
    }]
}

fn id(model: &Model) -> Option<String> {
    if let Route::Letter(id) = model.route() {
        Some(id.clone())
    } else {
        None
    }
}

impl View for Detail {
    fn bindings(&self) -> &'static [Binding] {
        KEYS
    }

    fn act(&self, model: &mut Model, command: Command) -> Vec<Effect> {
        let Some(letter) = id(model).and_then(|id| letter(model, &id)) else {
            return Vec::new();
        };
        match (command, letter.payment.clone()) {
            (Command::Copy, _) => return vec![Effect::Copy(copied(letter))],
            (Command::ToPayment, Some(payment)) => global::push(model, Route::Payment(payment)),
            _ => {}
        }
        Vec::new()
    }

    fn poll(&self, model: &mut Model) -> Vec<Effect> {
        id(model).map(|id| open(model, &id)).unwrap_or_default()
    }

    fn wake(&self, model: &Model) -> Option<Timestamp> {
        [
            model.letter.opened.due_at(None),
            Some(rollouts::next_second(model)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn refresh(&self, model: &mut Model) {
        model.letter.opened.refresh();
    }

    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        vec![("opened", env_opened::freshness(model.letter.opened.look()))]
    }

    fn prepare(&self, model: &mut Model) {
        let lines = match (
            id(model).and_then(|id| letter(model, &id)),
            model.letter.opened.value(),
        ) {
            (Some(letter), Some(opened)) => lines(letter, opened, model.now),
            _ => Vec::new(),
        };
        model.letter.lines = lines;
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        Some((
            state::rest(body, &model.letter.opened.look()),
            model.letter.lines.len(),
        ))
    }

    fn item(&self, _model: &Model, row: usize) -> Option<ItemKey> {
        Some(ItemKey::from(format!("line:{row}")))
    }

    fn cursor_mut<'a>(&self, model: &'a mut Model) -> Option<&'a mut Cursor> {
        Some(&mut model.letter.cursor)
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        if env_opened::env(model, frame, body).is_none() {
            return;
        }
        if id(model).and_then(|id| letter(model, &id)).is_none() {
            state::empty(
                model,
                frame,
                body,
                false,
                "this letter is not in the queue any more; Esc goes back to those that are",
            );
            return;
        }
        let Some((_, area)) =
            state::ready(model, frame, body, "the letter", model.letter.opened.look())
        else {
            return;
        };
        draw_lines(
            model,
            frame,
            area,
            &model.letter.lines,
            model.letter.cursor.top,
        );
        let cursor = &model.letter.cursor;
        let y = area.y.saturating_add(
            u16::try_from(cursor.row.saturating_sub(cursor.top)).unwrap_or(u16::MAX),
        );
        if y < area.bottom() {
            table::select(
                frame.buffer_mut(),
                Rect {
                    y,
                    height: 1,
                    ..area
                },
                model.theme.style(Tone::Selected),
            );
        }
    }
}

/// Draws lines of text from `top` on.
pub(super) fn draw_lines(
    model: &Model,
    frame: &mut Frame<'_>,
    area: Rect,
    lines: &[(Tone, String)],
    top: usize,
) {
    for (y, (tone, text)) in (area.y..area.bottom()).zip(lines.iter().skip(top)) {
        let line = Line::styled(format!(" {text}"), model.theme.style(*tone));
        frame.render_widget(
            table::clipped(&line, usize::from(area.width)),
            Rect {
                y,
                height: 1,
                ..area
            },
        );
    }
}

fn lines(letter: &DeadLetter, opened: &Opened, now: Timestamp) -> Vec<(Tone, String)> {
    let mut out = vec![
        (
            Tone::Bad,
            format!(
                "why       {}: {}",
                shown(&letter.class),
                shown(&letter.reason)
            ),
        ),
        (
            Tone::Plain,
            format!(
                "message   {}  in {}",
                letter.message.message_id, letter.queue
            ),
        ),
        (
            Tone::Plain,
            format!(
                "age       {} since it was first sent, {} receives",
                age(letter.first_seen, now),
                letter.receive_count
            ),
        ),
    ];
    let payment = letter
        .payment
        .as_ref()
        .map_or_else(|| "it names none".to_owned(), ToString::to_string);
    let status = opened
        .payment
        .as_ref()
        .map(|payment| format!("  {}", payment.status))
        .unwrap_or_default();
    out.push((Tone::Plain, format!("payment   {payment}{status}")));
    for (name, value) in &letter.message.attributes {
        out.push((
            Tone::Dim,
            format!("attribute {} = {}", shown(name), shown(value)),
        ));
    }
    for layer in &opened.layers {
        out.push((Tone::Plain, String::new()));
        out.push((Tone::Strong, layer.name.to_owned()));
        out.extend(
            layer
                .problem
                .iter()
                .map(|problem| (Tone::Bad, format!("  {problem}"))),
        );
        out.extend(content(layer));
    }
    if !opened.events.is_empty() {
        out.push((Tone::Plain, String::new()));
        out.push((Tone::Strong, "timeline".to_owned()));
        let skipped = opened.events.len().saturating_sub(EVENTS_MAX);
        out.extend(
            opened
                .events
                .iter()
                .skip(skipped)
                .map(|event| (Tone::Plain, format!("  {}", event_text(event, now)))),
        );
    }
    out
}

fn content(layer: &Layer) -> Vec<(Tone, String)> {
    pretty(&layer.content)
        .into_iter()
        .map(|(tone, line)| (tone, format!("  {line}")))
        .collect()
}

/// A value in lines that are fit for the screen; it must be masked already.
pub(super) fn pretty(value: &Value) -> Vec<(Tone, String)> {
    let text = match value {
        Value::Null => return Vec::new(),
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    };
    text.lines()
        .take(LAYER_MAX)
        .map(|line| (Tone::Plain, payops_core::domain::mask::terminal(line)))
        .collect()
}

/// The same in one line, of which no more is made than any screen shows.
pub(super) fn compact(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    payops_core::domain::mask::terminal(&text.chars().take(COMPACT_MAX).collect::<String>())
}

/// An event in two words: `dead_lettered 2m`.
pub(super) fn event_words(event: &Event, now: Timestamp) -> String {
    format!("{} {}", event.kind.as_str(), age(event.at, now))
}

/// An event in one line: `12s completed charge_id=…`.
pub(super) fn event_text(event: &Event, now: Timestamp) -> String {
    format!(
        "{:>4}  {:<14} {}",
        age(event.at, now),
        event.kind.as_str(),
        detail(event)
    )
}

/// Its details, masked: `code=card_declined amount=1250`.
pub(super) fn detail(event: &Event) -> String {
    let masked = Privacy::default().json(&event.detail);
    let Some(members) = masked.as_object() else {
        return String::new();
    };
    let member = |(name, value): (&String, &Value)| match value {
        Value::Null => None,
        Value::String(text) => Some(format!("{name}={text}")),
        other => Some(format!("{name}={other}")),
    };
    payops_core::domain::mask::terminal(
        &members
            .iter()
            .filter_map(member)
            .collect::<Vec<_>>()
            .join(" "),
    )
}
