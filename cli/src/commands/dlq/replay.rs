//! `payops dlq replay`: plan, review, execute. Cut off anywhere, the same command goes on from
//! the journal, with numbers that include what was done before.

use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use payops_core::domain::access::{AccessLevel, Action};
use payops_core::domain::audit::AuditOutcome;
use payops_core::domain::bus::{dead_letter_queue, source_queue};
use payops_core::domain::replay::{Progress, ReplayPlan, ReplayPlanFile, plan_sha256};
use payops_core::port::Ports;
use payops_core::usecase::{DeadLetters, PlanRequest, ReplayError, ReplaySummary, Replayer};

use super::approve::{self, Approved};
use super::not_read;
use super::planned::{Replayed, show};
use super::select::{SelectArgs, select};
use crate::access::{self, Wanted};
use crate::context::{Access, Context};
use crate::control::{CliControl, Pace, Tell};
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::journal::{FileJournal, Journals, QueueLock};
use crate::output::count;
use crate::safety::{self, Act};
use crate::same_as;
use crate::settings::EnvTarget;

pub(crate) const LANES: usize = 16;

/// How a replay goes.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct HowArgs {
    /// Send N first, watch what becomes of them, and stop if they die again or an alarm goes off
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) canary: Option<u32>,
    /// At most N messages a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rate: Option<u32>,
    /// Leave out letters whose payments came to their end, or are not known
    #[arg(long)]
    pub(super) only_safe: bool,
    /// How often a message may be replayed before it is parked [default: 3]
    #[arg(long, value_name = "N")]
    pub(super) replays_max: Option<u32>,
}

/// `payops dlq replay`
#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The queue or its dead-letter queue
    #[arg(required_unless_present = "plan")]
    queue: Option<String>,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    how: HowArgs,
    /// A plan file of `payops dlq plan`, with its approvals
    #[arg(long, value_name = "FILE", conflicts_with_all = ["queue", "cause", "filter", "class", "message", "limit", "snapshot", "canary", "rate"])]
    plan: Option<PathBuf>,
    /// Do not ask; where writes are protected this needs --reason
    #[arg(long)]
    yes: bool,
    /// Show the plan and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Batches moved at the same time
    #[arg(long, value_name = "N", default_value_t = LANES, hide_default_value = true, value_parser = lanes)]
    lanes: usize,
}

fn lanes(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|lanes| (1..=64).contains(lanes))
        .ok_or_else(|| "from 1 to 64".to_owned())
}

/// A replay about to run: new, or gone on with.
pub(crate) struct Job {
    pub(crate) plan: ReplayPlan,
    pub(crate) progress: Progress,
    pub(crate) journal: FileJournal,
    pub(crate) resumed: bool,
    pub(crate) lanes: usize,
}

pub(crate) async fn run(context: &Context, args: &ReplayArgs) -> CliResult<Exit> {
    let target = context.settings.one_target()?;
    let access = if args.dry_run {
        Access::Read
    } else {
        Access::Write
    };
    let ports = context.interruptible(context.open(&target, access)).await?;
    let file = args
        .plan
        .as_deref()
        .map(|path| approve::read(context, &target, path))
        .transpose()?;
    let queue = file
        .as_ref()
        .map(|file| file.plan.queue.clone())
        .or_else(|| args.queue.clone())
        .unwrap_or_default();
    let dlq = context
        .interruptible(async {
            DeadLetters::from(&ports)
                .queues(Some(&queue))
                .await
                .map_err(not_read)
        })
        .await?
        .pop();
    let dlq = dlq.unwrap_or_else(|| dead_letter_queue(source_queue(&queue).unwrap_or(&queue)));
    if args.dry_run {
        if is_cut_off(context, &target, &dlq)? {
            context.talk.warn(format!(
                "a replay of {dlq} was cut off: without --dry-run that one \
                is gone on with, and not this plan"
            ));
        }
        let plan = plan_of(context, args, &target, &ports, &dlq, file).await?;
        show(context, &plan);
        let summary = ReplaySummary {
            planned: plan.messages.len(),
            remaining: plan.messages.len(),
            ..ReplaySummary::default()
        };
        context
            .printer
            .document(&Replayed::new(&plan, &summary, None, false))?;
        context.talk.say("nothing was sent");
        return Ok(Exit::Done);
    }
    let journals = journals(context, &target)?;
    let lock = journals.lock(&dlq)?;
    let job = match journals.unfinished(&target.name, &dlq)? {
        Some(unfinished) => {
            let settled = unfinished
                .plan
                .messages
                .iter()
                .filter(|message| unfinished.progress.is_settled(&message.message_id))
                .count();
            let left = unfinished.plan.messages.len().saturating_sub(settled);
            let plan = &unfinished.plan;
            context.talk.warn(format!(
                "going on with the replay of {dlq} that {} began at {}: {settled} of {} are \
                    settled, {left} are left",
                plan.by,
                plan.at,
                plan.messages.len(),
            ));
            let is_same = file.as_ref().is_none_or(|file| file.plan.id == plan.id);
            let changes = args.how.canary.is_some()
                || args.how.rate.is_some()
                || args.how.only_safe
                || args.how.replays_max.is_some();
            if args.select.is_narrow() || changes || !is_same {
                return Err(CliError::usage(
                    "a replay that was cut off must be finished first, all \
                    of it and as it was planned",
                )
                .hint(
                    "leave what chooses letters, --canary, --rate and --only-safe away; \
                        --plan only with the plan of that replay",
                ));
            }
            show(context, plan);
            let approvals = file.map(|file| file.approvals).unwrap_or_default();
            let approvals = approve::proven(context, &target, &approvals).await?;
            let sha256 = plan_sha256(plan);
            let reason = consent(context, &target, args.yes, &dlq, left)?;
            authorize_again(
                context,
                &target,
                plan,
                &Approved {
                    sha256: &sha256,
                    approvals: &approvals,
                },
                reason.as_deref(),
            )
            .await?;
            let (plan, progress, journal) =
                (unfinished.plan, unfinished.progress, unfinished.journal);
            Some(Job {
                plan,
                progress,
                journal,
                resumed: true,
                lanes: args.lanes,
            })
        }
        None => fresh(context, args, &target, &ports, &journals, (&dlq, file)).await?,
    };
    let Some(job) = job else {
        return Ok(Exit::Done);
    };
    let exit = execute(context, &target, &ports, job).await;
    drop(lock);
    exit
}

pub(crate) fn journals(context: &Context, target: &EnvTarget) -> CliResult<Journals> {
    Journals::open(
        context
            .records_dir(target)
            .join("replays")
            .join(&target.name),
    )
}

/// The right to take letters out of a queue: not while a replay of it is under way or was cut off,
/// nor while the queue service moves all of it.
pub(crate) async fn free(
    context: &Context,
    target: &EnvTarget,
    ports: &Ports,
    dlq: &str,
) -> CliResult<QueueLock> {
    let journals = journals(context, target)?;
    let lock = journals.lock(dlq)?;
    if journals.unfinished(&target.name, dlq)?.is_some() {
        return Err(CliError::refused(format!(
            "a replay of {dlq} was cut off, and knows what it sent by what is left"
        ))
        .hint(format!("finish it first: payops dlq replay {dlq}")));
    }
    unmoved(ports, dlq).await?;
    Ok(lock)
}

/// Refuses while the queue service moves all of a queue. One that does not say so moves nothing as
/// far as is known.
pub(crate) async fn unmoved(ports: &Ports, dlq: &str) -> CliResult<()> {
    let moved = ports.queues.redrives(dlq).await.unwrap_or_default();
    if moved.first().is_some_and(|task| !task.status.is_over()) {
        return Err(
            CliError::refused(format!("the queue service is moving all of {dlq}")).hint(format!(
                "payops dlq redrives {dlq} says how far it is; payops dlq cancel-redrive \
                {dlq} stops it"
            )),
        );
    }
    Ok(())
}

/// Plans or takes the plan of the file, shows it, asks, and starts the journal; `None` when nothing
/// is dead.
async fn fresh(
    context: &Context,
    args: &ReplayArgs,
    target: &EnvTarget,
    ports: &Ports,
    journals: &Journals,
    (dlq, file): (&str, Option<ReplayPlanFile>),
) -> CliResult<Option<Job>> {
    let approvals = file
        .as_ref()
        .map(|file| file.approvals.clone())
        .unwrap_or_default();
    let from_file = file.is_some();
    let mut plan = context
        .interruptible(plan_of(context, args, target, ports, dlq, file))
        .await?;
    show(context, &plan);
    if plan.messages.is_empty() {
        context.printer.document(&Replayed::new(
            &plan,
            &ReplaySummary::default(),
            None,
            false,
        ))?;
        return Ok(None);
    }
    unmoved(ports, dlq).await?;
    journals.refuse_done(&plan)?;
    let sha256 = plan_sha256(&plan);
    let approvals = approve::proven(context, target, &approvals).await?;
    begin(
        context,
        target,
        args.yes,
        (&mut plan, from_file),
        &Approved {
            sha256: &sha256,
            approvals: &approvals,
        },
    )
    .await?;
    let journal = journals.create(&plan)?;
    Ok(Some(Job {
        plan,
        progress: Progress::default(),
        journal,
        resumed: false,
        lanes: args.lanes,
    }))
}

/// Asks, checks the rules, and records that the plan is about to be carried out.
pub(super) async fn begin(
    context: &Context,
    target: &EnvTarget,
    yes: bool,
    (plan, is_fixed): (&mut ReplayPlan, bool),
    approved: &Approved<'_>,
) -> CliResult<()> {
    let reason = consent(context, target, yes, &plan.queue, plan.messages.len())?;
    authorize(context, target, plan, approved, reason.as_deref()).await?;
    // A plan that others approved stays as it is.
    if let Some(reason) = reason.filter(|_| !is_fixed) {
        plan.reason = reason;
    }
    Ok(())
}

pub(crate) fn wanted<'a>(
    plan: &ReplayPlan,
    approved: &Approved<'a>,
    reason: Option<&'a str>,
) -> Wanted<'a> {
    Wanted {
        count: u64::try_from(plan.messages.len()).ok(),
        plan_sha256: Some(approved.sha256),
        approvals: approved.approvals,
        ..Wanted::new(if plan.edits.is_empty() {
            Action::DlqReplay
        } else {
            Action::DlqEdit
        })
        .because(reason)
    }
}

/// Checks the rules, and records that the plan is about to be carried out.
pub(crate) async fn authorize(
    context: &Context,
    target: &EnvTarget,
    plan: &ReplayPlan,
    approved: &Approved<'_>,
    reason: Option<&str>,
) -> CliResult<()> {
    let permit = access::permit(context, target, &wanted(plan, approved, reason)).await?;
    let action = if plan.edits.is_empty() {
        "replay"
    } else {
        "replay-edited"
    };
    let entry = context
        .entry(target, action, reason)
        .subject(&plan.queue)
        .role(permit.duty.as_str());
    let number = plan.messages.len().to_string();
    let entry = entry
        .detail("plan", &plan.id)
        .detail("plan_sha256", approved.sha256)
        .detail("messages", number);
    let by: Vec<&str> = approved
        .approvals
        .iter()
        .map(|approval| approval.by.as_str())
        .collect();
    let entry = if by.is_empty() {
        entry
    } else {
        entry.detail("approved_by", by.join(", "))
    };
    context.record(
        target,
        &entry
            .same_as(same_as::replay(plan))
            .outcome(AuditOutcome::Begun),
    )
}

/// Checks the rules, and records that a replay that was cut off is gone on with.
pub(crate) async fn authorize_again(
    context: &Context,
    target: &EnvTarget,
    plan: &ReplayPlan,
    approved: &Approved<'_>,
    reason: Option<&str>,
) -> CliResult<()> {
    let permit = access::permit(context, target, &wanted_again(plan, approved, reason)).await?;
    let entry = context
        .entry(target, "replay-resume", reason)
        .subject(&plan.queue)
        .role(permit.duty.as_str());
    let entry = entry
        .detail("plan", &plan.id)
        .detail("plan_sha256", approved.sha256)
        .detail("edits", plan.edits.len().to_string());
    context.record(
        target,
        &entry
            .same_as(same_as::replay(plan))
            .outcome(AuditOutcome::Begun),
    )
}

/// What the rules are asked of a plan that is gone on with: its number was let pass when it began.
pub(crate) fn wanted_again<'a>(
    plan: &ReplayPlan,
    approved: &Approved<'a>,
    reason: Option<&'a str>,
) -> Wanted<'a> {
    Wanted {
        count: Some(0),
        ..wanted(plan, approved, reason)
    }
}

/// Whether a replay of the queue was cut off, and is not under way.
fn is_cut_off(context: &Context, target: &EnvTarget, dlq: &str) -> CliResult<bool> {
    let journals = journals(context, target)?;
    // A journal that is being written is not to be touched.
    let Ok(_lock) = journals.lock(dlq) else {
        return Ok(false);
    };
    Ok(journals.unfinished(&target.name, dlq)?.is_some())
}

/// The reason and the yes; both at a terminal by typing.
pub(super) fn consent(
    context: &Context,
    target: &EnvTarget,
    yes: bool,
    dlq: &str,
    number: usize,
) -> CliResult<Option<String>> {
    let reason = safety::reason(context, target)?;
    let what = format!("send {} of {dlq} again", count(number, "message"));
    let typed = format!("{dlq} {number}");
    safety::confirm(
        context,
        target,
        &Act {
            what: &what,
            typed: &typed,
            yes,
            always: true,
        },
    )?;
    Ok(reason)
}

async fn plan_of(
    context: &Context,
    args: &ReplayArgs,
    target: &EnvTarget,
    ports: &Ports,
    dlq: &str,
    file: Option<ReplayPlanFile>,
) -> CliResult<ReplayPlan> {
    match file {
        Some(file) => Ok(file.plan),
        None => made(context, target, ports, dlq, (&args.select, &args.how)).await,
    }
}

pub(super) async fn made(
    context: &Context,
    target: &EnvTarget,
    ports: &Ports,
    dlq: &str,
    (choice, how): (&SelectArgs, &HowArgs),
) -> CliResult<ReplayPlan> {
    let selected = select(context, target, ports, Some(dlq), choice).await?;
    if !selected.complete && choice.limit.is_none() {
        context
            .talk
            .say("there may be more dead letters than these: run it again afterwards");
    }
    let request = PlanRequest {
        env: target.name.clone(),
        account: target.account().cloned(),
        queue: dlq.to_owned(),
        by: context.who().to_owned(),
        reason: context
            .reason
            .clone()
            .unwrap_or_else(|| "no reason given".to_owned()),
        rate_per_second: how.rate,
        canary: how.canary,
        only_safe: how.only_safe,
        replays_max: how.replays_max,
        filter: choice.words(),
        edits: Vec::new(),
    };
    replayer(ports, 1)
        .plan(request, &selected.letters)
        .await
        .map_err(told)
}

pub(crate) fn replayer(ports: &Ports, lanes: usize) -> Replayer {
    Replayer {
        store: ports.store.clone(),
        queues: ports.queues.clone(),
        dispatcher: ports.dispatcher(),
        clock: ports.clock.clone(),
        random: ports.random.clone(),
        policy: ports.policy.clone(),
        lanes,
    }
}

pub(super) fn control(context: &Context, target: &EnvTarget, plan: &ReplayPlan) -> CliControl {
    let bar = context
        .talk
        .progress("messages", u64::try_from(plan.messages.len()).ok());
    let tell = {
        let bar = bar.clone();
        move |summary: &ReplaySummary| {
            let done = summary
                .sent
                .saturating_add(summary.failed.len())
                .saturating_add(summary.parked)
                .saturating_add(summary.skipped);
            bar.set_position(u64::try_from(done).unwrap_or(0));
        }
    };
    steered(context, target, plan, Box::new(tell), bar)
}

/// What steers it, and tells `tell` how far it is.
pub(crate) fn steered(
    context: &Context,
    target: &EnvTarget,
    plan: &ReplayPlan,
    tell: Tell,
    bar: ProgressBar,
) -> CliControl {
    let (target, caller) = (target.clone(), context.caller(AccessLevel::View));
    let alarms = move || -> futures::future::BoxFuture<'static, Vec<String>> {
        let (target, caller) = (target.clone(), caller.clone());
        Box::pin(async move { super::alarms::of_rollouts(&target, &caller).await })
    };
    CliControl {
        stop: context.stop.child_token(),
        pace: Pace::new(plan.rate_per_second),
        bar,
        tell,
        alarms: Box::new(alarms),
    }
}

/// Carries a plan out, and records what became of it.
pub(crate) async fn carry_out(
    context: &Context,
    target: &EnvTarget,
    ports: &Ports,
    job: &Job,
    control: &CliControl,
) -> CliResult<ReplaySummary> {
    let plan = &job.plan;
    let replayer = replayer(ports, job.lanes);
    let work = replayer.execute(plan, &job.progress, &job.journal, control);
    let (done, frozen) =
        access::until_frozen(context, target, Action::DlqReplay, &control.stop, work).await;
    control.bar.finish_and_clear();
    let action = if plan.edits.is_empty() {
        "replay"
    } else {
        "replay-edited"
    };
    let entry = context
        .entry(target, action, Some(&plan.reason))
        .subject(&plan.queue)
        .detail("plan", &plan.id);
    let summary = match done {
        Ok(summary) => summary,
        Err(error) => {
            context.record_end(
                target,
                &entry,
                AuditOutcome::Failed,
                Some("the replay stopped; the journal says where"),
            );
            return Err(
                told(error).hint("nothing is lost: the same command goes on from the journal")
            );
        }
    };
    let words = format!(
        "sent {}, parked {}, skipped {}, failed {}, remaining {}",
        summary.sent,
        summary.parked,
        summary.skipped,
        summary.failed.len(),
        summary.remaining
    );
    let outcome =
        if summary.remaining == 0 && summary.failed.is_empty() && summary.stopped.is_none() {
            AuditOutcome::Done
        } else {
            AuditOutcome::Failed
        };
    context.record_end(target, &entry, outcome, Some(&words));
    if let Some(refusal) = frozen.filter(|_| summary.remaining > 0) {
        return Err(
            CliError::refused(format!("the replay stopped, for {refusal}; {words}"))
                .hint("the same command goes on from there once it is lifted"),
        );
    }
    Ok(summary)
}

pub(super) async fn execute(
    context: &Context,
    target: &EnvTarget,
    ports: &Ports,
    job: Job,
) -> CliResult<Exit> {
    let control = control(context, target, &job.plan);
    let summary = carry_out(context, target, ports, &job, &control).await?;
    let Job {
        plan,
        journal,
        resumed,
        ..
    } = job;
    context
        .printer
        .document(&Replayed::new(&plan, &summary, Some(&journal), resumed))?;
    if let Some(why) = &summary.stopped {
        return Err(CliError::failed(format!(
            "the replay stopped itself after its first {}: {why}",
            count(summary.sent, "message")
        ))
        .hint("the rest is where it was; look at what came back before another plan"));
    }
    if summary.remaining > 0 {
        let message = format!(
            "interrupted: {} sent, {} remaining",
            summary.sent, summary.remaining
        );
        return Err(
            CliError::new(Exit::Interrupted, message).hint("the same command goes on from there")
        );
    }
    if !summary.failed.is_empty() {
        context.talk.say(format!(
            "{} not sent; the journal says why",
            count(summary.failed.len(), "message")
        ));
        return Ok(Exit::Partial);
    }
    if resumed {
        context.talk.say(
            "that replay is finished; letters that died since are not part of it: run \
            it again for them",
        );
    }
    Ok(Exit::Done)
}

pub(crate) fn told(error: ReplayError) -> CliError {
    match error {
        ReplayError::NotADeadLetterQueue { .. } => {
            CliError::not_found(error.to_string()).hint("payops queue list")
        }
        ReplayError::Port(error) => CliError::port("the replay stopped", error),
    }
}
