//! Below the list: what is in the selected dead letter, or which payments the selected cause
//! concerns.

use payops_core::domain::dead_letter::{Cause, Layer, body_layers};
use payops_core::domain::id::PaymentId;
use payops_core::domain::privacy::Privacy;
use payops_core::usecase::DeadLetter;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::{Fact, Model, PaneState};
use crate::redact::{compact_json, event_summary, redact};
use crate::text::{short_id, wrap};
use crate::theme::Tone;

const PAYMENTS_NAMED: usize = 4;

/// Events of the timeline that are named in one line.
const EVENTS_SHOWN: usize = 12;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    if area.height == 0 {
        return;
    }
    let facts = match (
        model.dead_letters.selected(),
        model.dead_letters.selected_cause(),
    ) {
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
        for line in fact_lines(
            model,
            fact,
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

/// At most `most` lines: the text continues below itself, not below its label.
fn fact_lines(model: &Model, fact: Fact, width: usize, most: usize) -> Vec<Line<'static>> {
    let Fact { label, text, tone } = fact;
    let parts = wrap(&text, width.saturating_sub(LABEL), most.min(FACT_LINES));
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    let line = |(label, part): (&str, String)| {
        let label = Span::styled(format!("{label:<LABEL$}"), model.theme.style(Tone::Dim));
        Line::from(vec![label, Span::styled(part, model.theme.style(tone))])
    };
    labels.zip(parts).map(line).collect()
}

fn letter_facts(model: &Model, letter: &DeadLetter) -> Vec<Fact> {
    let mut out = vec![Fact::new(
        "why",
        format!("{}: {}", redact(&letter.class), redact(&letter.reason)),
        Tone::Bad,
    )];
    let fact = |layer: &Layer| {
        let name = if layer.name == "archived request" {
            "request"
        } else {
            layer.name
        };
        match &layer.problem {
            Some(problem) => Fact::new(
                name,
                format!("{} {}", redact(problem), compact_json(&layer.content)),
                Tone::Bad,
            ),
            None => Fact::new(name, compact_json(&layer.content), Tone::Plain),
        }
    };
    let body = || body_layers(&letter.message.body, Privacy::default());
    match model.dead_letter.contents_of(&letter.message.message_id) {
        Some(PaneState::Ready { value: opened, .. }) => {
            // The request comes first: it shows whether the payment itself was wrong.
            let (request, layers) = opened
                .layers
                .split_last()
                .map_or((None, &[][..]), |(last, others)| (Some(last), others));
            out.extend(request.map(fact));
            let skip = opened.events.len().saturating_sub(EVENTS_SHOWN);
            let events: Vec<String> = opened
                .events
                .iter()
                .skip(skip)
                .map(|event| event_summary(event, model.now))
                .collect();
            let now = opened
                .payment
                .as_ref()
                .map(|payment| format!("now {}: ", payment.status))
                .unwrap_or_default();
            let events = if events.is_empty() {
                "none: payment not found".to_owned()
            } else {
                format!("{now}{}", events.join(" · "))
            };
            out.push(Fact::new("timeline", events, Tone::Plain));
            out.extend(layers.iter().rev().map(fact));
        }
        Some(PaneState::Failed { fault, .. }) => {
            out.push(Fact::new(
                "request",
                format!("✖ {}; open it and press Ctrl-R to retry", fault.text),
                Tone::Bad,
            ));
            out.extend(body().iter().rev().map(fact));
        }
        _ => {
            out.push(Fact::new("request", "◌ loading…".to_owned(), Tone::Dim));
            out.extend(body().iter().rev().map(fact));
        }
    }
    out.push(Fact::new(
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
    let own: Vec<&DeadLetter> = model
        .dead_letters
        .letters()
        .iter()
        .filter(of_cause)
        .collect();
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
        "none".to_owned()
    } else {
        format!("{}{more}", named.join(" "))
    };
    vec![
        Fact::new(
            "cause",
            format!("{}: {}", redact(&cause.class), redact(&cause.fingerprint)),
            Tone::Bad,
        ),
        Fact::new("queues", queues.join(" "), Tone::Plain),
        Fact::new("payments", named, Tone::Plain),
        Fact::new("", "Enter lists its dead letters".to_owned(), Tone::Dim),
    ]
}
