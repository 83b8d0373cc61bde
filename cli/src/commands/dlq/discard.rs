//! `payops dlq discard`: deletes dead letters on purpose. Copies are written to a file first.

use clap::Args;
use payops_core::domain::access::Action;
use payops_ops::act::Act;
use payops_ops::dead_letters::{DiscardReport, Selection, find_queue, plan_discard};
use payops_ops::equivalent;
use payops_ops::error::{OpsError, OpsResult};

use super::open_session;
use super::plan_view::{bad_when_any, failures_table};
use super::replay::run_options;
use super::select::{SelectArgs, select};
use crate::consent::{self, ConsentArgs, Question, print_dry_run};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Document, Style, count, details};

/// `payops dlq discard`
#[derive(Clone, Debug, Args)]
pub(crate) struct DiscardArgs {
    /// Queue, or its dead-letter queue
    queue: String,
    #[command(flatten)]
    select: SelectArgs,
    /// Discard all dead letters of the queue; required if nothing else selects them
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    consent: ConsentArgs,
}

impl Document for DiscardReport {
    fn human(&self, style: &Style) -> String {
        let discarded = format!("{} of {}", self.discarded, self.planned);
        let mut out = details(
            style,
            [
                ("discarded", Some(Cell::from(discarded))),
                ("failed", Some(bad_when_any(self.failed))),
                ("remaining", Some(bad_when_any(self.remaining))),
                ("kept in", self.kept.as_ref().map(Cell::from)),
            ],
        );
        out.push_str(&failures_table(style, self.failures.iter()));
        out
    }
}

pub(crate) async fn run(context: &Context, args: &DiscardArgs) -> OpsResult<Exit> {
    let selection = Selection::from(&args.select);
    if !selection.is_narrow() && !args.all {
        return Err(OpsError::usage("no dead letters selected")
            .hint("select some with --cause, --filter, --class or --message, or all with --all"));
    }
    let session = context.interruptible(open_session(context)).await?;
    let dlq = context
        .interruptible(find_queue(&session, &args.queue))
        .await?;
    let letters = context
        .interruptible(select(context, &session, Some(&dlq), &selection))
        .await?
        .letters;
    let plan = plan_discard(&session, &dlq, &letters, selection.expression()).await?;
    context
        .console
        .say(format!("equivalent: {}", equivalent::discard(&dlq)));
    if args.consent.dry_run {
        let act = Act::new(Action::DlqDiscard).subject(&dlq);
        let act = act.count(letters.len());
        print_dry_run(context, &session, act, &DiscardReport::of_plan(&plan)).await?;
        return Ok(Exit::Done);
    }
    if letters.is_empty() {
        context.printer.document(&DiscardReport::of_plan(&plan))?;
        return Ok(Exit::Done);
    }
    let reason = consent::reason(context, &session.env)?.ok_or_else(|| {
        OpsError::refused("a discard requires a reason").hint("add --reason TEXT")
    })?;
    let number = letters.len();
    let question = Question {
        what: &format!("permanently DELETE {} of {dlq}", count(number, "message")),
        typed: &format!("{dlq} {number}"),
        yes: args.consent.yes,
        always: true,
    };
    consent::confirm(context, &session.env, &question)?;
    let (run, bar) = run_options(context, number, 1);
    let report = payops_ops::dead_letters::discard(&session, plan, &letters, &reason, run).await;
    bar.finish_and_clear();
    let report = report?;
    context.printer.document(&report)?;
    Ok(match (report.remaining, report.failed) {
        (0, 0) => Exit::Done,
        (0, _) => Exit::Partial,
        _ => Exit::Interrupted,
    })
}
