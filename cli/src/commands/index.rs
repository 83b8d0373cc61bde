//! `payops index`: the search index of an environment.

use clap::Subcommand;
use payops_core::domain::access::Action;
use payops_ops::error::OpsResult;
use payops_ops::index::{self, RebuildStep, RebuiltIndex};

use crate::consent::{self, ConsentArgs, Proposal, Question};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Document, Style, details};

/// `payops index …`
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum IndexCommand {
    /// Build the search index anew from the payments, while payments go on
    ///
    /// In OpenSearch a new index is filled and then put under the alias in one step. An interrupted
    /// rebuild goes on with the next run. The index of an embedded environment is rebuilt while its
    /// platform is stopped.
    Rebuild {
        #[command(flatten)]
        consent: ConsentArgs,
    },
}

impl Document for RebuiltIndex {
    fn human(&self, style: &Style) -> String {
        details(
            style,
            [
                ("payments", Some(Cell::from(self.payments.to_string()))),
                ("set aside", self.set_aside.as_ref().map(Cell::from)),
            ],
        )
    }
}

pub(crate) async fn run(context: &Context, command: IndexCommand) -> OpsResult<Exit> {
    let IndexCommand::Rebuild { consent } = command;
    rebuild(context, consent).await
}

/// Runs `payops index rebuild` and `payops local reindex`.
pub(crate) async fn rebuild(context: &Context, consent: ConsentArgs) -> OpsResult<Exit> {
    let session = context.operator.one_session()?;
    let name = session.name();
    let what = format!("rebuild the search index of {name}");
    if consent.dry_run {
        let proposal = Proposal::new(&session, Action::IndexRebuild, what);
        return proposal.print(context, &session).await;
    }
    let mut reason = context.operator.reason.clone();
    if !session.is_embedded() {
        reason = consent::reason(context, &session.env)?;
        let question = Question {
            what: &what,
            typed: name,
            yes: consent.yes,
            always: false,
        };
        consent::confirm(context, &session.env, &question)?;
    }
    let bar = context.console.progress("payments written", None);
    let on_step = |step| match step {
        RebuildStep::Resumed { index, payments } => context.console.say(format!(
            "going on with {index}, which has {payments} payments"
        )),
        RebuildStep::Written(payments) => bar.set_position(payments),
        RebuildStep::CaughtUp(payments) => {
            bar.set_message("payments that changed meanwhile");
            bar.set_position(u64::try_from(payments).unwrap_or(u64::MAX));
        }
    };
    let rebuilt = index::rebuild(&session, reason.as_deref(), &on_step).await;
    bar.finish_and_clear();
    let rebuilt = rebuilt?;
    context
        .console
        .say(format!("the search index of {name} is rebuilt"));
    context.printer.document(&rebuilt)?;
    Ok(Exit::Done)
}
