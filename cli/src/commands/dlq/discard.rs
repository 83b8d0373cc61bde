//! `payops dlq discard`: deletes dead letters on purpose. What is deleted is kept in a file first.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::Args;
use payops_core::domain::access::Action;
use payops_core::domain::audit::{AuditEntry, AuditOutcome};
use payops_core::domain::replay::{Disposition, ReplayPlan};
use payops_core::port::Ports;
use payops_core::usecase::{DeadLetter, DeadLetters, PlanRequest, ReplaySummary};
use serde::Serialize;

use super::not_read;
use super::planned::why_not;
use super::replay::{control, replayer, told};
use super::select::{SelectArgs, select};
use crate::access::{self, Wanted};
use crate::context::{Access, Context};
use crate::control::CliControl;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::journal::{FileJournal, Journals, QueueLock};
use crate::output::{Cell, Document, Look, Tone, count, details};
use crate::safety::{self, Act};
use crate::same_as;
use crate::settings::EnvTarget;

/// `payops dlq discard`
#[derive(Clone, Debug, Args)]
pub(crate) struct DiscardArgs {
    /// The queue or its dead-letter queue
    queue: String,
    #[command(flatten)]
    select: SelectArgs,
    /// Discard all of the queue, when no cause, filter, class or message is named
    #[arg(long)]
    all: bool,
    /// Do not ask; needs --reason
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the name that scripts read")]
struct Discarded {
    queue: String,
    planned: usize,
    discarded: usize,
    failed: usize,
    remaining: usize,
    /// Where the letters are kept, whole; readable by their owner alone.
    kept: Option<String>,
    failures: BTreeMap<String, String>,
}

impl Document for Discarded {
    fn human(&self, look: &Look) -> String {
        let tone = |number: usize| if number > 0 { Tone::Bad } else { Tone::Plain };
        let mut out = details(
            look,
            [
                (
                    "discarded",
                    Some(Cell::from(format!(
                        "{} of {}",
                        self.discarded, self.planned
                    ))),
                ),
                (
                    "failed",
                    Some(Cell::toned(self.failed.to_string(), tone(self.failed))),
                ),
                (
                    "remaining",
                    Some(Cell::toned(
                        self.remaining.to_string(),
                        tone(self.remaining),
                    )),
                ),
                ("kept in", self.kept.as_ref().map(Cell::from)),
            ],
        );
        out.push_str(&why_not(look, self.failures.iter()));
        out
    }
}

pub(crate) async fn run(context: &Context, args: &DiscardArgs) -> CliResult<Exit> {
    if !args.select.is_narrow() && !args.all {
        return Err(CliError::usage("which letters?")
            .hint("--cause, --filter, --class or --message choose; --all means every one"));
    }
    let target = context.settings.one_target()?;
    let ports = context.open(&target, Access::Write).await?;
    let dlq = DeadLetters::from(&ports)
        .queues(Some(&args.queue))
        .await
        .map_err(not_read)?
        .pop()
        .unwrap_or_default();
    let selected = select(context, &target, &ports, Some(&dlq), &args.select).await?;
    let number = selected.letters.len();
    if number == 0 {
        let nothing = Discarded {
            queue: dlq,
            planned: 0,
            discarded: 0,
            failed: 0,
            remaining: 0,
            kept: None,
            failures: BTreeMap::new(),
        };
        context.printer.document(&nothing)?;
        return Ok(Exit::Done);
    }
    let reason = safety::reason(context, &target)?;
    let reason = reason
        .ok_or_else(|| CliError::refused("a discard needs a reason").hint("add --reason TEXT"))?;
    let what = format!("DELETE {} of {dlq} for good", count(number, "message"));
    same_as::said(context, same_as::discard(&dlq));
    safety::confirm(
        context,
        &target,
        &Act {
            what: &what,
            typed: &format!("{dlq} {number}"),
            yes: args.yes,
            always: true,
        },
    )?;
    let made = made(
        context,
        &target,
        &ports,
        (&dlq, &selected.letters),
        (&reason, args.select.words()),
    )
    .await?;
    let control = control(context, &target, &made.plan);
    let (summary, kept, _) = carry_out(context, &target, &ports, made, &control).await?;
    let result = Discarded {
        queue: dlq,
        planned: summary.planned,
        discarded: summary.sent,
        failed: summary.failed.len(),
        remaining: summary.remaining,
        kept: Some(kept),
        failures: summary.failed,
    };
    context.printer.document(&result)?;
    Ok(match (result.remaining, result.failed) {
        (0, 0) => Exit::Done,
        (0, _) => Exit::Partial,
        _ => Exit::Interrupted,
    })
}

/// A discard that was permitted, recorded and journaled, about to be carried out.
pub(crate) struct Made {
    pub(crate) plan: ReplayPlan,
    kept: PathBuf,
    journal: FileJournal,
    entry: AuditEntry,
    _lock: (QueueLock, QueueLock),
}

/// Checks the rules, keeps the letters whole, and records that they are about to go.
pub(crate) async fn made(
    context: &Context,
    target: &EnvTarget,
    ports: &Ports,
    (dlq, letters): (&str, &[DeadLetter]),
    (reason, filter): (&str, Option<String>),
) -> CliResult<Made> {
    let number = letters.len();
    let wanted = Wanted {
        count: u64::try_from(number).ok(),
        ..Wanted::new(Action::DlqDiscard).because(Some(reason))
    };
    let permit = access::permit(context, target, &wanted).await?;
    let request = PlanRequest {
        env: target.name.clone(),
        queue: dlq.to_owned(),
        by: context.who().to_owned(),
        reason: reason.to_owned(),
        filter,
        ..PlanRequest::default()
    };
    let mut plan = replayer(ports, 1)
        .plan(request, letters)
        .await
        .map_err(told)?;
    plan.messages
        .iter_mut()
        .for_each(|message| message.verdict = Disposition::Send);
    let replays = super::replay::free(context, target, ports, dlq).await?;
    let journals = Journals::open(
        context
            .records_dir(target)
            .join("discards")
            .join(&target.name),
    )?;
    let lock = (replays, journals.lock(dlq)?);
    let kept = keep(context, target, &plan.id, letters)?;
    let entry = context
        .entry(target, "discard", Some(reason))
        .subject(dlq)
        .role(permit.duty.as_str())
        .detail("plan", &plan.id);
    let entry = entry
        .detail("messages", number.to_string())
        .detail("kept", kept.display().to_string());
    let entry = entry
        .same_as(same_as::discard(dlq))
        .outcome(AuditOutcome::Begun);
    context.record(target, &entry)?;
    let journal = journals.create(&plan)?;
    Ok(Made {
        plan,
        kept,
        journal,
        entry,
        _lock: lock,
    })
}

/// Deletes the letters, and records what became of them; where they are kept, and the journal.
pub(crate) async fn carry_out(
    context: &Context,
    target: &EnvTarget,
    ports: &Ports,
    made: Made,
    control: &CliControl,
) -> CliResult<(ReplaySummary, String, FileJournal)> {
    let Made {
        plan,
        kept,
        journal,
        entry,
        _lock,
    } = made;
    let kept = kept.display().to_string();
    let replayer = replayer(ports, 1);
    let work = replayer.discard(&plan, &plan.reason, &journal, control);
    let (done, frozen) =
        access::until_frozen(context, target, Action::DlqDiscard, &control.stop, work).await;
    control.bar.finish_and_clear();
    let summary = match done {
        Ok(summary) => summary,
        Err(error) => {
            context.record_end(
                target,
                &entry,
                AuditOutcome::Failed,
                Some("it stopped; the journal says where"),
            );
            return Err(told(error).hint(format!(
                "what was to be deleted is kept in {kept}; look again, then discard the rest"
            )));
        }
    };
    let outcome = if summary.failed.is_empty() && summary.remaining == 0 {
        AuditOutcome::Done
    } else {
        AuditOutcome::Failed
    };
    context.record_end(
        target,
        &entry,
        outcome,
        Some(&format!(
            "discarded {}, failed {}",
            summary.sent,
            summary.failed.len()
        )),
    );
    if let Some(refusal) = frozen.filter(|_| summary.remaining > 0) {
        let words = format!("discarded {}, {} left", summary.sent, summary.remaining);
        return Err(
            CliError::refused(format!("the discard stopped, for {refusal}; {words}"))
                .hint(format!("what went is kept in {kept}")),
        );
    }
    Ok((summary, kept, journal))
}

/// Keeps letters whole, so that one discarded by mistake can be brought back.
fn keep(
    context: &Context,
    target: &EnvTarget,
    id: &str,
    letters: &[DeadLetter],
) -> CliResult<PathBuf> {
    let path = context
        .records_dir(target)
        .join("discards")
        .join(&target.name)
        .join(format!("{id}.letters.jsonl.kept"));
    let write = || {
        let mut file = std::fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)?;
        for letter in letters {
            let mut line = serde_json::to_vec(letter)?;
            line.push(b'\n');
            file.write_all(&line)?;
        }
        file.sync_data()
    };
    write().map_err(|error: std::io::Error| {
        CliError::failed(format!(
            "the letters could not be kept in {}, so none was deleted",
            path.display()
        ))
        .because(error)
    })?;
    Ok(path)
}
