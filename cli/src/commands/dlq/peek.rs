//! `payops dlq peek`: one look into dead-letter queues, kept for browsing, and what it cost.

use clap::Args;
use jiff::SignedDuration;
use payops_ops::dead_letters::PeekReport;
use payops_ops::dead_letters::snapshot::KEPT_MAX;
use payops_ops::error::OpsResult;
use payops_ops::times::parse_span;

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, InEnv, Row, Style, Tone};

/// `payops dlq peek`
#[derive(Clone, Debug, Args)]
pub(crate) struct DlqPeekArgs {
    /// Queue, or its dead-letter queue [default: all]
    queue: Option<String>,
    /// Maximum number of messages per queue
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    limit: usize,
    /// How long to keep the snapshot, at most 12h
    #[arg(long, value_name = "DURATION", value_parser = parse_keep)]
    keep: Option<SignedDuration>,
}

fn parse_keep(text: &str) -> Result<SignedDuration, String> {
    parse_span(text, KEPT_MAX)
}

impl Row for PeekReport {
    const FIELDS: &'static [&'static str] = &[
        "queue",
        "seen",
        "complete",
        "doubt",
        "receives_spent",
        "hidden_seconds",
        "groups_locked",
        "first_expiry",
        "snapshot",
        "expires_at",
    ];
    const COLUMNS: &'static [Column] = &[
        Column::text("QUEUE"),
        Column::number("SEEN"),
        Column::text("COMPLETE"),
        Column::number("RECEIVES COST"),
        Column::number("HIDDEN (S)"),
        Column::number("FIFO GROUPS BLOCKED"),
        Column::text("FIRST EXPIRES"),
        Column::text("INCOMPLETE BECAUSE"),
        Column::text("SNAPSHOT").wide(),
    ];

    fn cells(&self, _: &Style) -> Vec<Cell> {
        vec![
            Cell::from(&self.queue),
            Cell::from(self.seen.to_string()),
            if self.complete {
                Cell::toned("yes", Tone::Good)
            } else {
                Cell::toned("maybe not", Tone::Warn)
            },
            Cell::from(self.receives_spent.to_string()),
            Cell::from(self.hidden_seconds.to_string()),
            Cell::from(self.groups_locked.to_string()),
            Cell::maybe(
                self.first_expiry
                    .map(|at| at.strftime("%Y-%m-%d %H:%M").to_string()),
            ),
            Cell::maybe(self.doubt.as_ref()),
            Cell::from(&self.snapshot),
        ]
    }
}

pub(crate) async fn run(context: &Context, args: &DlqPeekArgs) -> OpsResult<Exit> {
    let session = context.operator.one_session()?;
    context.interruptible(session.ports()).await?;
    let queue = args.queue.as_deref();
    let reports = payops_ops::dead_letters::peek(&session, queue, args.limit, args.keep).await?;
    let rows: Vec<InEnv<PeekReport>> = reports
        .into_iter()
        .map(|value| InEnv {
            env: session.name().to_owned(),
            value,
        })
        .collect();
    context.printer.list(&rows, false)?;
    context.console.say(format!(
        "browse it with: {}, {}",
        session.command("dlq list --snapshot"),
        session.command("dlq causes --snapshot")
    ));
    Ok(Exit::Done)
}
