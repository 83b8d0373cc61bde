//! `payops freeze`: nobody changes anything in an environment until it is lifted.

use std::sync::Arc;

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use payops_core::domain::access::{Action, Freeze};
use payops_ops::equivalent;
use payops_ops::error::{OpsError, OpsResult};
use payops_ops::session::Session;
use payops_ops::times::parse_span;
use serde::Serialize;

use crate::consent::{self, ConsentArgs, Proposal};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Cell, Column, InEnv, Row, Style, Tone};

/// `payops freeze …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum FreezeCommand {
    /// Show which environments are frozen, by whom and why
    Status,
    /// Freeze an environment: refuse all writes of all payops processes
    Set {
        /// How long, such as 2h [default: until it is lifted]
        #[arg(long = "for", value_name = "DURATION", value_parser = span)]
        span: Option<SignedDuration>,
        #[command(flatten)]
        consent: ConsentArgs,
    },
    /// End the freeze
    Lift {
        #[command(flatten)]
        consent: ConsentArgs,
    },
}

fn span(text: &str) -> Result<SignedDuration, String> {
    parse_span(text, SignedDuration::MAX)
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
        let freeze = freeze.filter(|freeze| freeze.is_active(Timestamp::now()));
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

    fn cells(&self, style: &Style) -> Vec<Cell> {
        vec![
            Cell::from(&self.env),
            if self.frozen {
                Cell::toned("yes", Tone::Bad)
            } else {
                Cell::toned("no", Tone::Good)
            },
            Cell::maybe(self.by.as_ref()),
            Cell::maybe(self.since.map(|at| style.ago(at))),
            Cell::maybe(self.until.map(|at| at.to_string())),
            Cell::maybe(self.reason.as_ref()),
        ]
    }
}

pub(crate) async fn run(context: &Context, command: FreezeCommand) -> OpsResult<Exit> {
    match command {
        FreezeCommand::Status => list(context, &context.operator.all_sessions()?).await,
        FreezeCommand::Set { span, consent } => set(context, span, consent).await,
        FreezeCommand::Lift { consent } => lift(context, consent).await,
    }
}

async fn set(
    context: &Context,
    span: Option<SignedDuration>,
    consent: ConsentArgs,
) -> OpsResult<Exit> {
    let session = context.operator.one_session()?;
    let reason =
        consent::reason_unless_dry_run(context, &session.env, consent)?.ok_or_else(|| {
            OpsError::refused("a freeze requires a reason: everyone it stops will see it")
                .hint("add --reason TEXT")
        })?;
    let freeze = session.plan_freeze(&reason, span)?;
    let line = equivalent::freeze(&session.env, &freeze);
    if consent.dry_run {
        let what = format!("freeze {}", session.name());
        let proposal = Proposal {
            equivalent: line,
            ..Proposal::new(&session, Action::FreezeSet, what)
        };
        return proposal.print(context, &session).await;
    }
    say_how(context, &session, line.as_deref());
    session.set_freeze(&freeze).await?;
    list(context, &[session]).await
}

/// Says how the same is done with the AWS CLI; where there is no table, where it is kept.
fn say_how(context: &Context, session: &Session, line: Option<&str>) {
    if let Some(line) = line {
        context.console.say(format!("equivalent: {line}"));
    }
    consent::say_where_kept(context, &session.env);
}

async fn lift(context: &Context, consent: ConsentArgs) -> OpsResult<Exit> {
    let session = context.operator.one_session()?;
    let reason = consent::reason_unless_dry_run(context, &session.env, consent)?;
    let line = equivalent::lift(&session.env);
    if consent.dry_run {
        let what = format!("lift the freeze of {}", session.name());
        let proposal = Proposal {
            equivalent: line,
            ..Proposal::new(&session, Action::FreezeLift, what)
        };
        return proposal.print(context, &session).await;
    }
    say_how(context, &session, line.as_deref());
    if !session.lift_freeze(reason.as_deref()).await? {
        context
            .console
            .say(format!("{} was not frozen", session.name()));
    }
    list(context, &[session]).await
}

async fn list(context: &Context, sessions: &[Arc<Session>]) -> OpsResult<Exit> {
    let mut rows = Vec::new();
    for session in sessions {
        rows.push(InEnv {
            env: session.name().to_owned(),
            value: FreezeRow::new(session.name(), session.freeze().await?),
        });
    }
    context.printer.list(&rows, false)?;
    Ok(Exit::Done)
}
