//! `payops dlq list`: dead letters, and why each failed.

use clap::Args;
use jiff::Timestamp;
use payops_core::domain::dead_letter::consumer_of;
use payops_core::domain::privacy::Privacy;
use payops_core::usecase::DeadLetter;
use payops_ops::dead_letters::Selection;
use payops_ops::error::OpsResult;
use serde::Serialize;

use super::select::{SelectArgs, select};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, Row, Style, Tone};

/// `payops dlq list`
#[derive(Clone, Debug, Args)]
pub(crate) struct DlqListArgs {
    /// Queue, or its dead-letter queue [default: all]
    queue: Option<String>,
    #[command(flatten)]
    select: SelectArgs,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct DeadLetterRow {
    message_id: String,
    queue: String,
    payment_id: Option<String>,
    class: String,
    reason: String,
    receive_count: u32,
    first_seen: Timestamp,
    cause: String,
    consumer: Option<String>,
    expires_at: Option<Timestamp>,
}

impl DeadLetterRow {
    fn new(letter: &DeadLetter, privacy: Privacy) -> Self {
        Self {
            message_id: letter.message.message_id.clone(),
            queue: letter.queue.clone(),
            payment_id: letter.payment.as_ref().map(ToString::to_string),
            class: privacy.text(&letter.class),
            reason: privacy.text(&letter.reason),
            receive_count: letter.receive_count,
            first_seen: letter.first_seen,
            cause: letter.sighting().cause_id(),
            consumer: consumer_of(&letter.message.attributes)
                .map(|consumer| privacy.text(consumer)),
            expires_at: letter.expires_at,
        }
    }
}

impl Row for DeadLetterRow {
    const FIELDS: &'static [&'static str] = &[
        "message_id",
        "queue",
        "payment_id",
        "class",
        "reason",
        "receive_count",
        "first_seen",
        "cause",
        "consumer",
        "expires_at",
    ];
    const COLUMNS: &'static [Column] = &[
        Column::text("MESSAGE"),
        Column::text("QUEUE"),
        Column::text("PAYMENT"),
        Column::number("AGE"),
        Column::number("RECV"),
        Column::text("CAUSE"),
        Column::text("CLASS"),
        Column::text("CONSUMER").wide(),
        Column::text("DROPPED").wide(),
        Column::text("WHY"),
    ];

    fn cells(&self, style: &Style) -> Vec<Cell> {
        vec![
            Cell::from(&self.message_id),
            Cell::from(&self.queue),
            Cell::maybe(self.payment_id.as_ref()),
            Cell::from(style.ago(self.first_seen)),
            Cell::from(self.receive_count.to_string()),
            Cell::from(&self.cause),
            Cell::toned(&self.class, Tone::Bad),
            Cell::maybe(self.consumer.as_ref()),
            Cell::maybe(
                self.expires_at
                    .map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()),
            ),
            Cell::from(&self.reason),
        ]
    }
}

pub(crate) async fn run(context: &Context, args: &DlqListArgs) -> OpsResult<Exit> {
    let selection = Selection::from(&args.select);
    let (queue, selection) = (args.queue.as_deref(), &selection);
    let fan = context.ask_each(|session| async move {
        let chosen = select(context, &session, queue, selection).await?;
        let letters = chosen.letters.iter();
        let rows = letters.map(|letter| DeadLetterRow::new(letter, context.privacy));
        Ok(rows.collect::<Vec<_>>())
    });
    let fan = fan.await?;
    let (exit, many) = (fan.exit(&context.console), fan.many);
    context.printer.list(&fan.rows(), many)?;
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_has_the_names_scripts_read_and_shows_nobody() {
        let row = DeadLetterRow {
            message_id: "5f3a".into(),
            queue: "payments-work-dlq".into(),
            payment_id: None,
            class: "schema_error".into(),
            reason: Privacy { reveal: false }.text("bounced for anna@example.com"),
            receive_count: 5,
            first_seen: "2026-11-22T12:08:00Z".parse().expect("a time"),
            cause: "0a1b2c3d".into(),
            consumer: Some("worker 1.9.0".into()),
            expires_at: None,
        };
        insta::assert_json_snapshot!(row);
        assert_eq!(row.cells(&Style::plain())[3], Cell::from("2m"));
    }
}
