//! `payops dlq replay`: plan, review, execute. Cut off anywhere, the same command goes on from
//! the journal, with numbers that include what was done before.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use payops_core::domain::audit::Outcome;
use payops_core::domain::bus::{dead_letter_queue, source_queue};
use payops_core::domain::letter::classes;
use payops_core::domain::replay::{Plan, Preflight, Progress};
use payops_core::port::Ports;
use payops_core::usecase::{Letters, ReplayError, ReplaySummary, Replayer};
use serde::Serialize;

use super::not_read;
use crate::context::{Access, Context};
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::journal::{FileJournal, Journals};
use crate::output::{Cell, Column, Document, Look, Table, Tone, count, details};
use crate::safety::{self, Act};
use crate::settings::EnvTarget;

/// `payops dlq replay`
#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The queue or its dead-letter queue
    queue: String,
    /// Do not ask; where writes are protected this needs --reason
    #[arg(long)]
    yes: bool,
    /// At most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Only letters that died of this class
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Show the plan and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// What a replay came to. Numbers include what was done before an interruption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Replayed {
    planned: usize,
    sent: usize,
    failed: usize,
    remaining: usize,
    /// The journal; `null` when nothing was to be done.
    journal: Option<String>,
    queue: String,
    target: String,
    /// Whether an earlier replay was gone on with.
    resumed: bool,
    /// Letters of the plan by what they died of.
    classes: BTreeMap<String, usize>,
    /// Letters of the plan by what is known of their payments.
    preflight: Flight,
    /// Messages that were not sent, and why.
    failures: Vec<FailureRow>,
}

/// What is known of the payments of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Flight {
    /// They wait for their message.
    safe: usize,
    /// They came to their end: the consumer will acknowledge the message and do nothing.
    already_final: usize,
    /// The message names no payment that is known.
    unknown: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct FailureRow {
    message_id: String,
    reason: String,
}

impl Replayed {
    fn new(plan: &Plan, summary: &ReplaySummary, journal: Option<&FileJournal>, resumed: bool) -> Self {
        let mut classes = BTreeMap::new();
        let mut preflight = Flight::default();
        for message in &plan.messages {
            let class = classes.entry(message.class.clone()).or_insert(0_usize);
            *class = class.saturating_add(1);
            let flight = match message.preflight {
                Preflight::Safe => &mut preflight.safe,
                Preflight::AlreadyFinal => &mut preflight.already_final,
                Preflight::Unknown => &mut preflight.unknown,
            };
            *flight = flight.saturating_add(1);
        }
        let failures = summary.failed.iter().map(|(id, reason)| FailureRow { message_id: id.clone(), reason: reason.clone() });
        Self {
            planned: summary.planned,
            sent: summary.sent,
            failed: summary.failed.len(),
            remaining: summary.remaining,
            journal: journal.map(|journal| journal.path().display().to_string()),
            queue: plan.queue.clone(),
            target: plan.target.clone(),
            resumed,
            classes,
            preflight,
            failures: failures.collect(),
        }
    }
}

impl Document for Replayed {
    fn human(&self, look: &Look) -> String {
        let tone = |number: usize| if number > 0 { Tone::Bad } else { Tone::Plain };
        let mut out = details(
            look,
            [
                ("planned", Some(Cell::from(self.planned.to_string()))),
                ("sent", Some(Cell::toned(self.sent.to_string(), Tone::Good))),
                ("failed", Some(Cell::toned(self.failed.to_string(), tone(self.failed)))),
                ("remaining", Some(Cell::toned(self.remaining.to_string(), tone(self.remaining)))),
                ("journal", self.journal.as_ref().map(Cell::from)),
            ],
        );
        let mut table = Table::new([Column::text("MESSAGE"), Column::text("WHY NOT")]);
        for failure in &self.failures {
            table.row([Cell::from(&failure.message_id), Cell::from(&failure.reason)]);
        }
        out.push_str(&table.render(look));
        out
    }
}

/// A replay about to run: new, or gone on with.
struct Job {
    plan: Plan,
    progress: Progress,
    journal: FileJournal,
    resumed: bool,
}

/// Runs the command.
pub(crate) async fn run(context: &Context, args: &ReplayArgs) -> CliResult<Exit> {
    let target = context.settings.one_target()?;
    let access = if args.dry_run { Access::Read } else { Access::Write };
    let ports = context.interruptible(context.open(&target, access)).await?;
    let dlq = context.interruptible(async { Letters::from(&ports).queues(Some(&args.queue)).await.map_err(not_read) }).await?.pop();
    let dlq = dlq.unwrap_or_else(|| dead_letter_queue(source_queue(&args.queue).unwrap_or(&args.queue)));
    if args.dry_run {
        return dry_run(context, args, &target, &ports).await;
    }
    let journals = Journals::open(context.records_dir(&target).join("replays").join(&target.name))?;
    let lock = journals.lock(&dlq)?;
    let job = match journals.unfinished(&target.name, &dlq)? {
        Some(unfinished) => {
            let plan = &unfinished.plan;
            let left = plan.messages.len().saturating_sub(unfinished.progress.sent.len());
            context.talk.warn(format!(
                "going on with the replay of {dlq} that {} began at {}: {} of {} were sent, {left} are left",
                plan.by,
                plan.at,
                unfinished.progress.sent.len(),
                plan.messages.len(),
            ));
            if args.limit.is_some() || args.class.is_some() {
                return Err(
                    CliError::usage("a replay that was cut off must be finished first, all of it").hint("leave --limit and --class away")
                );
            }
            let reason = consent(context, &target, args, &dlq, left)?;
            context.record(&target, &context.entry(&target, "replay-resume", reason.as_deref()).subject(&dlq).outcome(Outcome::Begun))?;
            Some(Job { plan: unfinished.plan, progress: unfinished.progress, journal: unfinished.journal, resumed: true })
        }
        None => fresh(context, args, &target, &ports, &journals, &dlq).await?,
    };
    let Some(job) = job else { return Ok(Exit::Done) };
    let exit = execute(context, &ports, job).await;
    drop(lock);
    exit
}

/// Plans, shows the plan, asks, and starts the journal; `None` when nothing is dead.
async fn fresh(
    context: &Context,
    args: &ReplayArgs,
    target: &EnvTarget,
    ports: &Ports,
    journals: &Journals,
    dlq: &str,
) -> CliResult<Option<Job>> {
    let mut plan = context.interruptible(plan(context, args, target, ports)).await?;
    show(context, &plan);
    if plan.messages.is_empty() {
        context.printer.document(&Replayed::new(&plan, &ReplaySummary::default(), None, false))?;
        return Ok(None);
    }
    let reason = consent(context, target, args, dlq, plan.messages.len())?;
    let entry = context.entry(target, "replay", reason.as_deref()).subject(dlq).detail("plan", &plan.id);
    context.record(target, &entry.detail("messages", plan.messages.len().to_string()).outcome(Outcome::Begun))?;
    if let Some(reason) = reason {
        plan.reason = reason;
    }
    let journal = journals.create(&plan)?;
    Ok(Some(Job { plan, progress: Progress::default(), journal, resumed: false }))
}

/// The reason and the yes; both at a terminal by typing.
fn consent(context: &Context, target: &EnvTarget, args: &ReplayArgs, dlq: &str, number: usize) -> CliResult<Option<String>> {
    let reason = safety::reason(context, target)?;
    let what = format!("send {} of {dlq} again", count(number, "message"));
    let typed = format!("{dlq} {number}");
    safety::confirm(context, target, &Act { what: &what, typed: &typed, yes: args.yes, always: true })?;
    Ok(reason)
}

async fn dry_run(context: &Context, args: &ReplayArgs, target: &EnvTarget, ports: &Ports) -> CliResult<Exit> {
    let plan = context.interruptible(plan(context, args, target, ports)).await?;
    show(context, &plan);
    let summary = ReplaySummary { planned: plan.messages.len(), remaining: plan.messages.len(), ..ReplaySummary::default() };
    context.printer.document(&Replayed::new(&plan, &summary, None, false))?;
    context.talk.say("nothing was sent");
    Ok(Exit::Done)
}

async fn plan(context: &Context, args: &ReplayArgs, target: &EnvTarget, ports: &Ports) -> CliResult<Plan> {
    // A class is chosen from all; only then does the limit count.
    let all = args.class.is_some();
    let limit = args.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let reason = context.reason.as_deref().unwrap_or("no reason given");
    let planned = replayer(ports).plan(&target.name, &args.queue, context.who(), reason, if all { usize::MAX } else { limit }).await;
    let (mut plan, browsed) = planned.map_err(told)?;
    if let Some(class) = &args.class {
        plan.messages.retain(|message| message.class == *class);
    }
    plan.messages.truncate(limit);
    if browsed.receives_spent > 0 {
        context.talk.say(format!("the look cost {}", count(browsed.receives_spent, "receive")));
    }
    if !browsed.complete && args.limit.is_none() {
        context.talk.say("there may be more dead letters than these: run it again afterwards");
    }
    Ok(plan)
}

fn show(context: &Context, plan: &Plan) {
    if plan.messages.is_empty() {
        context.talk.say(format!("nothing to replay in {} of {}", plan.queue, plan.env));
        return;
    }
    let view = Replayed::new(plan, &ReplaySummary::default(), None, false).preflight;
    let mut text = format!("{} -> {} in {}: {}\n", plan.queue, plan.target, plan.env, count(plan.messages.len(), "message"));
    let _ = writeln!(text, "  died of     {}", classes(plan.messages.iter().map(|message| message.class.as_str())));
    let Flight { safe, already_final, unknown } = view;
    let _ = writeln!(text, "  payments    {safe} wait for it, {already_final} are at their end already, {unknown} not known");
    context.talk.say(text);
}

fn replayer(ports: &Ports) -> Replayer {
    Replayer {
        store: ports.store.clone(),
        queues: ports.queues.clone(),
        dispatcher: ports.dispatcher(),
        clock: ports.clock.clone(),
        random: ports.random.clone(),
        policy: ports.policy.clone(),
    }
}

async fn execute(context: &Context, ports: &Ports, job: Job) -> CliResult<Exit> {
    let Job { plan, progress, mut journal, resumed } = job;
    let bar = context.talk.progress("messages", u64::try_from(plan.messages.len()).ok());
    let stop = || context.stop.is_cancelled();
    let told_bar =
        |summary: &ReplaySummary| bar.set_position(u64::try_from(summary.sent.saturating_add(summary.failed.len())).unwrap_or(0));
    let run = replayer(ports);
    let done = Box::pin(run.execute(&plan, &progress, &mut journal, &stop, &told_bar)).await;
    bar.finish_and_clear();
    let summary = done.map_err(|error| told(error).hint("nothing is lost: the same command goes on from the journal"))?;
    let result = Replayed::new(&plan, &summary, Some(&journal), resumed);
    context.printer.document(&result)?;
    if summary.remaining > 0 {
        let message = format!("interrupted: {} sent, {} remaining", summary.sent, summary.remaining);
        return Err(CliError::new(Exit::Interrupted, message).hint("the same command goes on from there"));
    }
    if !summary.failed.is_empty() {
        context.talk.say(format!("{} not sent; the journal says why", count(summary.failed.len(), "message")));
        return Ok(Exit::Partial);
    }
    if resumed {
        context.talk.say("that replay is finished; letters that died since are not part of it: run it again for them");
    }
    Ok(Exit::Done)
}

fn told(error: ReplayError) -> CliError {
    match error {
        ReplayError::NotADeadLetterQueue { .. } => CliError::not_found(error.to_string()).hint("payops queue list"),
        ReplayError::Port(error) => CliError::port("the replay stopped", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use payops_core::domain::replay::PlannedMessage;

    #[test]
    fn a_replay_has_the_names_scripts_read() {
        let message = |id: &str, class: &str, preflight| PlannedMessage {
            message_id: id.into(),
            body_sha256: String::new(),
            payment_id: None,
            class: class.into(),
            preflight,
            ..PlannedMessage::default()
        };
        let plan = Plan {
            id: "1-a".into(),
            env: "prod".into(),
            queue: "payments-work-dlq".into(),
            target: "payments-work".into(),
            by: "anna".into(),
            reason: "fixed".into(),
            at: jiff::Timestamp::UNIX_EPOCH,
            messages: vec![message("a", "schema_error", Preflight::Safe), message("b", "schema_error", Preflight::AlreadyFinal)],
            ..Plan::default()
        };
        let summary = ReplaySummary { planned: 2, sent: 1, failed: BTreeMap::from([("b".into(), "gone".into())]), remaining: 0 };
        let result = Replayed::new(&plan, &summary, None, false);
        insta::assert_json_snapshot!(result);
        insta::assert_snapshot!(result.human(&Look::plain()));
    }
}
