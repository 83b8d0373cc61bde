//! `payops dlq causes`: what letters died of, most first.

use clap::Args;
use payops_core::domain::dead_letter::{Cause, causes};
use payops_core::domain::privacy::Privacy;
use serde::Serialize;

use super::select::{SelectArgs, select};
use crate::context::Context;
use crate::error::CliResult;
use crate::exit::Exit;
use crate::output::{Cell, Column, Look, Row, Tone};

/// `payops dlq causes`
#[derive(Clone, Debug, Args)]
pub(crate) struct CausesArgs {
    /// The queue or its dead-letter queue; all when left out
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

    fn cells(&self, look: &Look) -> Vec<Cell> {
        let cause = &self.0;
        vec![
            Cell::from(&cause.id),
            Cell::from(cause.count.to_string()),
            Cell::from(look.ago(cause.first_seen)),
            Cell::from(look.ago(cause.last_seen)),
            Cell::toned(&cause.class, Tone::Bad),
            Cell::maybe(cause.consumer.as_ref()),
            Cell::from(&cause.fingerprint),
            Cell::from(&cause.sample),
        ]
    }
}

fn masked(cause: Cause, privacy: Privacy) -> CauseRow {
    let text = |text: &str| privacy.text(text);
    CauseRow(Cause {
        class: text(&cause.class),
        fingerprint: text(&cause.fingerprint),
        ..cause
    })
}

pub(crate) async fn run(context: &Context, args: &CausesArgs) -> CliResult<Exit> {
    let fan = context.each_env(|target, ports| async move {
        let selected = select(
            context,
            &target,
            &ports,
            args.queue.as_deref(),
            &args.select,
        )
        .await?;
        let causes = causes(selected.letters.iter().map(|letter| letter.sighting()));
        Ok(causes
            .into_iter()
            .map(|cause| masked(cause, context.privacy))
            .collect::<Vec<_>>())
    });
    let fan = fan.await?;
    let (exit, many) = (fan.exit(&context.talk), fan.many);
    context.printer.list(&fan.rows(), many)?;
    Ok(exit)
}
