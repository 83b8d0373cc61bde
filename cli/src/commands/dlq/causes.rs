//! `payops dlq causes`: dead letters by cause, most frequent first.

use clap::Args;
use payops_core::domain::dead_letter::{Cause, causes};
use payops_core::domain::privacy::Privacy;
use payops_ops::dead_letters::Selection;
use payops_ops::error::OpsResult;
use serde::Serialize;

use super::select::{SelectArgs, select};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, Row, Style, Tone};

/// `payops dlq causes`
#[derive(Clone, Debug, Args)]
pub(crate) struct CausesArgs {
    /// Queue, or its dead-letter queue [default: all]
    queue: Option<String>,
    #[command(flatten)]
    select: SelectArgs,
}

#[derive(Clone, Debug, Serialize)]
struct CauseRow(Cause);

impl Row for CauseRow {
    const FIELDS: &'static [&'static str] = &[
        "id",
        "class",
        "fingerprint",
        "exception",
        "consumer",
        "count",
        "first_seen",
        "last_seen",
        "sample",
    ];
    const COLUMNS: &'static [Column] = &[
        Column::text("CAUSE"),
        Column::number("COUNT"),
        Column::number("FIRST"),
        Column::number("LAST"),
        Column::text("CLASS"),
        Column::text("CONSUMER"),
        Column::text("WHY"),
        Column::text("SAMPLE").wide(),
    ];

    fn cells(&self, style: &Style) -> Vec<Cell> {
        let cause = &self.0;
        vec![
            Cell::from(&cause.id),
            Cell::from(cause.count.to_string()),
            Cell::from(style.ago(cause.first_seen)),
            Cell::from(style.ago(cause.last_seen)),
            Cell::toned(&cause.class, Tone::Bad),
            Cell::maybe(cause.consumer.as_ref()),
            Cell::from(&cause.fingerprint),
            Cell::from(&cause.sample),
        ]
    }
}

fn mask(cause: Cause, privacy: Privacy) -> CauseRow {
    let text = |text: &str| privacy.text(text);
    CauseRow(Cause {
        class: text(&cause.class),
        fingerprint: text(&cause.fingerprint),
        ..cause
    })
}

pub(crate) async fn run(context: &Context, args: &CausesArgs) -> OpsResult<Exit> {
    let selection = Selection::from(&args.select);
    let (queue, selection) = (args.queue.as_deref(), &selection);
    let fan = context.ask_each(|session| async move {
        let chosen = select(context, &session, queue, selection).await?;
        let causes = causes(chosen.letters.iter().map(|letter| letter.sighting()));
        let rows = causes.into_iter().map(|cause| mask(cause, context.privacy));
        Ok(rows.collect::<Vec<_>>())
    });
    let fan = fan.await?;
    let (exit, many) = (fan.exit(&context.console), fan.many);
    context.printer.list(&fan.rows(), many)?;
    Ok(exit)
}
