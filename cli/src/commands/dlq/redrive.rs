//! `payops dlq redrive`: has the queue service itself move a whole dead-letter queue back, unread.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use payops_core::domain::access::Action;
use payops_core::domain::audit::{AuditEntry, AuditOutcome};
use payops_core::domain::bus::{dead_letter_queue, source_of};
use payops_core::port::{Ports, QueueStats, REDRIVE_RATE_MAX, Redrive, RedriveStatus};
use payops_core::usecase::DeadLetters;
use serde::Serialize;

use super::not_read;
use crate::access::{self, Wanted};
use crate::context::{Access, Context};
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Cell, Column, Document, Look, Of, Row, Tone, count, details};
use crate::safety::{self, Act};
use crate::same_as;
use crate::settings::EnvTarget;

const EVERY: Duration = Duration::from_millis(500);
/// For how long a redrive that has ended is waited for to say so, after it was canceled.
const END: Duration = Duration::from_secs(10);

/// `payops dlq redrive`
///
/// Every message goes back unread and as it is: it keeps its attributes, its replays are not
/// counted, and no payment is looked at. A message has a new id and a new time of sending then.
#[derive(Clone, Debug, Args)]
pub(crate) struct RedriveArgs {
    /// The queue or its dead-letter queue
    queue: String,
    /// At most N messages a second, up to 500 [default: what the queue service chooses]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(REDRIVE_RATE_MAX)))]
    rate: Option<u32>,
    /// Do not wait for its end: payops dlq redrives says how far it is
    #[arg(long)]
    no_wait: bool,
    /// Do not ask; where writes are protected this needs --reason
    #[arg(long)]
    yes: bool,
}

/// `payops dlq redrives` and `payops dlq cancel-redrive`
#[derive(Clone, Debug, Args)]
pub(crate) struct WhichArgs {
    /// The queue or its dead-letter queue
    queue: String,
}

#[derive(Clone, Debug, Serialize)]
struct RedriveRow {
    queue: String,
    target: Option<String>,
    status: &'static str,
    moved: u64,
    planned: Option<u64>,
    rate_per_second: Option<u32>,
    started_at: Timestamp,
    reason: Option<String>,
}

impl RedriveRow {
    fn new(queue: &str, task: &Redrive) -> Self {
        Self {
            queue: queue.to_owned(),
            target: task.target.clone(),
            status: task.status.as_str(),
            moved: task.moved,
            planned: task.planned,
            rate_per_second: task.rate_per_second,
            started_at: task.started_at,
            reason: task.reason.clone(),
        }
    }

    fn state(&self) -> Cell {
        let tone = match self.status {
            "completed" => Tone::Good,
            "failed" => Tone::Bad,
            _ => Tone::Warn,
        };
        Cell::toned(self.status, tone)
    }
}

impl Document for RedriveRow {
    fn human(&self, look: &Look) -> String {
        let of = self
            .planned
            .map(|planned| format!(" of about {planned}"))
            .unwrap_or_default();
        let to = self.target.as_deref().unwrap_or("where each came from");
        details(
            look,
            [
                ("redrive", Some(self.state())),
                ("from", Some(Cell::from(&self.queue))),
                ("to", Some(Cell::from(to))),
                ("moved", Some(Cell::from(format!("{}{of}", self.moved)))),
                (
                    "because",
                    self.reason
                        .as_ref()
                        .map(|reason| Cell::toned(reason, Tone::Bad)),
                ),
            ],
        )
    }
}

impl Row for RedriveRow {
    const FIELDS: &'static [&'static str] = &[
        "queue",
        "target",
        "status",
        "moved",
        "planned",
        "rate_per_second",
        "started_at",
        "reason",
    ];
    const COLUMNS: &'static [Column] = &[
        Column::text("FROM"),
        Column::text("TO"),
        Column::text("STATUS"),
        Column::number("MOVED"),
        Column::number("OF ABOUT"),
        Column::number("BEGAN"),
        Column::text("WHY"),
    ];

    fn cells(&self, look: &Look) -> Vec<Cell> {
        vec![
            Cell::from(&self.queue),
            Cell::maybe(self.target.as_ref()),
            self.state(),
            Cell::from(self.moved.to_string()),
            Cell::maybe(self.planned.map(|planned| planned.to_string())),
            Cell::from(look.ago(self.started_at)),
            Cell::maybe(self.reason.as_ref()),
        ]
    }
}

/// The dead-letter queue that is meant, and where its letters came from.
async fn named(ports: &Ports, queue: &str) -> CliResult<(String, String)> {
    let dlq = DeadLetters::from(ports)
        .queues(Some(queue))
        .await
        .map_err(not_read)?
        .pop();
    let dlq = dlq.unwrap_or_else(|| dead_letter_queue(queue));
    let source = source_of(&dlq).ok_or_else(|| {
        CliError::not_found(format!("{dlq} is the dead-letter queue of no queue"))
    })?;
    Ok((dlq, source))
}

async fn last(ports: &Ports, dlq: &str) -> CliResult<Option<Redrive>> {
    let unread = |error| CliError::port(format!("the redrives of {dlq} could not be read"), error);
    Ok(ports
        .queues
        .redrives(dlq)
        .await
        .map_err(unread)?
        .into_iter()
        .next())
}

/// A dead-letter queue that is to be moved whole.
pub(crate) struct Moving {
    dlq: String,
    source: String,
    stats: QueueStats,
    rate: Option<u32>,
}

impl Moving {
    /// Finds it; an error when it is empty, or is moved already.
    pub(crate) async fn find(ports: &Ports, queue: &str, rate: Option<u32>) -> CliResult<Self> {
        let (dlq, source) = named(ports, queue).await?;
        let stats = ports
            .queues
            .stats(&dlq)
            .await
            .map_err(|error| CliError::port(format!("{dlq} did not answer"), error))?;
        if last(ports, &dlq)
            .await?
            .is_some_and(|task| !task.status.is_over())
        {
            return Err(
                CliError::refused(format!("a redrive of {dlq} is under way already")).hint(
                    format!(
                        "payops dlq redrives {dlq} says how far it is; payops dlq \
                    cancel-redrive {dlq} stops it"
                    ),
                ),
            );
        }
        if stats.visible == 0 && stats.in_flight == 0 {
            return Err(CliError::not_found(format!(
                "{dlq} is empty: there is nothing to move"
            )));
        }
        Ok(Self {
            dlq,
            source,
            stats,
            rate,
        })
    }

    fn words(&self, target: &EnvTarget) -> String {
        let about = if self.stats.approximate { "about " } else { "" };
        let number = count(
            usize::try_from(self.stats.visible).unwrap_or(usize::MAX),
            "message",
        );
        let seconds = self
            .stats
            .visible
            .div_ceil(u64::from(self.rate.unwrap_or(REDRIVE_RATE_MAX)));
        let (dlq, source, rate) = (
            &self.dlq,
            &self.source,
            self.rate.unwrap_or(REDRIVE_RATE_MAX),
        );
        format!(
            "{dlq} -> {source} in {}: {about}{number}, at most {rate}/s, {seconds} s or more\n  \
                warning     all of them, unread: no look at payments, no canary, no loop guard, no \
                line for each in a journal\n  instead     payops dlq replay {dlq} has all that\n  \
                same as     {}",
            target.name,
            same_as::redrive(dlq, source, self.rate)
        )
    }

    /// Checks the rules, and records that it is about to begin.
    pub(crate) async fn authorize(
        &self,
        context: &Context,
        target: &EnvTarget,
        ports: &Ports,
        reason: Option<&str>,
    ) -> CliResult<AuditEntry> {
        // Given back at once: from here on a replay sees that the queue is moved.
        drop(super::replay::free(context, target, ports, &self.dlq).await?);
        let wanted = Wanted {
            count: Some(self.stats.visible),
            ..Wanted::new(Action::DlqRedrive).because(reason)
        };
        let permit = access::permit(context, target, &wanted).await?;
        let entry = context
            .entry(target, "redrive", reason)
            .subject(&self.dlq)
            .role(permit.duty.as_str());
        let entry = entry.detail("messages", self.stats.visible.to_string());
        let entry = entry
            .same_as(same_as::redrive(&self.dlq, &self.source, self.rate))
            .outcome(AuditOutcome::Begun);
        context.record(target, &entry)?;
        Ok(entry)
    }

    async fn begin(
        &self,
        context: &Context,
        target: &EnvTarget,
        ports: &Ports,
        entry: &AuditEntry,
    ) -> CliResult<String> {
        let begun = ports
            .queues
            .start_redrive(&self.dlq, &self.source, self.rate)
            .await;
        begun.map_err(|error| {
            context.record_end(target, entry, AuditOutcome::Failed, Some(&error.message));
            CliError::port(format!("the redrive of {} did not begin", self.dlq), error)
        })
    }

    /// Begins it, waits for its end, and records that. When the context is told to stop, or the
    /// environment is frozen, the queue service is asked to stop it.
    pub(crate) async fn carry_out(
        &self,
        context: &Context,
        target: &EnvTarget,
        ports: &Ports,
        entry: &AuditEntry,
        tell: &(dyn Fn(&Redrive) + Send + Sync),
    ) -> CliResult<Redrive> {
        let handle = self.begin(context, target, ports, entry).await?;
        let task = self.waited(context, target, ports, &handle, tell).await;
        let task = task.inspect_err(|error| {
            context.record_end(target, entry, AuditOutcome::Failed, Some(&error.message))
        })?;
        let words = format!("{}: {} moved", task.status.as_str(), task.moved);
        let outcome = if task.status == RedriveStatus::Completed {
            AuditOutcome::Done
        } else {
            AuditOutcome::Failed
        };
        context.record_end(target, entry, outcome, Some(&words));
        if task.status == RedriveStatus::Failed {
            let why = task.reason.as_deref().unwrap_or("no reason given");
            let moved = count(usize::try_from(task.moved).unwrap_or(usize::MAX), "message");
            return Err(
                CliError::failed(format!("the redrive failed after {moved}: {why}"))
                    .hint("what was moved stays moved; the rest is where it was"),
            );
        }
        Ok(task)
    }

    async fn waited(
        &self,
        context: &Context,
        target: &EnvTarget,
        ports: &Ports,
        handle: &str,
        tell: &(dyn Fn(&Redrive) + Send + Sync),
    ) -> CliResult<Redrive> {
        let dlq = self.dlq.as_str();
        let mut frozen = Box::pin(access::frozen(context, target, Action::DlqRedrive));
        let mut canceled: Option<tokio::time::Instant> = None;
        loop {
            let task = last(ports, dlq).await?.ok_or_else(|| {
                CliError::failed(format!("nobody knows of a redrive of {dlq} any more"))
            })?;
            tell(&task);
            if task.status.is_over() || canceled.is_some_and(|at| at.elapsed() > END) {
                return Ok(task);
            }
            let stop = tokio::select! {
                () = tokio::time::sleep(EVERY) => false,
                () = context.stop.cancelled(), if canceled.is_none() => true,
                _ = &mut frozen, if canceled.is_none() => true,
            };
            if stop {
                let stopped = ports.queues.cancel_redrive(dlq, handle).await;
                stopped.map_err(|error| {
                    CliError::port(
                        format!("the redrive of {dlq} goes on: it could not be canceled"),
                        error,
                    )
                })?;
                canceled = Some(tokio::time::Instant::now());
            }
        }
    }
}

/// Runs `payops dlq redrive`.
pub(crate) async fn run(context: &Context, args: &RedriveArgs) -> CliResult<Exit> {
    let target = context.settings.one_target()?;
    let ports = context
        .interruptible(context.open(&target, Access::Write))
        .await?;
    let moving = Moving::find(&ports, &args.queue, args.rate).await?;
    let dlq = moving.dlq.clone();
    context.talk.say(moving.words(&target));
    let reason = safety::reason(context, &target)?;
    let what = format!("move all of {dlq} to {}", moving.source);
    safety::confirm(
        context,
        &target,
        &Act {
            what: &what,
            typed: &dlq,
            yes: args.yes,
            always: true,
        },
    )?;
    let entry = moving
        .authorize(context, &target, &ports, reason.as_deref())
        .await?;
    if args.no_wait {
        moving.begin(context, &target, &ports, &entry).await?;
        context.record_end(
            &target,
            &entry,
            AuditOutcome::Done,
            Some("begun; not waited for"),
        );
        if let Some(task) = last(&ports, &dlq).await? {
            context.printer.document(&RedriveRow::new(&dlq, &task))?;
        }
        context
            .talk
            .say(format!("payops dlq redrives {dlq} says how far it is"));
        return Ok(Exit::Done);
    }
    let bar = context.talk.progress("messages", None);
    let tell = |task: &Redrive| {
        if let Some(planned) = task.planned {
            bar.set_length(planned);
        }
        bar.set_position(task.moved);
    };
    let task = moving
        .carry_out(context, &target, &ports, &entry, &tell)
        .await;
    bar.finish_and_clear();
    let task = task?;
    context.printer.document(&RedriveRow::new(&dlq, &task))?;
    if task.status == RedriveStatus::Completed {
        return Ok(Exit::Done);
    }
    let words = format!("{}: {} moved", task.status.as_str(), task.moved);
    Err(CliError::new(Exit::Interrupted, words)
        .hint("what was moved stays moved; the rest is where it was"))
}

/// Runs `payops dlq redrives`.
pub(crate) async fn list(context: &Context, args: &WhichArgs) -> CliResult<Exit> {
    let target = context.settings.one_target()?;
    let ports = context.open(&target, Access::Read).await?;
    let (dlq, _) = named(&ports, &args.queue).await?;
    let unread = |error| CliError::port(format!("the redrives of {dlq} could not be read"), error);
    let tasks = ports.queues.redrives(&dlq).await.map_err(unread)?;
    let rows: Vec<Of<RedriveRow>> = tasks
        .iter()
        .map(|task| Of {
            env: target.name.clone(),
            value: RedriveRow::new(&dlq, task),
        })
        .collect();
    context.printer.list(&rows, false)?;
    Ok(Exit::Done)
}

/// Runs `payops dlq cancel-redrive`.
pub(crate) async fn cancel(context: &Context, args: &WhichArgs) -> CliResult<Exit> {
    let target = context.settings.one_target()?;
    let ports = context.open(&target, Access::Write).await?;
    let (dlq, _) = named(&ports, &args.queue).await?;
    let running = last(&ports, &dlq).await?.and_then(|task| task.handle);
    let none = || {
        CliError::not_found(format!("no redrive of {dlq} is under way"))
            .hint(format!("payops dlq redrives {dlq}"))
    };
    let handle = running.ok_or_else(none)?;
    let reason = safety::reason(context, &target)?;
    access::permit(
        context,
        &target,
        &Wanted {
            count: Some(0),
            ..Wanted::new(Action::DlqRedriveCancel).because(reason.as_deref())
        },
    )
    .await?;
    let entry = context
        .entry(&target, "redrive-cancel", reason.as_deref())
        .subject(&dlq);
    let entry = entry.same_as(same_as::cancel_redrive());
    let moved = context
        .audited(&target, entry, async {
            let canceled = ports.queues.cancel_redrive(&dlq, &handle).await;
            canceled.map_err(|error| {
                CliError::port(
                    format!("the redrive of {dlq} goes on: it could not be canceled"),
                    error,
                )
            })
        })
        .await?;
    context.talk.say(format!(
        "canceled; {} stay moved",
        count(usize::try_from(moved).unwrap_or(usize::MAX), "message")
    ));
    if let Some(task) = last(&ports, &dlq).await? {
        context.printer.document(&RedriveRow::new(&dlq, &task))?;
    }
    Ok(Exit::Done)
}
