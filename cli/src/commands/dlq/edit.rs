//! `payops dlq edit`: sends one dead letter again with another body; the difference is shown first.

use std::path::PathBuf;

use clap::Args;
use payops_core::domain::privacy::Privacy;
use payops_core::domain::replay::{
    DiffLine, Edit, LineChange, PlannedEdit, Progress, Set, apply_edit, plan_sha256,
};
use payops_core::domain::sha256_hex;
use payops_core::usecase::{DeadLetter, DeadLetters, PlanRequest};

use super::approve::Approved;
use super::not_read;
use super::planned::show;
use super::replay::{Job, begin, execute, journals, replayer, told};
use super::select::{SelectArgs, select};
use crate::context::{Access, Context};
use crate::error::{CliError, CliResult};
use crate::exit::Exit;

/// `payops dlq edit`
#[derive(Clone, Debug, Args)]
pub(crate) struct EditArgs {
    /// The queue or its dead-letter queue
    queue: String,
    /// The message's id
    message: String,
    /// Puts a value into the body: a JSON pointer and JSON, such as `/detail/amount=1250`; several
    /// are joined
    #[arg(long, value_name = "POINTER=JSON", value_parser = Set::parse, required_unless_present = "body")]
    set: Vec<Set>,
    /// A file that holds the whole new body
    #[arg(long, value_name = "FILE", conflicts_with = "set")]
    body: Option<PathBuf>,
    /// Do not ask; where writes are protected this needs --reason
    #[arg(long)]
    yes: bool,
    /// Show the difference and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// An edit of a letter as it is planned, and what it changes, line by line: each begins with `+`,
/// `-` or a space.
pub(crate) fn planned(
    letter: &DeadLetter,
    edit: Edit,
    privacy: Privacy,
) -> CliResult<(PlannedEdit, Vec<String>)> {
    let body = &letter.message.body;
    let edited = apply_edit(body, &edit);
    let edited = edited.map_err(|error| {
        CliError::usage("the body cannot be edited so")
            .because(error)
            .hint("nothing was sent")
    })?;
    let line = |line: &DiffLine| {
        let sign = match line.change {
            LineChange::Same => ' ',
            LineChange::Removed => '-',
            LineChange::Added => '+',
        };
        format!("{sign} {}", line.shown(privacy))
    };
    let diff = edited.diff.iter().map(line).collect();
    let (old_sha256, new_sha256) = (
        sha256_hex(body.as_bytes()),
        sha256_hex(edited.body.as_bytes()),
    );
    Ok((
        PlannedEdit {
            message_id: letter.message.message_id.clone(),
            edit,
            old_sha256,
            new_sha256,
        },
        diff,
    ))
}

pub(crate) async fn run(context: &Context, args: &EditArgs) -> CliResult<Exit> {
    let target = context.settings.one_target()?;
    let access = if args.dry_run {
        Access::Read
    } else {
        Access::Write
    };
    let ports = context.open(&target, access).await?;
    let dlq = DeadLetters::from(&ports)
        .queues(Some(&args.queue))
        .await
        .map_err(not_read)?
        .pop()
        .unwrap_or_default();
    let choice = SelectArgs {
        message: vec![args.message.clone()],
        ..SelectArgs::default()
    };
    let selected = select(context, &target, &ports, Some(&dlq), &choice).await?;
    let Some(letter) = selected.letters.first() else {
        return Err(
            CliError::not_found(format!("there is no message {} in {dlq}", args.message))
                .hint("payops dlq list"),
        );
    };
    let edit = match &args.body {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            Edit::Body(text.map_err(|error| {
                CliError::usage(format!("{} cannot be read", path.display())).because(error)
            })?)
        }
        None => Edit::Set(args.set.clone()),
    };
    let (planned, diff) = planned(letter, edit, context.privacy)?;
    for line in &diff {
        context.talk.say(line);
    }
    if args.dry_run {
        context.talk.say("nothing was sent");
        return Ok(Exit::Done);
    }
    let request = PlanRequest {
        env: target.name.clone(),
        queue: dlq.clone(),
        by: context.who().to_owned(),
        reason: context
            .reason
            .clone()
            .unwrap_or_else(|| "no reason given".to_owned()),
        edits: vec![planned],
        ..PlanRequest::default()
    };
    let mut plan = replayer(&ports, 1)
        .plan(request, &selected.letters)
        .await
        .map_err(told)?;
    show(context, &plan);
    let journals = journals(context, &target)?;
    let lock = journals.lock(&dlq)?;
    if journals.unfinished(&target.name, &dlq)?.is_some() {
        return Err(CliError::refused(format!("a replay of {dlq} was cut off"))
            .hint(format!("finish it first: payops dlq replay {dlq}")));
    }
    let sha256 = plan_sha256(&plan);
    begin(
        context,
        &target,
        args.yes,
        (&mut plan, false),
        &Approved {
            sha256: &sha256,
            approvals: &[],
        },
    )
    .await?;
    let journal = journals.create(&plan)?;
    let job = Job {
        plan,
        progress: Progress::default(),
        journal,
        resumed: false,
        lanes: 1,
    };
    let ended = execute(context, &target, &ports, job).await;
    drop(lock);
    ended
}
