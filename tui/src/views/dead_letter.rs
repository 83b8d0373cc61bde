//! One dead letter, decoded layer by layer down to the archived request, with its payment.

use payops_core::Timestamp;
use payops_core::domain::display::age_since;
use payops_core::usecase::{DeadLetter, DeadLetterContents};
use ratatui::Frame;
use ratatui::layout::Rect;

use super::environment::ready_env;
use super::view::{Freshness, View};
use crate::model::Model;
use crate::redact::{event_line, pretty_json, redact};
use crate::theme::Tone;
use crate::widgets::pane;
use crate::widgets::table::{self, draw_lines};

/// Events of the timeline that are shown: the last ones.
const EVENTS_MAX: usize = 20;

pub(super) struct DeadLetterView;

impl View for DeadLetterView {
    fn freshness(&self, model: &Model) -> Vec<(&'static str, Freshness)> {
        vec![(
            "opened",
            Freshness::from(model.dead_letter.contents.state()),
        )]
    }

    fn list(&self, model: &Model, body: Rect) -> Option<(Rect, usize)> {
        Some((
            pane::value_area(body, &model.dead_letter.contents.state()),
            model.dead_letter.lines.len(),
        ))
    }

    fn draw(&self, model: &Model, frame: &mut Frame<'_>, body: Rect) {
        if ready_env(model, frame, body).is_none() {
            return;
        }
        if model
            .dead_letter_route()
            .and_then(|id| model.dead_letters.find(id))
            .is_none()
        {
            pane::draw_empty(
                model,
                frame,
                body,
                false,
                "this dead letter is no longer in the queue; Esc goes back",
            );
            return;
        }
        let Some((_, area)) = pane::draw_unless_ready(
            model,
            frame,
            body,
            "dead letter",
            model.dead_letter.contents.state(),
        ) else {
            return;
        };
        draw_lines(
            model,
            frame,
            area,
            &model.dead_letter.lines,
            model.dead_letter.cursor.top,
        );
        let cursor = &model.dead_letter.cursor;
        let y = area.y.saturating_add(
            u16::try_from(cursor.row.saturating_sub(cursor.top)).unwrap_or(u16::MAX),
        );
        if y < area.bottom() {
            table::mark_selected(
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

/// What the view shows, in lines: made once for an answer, not for each frame.
pub(crate) fn dead_letter_lines(
    letter: &DeadLetter,
    opened: &DeadLetterContents,
    now: Timestamp,
) -> Vec<(Tone, String)> {
    let mut out = vec![
        (
            Tone::Bad,
            format!(
                "why       {}: {}",
                redact(&letter.class),
                redact(&letter.reason)
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
                "age       first sent {} ago, {} receives",
                age_since(letter.first_seen, now),
                letter.receive_count
            ),
        ),
    ];
    let payment = letter
        .payment
        .as_ref()
        .map_or_else(|| "none".to_owned(), ToString::to_string);
    let status = opened
        .payment
        .as_ref()
        .map(|payment| format!("  {}", payment.status))
        .unwrap_or_default();
    out.push((Tone::Plain, format!("payment   {payment}{status}")));
    for (name, value) in &letter.message.attributes {
        out.push((
            Tone::Dim,
            format!("attribute {} = {}", redact(name), redact(value)),
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
        out.extend(
            pretty_json(&layer.content)
                .into_iter()
                .map(|line| (Tone::Plain, format!("  {line}"))),
        );
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
                .map(|event| (Tone::Plain, format!("  {}", event_line(event, now)))),
        );
    }
    out
}
