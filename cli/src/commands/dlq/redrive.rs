//! `payops dlq redrive`: has the queue service itself move a whole dead-letter queue back, unread.

use clap::Args;
use payops_core::domain::access::Action;
use payops_core::port::REDRIVE_RATE_MAX;
use payops_ops::dead_letters::{
    RedrivePlan, RedriveReport, RedriveWait, cancel_redrive, find_queue, list_redrives,
    plan_redrive, plan_redrive_cancel,
};
use payops_ops::equivalent;
use payops_ops::error::{Kind, OpsError, OpsResult};

use super::open_session;
use crate::consent::{self, ConsentArgs, Proposal, Question};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, Document, InEnv, Row, Style, Tone, count, details};

/// Move a whole dead-letter queue back with the queue service itself.
///
/// Messages are moved unread and unchanged: they keep their attributes, the move does not count as
/// a replay, and their payments are not checked. Each message gets a new ID and a new send time.
#[derive(Clone, Debug, Args)]
pub(crate) struct RedriveArgs {
    /// Queue, or its dead-letter queue
    queue: String,
    /// Maximum messages per second, up to 500 [default: chosen by the queue service]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(REDRIVE_RATE_MAX))
    )]
    rate: Option<u32>,
    /// Do not wait for it to finish; payops dlq redrives shows the progress
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    consent: ConsentArgs,
}

/// `payops dlq redrives`
#[derive(Clone, Debug, Args)]
pub(crate) struct RedrivesArgs {
    /// Queue, or its dead-letter queue
    queue: String,
}

/// `payops dlq redrive-cancel`
#[derive(Clone, Debug, Args)]
pub(crate) struct RedriveCancelArgs {
    /// Queue, or its dead-letter queue
    queue: String,
    #[command(flatten)]
    consent: ConsentArgs,
}

fn status_cell(report: &RedriveReport) -> Cell {
    let tone = match report.status {
        "completed" => Tone::Good,
        "failed" => Tone::Bad,
        _ => Tone::Warn,
    };
    Cell::toned(report.status, tone)
}

impl Document for RedriveReport {
    fn human(&self, style: &Style) -> String {
        let of = self
            .planned
            .map(|planned| format!(" of about {planned}"))
            .unwrap_or_default();
        let to = self
            .target
            .as_deref()
            .unwrap_or("original queue of each message");
        details(
            style,
            [
                ("redrive", Some(status_cell(self))),
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

impl Row for RedriveReport {
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
        Column::number("TOTAL (APPROX)"),
        Column::number("BEGAN"),
        Column::text("FAILURE"),
    ];

    fn cells(&self, style: &Style) -> Vec<Cell> {
        vec![
            Cell::from(&self.queue),
            Cell::maybe(self.target.as_ref()),
            status_cell(self),
            Cell::from(self.moved.to_string()),
            Cell::maybe(self.planned.map(|planned| planned.to_string())),
            Cell::from(style.ago(self.started_at)),
            Cell::maybe(self.reason.as_ref()),
        ]
    }
}

fn equivalent_of(plan: &RedrivePlan) -> String {
    equivalent::redrive(&plan.queue, &plan.target, plan.rate_per_second)
}

/// Runs `payops dlq redrive`.
pub(crate) async fn run(context: &Context, args: &RedriveArgs) -> OpsResult<Exit> {
    let session = context.interruptible(open_session(context)).await?;
    let plan = context
        .interruptible(plan_redrive(&session, &args.queue, args.rate))
        .await?;
    context.console.say(plan.describe(&session));
    let what = format!("move all of {} to {}", plan.queue, plan.target);
    if args.consent.dry_run {
        let proposal = Proposal {
            subject: Some(plan.queue.clone()),
            equivalent: Some(equivalent_of(&plan)),
            ..Proposal::new(&session, Action::DlqRedrive, what)
        };
        return proposal.print(context, &session).await;
    }
    let reason = consent::reason(context, &session.env)?;
    let question = Question {
        what: &what,
        typed: &plan.queue,
        yes: args.consent.yes,
        always: true,
    };
    consent::confirm(context, &session.env, &question)?;
    let bar = context.console.progress("messages", None);
    let on_progress = |report: &RedriveReport| {
        if let Some(planned) = report.planned {
            bar.set_length(planned);
        }
        bar.set_position(report.moved);
    };
    let wait = if args.no_wait {
        RedriveWait::No
    } else {
        RedriveWait::UntilEnd(&on_progress)
    };
    let stop = context.operator.stop.child_token();
    let reason = reason.as_deref();
    let report = payops_ops::dead_letters::redrive(&session, &plan, reason, stop, wait).await;
    bar.finish_and_clear();
    let report = report?;
    context.printer.document(&report)?;
    if args.no_wait {
        context.console.say(format!(
            "see its progress with: {}",
            session.command(&format!("dlq redrives {}", plan.queue))
        ));
        return Ok(Exit::Done);
    }
    if report.is_completed() {
        return Ok(Exit::Done);
    }
    let message = format!("{}: {} moved", report.status, report.moved);
    Err(OpsError::new(Kind::Interrupted, message)
        .hint("messages already moved stay moved; the rest is still in the dead-letter queue"))
}

/// Runs `payops dlq redrives`.
pub(crate) async fn list(context: &Context, args: &RedrivesArgs) -> OpsResult<Exit> {
    let session = open_session(context).await?;
    let queue = find_queue(&session, &args.queue).await?;
    let reports = list_redrives(&session, &queue).await?;
    let rows: Vec<InEnv<RedriveReport>> = reports
        .into_iter()
        .map(|value| InEnv {
            env: session.name().to_owned(),
            value,
        })
        .collect();
    let none = format!("no redrives of {queue} in {}", session.name());
    context.list(&rows, &none)?;
    Ok(Exit::Done)
}

/// Runs `payops dlq redrive-cancel`.
pub(crate) async fn cancel(context: &Context, args: &RedriveCancelArgs) -> OpsResult<Exit> {
    let session = context.interruptible(open_session(context)).await?;
    let plan = context
        .interruptible(plan_redrive_cancel(&session, &args.queue))
        .await?;
    let what = plan.describe();
    if args.consent.dry_run {
        let proposal = Proposal {
            subject: Some(plan.queue.clone()),
            equivalent: Some(equivalent::cancel_redrive()),
            ..Proposal::new(&session, Action::DlqRedriveCancel, what)
        };
        return proposal.print(context, &session).await;
    }
    let reason = consent::reason(context, &session.env)?;
    let question = Question {
        what: &what,
        typed: &plan.queue,
        yes: args.consent.yes,
        always: false,
    };
    consent::confirm(context, &session.env, &question)?;
    let (moved, report) = cancel_redrive(&session, &plan, reason.as_deref()).await?;
    let moved = count(moved, "message");
    context
        .console
        .say(format!("canceled; {moved} already moved"));
    context.printer.document(&report)?;
    Ok(Exit::Done)
}
