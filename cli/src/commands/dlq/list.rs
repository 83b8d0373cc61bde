//! `payops dlq list`: dead letters, with why each died.

use std::fmt::Write as _;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::not_read;
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::output::{Cell, Column, Look, Row, Tone, count};
use payops_core::domain::letter::classes;
use payops_core::domain::privacy::Privacy;
use payops_core::usecase::{Letter, Letters};

/// `payops dlq list`
#[derive(Clone, Debug, Args)]
pub(crate) struct ListArgs {
    /// The queue or its dead-letter queue; all when left out
    queue: Option<String>,
    /// At most so many of each queue
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    limit: usize,
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct LetterRow {
    message_id: String,
    queue: String,
    payment_id: Option<String>,
    class: String,
    reason: String,
    receive_count: u32,
    first_seen: Timestamp,
}

impl LetterRow {
    fn new(letter: &Letter, privacy: Privacy) -> Self {
        Self {
            message_id: letter.message.message_id.clone(),
            queue: letter.queue.clone(),
            payment_id: letter.payment.as_ref().map(ToString::to_string),
            class: privacy.text(&letter.class),
            reason: privacy.text(&letter.reason),
            receive_count: letter.receive_count,
            first_seen: letter.first_seen,
        }
    }
}

impl Row for LetterRow {
    const COLUMNS: &'static [Column] = &[
        Column::text("MESSAGE"),
        Column::text("QUEUE"),
        Column::text("PAYMENT"),
        Column::number("AGE"),
        Column::number("RECV"),
        Column::text("CLASS"),
        Column::text("WHY"),
    ];

    fn cells(&self, look: &Look) -> Vec<Cell> {
        vec![
            Cell::from(&self.message_id),
            Cell::from(&self.queue),
            Cell::maybe(self.payment_id.as_ref()),
            Cell::from(look.ago(self.first_seen)),
            Cell::from(self.receive_count.to_string()),
            Cell::toned(&self.class, Tone::Bad),
            Cell::from(&self.reason),
        ]
    }
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &ListArgs) -> CliResult<Exit> {
    let fan = context.each_env(|target, ports| async move {
        let letters = Letters::from(&ports);
        let queues = letters.queues(args.queue.as_deref()).await.map_err(not_read)?;
        let look = letters.look(&queues, args.limit).await?;
        let mut told = format!("{}: {}", target.name, count(look.letters.len(), "dead letter"));
        if !look.letters.is_empty() {
            let _ = write!(told, ": {}", classes(look.letters.iter().map(|letter| letter.class.as_str())));
        }
        if !look.complete {
            told.push_str("; there may be more");
        }
        if look.receives_spent > 0 {
            let _ = write!(told, "; the look cost {}", count(look.receives_spent, "receive"));
        }
        context.talk.say(told);
        Ok(look.letters.iter().map(|letter| LetterRow::new(letter, context.privacy)).collect::<Vec<_>>())
    });
    let fan = fan.await?;
    let (exit, many) = (fan.exit(&context.talk), fan.many);
    context.printer.list(&fan.rows(), many)?;
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_has_the_names_scripts_read_and_shows_nobody() {
        let row = LetterRow {
            message_id: "5f3a".into(),
            queue: "payments-work-dlq".into(),
            payment_id: None,
            class: "schema_error".into(),
            reason: Privacy { reveal: false }.text("bounced for anna@example.com"),
            receive_count: 5,
            first_seen: "2026-11-22T12:08:00Z".parse().expect("a time"),
        };
        insta::assert_json_snapshot!(row);
        assert_eq!(row.cells(&Look::plain())[3], Cell::from("2m"));
    }
}
