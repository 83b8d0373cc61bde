//! `payops dlq show`: one dead letter, decoded layer by layer. Bodies come from anybody:
//! everything is masked and made safe for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use jiff::Timestamp;
use payops_core::domain::dead_letter::Layer;
use payops_core::domain::privacy::Privacy;
use payops_core::usecase::{DeadLetter, DeadLetterContents, DeadLetters};
use payops_ops::dead_letters::find_dead_letter;
use payops_ops::error::{Kind, OpsError, OpsResult};
use serde::Serialize;
use serde_json::Value;

use crate::commands::payment::view::PaymentView;
use crate::commands::payment::{EventView, events_table};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Document, InEnv, Style, Tone, details, json_text};

const TAIL: usize = 12;
/// How much of a body that is no JSON is shown to people, in characters.
const SHOWN_MAX: usize = 4_000;

/// `payops dlq show`
#[derive(Clone, Debug, Args)]
pub(crate) struct ShowArgs {
    /// Message ID
    message_id: String,
    /// Queue, or its dead-letter queue [default: search all]
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
}

/// A dead letter with everything that is known of it.
#[derive(Clone, Debug, Serialize)]
struct DeadLetterView {
    message_id: String,
    queue: String,
    payment_id: Option<String>,
    class: String,
    reason: String,
    receive_count: u32,
    first_seen: Timestamp,
    sent_at: Timestamp,
    attributes: BTreeMap<String, String>,
    /// From the outside in: `attributes`, `envelope`, `detail`, `archived request`; or `text`.
    layers: Vec<Layer>,
    /// The payment as it is now; `null` when the message names none that is known.
    payment: Option<PaymentView>,
    timeline: Vec<EventView>,
}

impl Document for DeadLetterView {
    fn human(&self, style: &Style) -> String {
        let mut pairs = vec![
            ("message", Some(Cell::from(&self.message_id))),
            ("queue", Some(Cell::from(&self.queue))),
            (
                "why",
                Some(Cell::toned(
                    format!("{}: {}", self.class, self.reason),
                    Tone::Bad,
                )),
            ),
            ("payment", Some(Cell::maybe(self.payment_id.as_ref()))),
            (
                "first seen",
                Some(crate::output::moment(style, self.first_seen)),
            ),
            ("receives", Some(Cell::from(self.receive_count.to_string()))),
        ];
        for (name, value) in &self.attributes {
            pairs.push(("attribute", Some(Cell::from(format!("{name} = {value}")))));
        }
        let mut out = details(style, pairs);
        for layer in &self.layers {
            let _ = writeln!(out, "\n{}", layer.name);
            if let Some(problem) = &layer.problem {
                out.push_str(&details(
                    style,
                    [("  problem", Some(Cell::toned(problem, Tone::Bad)))],
                ));
            }
            out.push_str(&content_text(&layer.content));
        }
        if let Some(payment) = &self.payment {
            out.push_str("\npayment now\n");
            out.push_str(&payment.human(style));
        }
        if !self.timeline.is_empty() {
            out.push_str("\ntimeline\n");
            out.push_str(&events_table(&self.timeline, style));
        }
        out
    }
}

fn content_text(content: &Value) -> String {
    let text = match content {
        Value::Null => return String::new(),
        Value::String(text) => {
            let clipped: String = text.chars().take(SHOWN_MAX).collect();
            payops_core::domain::mask::terminal(&clipped)
        }
        other => json_text(other, true),
    };
    text.lines()
        .map(|line| format!("  {line}\n"))
        .collect::<Vec<_>>()
        .concat()
}

pub(crate) async fn run(context: &Context, args: &ShowArgs) -> OpsResult<Exit> {
    let fan = context.ask_each(|session| async move {
        let queue = args.queue.as_deref();
        let letter = find_dead_letter(&session, queue, &args.message_id).await?;
        let dead_letters = DeadLetters::from(session.ports().await?);
        open(&dead_letters, &letter, context.privacy).await
    });
    let fan = fan.await?;
    let missing = fan
        .failures
        .iter()
        .all(|(_, error)| error.kind == Kind::NotFound);
    let exit = if missing && !fan.answers.is_empty() {
        Exit::Done
    } else {
        fan.exit(&context.console)
    };
    if !fan.answers.is_empty() {
        let answers: Vec<InEnv<DeadLetterView>> = fan.answers;
        context.printer.documents(&answers, fan.many)?;
    }
    Ok(exit)
}

async fn open(
    letters: &DeadLetters,
    letter: &DeadLetter,
    privacy: Privacy,
) -> OpsResult<DeadLetterView> {
    let DeadLetterContents {
        layers,
        payment,
        events,
    } = letters
        .open(letter, privacy)
        .await
        .map_err(|error| OpsError::port("cannot read the payment of this dead letter", error))?;
    let tail = events.len().saturating_sub(TAIL);
    let timeline = events
        .iter()
        .skip(tail)
        .map(|event| EventView::new(event, privacy))
        .collect();
    let payment = payment.map(|payment| PaymentView::new(&payment, privacy));
    let message = &letter.message;
    Ok(DeadLetterView {
        message_id: message.message_id.clone(),
        queue: letter.queue.clone(),
        payment_id: letter.payment.as_ref().map(ToString::to_string),
        class: privacy.text(&letter.class),
        reason: privacy.text(&letter.reason),
        receive_count: letter.receive_count,
        first_seen: letter.first_seen,
        sent_at: message.sent_at,
        attributes: message
            .attributes
            .iter()
            .map(|(name, value)| (privacy.text(name), privacy.text(value)))
            .collect(),
        layers,
        payment,
        timeline,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use payops_core::domain::bus::{envelope, object_created};
    use payops_core::domain::dead_letter::body_layers;

    const MASKED: Privacy = Privacy { reveal: false };

    #[test]
    fn an_archive_event_has_two_layers() {
        let body = envelope(
            "e-1",
            &object_created("archive", "payments/pay_1.json", 10, Timestamp::UNIX_EPOCH),
        );
        insta::assert_json_snapshot!(body_layers(&body, MASKED));
    }

    #[test]
    fn hostile_bodies_are_tame() {
        let bodies = [
            "\u{1b}]0;owned\u{7}\u{1b}[2J anna@example.com",
            "{\"x\": \"\\u001b[2J\u{202e}\", \"email\": \"anna@example.com\", \"card\": \"4242424242424242\"}",
            "[[[[",
            "",
        ];
        for body in bodies {
            let text: String = body_layers(body, MASKED)
                .iter()
                .map(|layer| content_text(&layer.content))
                .collect();
            assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
            assert!(
                !text.contains("anna@") && !text.contains("4242"),
                "{text:?}"
            );
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(
            body_layers(&deep, MASKED)[0].problem.as_deref(),
            Some("JSON deeper than 64 levels")
        );
    }
}
