//! `payops dlq edit`: replays one dead letter with another body; the diff is shown first.

use std::path::PathBuf;

use clap::Args;
use payops_core::domain::access::Action;
use payops_core::domain::replay::{Edit, Set};
use payops_ops::act::Act;
use payops_ops::dead_letters::{
    PreparedReplay, ReplayOptions, ReplayReport, Selection, claim_free_queue, consumer_warnings,
    find_queue, plan_edit, refuse_while_redriving,
};
use payops_ops::error::{OpsError, OpsResult};

use super::open_session;
use super::plan_view::show_plan;
use super::replay::{ask_consent, execute};
use super::select::select;
use crate::consent::{ConsentArgs, print_dry_run};
use crate::context::Context;
use crate::exit::Exit;

/// `payops dlq edit`
#[derive(Clone, Debug, Args)]
pub(crate) struct EditArgs {
    /// Queue, or its dead-letter queue
    queue: String,
    /// Message ID
    message: String,
    /// Set a value in the body: JSON pointer and JSON value, such as `/detail/object/size=412`; may
    /// be repeated
    #[arg(
        long,
        value_name = "POINTER=JSON",
        value_parser = Set::parse,
        required_unless_present = "body"
    )]
    set: Vec<Set>,
    /// File with the complete new body
    #[arg(long, value_name = "FILE", conflicts_with = "set")]
    body: Option<PathBuf>,
    #[command(flatten)]
    consent: ConsentArgs,
}

impl EditArgs {
    fn edit(&self) -> OpsResult<Edit> {
        let Some(path) = &self.body else {
            return Ok(Edit::Set(self.set.clone()));
        };
        let text = std::fs::read_to_string(path);
        text.map(Edit::Body).map_err(|error| {
            OpsError::usage(format!("cannot read {}", path.display())).because(error)
        })
    }
}

pub(crate) async fn run(context: &Context, args: &EditArgs) -> OpsResult<Exit> {
    let session = context.interruptible(open_session(context)).await?;
    let dlq = context
        .interruptible(find_queue(&session, &args.queue))
        .await?;
    let selection = Selection::of_message(&args.message);
    let chosen = context
        .interruptible(select(context, &session, Some(&dlq), &selection))
        .await?;
    let Some(letter) = chosen.letters.first() else {
        return Err(
            OpsError::not_found(format!("message {} not found in {dlq}", args.message)).hint(
                format!(
                    "list them with: {}",
                    session.command(&format!("dlq list {dlq}"))
                ),
            ),
        );
    };
    refuse_while_redriving(&session, &dlq).await?;
    let (edit, options) = (args.edit()?, ReplayOptions::default());
    let edit = plan_edit(&session, letter, edit, &options, context.privacy).await?;
    for line in &edit.diff {
        context.console.say(line);
    }
    let warnings = consumer_warnings(&session, &edit.plan.target).await;
    show_plan(context, &edit.plan, &warnings);
    if args.consent.dry_run {
        let act = Act::new(Action::DlqEdit).subject(&dlq);
        print_dry_run(context, &session, act, &ReplayReport::of_plan(&edit.plan)).await?;
        return Ok(Exit::Done);
    }
    let claim = claim_free_queue(&session, &dlq).await?;
    let prepared = PreparedReplay::new(&session, claim, edit.plan, None).await?;
    let reason = ask_consent(context, &session, args.consent.yes, &dlq, 1)?;
    execute(context, &session, prepared, reason.as_deref(), 1).await
}
