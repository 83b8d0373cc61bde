//! `payops dlq show`: one dead letter, decoded layer by layer. Bodies come from anybody:
//! everything is masked and made safe for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use jiff::Timestamp;
use payops_core::domain::bus::{ARCHIVE_SOURCE, Envelope};
use payops_core::domain::work::archive_key;
use payops_core::port::Ports;
use serde::Serialize;
use serde_json::{Value, json};

use super::letter::{self, Letter};
use crate::commands::payment::view::PaymentView;
use crate::commands::payment::{EventView, events_table};
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Cell, Document, Look, Of, Tone, details, json_text};
use crate::privacy::Privacy;

/// How many events of the payment's timeline are shown.
const TAIL: usize = 12;
/// How much of a body that is no JSON is shown to people, in characters.
const SHOWN_MAX: usize = 4_000;
/// How many dead letters are looked through for one.
const SEARCHED_MAX: usize = 100_000;

/// `payops dlq show`
#[derive(Clone, Debug, Args)]
pub(crate) struct ShowArgs {
    /// The message's id
    message_id: String,
    /// The queue or its dead-letter queue, when you know it
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
}

/// A dead letter with everything that is known of it.
#[derive(Clone, Debug, Serialize)]
struct Shown {
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
    /// The end of the payment's timeline.
    timeline: Vec<EventView>,
}

/// One layer of the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Layer {
    #[serde(rename = "layer")]
    name: &'static str,
    /// What it holds; `null` when it could not be read.
    content: Value,
    /// What is wrong with it, if anything.
    problem: Option<String>,
}

impl Layer {
    fn of(name: &'static str, content: Value) -> Self {
        Self { name, content, problem: None }
    }
}

impl Document for Shown {
    fn human(&self, look: &Look) -> String {
        let mut pairs = vec![
            ("message", Some(Cell::from(&self.message_id))),
            ("queue", Some(Cell::from(&self.queue))),
            ("why", Some(Cell::toned(format!("{}: {}", self.class, self.reason), Tone::Bad))),
            ("payment", Some(Cell::maybe(self.payment_id.as_ref()))),
            ("first seen", Some(crate::output::moment(look, self.first_seen))),
            ("receives", Some(Cell::from(self.receive_count.to_string()))),
        ];
        for (name, value) in &self.attributes {
            pairs.push(("attribute", Some(Cell::from(format!("{name} = {value}")))));
        }
        let mut out = details(look, pairs);
        for layer in &self.layers {
            let _ = writeln!(out, "\n{}", layer.name);
            if let Some(problem) = &layer.problem {
                out.push_str(&details(look, [("  problem", Some(Cell::toned(problem, Tone::Bad)))]));
            }
            out.push_str(&content_text(&layer.content));
        }
        if let Some(payment) = &self.payment {
            out.push_str("\npayment now\n");
            out.push_str(&payment.human(look));
        }
        if !self.timeline.is_empty() {
            out.push_str("\ntimeline\n");
            out.push_str(&events_table(&self.timeline, look));
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
    text.lines().map(|line| format!("  {line}\n")).collect::<Vec<_>>().concat()
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &ShowArgs) -> CliResult<Exit> {
    let fan = context.each_env(|target, ports| async move {
        let queues = letter::queues(&ports, args.queue.as_deref()).await?;
        let found = find(&ports, &queues, &args.message_id).await?;
        let Some(letter) = found else {
            let message = format!("no dead letter {} in {}", args.message_id, target.name);
            return Err(CliError::not_found(message).hint("payops dlq list; it may have been replayed since"));
        };
        shown(&ports, &letter, context.privacy).await
    });
    let fan = fan.await?;
    let missing = fan.failures.iter().all(|(_, error)| error.exit == Exit::NotFound);
    let exit = if missing && !fan.answers.is_empty() { Exit::Done } else { fan.exit(&context.talk) };
    if !fan.answers.is_empty() {
        let answers: Vec<Of<Shown>> = fan.answers;
        context.printer.documents(&answers, fan.many)?;
    }
    Ok(exit)
}

async fn find(ports: &Ports, queues: &[String], message_id: &str) -> CliResult<Option<Letter>> {
    for queue in queues {
        let look = letter::look(ports, std::slice::from_ref(queue), SEARCHED_MAX).await?;
        if let Some(letter) = look.letters.into_iter().find(|letter| letter.message.message_id == message_id) {
            return Ok(Some(letter));
        }
    }
    Ok(None)
}

async fn shown(ports: &Ports, letter: &Letter, privacy: Privacy) -> CliResult<Shown> {
    let mut layers = body_layers(&letter.message.body, privacy);
    let (mut payment, mut timeline) = (None, Vec::new());
    if let Some(id) = &letter.payment {
        layers.push(archived(ports, &archive_key(id), privacy).await?);
        let failed = |error| CliError::port("the payment could not be read", error);
        payment = ports.store.get(id).await.map_err(failed)?.map(|payment| PaymentView::new(&payment, privacy));
        let events = ports.store.events(id).await.map_err(failed)?;
        let tail = events.len().saturating_sub(TAIL);
        timeline = events.iter().skip(tail).map(|event| EventView::new(event, privacy)).collect();
    }
    let message = &letter.message;
    Ok(Shown {
        message_id: message.message_id.clone(),
        queue: letter.queue.clone(),
        payment_id: letter.payment.as_ref().map(ToString::to_string),
        class: privacy.text(&letter.class),
        reason: privacy.text(&letter.reason),
        receive_count: letter.receive_count,
        first_seen: letter.first_seen,
        sent_at: message.sent_at,
        attributes: message.attributes.iter().map(|(name, value)| (privacy.text(name), privacy.text(value))).collect(),
        layers,
        payment,
        timeline,
    })
}

/// The layers of a body: the event envelope and its detail, or what it is instead.
fn body_layers(body: &str, privacy: Privacy) -> Vec<Layer> {
    let Ok(value) = serde_json::from_str::<Value>(body) else {
        let problem = Some("not JSON".to_owned());
        return vec![Layer { name: "text", content: Value::String(privacy.text(body)), problem }];
    };
    let Ok(envelope) = serde_json::from_value::<Envelope>(value.clone()) else {
        let problem = Some("not an event envelope".to_owned());
        return vec![Layer { name: "json", content: privacy.json(&value), problem }];
    };
    let head = json!({
        "id": privacy.text(&envelope.id), "source": privacy.text(&envelope.source),
        "detail-type": privacy.text(&envelope.detail_type), "time": envelope.time,
    });
    let mut detail = privacy.json(&envelope.detail);
    if envelope.source == ARCHIVE_SOURCE {
        // A bucket's name is no person's.
        let bucket = envelope.detail.pointer("/bucket/name").and_then(Value::as_str).map(|name| privacy.text(name));
        if let (Some(shown), Some(bucket)) = (detail.pointer_mut("/bucket/name"), bucket) {
            *shown = Value::String(bucket);
        }
    }
    vec![Layer::of("envelope", head), Layer::of("detail", detail)]
}

async fn archived(ports: &Ports, key: &str, privacy: Privacy) -> CliResult<Layer> {
    let bytes = ports.archive.get(key).await.map_err(|error| CliError::port("the archive did not answer", error))?;
    let Some(bytes) = bytes else {
        let problem = Some(format!("there is no object {key}"));
        return Ok(Layer { name: "archived request", content: Value::Null, problem });
    };
    if let Ok(value) = serde_json::from_slice::<Value>(&bytes) {
        return Ok(Layer::of("archived request", privacy.json(&value)));
    }
    let content = Value::String(privacy.text(&String::from_utf8_lossy(&bytes)));
    Ok(Layer { name: "archived request", content, problem: Some("not JSON".to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use payops_core::domain::bus::{envelope, object_created};

    const MASKED: Privacy = Privacy { reveal: false };

    #[test]
    fn an_archive_event_has_two_layers() {
        let body = envelope("e-1", &object_created("archive", "payments/pay_1.json", 10, Timestamp::UNIX_EPOCH));
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
            let text: String = body_layers(body, MASKED).iter().map(|layer| content_text(&layer.content)).collect();
            assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
            assert!(!text.contains("anna@") && !text.contains("4242"), "{text:?}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(body_layers(&deep, MASKED)[0].problem.as_deref(), Some("not JSON"));
    }
}
