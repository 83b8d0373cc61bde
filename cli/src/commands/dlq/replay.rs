//! `payops dlq replay`: plan, review, execute. Interrupted anywhere, the same command resumes from
//! the journal, with numbers that include what was done before.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use payops_core::domain::replay::{ReplayPlan, ReplayPlanFile};
use payops_core::usecase::ReplaySummary;
use payops_ops::dead_letters::{
    PreparedReplay, QueueClaim, ReplayOptions, ReplayOutcome, ReplayReport, RunOptions, Selection,
    claim_queue, consumer_warnings, find_queue, is_replay_interrupted, plan_act, plan_replay,
    read_plan,
};
use payops_ops::error::{Kind, OpsError, OpsResult};
use payops_ops::session::Session;

use super::open_session;
use super::plan_view::show_plan;
use super::select::{SelectArgs, select};
use crate::consent::{self, ConsentArgs, Question, print_dry_run};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::count;

const LANES: usize = 16;

/// How a replay goes.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct OptionArgs {
    /// Send N messages first and watch them; stop if one fails again or an alarm fires
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    canary: Option<u32>,
    /// Maximum messages per second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Skip dead letters whose payments are final or unknown
    #[arg(long)]
    only_safe: bool,
    /// Maximum replays of a message before it is parked [default: 3]
    #[arg(long, value_name = "N")]
    replays_max: Option<u32>,
}

impl OptionArgs {
    fn has_any(&self) -> bool {
        self.canary.is_some() || self.rate.is_some() || self.only_safe || self.replays_max.is_some()
    }
}

/// `payops dlq replay`
#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Queue, or its dead-letter queue
    #[arg(required_unless_present = "plan")]
    queue: Option<String>,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    options: OptionArgs,
    /// Plan file written by `payops dlq plan`
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "queue", "cause", "filter", "class", "message", "limit", "snapshot", "canary", "rate",
        ]
    )]
    plan: Option<PathBuf>,
    #[command(flatten)]
    consent: ConsentArgs,
    /// Number of batches to move in parallel
    #[arg(
        long,
        value_name = "N",
        default_value_t = LANES,
        hide_default_value = true,
        value_parser = parse_lanes
    )]
    lanes: usize,
}

fn parse_lanes(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|lanes| (1..=64).contains(lanes))
        .ok_or_else(|| "expected a number from 1 to 64".to_owned())
}

pub(crate) async fn run(context: &Context, args: &ReplayArgs) -> OpsResult<Exit> {
    let session = context.interruptible(open_session(context)).await?;
    let file = args
        .plan
        .as_deref()
        .map(|path| read_plan(&session, path))
        .transpose()?;
    let queue = file
        .as_ref()
        .map(|file| file.plan.queue.clone())
        .or_else(|| args.queue.clone())
        .unwrap_or_default();
    let dlq = context.interruptible(find_queue(&session, &queue)).await?;
    if args.consent.dry_run {
        return dry_run(context, args, &session, &dlq, file).await;
    }
    let claim = claim_queue(&session, &dlq)?;
    let prepared = if claim.interrupted.is_some() {
        resume(context, args, &session, claim, file).await?
    } else {
        prepare(context, args, &session, claim, &dlq, file).await?
    };
    let Some((prepared, reason)) = prepared else {
        return Ok(Exit::Done);
    };
    execute(context, &session, prepared, reason.as_deref(), args.lanes).await
}

async fn dry_run(
    context: &Context,
    args: &ReplayArgs,
    session: &Arc<Session>,
    dlq: &str,
    file: Option<ReplayPlanFile>,
) -> OpsResult<Exit> {
    if is_replay_interrupted(session, dlq)? {
        context.console.warn(format!(
            "an interrupted replay of {dlq} exists; without --dry-run, payops resumes it and \
                ignores this plan"
        ));
    }
    let approvals = file
        .as_ref()
        .map_or_else(Vec::new, |file| file.approvals.clone());
    let plan = match file {
        Some(file) => file.plan,
        None => make_plan(context, session, dlq, &args.select, &args.options).await?,
    };
    let warnings = consumer_warnings(session, &plan.target).await;
    show_plan(context, &plan, &warnings);
    let act = plan_act(session, &plan, &approvals).await?;
    print_dry_run(context, session, act, &ReplayReport::of_plan(&plan)).await?;
    Ok(Exit::Done)
}

/// Shows the replay that was interrupted, and asks whether to resume it.
async fn resume(
    context: &Context,
    args: &ReplayArgs,
    session: &Arc<Session>,
    claim: QueueClaim,
    file: Option<ReplayPlanFile>,
) -> OpsResult<Option<(PreparedReplay, Option<String>)>> {
    let settled = claim
        .interrupted
        .as_ref()
        .map_or(0, payops_ops::dead_letters::journal::Unfinished::settled);
    let approvals = file.as_ref().map(|file| file.approvals.clone());
    let prepared = PreparedReplay::resume(session, claim, &approvals.unwrap_or_default()).await?;
    let plan = &prepared.plan;
    let left = plan.messages.len().saturating_sub(settled);
    context.console.warn(format!(
        "resuming the replay of {} that {} started at {}: {settled} of {} settled, {left} \
            remaining",
        plan.queue,
        plan.by,
        plan.at,
        plan.messages.len(),
    ));
    let is_other = file.is_some_and(|file| file.plan.id != plan.id);
    let is_narrow = Selection::from(&args.select).is_narrow();
    if is_narrow || args.options.has_any() || is_other {
        return Err(OpsError::usage(
            "an interrupted replay must be finished first, exactly as it was planned",
        )
        .hint(
            "omit selection options, --canary, --rate and --only-safe; use --plan only with the \
                plan of that replay",
        ));
    }
    show_plan(context, plan, &[]);
    let reason = ask_consent(context, session, args.consent.yes, &plan.queue, left)?;
    Ok(Some((prepared, reason)))
}

/// Makes the plan, or takes that of the file, shows it and asks; `None` when there is nothing to
/// replay.
async fn prepare(
    context: &Context,
    args: &ReplayArgs,
    session: &Arc<Session>,
    claim: QueueClaim,
    dlq: &str,
    file: Option<ReplayPlanFile>,
) -> OpsResult<Option<(PreparedReplay, Option<String>)>> {
    let (plan, approvals) = if let Some(file) = file {
        (file.plan, Some(file.approvals))
    } else {
        let plan = make_plan(context, session, dlq, &args.select, &args.options);
        (context.interruptible(plan).await?, None)
    };
    if plan.messages.is_empty() {
        show_plan(context, &plan, &[]);
        let report = ReplayReport::new(&plan, &ReplaySummary::default(), None, false);
        context.printer.document(&report)?;
        return Ok(None);
    }
    let warnings = consumer_warnings(session, &plan.target).await;
    show_plan(context, &plan, &warnings);
    let number = plan.messages.len();
    let prepared = PreparedReplay::new(session, claim, plan, approvals.as_deref()).await?;
    let reason = ask_consent(context, session, args.consent.yes, dlq, number)?;
    Ok(Some((prepared, reason)))
}

pub(super) async fn make_plan(
    context: &Context,
    session: &Arc<Session>,
    dlq: &str,
    choice: &SelectArgs,
    options: &OptionArgs,
) -> OpsResult<ReplayPlan> {
    let selection = Selection::from(choice);
    let chosen = select(context, session, Some(dlq), &selection).await?;
    if !chosen.complete && selection.limit.is_none() {
        context
            .console
            .say("there may be more dead letters; run the command again afterwards");
    }
    let options = ReplayOptions {
        canary: options.canary,
        rate_per_second: options.rate,
        only_safe: options.only_safe,
        replays_max: options.replays_max,
        filter: selection.expression(),
    };
    plan_replay(session, dlq, &chosen.letters, &options).await
}

/// The reason and the yes; both at a terminal by typing.
pub(super) fn ask_consent(
    context: &Context,
    session: &Session,
    yes: bool,
    dlq: &str,
    number: usize,
) -> OpsResult<Option<String>> {
    let reason = consent::reason(context, &session.env)?;
    let question = Question {
        what: &format!("replay {} of {dlq}", count(number, "message")),
        typed: &format!("{dlq} {number}"),
        yes,
        always: true,
    };
    consent::confirm(context, &session.env, &question)?;
    Ok(reason)
}

/// Carries a replay out behind a progress bar, and prints what became of it.
pub(super) async fn execute(
    context: &Context,
    session: &Arc<Session>,
    prepared: PreparedReplay,
    reason: Option<&str>,
    lanes: usize,
) -> OpsResult<Exit> {
    let (run, bar) = run_options(context, prepared.plan.messages.len(), lanes);
    let outcome = payops_ops::dead_letters::replay(session, prepared, reason, run).await;
    bar.finish_and_clear();
    let ReplayOutcome {
        plan,
        summary,
        journal,
        resumed,
    } = outcome?;
    let report = ReplayReport::new(&plan, &summary, Some(journal.path()), resumed);
    context.printer.document(&report)?;
    if let Some(why) = &summary.stopped {
        return Err(OpsError::failed(format!(
            "the canary stopped the replay after the first {}: {why}",
            count(summary.sent, "message")
        ))
        .hint(
            "the rest is still in the dead-letter queue; look at the messages that failed again \
                before you plan another replay",
        ));
    }
    if summary.remaining > 0 {
        let message = format!(
            "interrupted: {} sent, {} remaining",
            summary.sent, summary.remaining
        );
        return Err(
            OpsError::new(Kind::Interrupted, message).hint("run the same command again to resume")
        );
    }
    if !summary.failed.is_empty() {
        let failed = count(summary.failed.len(), "message");
        context
            .console
            .say(format!("{failed} not sent; see the journal for reasons"));
        return Ok(Exit::Partial);
    }
    if resumed {
        context.console.say(
            "the interrupted replay is finished; run the command again for dead letters that \
                arrived since",
        );
    }
    Ok(Exit::Done)
}

/// Runs until the operator interrupts, with a progress bar.
pub(super) fn run_options(
    context: &Context,
    messages: usize,
    lanes: usize,
) -> (RunOptions, indicatif::ProgressBar) {
    let bar = context
        .console
        .progress("messages", u64::try_from(messages).ok());
    let on_progress = {
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
    let run = RunOptions {
        lanes,
        stop: context.operator.stop.child_token(),
        on_progress: Box::new(on_progress),
    };
    (run, bar)
}
