//! `payops dlq export`: dead letters as JSON lines, masked.

use clap::Args;
use payops_core::domain::access::Action;
use payops_ops::dead_letters::{Selection, export_to};
use payops_ops::equivalent;
use payops_ops::error::OpsResult;

use super::open_session;
use super::select::{SelectArgs, select};
use crate::consent::{ConsentArgs, Proposal};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Printer, count};

/// `payops dlq export`
#[derive(Clone, Debug, Args)]
pub(crate) struct DlqExportArgs {
    /// Queue, or its dead-letter queue [default: all]
    queue: Option<String>,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    consent: ConsentArgs,
}

pub(crate) async fn run(context: &Context, args: &DlqExportArgs) -> OpsResult<Exit> {
    let session = context.interruptible(open_session(context)).await?;
    let (queue, selection) = (args.queue.as_deref(), Selection::from(&args.select));
    let chosen = context
        .interruptible(select(context, &session, queue, &selection))
        .await?;
    let letters = chosen.letters;
    if args.consent.dry_run {
        let what = format!("export {}", count(letters.len(), "dead letter"));
        let proposal = Proposal {
            subject: args.queue.clone(),
            equivalent: Some(equivalent::look(queue)),
            ..Proposal::new(&session, Action::DlqExport, what)
        };
        return proposal.print(context, &session).await;
    }
    export_to(&session, &letters, context.privacy, None, |lines| {
        for line in lines {
            Printer::raw(line.as_bytes())?;
        }
        Ok(())
    })
    .await?;
    Ok(Exit::Done)
}
