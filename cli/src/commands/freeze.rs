//! `payops freeze`: nobody changes anything in an environment until it is lifted.

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use payops_core::domain::access::{Action, Freeze};
use serde::Serialize;

use crate::access::{self, Wanted};
use crate::context::{Access, Context};
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::output::{Cell, Column, Look, Of, Row, Tone};
use crate::safety;
use crate::same_as;

/// `payops freeze …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum FreezeCommand {
    /// Which environments are frozen, by whom and why
    Status,
    /// Freeze an environment: all writes of all payops processes are refused
    Set {
        /// For how long, such as 2h; until it is lifted when left out
        #[arg(long = "for", value_name = "DURATION", value_parser = span)]
        span: Option<SignedDuration>,
    },
    /// End the freeze
    Lift,
}

fn span(text: &str) -> Result<SignedDuration, String> {
    let wrong = || "write 30m or 2h".to_owned();
    let span: SignedDuration = text.parse().map_err(|_| wrong())?;
    if span.is_positive() {
        Ok(span)
    } else {
        Err(wrong())
    }
}

#[derive(Clone, Debug, Serialize)]
struct FreezeRow {
    env: String,
    frozen: bool,
    by: Option<String>,
    reason: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl FreezeRow {
    fn new(env: &str, freeze: Option<Freeze>) -> Self {
        let freeze = freeze.filter(|freeze| freeze.active(Context::now()));
        Self {
            env: env.to_owned(),
            frozen: freeze.is_some(),
            by: freeze.as_ref().map(|freeze| freeze.by.clone()),
            reason: freeze.as_ref().map(|freeze| freeze.reason.clone()),
            since: freeze.as_ref().map(|freeze| freeze.since),
            until: freeze.and_then(|freeze| freeze.until),
        }
    }
}

impl Row for FreezeRow {
    const FIELDS: &'static [&'static str] = &["env", "frozen", "by", "reason", "since", "until"];
    const COLUMNS: &'static [Column] = &[
        Column::text("ENV"),
        Column::text("FROZEN"),
        Column::text("BY"),
        Column::number("SINCE"),
        Column::text("UNTIL"),
        Column::text("WHY"),
    ];

    fn cells(&self, look: &Look) -> Vec<Cell> {
        vec![
            Cell::from(&self.env),
            if self.frozen {
                Cell::toned("yes", Tone::Bad)
            } else {
                Cell::toned("no", Tone::Good)
            },
            Cell::maybe(self.by.as_ref()),
            Cell::maybe(self.since.map(|at| look.ago(at))),
            Cell::maybe(self.until.map(|at| at.to_string())),
            Cell::maybe(self.reason.as_ref()),
        ]
    }
}

pub(crate) async fn run(context: &Context, command: FreezeCommand) -> CliResult<Exit> {
    let unread = |error| CliError::port("the freeze could not be read or written", error);
    let targets = match command {
        FreezeCommand::Status => context.settings.all_targets()?,
        _ => vec![context.settings.one_target()?],
    };
    let mut rows = Vec::new();
    for target in targets {
        let access = if matches!(command, FreezeCommand::Status) {
            Access::Read
        } else {
            Access::Write
        };
        let freezes = access::freezes(&target, &context.caller_for(&target, access)?);
        match &command {
            FreezeCommand::Status => {}
            FreezeCommand::Set { span } => {
                let reason = safety::reason(context, &target)?;
                let reason = reason.ok_or_else(|| {
                    CliError::refused(
                        "a freeze needs a reason: everybody who is stopped by it reads it",
                    )
                    .hint("add --reason TEXT")
                })?;
                access::permit(
                    context,
                    &target,
                    &Wanted::new(Action::FreezeSet).because(Some(&reason)),
                )
                .await?;
                let now = Context::now();
                let freeze = Freeze::begin(
                    &target.name,
                    context.who(),
                    &reason,
                    now,
                    span.and_then(|span| now.checked_add(span).ok()),
                );
                let freeze = freeze
                    .map_err(|error| CliError::usage("the freeze is not right").because(error))?;
                let line = same_as::said(context, same_as::freeze(&target, &freeze));
                let entry = context
                    .entry(&target, "freeze.set", Some(&reason))
                    .same_as(line);
                context
                    .audited(&target, entry, async {
                        freezes.set(&freeze).await.map_err(unread)
                    })
                    .await?;
            }
            FreezeCommand::Lift => {
                let reason = safety::reason(context, &target)?;
                access::permit(
                    context,
                    &target,
                    &Wanted::new(Action::FreezeLift).because(reason.as_deref()),
                )
                .await?;
                let line = same_as::said(context, same_as::lift(&target));
                let entry = context
                    .entry(&target, "freeze.lift", reason.as_deref())
                    .same_as(line);
                if !context
                    .audited(&target, entry, async {
                        freezes.lift().await.map_err(unread)
                    })
                    .await?
                {
                    context.talk.say(format!("{} was not frozen", target.name));
                }
            }
        }
        let row = FreezeRow::new(&target.name, freezes.current().await.map_err(unread)?);
        rows.push(Of {
            env: target.name.clone(),
            value: row,
        });
    }
    context.printer.list(&rows, false)?;
    Ok(Exit::Done)
}
