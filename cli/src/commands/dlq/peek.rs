//! `payops dlq peek`: one look into dead-letter queues, kept for browsing; what it cost is told.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use payops_core::usecase::DeadLetters;
use serde::Serialize;

use super::not_read;
use crate::access;
use crate::context::{Access, Context};
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Cell, Column, Look, Of, Row, Tone};
use crate::snapshot::{KEPT, Snapshots};
use payops_core::domain::access::Action;

/// `payops dlq peek`
#[derive(Clone, Debug, Args)]
pub(crate) struct PeekArgs {
    /// The queue or its dead-letter queue; all when left out
    queue: Option<String>,
    /// At most so many of each queue
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    limit: usize,
    /// For how long the snapshot is kept, at most 12h
    #[arg(long, value_name = "DURATION", value_parser = kept)]
    keep: Option<SignedDuration>,
}

fn kept(text: &str) -> Result<SignedDuration, String> {
    let wrong = || "write 10m or 2h, at most 12h".to_owned();
    let kept: SignedDuration = text.parse().map_err(|_| wrong())?;
    if kept.is_positive() && kept <= crate::snapshot::KEPT_MAX {
        Ok(kept)
    } else {
        Err(wrong())
    }
}

#[derive(Clone, Debug, Serialize)]
struct Peeked {
    queue: String,
    seen: usize,
    complete: bool,
    doubt: Option<String>,
    /// Receives spent: each raised a message's receive count by one.
    receives_spent: u64,
    /// For how long each message was hidden from others at most, in seconds.
    hidden_seconds: u64,
    groups_locked: u64,
    /// When the queue drops the first of them.
    first_expiry: Option<Timestamp>,
    snapshot: String,
    expires_at: Timestamp,
}

impl Row for Peeked {
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
        Column::text("ALL"),
        Column::number("RECEIVES SPENT"),
        Column::number("HIDDEN S"),
        Column::number("GROUPS LOCKED"),
        Column::text("FIRST DROPPED"),
        Column::text("WHY NOT ALL"),
        Column::text("SNAPSHOT").wide(),
    ];

    fn cells(&self, _: &Look) -> Vec<Cell> {
        vec![
            Cell::from(&self.queue),
            Cell::from(self.seen.to_string()),
            if self.complete {
                Cell::toned("yes", Tone::Good)
            } else {
                Cell::toned("perhaps not", Tone::Warn)
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

pub(crate) async fn run(context: &Context, args: &PeekArgs) -> CliResult<Exit> {
    let target = context.settings.one_target()?;
    let ports = context.open(&target, Access::Read).await?;
    access::permit(context, &target, &access::Wanted::new(Action::DlqPeek)).await?;
    let letters = DeadLetters::from(&ports);
    let queues = letters
        .queues(args.queue.as_deref())
        .await
        .map_err(not_read)?;
    let snapshots = Snapshots::of(&context.records_dir(&target), &target.name);
    let mut rows = Vec::new();
    for queue in queues {
        let seen = letters.look(std::slice::from_ref(&queue), args.limit).await;
        let seen =
            seen.map_err(|error| CliError::port(format!("{queue} was not looked into"), error))?;
        let (snapshot, path) = snapshots.keep(
            &target.name,
            &queue,
            seen,
            Context::now(),
            args.keep.unwrap_or(KEPT),
        )?;
        let seen = &snapshot.seen;
        let row = Peeked {
            queue,
            seen: seen.letters.len(),
            complete: seen.complete,
            doubt: seen.doubts.first().cloned(),
            receives_spent: seen.receives_spent,
            hidden_seconds: seen.hidden.as_secs(),
            groups_locked: seen.groups_locked,
            first_expiry: seen
                .letters
                .iter()
                .filter_map(|letter| letter.expires_at)
                .min(),
            snapshot: path.display().to_string(),
            expires_at: snapshot.expires_at,
        };
        rows.push(Of {
            env: target.name.clone(),
            value: row,
        });
    }
    context.printer.list(&rows, false)?;
    context
        .talk
        .say("browse with --snapshot: payops dlq list --snapshot, payops dlq causes --snapshot");
    Ok(Exit::Done)
}
